import type { App } from '../app.js';
import { workOnFailAudio } from './fail-audio.js';
import { workOnSynthesizeAudio } from './synthesize-audio.js';

/** Every queue that this product works on. */
export async function startJobs(app: App): Promise<void> {
  await workOnSynthesizeAudio(app);
  await workOnFailAudio(app);
}
