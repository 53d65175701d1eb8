import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../../app.js';
import { countBusyConnections } from './maintenance.sql.js';

/** The result of a task. */
export interface TaskOutcome {
  /** The number of lots, users and so on that it checked. */
  readonly processed: number;
  /** The number of those that it changed. */
  readonly changed: number;
}

/** The pause of a task that gives way, as a multiple of the duration of its last batch. */
const PAUSE_FACTOR = 3;
const LONGEST_PAUSE_MS = 2_000;

/** The number of concurrent batches of a task that moves points, while the database is otherwise idle. */
const LANES_WHEN_IDLE = 2;
export const lanesWhen = (isIdle: boolean): number => (isIdle ? LANES_WHEN_IDLE : 1);

/**
 * Called by a background task between two batches. While any process uses the database for other work, the task pauses,
 * so that it runs for a quarter of the time. While the database is idle, it continues at once.
 * @returns whether the database was idle
 */
export async function giveWay(app: Pick<App, 'db'>, batchStartedAt: number): Promise<boolean> {
  const batchMs = performance.now() - batchStartedAt;
  if ((await countBusyConnections(app.db)) === 0) return true;
  await sleep(Math.min(LONGEST_PAUSE_MS, batchMs * PAUSE_FACTOR));
  return false;
}
