import type { App } from '../services/app.js';
import { makeNarration } from '../services/narrations/synthesis/make-narration.js';
import { synthesizeAudioQueue } from '../services/queues.js';

/** Makes narrations that were paid for. */
export const workOnSynthesizeAudio = (app: App): Promise<void> =>
  app.queue.work(
    synthesizeAudioQueue,
    { localConcurrency: app.config.synthesis.concurrency },
    (delivery) => makeNarration(app, delivery),
  );
