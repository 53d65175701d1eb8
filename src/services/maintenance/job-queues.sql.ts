import type { Reader } from '../../infra/db.js';

/** A queue and its jobs, as administrators see it. */
export interface JobQueueView {
  readonly name: string;
  /** Waiting jobs, including those that wait for a retry. */
  readonly queued: number;
  readonly active: number;
  /** Jobs whose retries are used up. They are kept for a while. */
  readonly failed: number;
  /** How long the oldest job has been due, in seconds. Null when no job is due. */
  readonly oldestQueuedSeconds: number | null;
}

/**
 * All queues, without pg-boss' internal ones. No locks. Indexes: pg-boss' own, by name and state. Failed jobs are
 * searched among the kept jobs of a queue.
 */
export function readJobQueues(db: Reader): Promise<JobQueueView[]> {
  return db.$queryRaw<JobQueueView[]>`
    SELECT q.name, live.queued, live.active, dead.failed, live.oldest AS "oldestQueuedSeconds"
    FROM pgboss.queue q
    CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE j.state <> 'active')::int AS queued,
             count(*) FILTER (WHERE j.state = 'active')::int AS active,
             (extract(epoch FROM clock_timestamp() - min(j.start_after)
               FILTER (WHERE j.state <> 'active' AND j.start_after <= clock_timestamp())))::float8 AS oldest
      FROM pgboss.job j WHERE j.name = q.name AND j.state IN ('created', 'retry', 'active')
    ) live
    CROSS JOIN LATERAL (
      SELECT count(*)::int AS failed FROM pgboss.job j WHERE j.name = q.name AND j.state = 'failed'
    ) dead
    WHERE q.name NOT LIKE '\\_\\_%'
    ORDER BY q.name`;
}

/** Failed jobs of a queue after a given id, oldest first. */
export function readFailedJobs(
  db: Reader,
  wanted: { queue: string; after: string; limit: number },
): Promise<{ id: string }[]> {
  return db.$queryRaw<{ id: string }[]>`
    SELECT id FROM pgboss.job
    WHERE name = ${wanted.queue} AND state = 'failed' AND id > ${wanted.after}::uuid
    ORDER BY id LIMIT ${wanted.limit}`;
}
