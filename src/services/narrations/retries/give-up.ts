import type { App } from '../../app.js';
import { SpeechError } from '../../../infra/speech/provider.js';
import { SYNTHESIS_SECONDS, synthesizeAudioQueue } from '../../queues.js';
import { failureCodeOf, type AudioFailureCode } from '../synthesis/failure-code.js';
import { failNarration } from '../settle-attempt.js';
import {
  BeingErased,
  claimOf,
  ClaimLost,
  handOver,
  putBackErased,
  putBackFailed,
  putBackWaiting,
  type HeldJob,
} from './put-back.js';
import { restMsOf } from './rests.js';
import { readWaitedMs, writeLaidDown } from './tries.sql.js';

/** The longest time between two requests to a provider, because another process may know that it is available again. */
const WAIT_MAX_MS = 300_000;

/** The part of a wait by which it is made longer at random, so that not all narrations are tried at the same instant. */
const JITTER = 0.2;

/**
 * Decides what becomes of a narration after a delivery that made no recording of it. A text that can never be spoken
 * fails at once. While the speech provider rests, the narration waits. Otherwise the try is counted, and the narration
 * is put back or, when its tries are used up, handed to the queue that fails it.
 * @throws the error of the try, so that the delivery counts as failed
 */
export async function giveUp(app: App, held: BegunJob, error: unknown): Promise<void> {
  try {
    await settle(app, held, error);
  } catch (failure) {
    // Nothing could be written, for example because the database was busy. That is not the death of a worker.
    if (failure !== error) await writeLaidDown(app.db, claimOf(held)).catch(() => undefined);
    throw failure;
  }
}

async function settle(app: App, held: BegunJob, error: unknown): Promise<void> {
  const { job, task } = held;
  const { userId, audioId, attempt } = job.payload;
  if (error instanceof ClaimLost) {
    logStopped(app, held);
    return;
  }
  // The abort handler has queued the narration already.
  if (isStopping(held)) throw error;
  if (error instanceof BeingErased) {
    await unlessLost(app, held, putBackErased(app, held));
    return;
  }
  const restMs = restMsOf(app.speech, error);
  if (restMs !== null) {
    await unlessLost(app, held, wait(app, held, { restMs, error }));
    return;
  }
  app.log.warn(
    {
      event: 'narration-try-failed',
      userId,
      audioId,
      attempt,
      retryCount: task.tries,
      err: error,
    },
    'a try to narrate failed',
  );
  const code = failureCodeOf(error);
  if (error instanceof SpeechError && error.permanent) {
    await failNarration(
      app,
      { ...job.payload, claim: task.claim },
      { reason: 'This text cannot be spoken in this voice.', code },
      { queueName: synthesizeAudioQueue.name, delivery: job },
    );
    return;
  }
  await settleTry(app, held, code);
  throw error;
}

const settleTry = (app: App, held: HeldJob, code: AudioFailureCode): Promise<void> =>
  unlessLost(
    app,
    held,
    held.task.tries < app.config.synthesis.retries.limit
      ? putBackFailed(app, held, code)
      : handOver(app, held, { code }),
  );

/** Waits for the speech provider, or gives up when the narration has waited for too long. @throws ClaimLost */
async function wait(
  app: App,
  held: HeldJob,
  { restMs, error }: { readonly restMs: number; readonly error: unknown },
): Promise<void> {
  const { userId, audioId, attempt } = held.job.payload;
  const waitedMs = (await readWaitedMs(app.db, claimOf(held))) ?? 0;
  const leftMs = app.config.synthesis.deadlineMs - waitedMs;
  if (leftMs <= 0) {
    await handOver(app, held, { code: 'SPEECH_UNAVAILABLE', cause: 'DEADLINE' });
    return;
  }
  const waitMs = Math.min(restMs * (1 + Math.random() * JITTER), leftMs, WAIT_MAX_MS);
  await putBackWaiting(app, held, waitMs);
  app.log.info(
    { event: 'narration-waits', userId, audioId, attempt, waitMs, err: error },
    'a narration waits for the speech provider',
  );
}

async function unlessLost(app: App, held: HeldJob, settling: Promise<void>): Promise<void> {
  try {
    await settling;
  } catch (error) {
    if (!(error instanceof ClaimLost)) throw error;
    logStopped(app, held);
  }
}

function logStopped(app: App, { job }: HeldJob): void {
  const { userId, audioId, attempt } = job.payload;
  app.log.warn(
    { event: 'narration-stopped', userId, audioId, attempt },
    'narration was stopped, or taken over by another worker',
  );
}

type BegunJob = HeldJob & { readonly startedAt: number };

/**
 * Whether the process stops. pg-boss has then put the job back and aborted the delivery. It does the same when a delivery
 * takes too long, which is left as a death, so that it cannot go on for ever.
 */
const isStopping = ({ job, startedAt }: BegunJob): boolean =>
  job.signal.aborted &&
  (job.signal.reason as Error | undefined)?.name === 'AbortError' &&
  performance.now() - startedAt < SYNTHESIS_SECONDS * 1000;

/**
 * Queues the narration when the process stops in the middle of it, so that no death is counted. This does not wait for
 * the speech provider, whose answer may come too late. From then on, this delivery cannot write any more.
 * @returns what ends this
 */
export function layDownWhenStopping(app: App, held: BegunJob): () => void {
  const { signal } = held.job;
  const onAbort = (): void => {
    // If this fails, a death is counted.
    if (isStopping(held)) writeLaidDown(app.db, claimOf(held)).catch(() => undefined);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  return () => {
    signal.removeEventListener('abort', onAbort);
  };
}

/**
 * Fails a narration when too many workers have ended while they made it, because its text may be what ends them.
 * @returns whether it did
 */
export async function failIfDeadly(app: App, held: HeldJob): Promise<boolean> {
  const { deaths } = held.task;
  if (deaths < app.config.synthesis.deathsMax) return false;
  const { userId, audioId, attempt } = held.job.payload;
  app.log.error(
    { event: 'narration-ends-workers', userId, audioId, attempt, deaths },
    'workers have ended while they made this narration, and it is not tried again',
  );
  await handOver(app, held, { code: 'INTERNAL' });
  return true;
}
