import { buffer } from 'node:stream/consumers';
import pMap from 'p-map';
import type { App } from '../../app.js';
import { measureMp3 } from '../../../domain/mp3.js';
import { firstKept } from '../../../domain/sound/levels.js';
import { MP3_DELAY_SAMPLES } from '../../../domain/sound/pauses.js';
import type { SpokenSentence } from '../../../infra/speech/provider.js';
import { storeWhole, type ByteRange } from '../../../infra/storage/storage.js';
import { storageKey } from '../addresses.js';
import {
  forgetFile,
  readPlaces,
  writeSpoken,
  type Lease,
  type SentencePlace,
} from './sentences.sql.js';

/** Encodes a spoken sentence, at the sample rate if there is one, and stores it in a file of its own. */
export async function storeSentence(
  app: App,
  lease: Lease,
  speech: SpokenSentence,
  toRateHz?: number,
): Promise<void> {
  // Before the encoder, because it is given the samples.
  const words = wordsHeard(speech);
  const bytes = await app.encoder.encode(speech, toRateHz);
  const key = storageKey(lease.hash, 'part');
  await storeWhole(app.storage, key, bytes);
  await note(app, lease, bytes, words);
}

/**
 * Records a sentence's file that a process has stored without recording it, because it is paid for.
 * @returns whether there was such a file
 */
export async function storedBefore(app: App, lease: Lease): Promise<boolean> {
  const key = storageKey(lease.hash, 'part');
  const found = await app.storage.stat(key);
  if (found === null || found.lengthBytes === 0) return false;
  const bytes = await readBytes(app, key, { start: 0, end: found.lengthBytes - 1 });
  // The times of its words are lost with the process that spoke it.
  await note(app, lease, bytes, null);
  return true;
}

/** The times of the words in the encoded sentence, as a player has them. */
function wordsHeard({ pcm, sampleRateHz, words = [] }: SpokenSentence): number[] | null {
  if (words.length === 0) return null;
  const late = MP3_DELAY_SAMPLES - firstKept(pcm, sampleRateHz);
  return words.flatMap(({ start, end, sample }) => [
    start,
    end,
    Math.max(0, Math.round(((sample + late) * 1000) / sampleRateHz)),
  ]);
}

async function note(
  app: App,
  { hash, leasedBy }: Lease,
  bytes: Uint8Array,
  words: readonly number[] | null,
): Promise<void> {
  const key = storageKey(hash, 'part');
  const place = {
    hash,
    key,
    offsetBytes: 0,
    lengthBytes: bytes.length,
    words,
    ...measureMp3(bytes),
  };
  await writeSpoken(app.db, place, leasedBy);
}

/**
 * The bytes of a spoken sentence, even if it has moved into a recording meanwhile, or its recording was remade.
 * @throws when its file is gone. Then all sentences in the file are forgotten, and the next attempt speaks them again.
 */
export async function readSentence(app: App, place: SentencePlace): Promise<Uint8Array> {
  const bytes = await readIfThere(app, place);
  if (bytes !== null) return bytes;
  const [now] = await readPlaces(app.db, [place.hash]);
  const moved = now === undefined ? null : await readIfThere(app, now);
  if (moved !== null) return moved;
  if (now !== undefined) await forgetFile(app.db, now.key);
  throw new Error(`The file of a spoken sentence is gone: ${place.key}.`);
}

const LOOKS_AT_ONCE = 16;

/**
 * Those of these sentences that have been spoken and are stored. Sentences in lost recordings are forgotten. A
 * sentence's own file is checked only when it is read.
 */
export async function findSpoken(app: App, hashes: readonly string[]): Promise<SentencePlace[]> {
  const places = await readPlaces(app.db, hashes);
  const ends = new Map<string, number>();
  for (const { key, offsetBytes, lengthBytes } of places)
    if (!key.endsWith('.part'))
      ends.set(key, Math.max(ends.get(key) ?? 0, offsetBytes + lengthBytes));
  const lost = new Set<string>();
  const look = async ([key, end]: [string, number]): Promise<void> => {
    const file = await app.storage.stat(key);
    if (file !== null && file.lengthBytes >= end) return;
    lost.add(key);
    await forgetFile(app.db, key);
  };
  await pMap(ends, look, { concurrency: LOOKS_AT_ONCE });
  return places.filter(({ key }) => !lost.has(key));
}

/** @returns null when the file is gone, is too short, or is not the one that was recorded */
async function readIfThere(
  app: App,
  { key, offsetBytes, lengthBytes }: SentencePlace,
): Promise<Uint8Array | null> {
  const end = offsetBytes + lengthBytes - 1;
  // If two processes spoke the sentence because a lease had lapsed, the later one may have replaced the file.
  if (key.endsWith('.part') && (await app.storage.stat(key))?.lengthBytes !== lengthBytes)
    return null;
  try {
    const bytes = await readBytes(app, key, { start: offsetBytes, end });
    return bytes.length === lengthBytes ? bytes : null;
  } catch (error) {
    const file = await app.storage.stat(key);
    if (file === null || file.lengthBytes <= end) return null;
    throw error;
  }
}

const readBytes = async (app: App, key: string, range: ByteRange): Promise<Uint8Array> =>
  buffer(await app.storage.read(key, range));
