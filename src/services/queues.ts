import { z } from 'zod';
import type { QueueDeclaration } from '../infra/queue.js';

export interface NarrationJob {
  readonly userId: string;
  readonly audioId: string;
  /** The attempt that was paid for. A job of an older attempt does nothing. */
  readonly attempt: number;
}

const narrationJob = z.object({
  userId: z.uuid(),
  audioId: z.uuid(),
  attempt: z.int().positive(),
});

/** The dead letter queue of narrations whose retries are used up. The refund is retried until it succeeds. */
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
  /** The number of retries of a narration. */
  readonly limit: number;
  /** The delay before the first retry. Each later delay is twice as long. */
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
    // The job of a killed worker is noticed after this long, and another worker takes it within a minute.
    heartbeatSeconds: 20,
    deadLetter: failAudioQueue.name,
    notify: true,
  },
});

const sendMailPayload = z.object({
  userId: z.uuid(),
  mail: z.enum(['VERIFY', 'RESET', 'PASSWORD_CHANGED', 'NOTICE']),
  /** For NOTICE. */
  noticeId: z.uuid().optional(),
  /** For RESET: when it was requested. */
  requestedAt: z.iso.datetime().optional(),
});
export type SendMailPayload = z.infer<typeof sendMailPayload>;

/** Mail that the mail server does not accept now is retried for a day. */
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

/** Deleted accounts are erased, however many retries it takes. */
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

const eraseRecordingPayload = z.object({ hash: z.hex().length(64) });
export type EraseRecordingPayload = z.infer<typeof eraseRecordingPayload>;

/** Recordings that no narration uses any more are deleted, however many retries it takes. */
export const eraseRecordingQueue: QueueDeclaration<EraseRecordingPayload> = {
  name: 'erase-recording',
  payload: eraseRecordingPayload,
  policy: eraseAccountQueue.policy,
};

const finishOrderPayload = z.object({ key: z.string() });
export type FinishOrderPayload = z.infer<typeof finishOrderPayload>;

/** An order for many accounts is finished, however many retries it takes. */
const finishing = (name: string): QueueDeclaration<FinishOrderPayload> => ({
  name,
  payload: finishOrderPayload,
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
});

export const finishBulkGrantQueue = finishing('finish-bulk-grant');
export const finishBulkRevocationQueue = finishing('finish-bulk-revocation');

const repairAccountPayload = z.object({ userId: z.uuid() });
export type RepairAccountPayload = z.infer<typeof repairAccountPayload>;

/** Accounts in which a read has met a mismatch. At most one job waits for each account. */
export const repairAccountQueue: QueueDeclaration<RepairAccountPayload> = {
  name: 'repair-account',
  payload: repairAccountPayload,
  policy: {
    policy: 'short',
    retryLimit: 5,
    retryDelay: 5,
    retryBackoff: true,
    expireInSeconds: 3_600,
    heartbeatSeconds: 20,
    deleteAfterSeconds: 7 * 86_400,
    notify: true,
  },
};

/** A scheduled task. It runs once at each time, however many processes there are. */
export interface ScheduledQueue extends QueueDeclaration<object> {
  /** Minute, hour, day of the month, month, day of the week; in UTC. */
  readonly cron: string;
  /** The longest time between two of these times. */
  readonly intervalSeconds: number;
}

const DAY_SECONDS = 86_400;

const scheduled = (name: string, cron: string, intervalSeconds: number): ScheduledQueue => ({
  name,
  cron,
  intervalSeconds,
  payload: z.object({}),
  policy: {
    // At most one runs and one more waits, because a third would be redundant.
    policy: 'stately',
    retryLimit: 3,
    retryDelay: 30,
    retryBackoff: true,
    expireInSeconds: 6 * 3_600,
    heartbeatSeconds: 60,
    deleteAfterSeconds: 7 * 86_400,
  },
});

export const expireCreditsQueue = scheduled('expire-credits', '*/5 * * * *', 300);
/** Most allowances are granted on the 1st. On the other days it grants those that were missed. */
export const grantMonthlyCreditsQueue = scheduled(
  'grant-monthly-credits',
  '5 0 * * *',
  DAY_SECONDS,
);
export const reconcileCreditsQueue = scheduled('reconcile-credits', '30 3 * * *', DAY_SECONDS);
/** Settles narrations whose job is gone. */
export const reapStuckAudioQueue = scheduled('reap-stuck-audio', '* * * * *', 60);
/** Makes notices and hands them to the mail queue. */
export const makeNoticesQueue = scheduled('make-notices', '* * * * *', 60);
export const pruneQueue = scheduled('prune', '0 4 * * *', DAY_SECONDS);

export const SCHEDULED_QUEUES: readonly ScheduledQueue[] = [
  expireCreditsQueue,
  grantMonthlyCreditsQueue,
  reconcileCreditsQueue,
  reapStuckAudioQueue,
  makeNoticesQueue,
  pruneQueue,
];
