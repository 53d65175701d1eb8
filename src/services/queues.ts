import { z } from 'zod';
import type { QueueDeclaration } from '../infra/queue.js';
import { TASK_NAMES, TASKS, type MaintenanceTask } from './tasks.js';

const narrationJob = z.object({
  userId: z.uuid(),
  audioId: z.uuid(),
  /** The attempt that was paid for. A job of an older attempt does nothing. */
  attempt: z.int().positive(),
  /** For a job that follows another one of the attempt: when the first was enqueued. */
  requestedAt: z.iso.datetime().optional(),
});
export type NarrationJob = Readonly<z.infer<typeof narrationJob>>;

const failingCause = z.enum(['DEADLINE']);
/** Why a narration is not tried again, where users are told more than that it could not be made. */
export type FailingCause = z.infer<typeof failingCause>;

export interface FailingJob extends NarrationJob {
  readonly cause?: FailingCause | undefined;
}

/** Narrations that are not tried again. The refund is retried until it succeeds. */
export const failAudioQueue: QueueDeclaration<FailingJob> = {
  name: 'fail-audio',
  payload: narrationJob.extend({ cause: failingCause.optional() }),
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

/** How long a worker may take for one delivery of a narration. */
export const SYNTHESIS_SECONDS = 3_600;

/**
 * Narrations to make. A try that fails is put back as a new job, and its narration counts the tries. So the retries of the
 * queue are only for deliveries that ended without a result, for example because the worker was killed or the database
 * was not available. Their limit is the last resort: SYNTHESIS_DEATHS ends a narration earlier.
 */
export const synthesizeAudioQueue: QueueDeclaration<NarrationJob> = {
  name: 'synthesize-audio',
  payload: narrationJob,
  policy: {
    retryLimit: 1_000,
    retryDelay: 1,
    retryBackoff: true,
    retryDelayMax: 60,
    retentionSeconds: 30 * 86_400,
    // A narration that waits for its provider ends a job every few minutes.
    deleteAfterSeconds: 2 * 86_400,
    expireInSeconds: SYNTHESIS_SECONDS,
    // The job of a killed worker is noticed after this long, and another worker takes it within a minute.
    heartbeatSeconds: 20,
    deadLetter: failAudioQueue.name,
    notify: true,
  },
};

const sendMailPayload = z.object({
  userId: z.uuid(),
  mail: z.enum([
    'VERIFY',
    'RESET',
    'PASSWORD_CHANGED',
    'EMAIL_CHANGE_ASKED',
    'EMAIL_CHANGE',
    'EMAIL_CHANGED',
    'NOTICE',
  ]),
  /** For NOTICE. */
  noticeId: z.uuid().optional(),
  /** For EMAIL_CHANGE_ASKED and EMAIL_CHANGED: where the address is stored that the mail goes to. */
  formerEmailId: z.uuid().optional(),
  /** For RESET: when it was requested. */
  requestedAt: z.iso.datetime().optional(),
});
export type SendMailPayload = z.infer<typeof sendMailPayload>;

/**
 * Mail that the mail server does not accept now is retried for a day. People wait for all mails except those of notices,
 * and there may be thousands of notices at the same time.
 */
export const sendMailQueue: QueueDeclaration<SendMailPayload> = {
  name: 'send-mail',
  payload: sendMailPayload,
  priority: ({ mail }) => (mail === 'NOTICE' ? 0 : 1),
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

const exportDataPayload = z.object({ userId: z.uuid(), exportId: z.uuid() });
export type ExportDataPayload = z.infer<typeof exportDataPayload>;

/** Archives of users' data. An archive that cannot be made within a day has expired. */
export const exportDataQueue: QueueDeclaration<ExportDataPayload> = {
  name: 'export-data',
  payload: exportDataPayload,
  policy: {
    retryLimit: 300,
    retryDelay: 1,
    retryBackoff: true,
    retryDelayMax: 300,
    retentionSeconds: 86_400,
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
  readonly task: MaintenanceTask;
  /** Minute, hour, day of the month, month, day of the week; in UTC. */
  readonly cron: string;
  /** The longest time between two of these times. */
  readonly intervalSeconds: number;
}

/** The queues of all tasks. */
export const SCHEDULED_QUEUES: readonly ScheduledQueue[] = TASK_NAMES.map((task) => {
  const { queue: name, cron, intervalSeconds } = TASKS[task];
  return {
    task,
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
  };
});
