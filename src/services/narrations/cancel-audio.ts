import type { App } from '../../app.js';
import { conflict, notFound } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import type { TransactionView } from '../credits/credits.js';
import type { Viewer } from '../sessions/viewer.js';
import { lockNarration, writeEnding } from './narrations.sql.js';
import { endAttempt } from './settle-attempt.js';

/**
 * Stops one of the viewer's narrations and gives its points back: CANCELLED, the refund and the end of the job
 * are one commit. One that has ended without a recording is left as it is, so that twice is once.
 * @throws NOT_FOUND; CONFLICT for one that is READY, or was and is made once more; BUSY
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
    // It was ready, and points are not given back for what could be heard.
    if (found.remade)
      throw conflict('This narration is made once more because its recording was lost.');
    const debitSeq = await writeEnding(tx, { ...audio, attempt: found.attempt }, ending);
    // Whoever has the job already finds that it may not write any more.
    if (debitSeq !== undefined) await app.queue.cancel(tx, app.synthesizeAudio.name, found.jobId);
    return debitSeq;
  });
  return audio;
}

/** What came back of the last debit. @param transactions of one narration, oldest first */
export function lastRefund(transactions: readonly TransactionView[]): TransactionView | null {
  const last = transactions.at(-1);
  return last?.type === 'REFUND' ? last : null;
}
