import type { App } from '../services/app.js';
import { finishBulkGrant } from '../services/credits/bulk-grant-run.js';
import { finishBulkGrantQueue } from '../services/queues.js';

/** Finishes bulk grants whose process has ended, or could not settle every account. */
export const workOnFinishBulkGrant = (app: App): Promise<void> =>
  app.queue.work(finishBulkGrantQueue, {}, ({ payload, signal }) =>
    finishBulkGrant(app, payload, signal),
  );
