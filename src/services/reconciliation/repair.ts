import type { App } from '../../app.js';
import { transact } from '../../infra/db.js';
import { changed, writeAudit } from '../audit.sql.js';
import { lockAccounts } from '../ledger/books.sql.js';
import { repairLots } from './reconcile.sql.js';
import { verifyLedger } from './verify.js';

type Facts = Pick<App, 'db' | 'log'>;

/** The invariant of `remaining`. Only this can be repaired, because it is the only stored sum. */
const REMAINING = '1';

/**
 * Sets `remaining` of lots to the sum of their allocations where the two differ.
 * @param userId undefined for all users
 * @returns the number of lots that were repaired
 */
export async function repairLedger(app: Facts, userId: string | undefined): Promise<number> {
  const userIds = new Set<string>();
  await verifyLedger(
    app,
    (violations) => {
      for (const violation of violations)
        if (violation.invariant === REMAINING && violation.userId !== null)
          userIds.add(violation.userId);
      return Promise.resolve();
    },
    { userId },
  );
  let repaired = 0;
  for (const id of userIds) repaired += await repairAccount(app, id);
  return repaired;
}

/** Repairs one account under its lock, with an audit entry for each lot. History is never edited. */
async function repairAccount(app: Facts, userId: string): Promise<number> {
  const lots = await transact(app.db, async (tx) => {
    const [account] = await lockAccounts(tx, [userId], true);
    if (account === undefined) return [];
    const repaired = await repairLots(tx, userId);
    const actions = repaired.map(({ lotId, before, after }) => ({
      actorId: null,
      action: 'ledger verify --repair',
      target: lotId,
      details: { userId, remaining: changed(before, after) },
      reason: `remaining was ${String(before)}, its allocations say ${String(after)}`,
      at: account.now,
    }));
    if (actions.length > 0) await writeAudit(tx, actions);
    return repaired;
  });
  for (const lot of lots) app.log.warn({ event: 'lot-repaired', userId, ...lot }, 'lot repaired');
  return lots.length;
}
