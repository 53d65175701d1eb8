import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../../app.js';
import { countBusyConnections } from './maintenance.sql.js';

/** What a task came to. */
export interface TaskOutcome {
  /** Lots, users, … that it looked at. */
  readonly processed: number;
  /** Of these, how many it changed. */
  readonly changed: number;
}

/** A task that gives way pauses this many times as long as its last batch took. */
const PAUSE_FACTOR = 3;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Called by a background task between two batches. While other work is in the database, of whatever
 * process, the task takes a quarter of its time; on an idle database it goes on at once.
 */
export async function giveWay(app: Pick<App, 'db'>, batchStartedAt: number): Promise<void> {
  const batchMs = performance.now() - batchStartedAt;
  if ((await countBusyConnections(app.db)) === 0) return;
  await sleep(Math.min(LONGEST_PAUSE_MS, batchMs * PAUSE_FACTOR));
}
