import type { App } from '../app.js';
import { notFound } from '../../domain/errors.js';
import { FIRST_ID } from '../../domain/ids.js';
import { isCleanText } from '../../domain/text.js';
import { transact } from '../../infra/db.js';
import { writeAudit } from '../audit.sql.js';
import { readFailedJobs, readJobQueues, type JobQueueView } from './job-queues.sql.js';

export type { JobQueueView };

const JOBS_AT_ONCE = 500;

/** The present figures of every job queue, read from the database. */
export const listJobQueues = (app: Pick<App, 'db'>): Promise<JobQueueView[]> =>
  readJobQueues(app.db);

/**
 * Gives each failed job of a queue one more attempt. If its work has been settled meanwhile, the job does nothing.
 * @param actorId the administrator
 * @returns the number of jobs
 * @throws NOT_FOUND
 */
export async function redriveJobs(app: App, queue: string, actorId: string): Promise<number> {
  const queues = isCleanText(queue) ? await readJobQueues(app.db) : [];
  const found = queues.find(({ name }) => name === queue);
  if (found === undefined) throw notFound('queue');
  const details = { failed: found.failed };
  const at = new Date();
  await transact(app.db, (tx) =>
    writeAudit(tx, [{ actorId, action: 'redriveJobs', target: queue, reason: null, details, at }]),
  );
  let redriven = 0;
  for (let after = FIRST_ID; ;) {
    const jobs = await readFailedJobs(app.db, { queue, after, limit: JOBS_AT_ONCE });
    redriven += await app.queue.retry(
      queue,
      jobs.map(({ id }) => id),
    );
    after = jobs.at(-1)?.id ?? after;
    if (jobs.length < JOBS_AT_ONCE) break;
  }
  app.log.info({ event: 'jobs-redriven', queue, actorId, jobs: redriven }, 'jobs redriven');
  return redriven;
}
