import type { App } from '../../app.js';
import { DomainError } from '../../domain/errors.js';
import { asUserId, type UserId } from '../../domain/ids.js';
import { transact, type Tx } from '../../infra/db.js';
import type { Delivery } from '../../infra/queue.js';
import { openBooks, saveBooks } from '../ledger/books.js';
import { LOCKED, type Settled } from '../ledger/group-commit.js';
import { observe } from '../ledger/observed.js';
import { postRefunds, type RefundOutcome, type RefundRequest } from '../ledger/refunds.js';
import { failAudioQueue, type NarrationJob } from '../queues.js';
import { writeEnding, type Ending } from './narrations.sql.js';

/** The job that is completed in the same transaction. */
interface SettledJob {
  readonly queueName: string;
  readonly delivery: Pick<Delivery<unknown>, 'id' | 'retryCount'>;
}

/**
 * Marks an attempt FAILED and gives its points back, in one commit with the end of the job. An attempt
 * that is settled already is left as it is, so this is safe to repeat. With `claim`, only while that
 * claim holds.
 * @param reason why, for people
 * @param job null: whoever has it will find the attempt settled
 * @returns whether there was anything to settle
 */
export function failNarration(
  app: App,
  attempt: NarrationJob & { readonly claim?: number },
  reason: string,
  job: SettledJob | null,
): Promise<boolean> {
  const ending = { status: 'FAILED', reason } as const;
  return endAttempt(app, attempt, ending, async (tx) => {
    const debitSeq = await writeEnding(tx, attempt, ending);
    if (job !== null) await app.queue.complete(tx, job.queueName, job.delivery);
    return debitSeq;
  });
}

/** What people are told when nothing more can be said. */
export const COULD_NOT_BE_MADE = 'The recording could not be made.';

/** Settles what a worker has given up. @throws when it should be tried again */
export async function failGivenUp(app: App, delivery: Delivery<NarrationJob>): Promise<void> {
  const job = { queueName: failAudioQueue.name, delivery };
  await failNarration(app, delivery.payload, COULD_NOT_BE_MADE, job);
}

/** As they stand in the history. */
const REFUND_REASONS: Readonly<Record<Ending['status'], string>> = {
  FAILED: 'The narration failed.',
  CANCELLED: 'The narration was cancelled.',
};

/**
 * Ends an attempt without a recording: how it ends and the refund are one commit.
 * @param end marks the narration; under the account's lock, for that is the order in which narrations are asked
 *   for. Returns the debit to give back; undefined when it was settled already
 * @returns whether there was anything to settle
 */
export async function endAttempt(
  app: App,
  { userId, audioId }: { readonly userId: string; readonly audioId: string },
  ending: Ending,
  end: (tx: Tx) => Promise<number | undefined>,
): Promise<boolean> {
  const startedAt = performance.now();
  const refunded = await transact(app.db, (tx) =>
    endAndRefund(app, tx, asUserId(userId), ending, end),
  ).catch((error: unknown) => {
    // What a rule refuses needs no second try.
    if (!(error instanceof DomainError) || error.code === 'BUSY') app.metrics.refundFailures.inc();
    throw error;
  });
  if (refunded === null) {
    app.log.info({ userId, audioId }, 'narration was settled already');
    return false;
  }
  const { request, entries, result } = refunded;
  observe<RefundRequest>(app, 'refund').settled(request, entries, performance.now() - startedAt);
  const wasAskedFor = ending.status === 'CANCELLED';
  app.metrics.narrations.inc({ result: wasAskedFor ? 'cancelled' : 'failed' });
  const { debitSeq } = request;
  app.log[wasAskedFor ? 'info' : 'warn'](
    { userId, audioId, debitSeq, refundSeq: result.seq, ...ending },
    'narration ended without a recording, points given back',
  );
  return true;
}

async function endAndRefund(
  app: App,
  tx: Tx,
  userId: UserId,
  { status }: Ending,
  end: (tx: Tx) => Promise<number | undefined>,
): Promise<(Settled<RefundOutcome> & { readonly request: RefundRequest }) | null> {
  const open = await openBooks(tx, [userId], { wait: true });
  const debitSeq = await end(tx);
  if (debitSeq === undefined) return null;
  const request = { userId, debitSeq, reason: REFUND_REASONS[status], actorId: null };
  const [outcome] = await postRefunds(tx, open, [request], app.config.credits.refundPolicy);
  if (outcome === undefined || outcome === LOCKED) throw new Error('The account is gone.');
  if (outcome instanceof DomainError) throw outcome;
  await saveBooks(tx, open);
  return { request, ...outcome };
}
