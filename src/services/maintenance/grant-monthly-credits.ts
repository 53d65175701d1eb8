import type { App } from '../app.js';
import { FIRST_ID } from '../../domain/ids.js';
import { monthOf } from '../../domain/ledger/month.js';
import { monthlyGrant } from '../ledger/allowances.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { countMoved } from '../ledger/commit/bulk.js';
import { readMonthlyRecipients, type Recipient } from './maintenance.sql.js';
import { walkInLanes, type TaskOutcome } from './task.js';

/**
 * Grants one MONTHLY lot to each active, verified user in each calendar month. Most users have it already, because
 * their first read or debit of the month grants it. Idempotent, and safe to run in several processes at once: users who
 * have the lot are not selected, and the ledger refuses a second one.
 */
export async function grantMonthlyCredits(app: App, signal?: AbortSignal): Promise<TaskOutcome> {
  const { monthly: defaultAmount } = app.config.credits;
  if (defaultAmount === 0)
    app.log.warn(
      { event: 'monthly-grant-off' },
      'MONTHLY_CREDITS is 0: only users with an allowance of their own get any',
    );
  const month = monthOf(await readLedgerClock(app.db));
  const { period } = month;
  return walkInLanes<Recipient>(app, signal, {
    read: ({ after, ...page }) =>
      readMonthlyRecipients(app.db, {
        ...page,
        after: after?.userId ?? FIRST_ID,
        period,
        defaultAmount,
      }),
    settle: async (users) => {
      const requests = users.map((user) => monthlyGrant(app.config.credits, month, user));
      return countMoved(await app.ledger.grantAllowances(requests, { patient: true }));
    },
  });
}
