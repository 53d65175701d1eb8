import type { App } from '../../app.js';
import { FIRST_ID } from '../../domain/ids.js';
import { monthOf } from '../../domain/ledger/month.js';
import { monthlyGrant } from '../ledger/allowances.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { settleGrants, type GrantRequest } from '../ledger/grants.js';
import { countMoved, settleInBulk } from '../ledger/in-bulk.js';
import { observe } from '../ledger/observed.js';
import { readMonthlyRecipients } from './maintenance.sql.js';
import { giveWay, lanesWhen, type TaskOutcome } from './task.js';

const USERS_IN_A_BATCH = 500;

/**
 * Grants one MONTHLY lot to each active, verified user in each calendar month. Most users have it already, because
 * their first read or debit of the month grants it. Idempotent, and safe to run in several processes at once: users who
 * have the lot are not selected, and the ledger refuses a second one.
 */
export async function grantMonthlyCredits(app: App, signal?: AbortSignal): Promise<TaskOutcome> {
  const { monthly } = app.config.credits;
  if (monthly === 0)
    app.log.warn(
      { event: 'monthly-grant-off' },
      'MONTHLY_CREDITS is 0: only users with an allowance of their own get any',
    );
  const month = monthOf(await readLedgerClock(app.db));
  const observer = observe<GrantRequest>(app, 'monthly-grant', () => 'MONTHLY');
  let processed = 0;
  let changed = 0;
  let after = FIRST_ID;
  for (let isIdle = false; ;) {
    signal?.throwIfAborted();
    const startedAt = performance.now();
    const lanes = lanesWhen(isIdle);
    const limit = lanes * USERS_IN_A_BATCH;
    const { period } = month;
    const wanted = { after, period, defaultAmount: monthly, limit };
    const users = await readMonthlyRecipients(app.db, wanted);
    const requests = users.map((user) => monthlyGrant(app.config.credits, month, user));
    changed += countMoved(
      await settleInBulk(app, settleGrants, observer, requests, { patient: true, lanes }),
    );
    processed += users.length;
    if (users.length < limit) return { processed, changed };
    after = users.at(-1)?.userId ?? after;
    isIdle = await giveWay(app, startedAt);
  }
}
