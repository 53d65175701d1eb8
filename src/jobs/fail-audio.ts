import type { App } from '../app.js';
import { failGivenUp } from '../services/narrations/settle-attempt.js';
import { failAudioQueue } from '../services/queues.js';

/** Takes narrations whose retries are spent and gives the points back, however often it must be tried. */
export const workOnFailAudio = (app: App): Promise<void> =>
  app.queue.work(failAudioQueue, {}, (delivery) => failGivenUp(app, delivery));
