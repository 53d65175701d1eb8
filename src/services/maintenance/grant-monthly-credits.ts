import type { App } from '../../app.js';
import { asUserId, FIRST_ID } from '../../domain/ids.js';
import { hashRequest, keys } from '../../domain/ledger/idempotency.js';
import { monthOf, type Month } from '../../domain/ledger/month.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { settleGrants, type GrantRequest } from '../ledger/grants.js';
import { countMoved, settleInBulk } from '../ledger/in-bulk.js';
import { observe } from '../ledger/observed.js';
import { readMonthlyRecipients } from './maintenance.sql.js';
import { giveWay, type TaskOutcome } from './task.js';

const USERS_IN_A_BATCH = 500;

/**
 * One MONTHLY lot for each active, verified user and calendar month. Safe to repeat and to run twice at
 * once: who has the lot is not asked again, and the ledger refuses a second one.
 */
export async function grantMonthlyCredits(app: App, signal?: AbortSignal): Promise<TaskOutcome> {
  const { monthly } = app.config.credits;
  if (monthly === 0)
    app.log.warn('MONTHLY_CREDITS is 0: only users with an allowance of their own get any');
  const month = monthOf(await readLedgerClock(app.db));
  const observer = observe<GrantRequest>(app, 'monthly-grant', () => 'MONTHLY');
  let processed = 0;
  let changed = 0;
  let after = FIRST_ID;
  for (;;) {
    signal?.throwIfAborted();
    const startedAt = performance.now();
    const { period } = month;
    const wanted = { after, period, defaultAmount: monthly, limit: USERS_IN_A_BATCH };
    const users = await readMonthlyRecipients(app.db, wanted);
    const requests = users.map((user) => monthlyGrant(app, month, user));
    changed += countMoved(
      await settleInBulk(app, settleGrants, observer, requests, { patient: true }),
    );
    processed += users.length;
    if (users.length < USERS_IN_A_BATCH) return { processed, changed };
    after = users.at(-1)?.userId ?? after;
    await giveWay(app, startedAt);
  }
}

const monthlyGrant = (
  app: App,
  { period, endsAt }: Month,
  { userId, amount }: { userId: string; amount: number },
): GrantRequest => ({
  userId: asUserId(userId),
  terms: {
    source: 'MONTHLY',
    priority: app.config.credits.priorityOf.MONTHLY,
    amount,
    expiresAt: endsAt,
    period,
  },
  reason: `Allowance for ${period}`,
  idempotencyKey: keys.monthly(period),
  // Whatever the amount is by now: one grant a month.
  requestHash: hashRequest([period]),
  actorId: null,
  action: null,
});
