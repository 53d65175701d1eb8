import { keysOf } from '../domain/objects.js';

/** A task that is due at fixed times. */
interface Task {
  /** The name of its queue in pg-boss. */
  readonly queue: string;
  /** Minute, hour, day of the month, month, day of the week; in UTC. */
  readonly cron: string;
  /** The longest time between two of these times. */
  readonly intervalSeconds: number;
  /** Its description in the GraphQL schema. */
  readonly description: string;
}

const DAY_SECONDS = 86_400;

/**
 * All scheduled tasks. The queues, their schedules, the workers, the enum of the GraphQL schema, the metrics and the
 * doctor's check are made from this table. `run-maintenance.ts` must have a function for each, or does not compile.
 */
export const TASKS = {
  EXPIRE_CREDITS: {
    queue: 'expire-credits',
    cron: '*/5 * * * *',
    intervalSeconds: 300,
    description: 'Books the expiry of lots that expired with points left. Runs every five minutes.',
  },
  // Most allowances are granted on the 1st. On the other days it grants those that were missed.
  GRANT_MONTHLY_CREDITS: {
    queue: 'grant-monthly-credits',
    cron: '5 0 * * *',
    intervalSeconds: DAY_SECONDS,
    description:
      'Grants the allowance of this month to every active, verified user who has not received it. Runs every day at 00:05.',
  },
  RECONCILE_CREDITS: {
    queue: 'reconcile-credits',
    cron: '30 3 * * *',
    intervalSeconds: DAY_SECONDS,
    description:
      'Checks the whole ledger against its rules, and makes a signed statement of all accounts. Runs every day at 03:30.',
  },
  REAP_STUCK_AUDIO: {
    queue: 'reap-stuck-audio',
    cron: '* * * * *',
    intervalSeconds: 60,
    description:
      'Fails unfinished narrations that have lost their job, and refunds their points. Runs every minute.',
  },
  MAKE_NOTICES: {
    queue: 'make-notices',
    cron: '* * * * *',
    intervalSeconds: 60,
    description:
      'Makes the notices about points from the latest transactions, and mails the notices that users want by mail. Runs every minute.',
  },
  PRUNE_SESSIONS: {
    queue: 'prune',
    cron: '0 4 * * *',
    intervalSeconds: DAY_SECONDS,
    description:
      'Deletes expired sessions, mailed links and rate-limit counters, old checks of the ledger, old notices, and unused texts and files. Runs every day at 04:00.',
  },
} as const satisfies Readonly<Record<string, Task>>;

export type MaintenanceTask = keyof typeof TASKS;

/** In the order of the table. */
export const TASK_NAMES: readonly MaintenanceTask[] = keysOf(TASKS);
