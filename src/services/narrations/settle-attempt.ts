import type { App } from '../app.js';
import { DomainError } from '../../domain/errors.js';
import { asUserId } from '../../domain/ids.js';
import type { Tx } from '../../infra/db.js';
import type { Delivery } from '../../infra/queue.js';
import { observe } from '../ledger/commit/observer.js';
import type { RefundRequest } from '../ledger/refunds.js';
import { noticeEnd } from '../notices/notices.sql.js';
import {
  failAudioQueue,
  type FailingCause,
  type FailingJob,
  type NarrationJob,
} from '../queues.js';
import { writeEnding, type Ending } from './narrations.sql.js';

/** Why an attempt failed. */
export type Failure = Omit<Extract<Ending, { status: 'FAILED' }>, 'status'>;

/** The job that is completed in the same transaction. */
interface SettledJob {
  readonly queueName: string;
  readonly delivery: Pick<Delivery<unknown>, 'id' | 'retryCount'>;
}

/**
 * Marks an attempt FAILED and refunds it, in one commit with the end of the job. Idempotent, because an attempt that is
 * settled already is not changed. With `claim`, it does so only while that claim is valid.
 * @param job null when another delivery has the job; that delivery will find the attempt settled
 * @returns whether there was an attempt to settle
 */
export function failNarration(
  app: App,
  attempt: NarrationJob & { readonly claim?: number },
  { reason, code }: Failure,
  job: SettledJob | null,
): Promise<boolean> {
  const ending = { status: 'FAILED', reason, code } as const;
  return endAttempt(app, attempt, ending, async (tx) => {
    const debitSeq = await writeEnding(tx, attempt, ending);
    if (debitSeq !== undefined) await noticeEnd(tx, attempt, 'NARRATION_FAILED');
    if (job !== null) await app.queue.complete(tx, job.queueName, job.delivery);
    return debitSeq;
  });
}

/** The failure when nothing more specific is known. It keeps the code of the last try. */
export const COULD_NOT_BE_MADE: Failure = {
  reason: 'The recording could not be made.',
  code: null,
};

const REASONS: Readonly<Record<FailingCause, string>> = {
  DEADLINE: 'The speech provider was not available for too long.',
};

/** Settles an attempt that is not tried again. @throws when it should be settled later */
export async function failGivenUp(app: App, delivery: Delivery<FailingJob>): Promise<void> {
  const job = { queueName: failAudioQueue.name, delivery };
  const { cause } = delivery.payload;
  const failure =
    cause === undefined ? COULD_NOT_BE_MADE : { ...COULD_NOT_BE_MADE, reason: REASONS[cause] };
  await failNarration(app, delivery.payload, failure, job);
}

/** The reasons of refunds in the history. */
const REFUND_REASONS: Readonly<Record<Ending['status'], string>> = {
  FAILED: 'The narration failed.',
  CANCELLED: 'The narration was cancelled.',
};

/**
 * Ends an attempt without a recording. The end and the refund are one commit.
 * @param end marks the narration, under the account's lock, because requests for narrations take the two locks in this
 * order. It returns the debit to refund; undefined when the attempt was settled already.
 * @returns whether there was an attempt to settle
 */
export async function endAttempt(
  app: App,
  { userId, audioId }: { readonly userId: string; readonly audioId: string },
  ending: Ending,
  end: (tx: Tx) => Promise<number | undefined>,
): Promise<boolean> {
  const startedAt = performance.now();
  const request = { userId: asUserId(userId), reason: REFUND_REASONS[ending.status], end };
  const { result, entries } = await app.ledger.endAttempt(request).catch((error: unknown) => {
    // A refusal by a rule does not count, because a retry would not change it.
    if (!(error instanceof DomainError) || error.code === 'BUSY') {
      app.metrics.refundFailures.inc();
      app.log.error({ event: 'refund-failed', userId, audioId, err: error }, 'refund failed');
    }
    throw error;
  });
  if (result === null) {
    app.log.info(
      { event: 'narration-settled-before', userId, audioId },
      'narration was settled already',
    );
    return false;
  }
  const { seq: refundSeq, request: refund } = result;
  observe<RefundRequest>(app, 'refund').settled(refund, entries, performance.now() - startedAt);
  const wasAskedFor = ending.status === 'CANCELLED';
  app.metrics.narrations.inc({ result: wasAskedFor ? 'cancelled' : 'failed' });
  const ended = { userId, audioId, debitSeq: refund.debitSeq, refundSeq };
  const message = 'narration ended without a recording, points given back';
  if (ending.status === 'CANCELLED')
    app.log.info({ event: 'narration-cancelled', ...ended, ...ending }, message);
  else app.log.warn({ event: 'narration-failed', ...ended, ...ending }, message);
  return true;
}
