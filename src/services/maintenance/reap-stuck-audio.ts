import type { App } from '../app.js';
import { readAbandoned, type AbandonedRow } from '../narrations/synthesis/abandoned.sql.js';
import { COULD_NOT_BE_MADE, failNarration } from '../narrations/settle-attempt.js';
import { failAudioQueue, synthesizeAudioQueue } from '../queues.js';
import type { TaskOutcome } from './task.js';

const AT_ONCE = 100;
/** A narration and its job are one commit, so that a narration without a job for this long has lost it. */
const ABANDONED_AFTER_MS = 60_000;

/**
 * The reaper: fails and refunds unfinished narrations whose job is gone for any reason. Idempotent, and safe to run in
 * several processes at once. A narration that cannot be settled now is left for the next run.
 */
export async function reapStuckAudio(app: App, signal?: AbortSignal): Promise<TaskOutcome> {
  let [processed, changed] = [0, 0];
  const queues = { making: synthesizeAudioQueue.name, failing: failAudioQueue.name };
  for (let after: AbandonedRow | null = null; ;) {
    signal?.throwIfAborted();
    const wanted = { after, forMs: ABANDONED_AFTER_MS, limit: AT_ONCE };
    const abandoned: AbandonedRow[] = await readAbandoned(app.db, queues, wanted);
    for (const attempt of abandoned) if (await settle(app, attempt)) changed += 1;
    processed += abandoned.length;
    after = abandoned.at(-1) ?? null;
    if (abandoned.length < AT_ONCE) return { processed, changed };
  }
}

async function settle(app: App, { userId, audioId, attempt }: AbandonedRow): Promise<boolean> {
  try {
    return await failNarration(app, { userId, audioId, attempt }, COULD_NOT_BE_MADE, null);
  } catch (error) {
    app.log.error(
      { event: 'narration-not-settled', userId, audioId, attempt, err: error },
      'an abandoned narration was not settled',
    );
    return false;
  }
}
