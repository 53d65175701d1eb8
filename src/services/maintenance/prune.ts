import type { App } from '../app.js';
import { pruneGrantingDays } from '../credits/approvals/granting-days.sql.js';
import { pruneNotices } from '../notices/notices.sql.js';
import {
  markUnusedTexts,
  pruneDataExports,
  pruneEmailChanges,
  pruneEmailTokens,
  pruneFormerEmails,
  pruneRateLimits,
  pruneReconciliations,
  pruneSessions,
  pruneTexts,
  type Prune,
} from './prune.sql.js';
import { sweepFiles } from './sweep-files.js';
import { giveWay, type TaskOutcome } from './task.js';

/**
 * Batches of sessions are small because each takes all its tokens with it, and batches of texts because texts are long.
 */
const BATCHES: readonly (readonly [prune: Prune, rows: number])[] = [
  [pruneSessions, 100],
  [pruneEmailTokens, 1000],
  [pruneEmailChanges, 1000],
  [pruneFormerEmails, 1000],
  [pruneDataExports, 1000],
  [pruneRateLimits, 1000],
  [pruneReconciliations, 1000],
  [pruneTexts, 100],
  [pruneGrantingDays, 1000],
  [pruneNotices, 1000],
];
const MAIL_KEPT_MS = 7 * 86_400_000;

/**
 * Deletes lapsed rows: sessions with their tokens, mailed tokens, counters of limits and development mail. Also
 * deletes old checks of the ledger, old notices, unused texts and files, and the old daily sums of administrators' grants.
 */
export async function prune(app: App, signal?: AbortSignal): Promise<TaskOutcome> {
  let deleted = 0;
  await inBatches(app, markUnusedTexts, 1000, signal);
  for (const [batch, rows] of BATCHES) deleted += await inBatches(app, batch, rows, signal);
  deleted += (await app.mailbox?.prune(new Date(Date.now() - MAIL_KEPT_MS))) ?? 0;
  const files = await sweepFiles(app, signal);
  return { processed: deleted + files.processed, changed: deleted + files.changed };
}

async function inBatches(
  app: Pick<App, 'db'>,
  batch: Prune,
  rows: number,
  signal?: AbortSignal,
): Promise<number> {
  for (let all = 0; ;) {
    signal?.throwIfAborted();
    const startedAt = performance.now();
    const count = await batch(app.db, rows);
    all += count;
    if (count < rows) return all;
    await giveWay(app, startedAt);
  }
}
