import type { App } from '../services/app.js';
import { makeNarration } from '../services/narrations/making/make-narration.js';

/** Makes narrations that were paid for. */
export const workOnSynthesizeAudio = (app: App): Promise<void> =>
  app.queue.work(
    app.synthesizeAudio,
    { localConcurrency: app.config.synthesis.concurrency },
    (delivery) => makeNarration(app, delivery),
  );
