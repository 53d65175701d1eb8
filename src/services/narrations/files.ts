import type { Readable } from 'node:stream';
import type { App } from '../../app.js';
import { FileMissingError, type ByteRange } from '../../infra/storage/storage.js';

export { contentTypeOf } from '../../infra/storage/storage.js';

/** @returns null when the file has gone, perhaps since somebody looked */
export async function openFile(app: App, key: string, range: ByteRange): Promise<Readable | null> {
  try {
    return await app.storage.read(key, range);
  } catch (error) {
    if (error instanceof FileMissingError) return null;
    throw error;
  }
}
