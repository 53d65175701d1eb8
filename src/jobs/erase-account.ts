import type { App } from '../services/app.js';
import { eraseAccount } from '../services/accounts/leaving/erasure.js';
import { eraseAccountQueue } from '../services/queues.js';

/** Erases the data of deleted accounts. */
export const workOnEraseAccount = (app: App): Promise<void> =>
  app.queue.work(eraseAccountQueue, {}, ({ payload, signal }) =>
    eraseAccount(app, payload, signal),
  );
