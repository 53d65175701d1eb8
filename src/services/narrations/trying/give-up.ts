import type { App } from '../../../app.js';
import { SpeechError } from '../../../infra/speech/provider.js';
import { SYNTHESIS_SECONDS } from '../../queues.js';
import { failureCodeOf, type AudioFailureCode } from '../making/failure-code.js';
import { failNarration } from '../settle-attempt.js';
import { claimOf, ClaimLost, handOver, putBackFailed, type HeldJob } from './put-back.js';
import { writeLaidDown } from './tries.sql.js';

/**
 * Decides what becomes of a narration after a delivery that made no recording of it. A text that can never be spoken
 * fails at once. Otherwise the try is counted, and the narration is put back or, when its tries are used up, handed to
 * the queue that fails it.
 * @throws the error of the try, so that the delivery counts as failed
 */
export async function giveUp(app: App, held: BegunJob, error: unknown): Promise<void> {
  const { job, task } = held;
  const { userId, audioId, attempt } = job.payload;
  if (error instanceof ClaimLost) {
    logStopped(app, held);
    return;
  }
  // It is laid down already.
  if (isStopping(held)) throw error;
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
      { queueName: app.synthesizeAudio.name, delivery: job },
    );
    return;
  }
  await settleTry(app, held, code);
  throw error;
}

async function settleTry(app: App, held: HeldJob, code: AudioFailureCode): Promise<void> {
  try {
    if (held.task.tries < app.config.synthesis.retries.limit) await putBackFailed(app, held, code);
    else await handOver(app, held, code);
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
  await handOver(app, held, 'INTERNAL');
  return true;
}
