import type { App } from '../app.js';
import { conflict, notFound } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import type { TransactionView } from '../credits/credits.js';
import { synthesizeAudioQueue } from '../queues.js';
import type { Viewer } from '../sessions/viewer.js';
import { lockNarration, writeEnding } from './narrations.sql.js';
import { endAttempt } from './settle-attempt.js';

/**
 * Cancels one of the viewer's narrations and refunds it. CANCELLED, the refund and the end of the job are one commit.
 * Idempotent, because a narration that has ended without a recording is not changed.
 * @throws NOT_FOUND; CONFLICT for a narration that is READY, or that is being remade; BUSY
 */
export async function cancelAudio(
  app: App,
  { userId }: Viewer,
  audioId: string,
): Promise<{ userId: string; audioId: string }> {
  if (!isId(audioId)) throw notFound('audio');
  const audio = { userId, audioId };
  const ending = { status: 'CANCELLED' } as const;
  await endAttempt(app, audio, ending, async (tx) => {
    const found = await lockNarration(tx, audio);
    if (found === undefined) throw notFound('audio');
    if (found.status === 'READY')
      throw conflict('This narration is ready: there is nothing to stop.');
    // It was READY before, and a narration that could be heard is not refunded.
    if (found.remade)
      throw conflict('This narration is made once more because its recording was lost.');
    const debitSeq = await writeEnding(tx, { ...audio, attempt: found.attempt }, ending);
    // A worker that is running the job finds that its claim is not valid any more.
    if (debitSeq !== undefined) await app.queue.cancel(tx, synthesizeAudioQueue.name, found.jobId);
    return debitSeq;
  });
  return audio;
}

/** The refund of the last debit, if there is one. @param transactions of one narration, oldest first */
export function lastRefund(transactions: readonly TransactionView[]): TransactionView | null {
  const last = transactions.at(-1);
  return last?.type === 'REFUND' ? last : null;
}
