import type { App } from '../../app.js';
import { asLotId, asUserId } from '../../domain/ids.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { settleExpirations, type ExpireRequest } from '../ledger/expirations.js';
import { countMoved, settleInBulk } from '../ledger/in-bulk.js';
import { observe } from '../ledger/observed.js';
import { readLapsedLots, type LapsedLot } from './maintenance.sql.js';
import { giveWay, type TaskOutcome } from './task.js';

const LOTS_IN_A_BATCH = 500;

/**
 * The sweep: books what lapsed lots still hold as EXPIRY, oldest first. It waits for nobody: a lot whose
 * account is held at the moment is left for the next sweep. Several may run at once, and
 * one that is interrupted has done what it has done: the lots themselves say what is left.
 */
export async function expireCredits(app: App, signal?: AbortSignal): Promise<TaskOutcome> {
  const until = await readLedgerClock(app.db);
  const observer = observe<ExpireRequest>(app, 'expire');
  let processed = 0;
  let changed = 0;
  let after: LapsedLot | null = null;
  for (;;) {
    signal?.throwIfAborted();
    const startedAt = performance.now();
    const lots: LapsedLot[] = await readLapsedLots(app.db, {
      after,
      until,
      limit: LOTS_IN_A_BATCH,
    });
    const requests = lots.map(({ userId, lotId }) => ({
      userId: asUserId(userId),
      lotId: asLotId(lotId),
    }));
    changed += countMoved(
      await settleInBulk(app, settleExpirations, observer, requests, { patient: false }),
    );
    processed += lots.length;
    if (lots.length < LOTS_IN_A_BATCH) return { processed, changed };
    after = lots.at(-1) ?? null;
    await giveWay(app, startedAt);
  }
}
