import type { App } from '../services/app.js';
import { failGivenUp } from '../services/narrations/settle-attempt.js';
import { failAudioQueue } from '../services/queues.js';

/** Fails narrations whose retries are spent, and refunds their points. A failed refund is retried until it succeeds. */
export const workOnFailAudio = (app: App): Promise<void> =>
  app.queue.work(failAudioQueue, {}, (delivery) => failGivenUp(app, delivery));
