import type { Readable } from 'node:stream';
import type { App } from '../app.js';
import { storageKey } from './addresses.js';
import { FileMissingError, type ByteRange } from '../../infra/storage/storage.js';

export { onBytes } from '../../infra/storage/measured.js';
export { contentTypeOf } from '../../infra/storage/storage.js';

/** Whether a recording's files exist, and the MP3 has its full length. */
export async function isStored(
  app: App,
  { hash, lengthBytes }: { readonly hash: string; readonly lengthBytes: number },
): Promise<boolean> {
  const [mp3, vtt] = await Promise.all(
    (['mp3', 'vtt'] as const).map((ending) => app.storage.stat(storageKey(hash, ending))),
  );
  return mp3?.lengthBytes === lengthBytes && vtt != null;
}

/**
 * Opens a file for reading. @returns null when the file is gone, because it may have been deleted since it was checked
 */
export async function openFile(app: App, key: string, range: ByteRange): Promise<Readable | null> {
  try {
    return await app.storage.read(key, range);
  } catch (error) {
    if (error instanceof FileMissingError) return null;
    throw error;
  }
}
