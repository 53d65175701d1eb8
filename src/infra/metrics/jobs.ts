import { counter, gauge, histogram, LONG_SECONDS } from './make.js';

/** Scheduled tasks, queues and mail. */
export const JOBS = {
  maintenanceRuns: counter(
    'maintenance_runs_total',
    'Runs of tasks in this process; the result is ok or failed.',
    'task',
    'result',
  ),
  maintenanceSeconds: histogram(
    'maintenance_duration_seconds',
    'How long runs of scheduled tasks took.',
    LONG_SECONDS,
    'task',
  ),
  maintenanceChanged: counter(
    'maintenance_changed_total',
    'What tasks have changed: lots expired, users granted, and so on.',
    'task',
  ),
  mails: counter(
    'mails_total',
    'Mails: sent, failed (tried again), or limited (over the limit of their recipient).',
    'mail',
    'result',
  ),
  /** In seconds since 1970, as the next two of every process alike, because they are in the database. */
  taskLastRunAt: gauge(
    'task_last_run_timestamp_seconds',
    'When the newest run of a task began, in any process.',
    'task',
  ),
  taskLastSuccessAt: gauge(
    'task_last_success_timestamp_seconds',
    'When the newest successful run of a task ended, in any process.',
    'task',
  ),
  taskLastSeconds: gauge(
    'task_last_duration_seconds',
    'How long the newest finished run of a task took, in any process.',
    'task',
  ),
  taskIntervalSeconds: gauge(
    'task_interval_seconds',
    'How often a task is scheduled: the longest time between two of its times.',
    'task',
  ),
  /** `waiting`, also for a retry; `active`; or `failed`, whose retries are used up. */
  queueJobs: gauge(
    'queue_jobs',
    'Jobs in a queue: waiting (also for a retry), active, or failed for good and still kept.',
    'queue',
    'state',
  ),
  queueOldestSeconds: gauge(
    'queue_oldest_waiting_seconds',
    'How long the oldest job of a queue has been due without being taken. 0 when none is due.',
    'queue',
  ),
  jobs: counter(
    'jobs_total',
    'Deliveries of jobs that this process has handled. A failed one may be tried again.',
    'queue',
    'result',
  ),
  jobSeconds: histogram(
    'job_duration_seconds',
    'How long this process took for deliveries of jobs.',
    LONG_SECONDS,
    'queue',
  ),
  mailsWaiting: gauge('mails_waiting', 'Mails that wait in the queue, also for a retry.'),
};
