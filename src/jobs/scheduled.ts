import type { App } from '../services/app.js';
import { runMaintenance } from '../services/maintenance/run-maintenance.js';
import type { ScheduledQueue } from '../services/queues.js';

/** Polling every few seconds is enough, because no user waits for scheduled tasks. */
const POLLING_SECONDS = 5;

/** Schedules a task, and runs it when it is due. */
export async function workOnSchedule(app: App, queue: ScheduledQueue): Promise<void> {
  await app.queue.schedule(queue.name, queue.cron);
  await app.queue.work(queue, { pollingSeconds: POLLING_SECONDS }, async ({ signal }) => {
    await runMaintenance(app, queue.task, signal);
  });
}
