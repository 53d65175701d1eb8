import type { App } from '../services/app.js';
import { finishBulkRevocation } from '../services/credits/bulk-revocation/revoke-bulk-grant.js';
import { finishBulkRevocationQueue } from '../services/queues.js';

/** Finishes bulk revocations whose process has ended, or could not settle every account. */
export const workOnFinishBulkRevocation = (app: App): Promise<void> =>
  app.queue.work(finishBulkRevocationQueue, {}, ({ payload, signal }) =>
    finishBulkRevocation(app, payload, signal),
  );
