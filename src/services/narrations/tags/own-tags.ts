import { buffer } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import type { App } from '../../app.js';
import type { StoredFile } from '../../../infra/storage/storage.js';
import { openFile } from '../files.js';
import { HEADER_BYTES, joinTags, tagLengthOf } from './joined.js';

const REMEMBERED_BYTES_MAX = 8 * 1024 * 1024;
/** Longer than any tag of chapters. A file that claims more is served as it is. */
const TAG_BYTES_MAX = 1024 * 1024;
const NONE = new Uint8Array();

type TaggedFile = StoredFile & { readonly key: string };

/** The parts of the answer: a head, and the rest of the file after the bytes that the head contains. */
export interface Body {
  readonly head: Uint8Array | null;
  /** The bytes of the file that are in the head. */
  readonly skipBytes: number;
}

/**
 * Puts a tag in front of a stored recording. If the file begins with a tag of its own, with the chapters, the two become
 * one.
 * @returns null when the file is gone
 */
export async function putInFront(
  app: App,
  tag: Uint8Array | null,
  file: TaggedFile,
): Promise<Body | null> {
  if (tag === null) return { head: null, skipBytes: 0 };
  const own = await ownTagOf(app, file);
  return own === null ? null : { head: joinTags(tag, own), skipBytes: own.length };
}

/** The tags of recently served files, by key, length and time, because a file may be remade. */
const remembered = new LRUCache<string, Uint8Array>({
  max: 5_000,
  maxSize: REMEMBERED_BYTES_MAX,
  sizeCalculation: (tag) => tag.length + 200,
});

/**
 * The tag that a stored recording begins with, with its chapters. Empty when it has none, as recordings without headings
 * and those of earlier releases.
 * @returns null when the file is gone
 */
async function ownTagOf(
  app: App,
  { key, lengthBytes, modifiedAt }: TaggedFile,
): Promise<Uint8Array | null> {
  const file = `${key} ${String(lengthBytes)} ${String(modifiedAt.getTime())}`;
  const known = remembered.get(file);
  if (known !== undefined) return known;
  const header = await readStart(app, key, Math.min(HEADER_BYTES, lengthBytes));
  if (header === null) return null;
  const tagBytes = tagLengthOf(header);
  const isTag = tagBytes > 0 && tagBytes <= Math.min(TAG_BYTES_MAX, lengthBytes);
  const tag = isTag ? await readStart(app, key, tagBytes) : NONE;
  if (tag !== null) remembered.set(file, tag);
  return tag;
}

async function readStart(app: App, key: string, lengthBytes: number): Promise<Uint8Array | null> {
  const stream = await openFile(app, key, { start: 0, end: lengthBytes - 1 });
  return stream === null ? null : buffer(stream);
}
