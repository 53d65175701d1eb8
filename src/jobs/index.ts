import type { App } from '../app.js';
import {
  expireCreditsQueue,
  grantMonthlyCreditsQueue,
  pruneQueue,
  reapStuckAudioQueue,
  reconcileCreditsQueue,
} from '../services/queues.js';
import { workOnFailAudio } from './fail-audio.js';
import { workOnEraseAccount } from './erase-account.js';
import { workOnFinishBulkGrant } from './finish-bulk-grant.js';
import { workOnFinishBulkRevocation } from './finish-bulk-revocation.js';
import { workOnRepairAccount } from './repair-account.js';
import { workOnSendMail } from './send-mail.js';
import { workOnSchedule } from './scheduled.js';
import { workOnSynthesizeAudio } from './synthesize-audio.js';

/** Starts the workers of all queues. */
export async function startJobs(app: App): Promise<void> {
  await workOnSynthesizeAudio(app);
  await workOnFailAudio(app);
  await workOnSendMail(app);
  await workOnEraseAccount(app);
  await workOnFinishBulkGrant(app);
  await workOnFinishBulkRevocation(app);
  await workOnRepairAccount(app);
  await workOnSchedule(app, expireCreditsQueue, 'EXPIRE_CREDITS');
  await workOnSchedule(app, grantMonthlyCreditsQueue, 'GRANT_MONTHLY_CREDITS');
  await workOnSchedule(app, reconcileCreditsQueue, 'RECONCILE_CREDITS');
  await workOnSchedule(app, reapStuckAudioQueue, 'REAP_STUCK_AUDIO');
  await workOnSchedule(app, pruneQueue, 'PRUNE_SESSIONS');
}
