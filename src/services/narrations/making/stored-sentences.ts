import { buffer } from 'node:stream/consumers';
import type { App } from '../../../app.js';
import { measureMp3 } from '../../../domain/mp3.js';
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

/** Encodes and stores what was spoken, in a file of its own. */
export async function storeSentence(app: App, lease: Lease, speech: SpokenSentence): Promise<void> {
  const bytes = await app.encoder.encode(speech);
  const key = storageKey(lease.hash, 'part');
  await storeWhole(app.storage, key, bytes);
  await note(app, lease, bytes);
}

/**
 * Finds what a process that ended between the two steps above has left: it was paid for.
 * @returns whether there was anything
 */
export async function storedBefore(app: App, lease: Lease): Promise<boolean> {
  const key = storageKey(lease.hash, 'part');
  const found = await app.storage.stat(key);
  if (found === null || found.lengthBytes === 0) return false;
  await note(app, lease, await readBytes(app, key, { start: 0, end: found.lengthBytes - 1 }));
  return true;
}

async function note(app: App, { hash, leasedBy }: Lease, bytes: Uint8Array): Promise<void> {
  const key = storageKey(hash, 'part');
  const place = { hash, key, offsetBytes: 0, lengthBytes: bytes.length, ...measureMp3(bytes) };
  await writeSpoken(app.db, place, leasedBy);
}

/**
 * The bytes of a spoken sentence, also when it has moved into a recording meanwhile.
 * @throws when its file is gone: then everything in it is forgotten, and is spoken anew by the next try
 */
export async function readSentence(app: App, place: SentencePlace): Promise<Uint8Array> {
  const bytes = await readIfThere(app, place);
  if (bytes !== null) return bytes;
  const [now] = await readPlaces(app.db, [place.hash]);
  if (now !== undefined && now.key !== place.key) return readSentence(app, now);
  await forgetFile(app.db, place.key);
  throw new Error(`The file of a spoken sentence is gone: ${place.key}.`);
}

/** @returns null when the file is gone, ends too early, or is another one than was written down */
async function readIfThere(
  app: App,
  { key, offsetBytes, lengthBytes }: SentencePlace,
): Promise<Uint8Array | null> {
  const end = offsetBytes + lengthBytes - 1;
  // Of two who spoke it at once, because one was thought dead, the later may have put theirs in its place.
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
