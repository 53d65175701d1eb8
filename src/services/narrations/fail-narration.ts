import type { App } from '../../app.js';
import { DomainError } from '../../domain/errors.js';
import { asUserId } from '../../domain/ids.js';
import { transact } from '../../infra/db.js';
import { openBooks, saveBooks } from '../ledger/books.js';
import { LOCKED } from '../ledger/group-commit.js';
import { observe } from '../ledger/observed.js';
import { postRefunds, type RefundRequest } from '../ledger/refunds.js';
import type { SynthesizeAudioPayload } from '../queues.js';
import { writeFailed } from './narrations.sql.js';

/** The job that is completed in the same transaction. */
export interface SettledJob {
  readonly queueName: string;
  readonly id: string;
  readonly retryCount: number;
}

/**
 * Marks an attempt FAILED and gives its points back, in one commit with the end of the job. An attempt
 * that is settled already is left as it is, so this is safe to repeat. With `claim`, only while that
 * claim holds.
 * @param reason why, for people
 * @param job null: whoever has it will find the attempt settled
 */
export async function failNarration(
  app: App,
  attempt: SynthesizeAudioPayload & { readonly claim?: number },
  reason: string,
  job: SettledJob | null,
): Promise<void> {
  const userId = asUserId(attempt.userId);
  const observer = observe<RefundRequest>(app, 'refund');
  const startedAt = performance.now();
  const refunded = await transact(app.db, async (tx) => {
    // The account first, then the narration: the order in which narrations are asked for.
    const open = await openBooks(tx, [userId], { wait: true });
    const debitSeq = await writeFailed(tx, attempt, reason);
    if (job !== null) await app.queue.complete(tx, job.queueName, job);
    if (debitSeq === undefined) return null;
    const request = { userId, debitSeq, reason: 'The narration failed.', actorId: null };
    const [outcome] = await postRefunds(tx, open, [request], app.config.credits.refundPolicy);
    if (outcome === undefined || outcome === LOCKED) throw new Error('The account is gone.');
    if (outcome instanceof DomainError) throw outcome;
    await saveBooks(tx, open);
    return { request, ...outcome };
  }).catch((error: unknown) => {
    app.metrics.refundFailures.inc();
    throw error;
  });
  const { audioId } = attempt;
  if (refunded === null) {
    app.log.info({ userId, audioId }, 'failed narration was settled already');
    return;
  }
  const { request, entries, result } = refunded;
  observer.settled(request, entries, performance.now() - startedAt);
  const { debitSeq } = request;
  app.log.warn(
    { userId, audioId, debitSeq, refundSeq: result.seq, reason },
    'narration failed, points given back',
  );
}
