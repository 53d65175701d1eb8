import type { App } from '../../app.js';
import { newId } from '../../../domain/ids.js';
import { sha256Hex } from '../../../domain/text.js';
import { decodeCompressed } from '../../../infra/speech/samples/compressed.js';
import { readPlaces, type SentencePlace } from '../synthesis/sentences.sql.js';
import { readSentence, storeSentence } from '../synthesis/stored-sentences.js';

/** More than the longest sentence takes. */
const SECONDS_MAX = 3_600;

/** The hash of a sentence that was resampled. */
export const fittedHash = (hash: string, sampleRateHz: number): string =>
  sha256Hex(JSON.stringify([hash, { sampleRateHz }]));

/**
 * The place of a sentence at the sample rate of its recording. A voice that was changed on its server may speak at another
 * rate than before, and a recording has sentences of both. Such a sentence is resampled once, and stored under a hash of
 * its own, because other recordings have the other rate.
 */
export async function fitSentence(
  app: App,
  place: SentencePlace,
  sampleRateHz: number,
): Promise<SentencePlace> {
  if (place.sampleRateHz === sampleRateHz) return place;
  const hash = fittedHash(place.hash, sampleRateHz);
  const [fitted] = await readPlaces(app.db, [hash]);
  if (fitted !== undefined) return fitted;
  const speech = await decodeCompressed('mp3', await readSentence(app, place), SECONDS_MAX);
  await storeSentence(app, { hash, leasedBy: newId() }, speech, sampleRateHz);
  const [stored] = await readPlaces(app.db, [hash]);
  if (stored === undefined)
    throw new Error('The resampled sentence is not in the database after it was stored.');
  return stored;
}
