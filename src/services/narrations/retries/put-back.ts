import type { App } from '../../app.js';
import { newId } from '../../../domain/ids.js';
import { transact, type Tx } from '../../../infra/db.js';
import type { Delivery } from '../../../infra/queue.js';
import {
  failAudioQueue,
  synthesizeAudioQueue,
  type FailingCause,
  type NarrationJob,
} from '../../queues.js';
import type { Claim, ClaimRow } from '../synthesis/claims.sql.js';
import type { AudioFailureCode } from '../synthesis/failure-code.js';
import { writeFailedTry, writeGivenUp, writeQueued, writeWaiting } from './tries.sql.js';

/** Another delivery has claimed the attempt, or it was settled. This delivery must not write any more. */
export class ClaimLost extends Error {}

/** The recording is being deleted, which takes a moment, so it cannot be made now. */
export class BeingErased extends Error {}

/** A delivery that holds the claim of its attempt. */
export interface HeldJob {
  readonly job: Delivery<NarrationJob>;
  readonly task: ClaimRow;
}

/** What a write must match, so that a delivery which has lost its claim changes nothing. */
export const claimOf = ({ job, task }: HeldJob): Claim => {
  const { userId, audioId } = job.payload;
  return { userId, audioId, claim: task.claim };
};

/** How many times the delay may double. */
const DOUBLINGS_MAX = 16;

/** Puts a narration back for another try, and counts this one. @throws ClaimLost */
export function putBackFailed(app: App, held: HeldJob, code: AudioFailureCode): Promise<void> {
  const { delaySeconds } = app.config.synthesis.retries;
  const startAfterSeconds = delaySeconds * 2 ** Math.min(held.task.tries, DOUBLINGS_MAX);
  return putBack(app, held, startAfterSeconds, (tx, jobId) =>
    writeFailedTry(tx, claimOf(held), { code, jobId }),
  );
}

/** Puts a narration back until the speech provider is asked again. No try is counted. @throws ClaimLost */
export const putBackWaiting = (app: App, held: HeldJob, startAfterMs: number): Promise<void> =>
  putBack(app, held, startAfterMs / 1000, (tx, jobId) => writeWaiting(tx, claimOf(held), jobId));

const ERASED_WITHIN_MS = 2_000;

/**
 * Puts a narration back until the deletion of its recording has ended. No try is counted, because its text is not at
 * fault.
 * @throws ClaimLost
 */
export const putBackErased = (app: App, held: HeldJob): Promise<void> =>
  putBack(app, held, ERASED_WITHIN_MS / 1000, (tx, jobId) => writeQueued(tx, claimOf(held), jobId));

/**
 * What is written, the end of this job and the next job are one commit, so that the narration always has exactly one
 * job.
 */
function putBack(
  app: App,
  held: HeldJob,
  startAfterSeconds: number,
  write: (tx: Tx, jobId: string) => Promise<boolean>,
): Promise<void> {
  const jobId = newId();
  const requestedAt = held.task.requestedAt.toISOString();
  const payload = { ...held.job.payload, requestedAt };
  return transact(app.db, async (tx) => {
    await mustHold(write(tx, jobId));
    await endJob(app, tx, held);
    await app.queue.enqueue(tx, synthesizeAudioQueue, [{ id: jobId, payload, startAfterSeconds }]);
  });
}

/**
 * Hands a narration that is not tried again to the queue that fails and refunds it, because that one tries until the
 * refund succeeds.
 * @param failure.code null for the code of the last try
 * @throws ClaimLost
 */
export function handOver(
  app: App,
  held: HeldJob,
  { code, cause }: { readonly code: AudioFailureCode | null; readonly cause?: FailingCause },
): Promise<void> {
  const { userId, audioId, attempt } = held.job.payload;
  return transact(app.db, async (tx) => {
    await mustHold(writeGivenUp(tx, claimOf(held), code));
    await endJob(app, tx, held);
    const payload = { userId, audioId, attempt, cause };
    await app.queue.enqueue(tx, failAudioQueue, [{ id: newId(), payload }]);
  });
}

async function mustHold(written: Promise<boolean>): Promise<void> {
  if (!(await written)) throw new ClaimLost();
}

/** @throws ClaimLost when the queue has taken the job back, so that it will be delivered again */
const endJob = (app: App, tx: Tx, { job }: HeldJob): Promise<void> =>
  mustHold(app.queue.complete(tx, synthesizeAudioQueue.name, job));
