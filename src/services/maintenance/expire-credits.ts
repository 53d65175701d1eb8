import type { App } from '../app.js';
import { asLotId, asUserId } from '../../domain/ids.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { countMoved } from '../ledger/commit/bulk.js';
import { readLapsedLots, type LapsedLot } from './maintenance.sql.js';
import { walkInLanes, type TaskOutcome } from './task.js';

/**
 * The sweep: books the expiry of lapsed lots that still hold points, oldest first. It does not wait for locks. A lot
 * whose account is locked is left for the next sweep. Several sweeps may run at the same time, and an interrupted one
 * loses nothing, because the lots themselves tell which are left.
 */
export async function expireCredits(app: App, signal?: AbortSignal): Promise<TaskOutcome> {
  const until = await readLedgerClock(app.db);
  return walkInLanes<LapsedLot>(app, signal, {
    read: (wanted) => readLapsedLots(app.db, { ...wanted, until }),
    settle: async (lots) => {
      const requests = lots.map(({ userId, lotId }) => ({
        userId: asUserId(userId),
        lotId: asLotId(lotId),
      }));
      const settlements = await app.ledger.expire(requests, { patient: false });
      return countMoved(settlements);
    },
  });
}
