import type { App } from '../../app.js';
import { pruneEmailTokens, pruneRateLimits, pruneSessions, type Prune } from './prune.sql.js';
import { sweepFiles } from './sweep-files.js';
import { giveWay, type TaskOutcome } from './task.js';

/** Of sessions fewer, for each takes all its tokens along. */
const BATCHES: readonly (readonly [prune: Prune, rows: number])[] = [
  [pruneSessions, 100],
  [pruneEmailTokens, 1000],
  [pruneRateLimits, 1000],
];
const MAIL_KEPT_MS = 7 * 86_400_000;

/**
 * Deletes sessions with their tokens, mailed tokens, counters of limits and development mail that have lapsed, and
 * files that nobody needs.
 */
export async function prune(app: App, signal?: AbortSignal): Promise<TaskOutcome> {
  let deleted = 0;
  for (const [batch, rows] of BATCHES) deleted += await deleteInBatches(app, batch, rows, signal);
  deleted += (await app.mailbox?.prune(new Date(Date.now() - MAIL_KEPT_MS))) ?? 0;
  const files = await sweepFiles(app, signal);
  return { processed: deleted + files.processed, changed: deleted + files.changed };
}

async function deleteInBatches(
  app: Pick<App, 'db'>,
  batch: Prune,
  rows: number,
  signal?: AbortSignal,
): Promise<number> {
  for (let deleted = 0; ;) {
    signal?.throwIfAborted();
    const startedAt = performance.now();
    const count = await batch(app.db, rows);
    deleted += count;
    if (count < rows) return deleted;
    await giveWay(app, startedAt);
  }
}
