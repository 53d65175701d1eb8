import { z } from 'zod';
import type { QueueDeclaration } from '../infra/queue.js';

export interface NarrationJob {
  readonly userId: string;
  readonly audioId: string;
  /** The attempt that was paid for; a job of an older one has nothing to do. */
  readonly attempt: number;
}

const narrationJob = z.object({
  userId: z.uuid(),
  audioId: z.uuid(),
  attempt: z.int().positive(),
});

/** Where a narration goes whose retries are spent. Giving points back is retried until it succeeds. */
export const failAudioQueue: QueueDeclaration<NarrationJob> = {
  name: 'fail-audio',
  payload: narrationJob,
  policy: {
    retryLimit: 1_000_000,
    retryDelay: 1,
    retryBackoff: true,
    retryDelayMax: 300,
    retentionSeconds: 365 * 86_400,
    expireInSeconds: 60,
    heartbeatSeconds: 20,
    notify: true,
  },
};

export interface SynthesisRetries {
  /** How often a narration is tried again. */
  readonly limit: number;
  /** Before the first retry; each later one waits twice as long. */
  readonly delaySeconds: number;
}

export const synthesizeAudioQueue = (
  retries: SynthesisRetries,
): QueueDeclaration<NarrationJob> => ({
  name: 'synthesize-audio',
  payload: narrationJob,
  policy: {
    retryLimit: retries.limit,
    retryDelay: retries.delaySeconds,
    retryBackoff: true,
    retentionSeconds: 30 * 86_400,
    expireInSeconds: 3_600,
    // A killed worker is noticed after this long; another one takes its job within the minute.
    heartbeatSeconds: 20,
    deadLetter: failAudioQueue.name,
    notify: true,
  },
});

const sendMailPayload = z.object({
  userId: z.uuid(),
  mail: z.enum(['VERIFY', 'RESET', 'PASSWORD_CHANGED']),
  /** Of a RESET. */
  requestedAt: z.iso.datetime().optional(),
});
export type SendMailPayload = z.infer<typeof sendMailPayload>;

/** Mail that a server does not take now is offered again for a day. */
export const sendMailQueue: QueueDeclaration<SendMailPayload> = {
  name: 'send-mail',
  payload: sendMailPayload,
  policy: {
    retryLimit: 40,
    retryDelay: 5,
    retryBackoff: true,
    retryDelayMax: 3_600,
    retentionSeconds: 7 * 86_400,
    expireInSeconds: 120,
    heartbeatSeconds: 20,
    notify: true,
  },
};

const eraseAccountPayload = z.object({ userId: z.uuid() });
export type EraseAccountPayload = z.infer<typeof eraseAccountPayload>;

/** Whoever left is forgotten, however often it must be tried. */
export const eraseAccountQueue: QueueDeclaration<EraseAccountPayload> = {
  name: 'erase-account',
  payload: eraseAccountPayload,
  policy: {
    retryLimit: 1_000_000,
    retryDelay: 1,
    retryBackoff: true,
    retryDelayMax: 300,
    retentionSeconds: 365 * 86_400,
    expireInSeconds: 3_600,
    heartbeatSeconds: 20,
    notify: true,
  },
};

/** A task that runs by the clock: once at its time, however many processes there are. */
export interface ScheduledQueue extends QueueDeclaration<object> {
  /** Minute, hour, day of the month, month, day of the week; in UTC. */
  readonly cron: string;
}

const scheduled = (name: string, cron: string): ScheduledQueue => ({
  name,
  cron,
  payload: z.object({}),
  policy: {
    // One at a time is enough; a second that was due meanwhile waits, a third is not needed.
    policy: 'stately',
    retryLimit: 3,
    retryDelay: 30,
    retryBackoff: true,
    expireInSeconds: 6 * 3_600,
    heartbeatSeconds: 60,
    deleteAfterSeconds: 7 * 86_400,
  },
});

export const expireCreditsQueue = scheduled('expire-credits', '*/5 * * * *');
/** On the 1st it grants; on the other days it finds whom it has missed. */
export const grantMonthlyCreditsQueue = scheduled('grant-monthly-credits', '5 0 * * *');
export const reconcileCreditsQueue = scheduled('reconcile-credits', '30 3 * * *');
/** Settles narrations whose jobs are gone. */
export const reapStuckAudioQueue = scheduled('reap-stuck-audio', '* * * * *');
export const pruneQueue = scheduled('prune', '0 4 * * *');

export const SCHEDULED_QUEUES: readonly ScheduledQueue[] = [
  expireCreditsQueue,
  grantMonthlyCreditsQueue,
  reconcileCreditsQueue,
  reapStuckAudioQueue,
  pruneQueue,
];
