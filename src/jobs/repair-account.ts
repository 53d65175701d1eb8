import type { App } from '../services/app.js';
import { repairAccount } from '../services/repairs/repair-account.js';
import { repairAccountQueue } from '../services/queues.js';

/** Repairs accounts in which a read has met a mismatch. */
export const workOnRepairAccount = (app: App): Promise<void> =>
  app.queue.work(repairAccountQueue, {}, ({ payload }) => repairAccount(app, payload));
