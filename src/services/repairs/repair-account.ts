import type { App } from '../app.js';
import type { RepairAccountPayload } from '../queues.js';
import { READ_REPAIR } from './create-mender.js';
import { repairAccounts } from './repair-accounts.js';

/** Repairs what may be repaired of one account. Without RECONCILE_REPAIR it does nothing. */
export async function repairAccount(app: App, { userId }: RepairAccountPayload): Promise<void> {
  if (app.config.reconcileRepair) await repairAccounts(app, [userId], READ_REPAIR);
}
