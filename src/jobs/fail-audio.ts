import type { App } from '../app.js';
import { failNarration } from '../services/narrations/fail-narration.js';
import { failAudioQueue } from '../services/queues.js';

/** Takes narrations whose retries are spent and gives the points back, however often it must be tried. */
export const workOnFailAudio = (app: App): Promise<void> =>
  app.queue.work(failAudioQueue, {}, (delivery) =>
    failNarration(app, delivery.payload, 'The recording could not be made.', {
      queueName: failAudioQueue.name,
      id: delivery.id,
      retryCount: delivery.retryCount,
    }),
  );
