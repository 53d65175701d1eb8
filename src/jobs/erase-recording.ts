import type { App } from '../services/app.js';
import { eraseRecording } from '../services/narrations/erasing/delete-audio.js';
import { eraseRecordingQueue } from '../services/queues.js';

/** Deletes recordings that no narration uses any more. */
export const workOnEraseRecording = (app: App): Promise<void> =>
  app.queue.work(eraseRecordingQueue, {}, ({ payload }) => eraseRecording(app, payload));
