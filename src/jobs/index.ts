import type { App } from '../services/app.js';
import { SCHEDULED_QUEUES } from '../services/queues.js';
import { workOnFailAudio } from './fail-audio.js';
import { workOnEraseAccount } from './erase-account.js';
import { workOnEraseRecording } from './erase-recording.js';
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
  await workOnEraseRecording(app);
  await workOnFinishBulkGrant(app);
  await workOnFinishBulkRevocation(app);
  await workOnRepairAccount(app);
  for (const queue of SCHEDULED_QUEUES) await workOnSchedule(app, queue);
}
