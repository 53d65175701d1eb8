import type { App } from '../../app.js';
import { asLotId, asUserId } from '../../domain/ids.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { expirationSettler, type ExpireRequest } from '../ledger/expirations.js';
import { countMoved, settleInBulk } from '../ledger/in-bulk.js';
import { observe } from '../ledger/observed.js';
import { readLapsedLots, type LapsedLot } from './maintenance.sql.js';
import { giveWay, lanesWhen, type TaskOutcome } from './task.js';

const LOTS_IN_A_BATCH = 500;

/**
 * The sweep: books the expiry of lapsed lots that still hold points, oldest first. It does not wait for locks. A lot
 * whose account is locked is left for the next sweep. Several sweeps may run at the same time, and an interrupted one
 * loses nothing, because the lots themselves tell which are left.
 */
export async function expireCredits(app: App, signal?: AbortSignal): Promise<TaskOutcome> {
  const until = await readLedgerClock(app.db);
  const observer = observe<ExpireRequest>(app, 'expire');
  const settle = expirationSettler(app.mender);
  let processed = 0;
  let changed = 0;
  let after: LapsedLot | null = null;
  for (let isIdle = false; ;) {
    signal?.throwIfAborted();
    const startedAt = performance.now();
    const lanes = lanesWhen(isIdle);
    const limit = lanes * LOTS_IN_A_BATCH;
    const lots: LapsedLot[] = await readLapsedLots(app.db, {
      after,
      until,
      limit,
    });
    const requests = lots.map(({ userId, lotId }) => ({
      userId: asUserId(userId),
      lotId: asLotId(lotId),
    }));
    changed += countMoved(
      await settleInBulk(app, settle, observer, requests, { patient: false, lanes }),
    );
    processed += lots.length;
    if (lots.length < limit) return { processed, changed };
    after = lots.at(-1) ?? null;
    isIdle = await giveWay(app, startedAt);
  }
}
