import type { App } from '../app.js';
import { runMaintenance, type MaintenanceTask } from '../services/maintenance/run-maintenance.js';
import type { ScheduledQueue } from '../services/queues.js';

/** Nobody waits for these, so a look every few seconds is enough. */
const POLLING_SECONDS = 5;

/** Takes a task when its time has come. */
export async function workOnSchedule(
  app: App,
  queue: ScheduledQueue,
  task: MaintenanceTask,
): Promise<void> {
  await app.queue.schedule(queue.name, queue.cron);
  await app.queue.work(queue, { pollingSeconds: POLLING_SECONDS }, async ({ signal }) => {
    await runMaintenance(app, task, signal);
  });
}
