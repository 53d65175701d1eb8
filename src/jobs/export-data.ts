import type { App } from '../services/app.js';
import { makeArchive } from '../services/accounts/export/archive.js';
import { exportDataQueue } from '../services/queues.js';

/** Makes the archives of users who requested their data. */
export const workOnExportData = (app: App): Promise<void> =>
  app.queue.work(exportDataQueue, {}, ({ payload, signal }) => makeArchive(app, payload, signal));
