import type { App } from '../../app.js';
import { notFound } from '../../domain/errors.js';
import { FIRST_ID } from '../../domain/ids.js';
import { isCleanText } from '../../domain/text.js';
import { transact } from '../../infra/db.js';
import { writeAudit } from '../audit.sql.js';
import { readFailedJobs, readJobQueues, type JobQueueView } from './job-queues.sql.js';

export type { JobQueueView };

const JOBS_AT_ONCE = 500;

export const listJobQueues = (app: Pick<App, 'db'>): Promise<JobQueueView[]> =>
  readJobQueues(app.db);

/**
 * Puts the jobs of a queue that were given up back to work, each for one more try. What they stood for may
 * be settled by now: then they have nothing to do.
 * @param actorId the administrator who does it
 * @returns how many
 * @throws NOT_FOUND
 */
export async function redriveJobs(app: App, queue: string, actorId: string): Promise<number> {
  const queues = isCleanText(queue) ? await readJobQueues(app.db) : [];
  if (!queues.some(({ name }) => name === queue)) throw notFound('queue');
  const at = new Date();
  await transact(app.db, (tx) =>
    writeAudit(tx, [{ actorId, action: 'redriveJobs', target: queue, reason: null, at }]),
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
  app.log.info({ queue, actorId, jobs: redriven }, 'jobs redriven');
  return redriven;
}
