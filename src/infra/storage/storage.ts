import type { Readable } from 'node:stream';

/** The endings of what is kept, with the types that they are served as. */
const CONTENT_TYPES = {
  mp3: 'audio/mpeg',
  vtt: 'text/vtt; charset=utf-8',
  /** One spoken sentence, which a recording is put together from. */
  part: 'application/octet-stream',
} as const;

const KEY = new RegExp(`^[0-9a-f]{64}\\.(?:${Object.keys(CONTENT_TYPES).join('|')})$`);

export const isKey = (text: string): boolean => KEY.test(text);

/** The last thing between a key and a path: nothing else may name a file. @throws unless it is a key */
export function assertKey(key: string): void {
  if (!isKey(key)) throw new Error(`${JSON.stringify(key)} is not a storage key.`);
}

export function contentTypeOf(key: string): string {
  assertKey(key);
  return CONTENT_TYPES[key.slice(65) as keyof typeof CONTENT_TYPES];
}

/** There is no file under the key, or not any more. */
export class FileMissingError extends Error {
  constructor(readonly key: string) {
    super(`There is no file ${key}.`);
  }
}

export interface StoredFile {
  readonly lengthBytes: number;
  readonly modifiedAt: Date;
}

/** A file that is being written; nobody can read it before `finish`. */
export interface FileWriter {
  /** One at a time. @throws when it cannot be kept; then the file can only be abandoned */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Makes it durable and puts it in its place, whole, also where another file was. When it rejects, nothing
   * unfinished is left behind.
   * @returns its length in bytes
   */
  finish(): Promise<number>;
  /**
   * Leaves no trace of what was not finished. Safe after anything, and never rejects: what cannot be removed
   * now is left to `sweepUnfinished`.
   */
  abandon(): Promise<void>;
}

/** Both ends inclusive, in bytes. An end before its start is no bytes at all, as of an empty file. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Where recordings are kept. Keys are made by the server: 64 hex digits, a dot and an ending. Everything rejects
 * for a key that is none, and within a bounded time when the storage does not answer.
 */
export interface Storage {
  /** @throws when it cannot be reached or written */
  check(): Promise<void>;
  openWriter(key: string): Promise<FileWriter>;
  /** @returns null when there is no such file */
  stat(key: string): Promise<StoredFile | null>;
  /** Without a word when there are no such files. @throws when one of them could not be removed */
  remove(keys: readonly string[]): Promise<void>;
  /**
   * What is read is one file from its first byte to its last, also while another takes its place. The stream
   * fails when bytes are missing at the end, and frees what it holds when it is destroyed.
   * @throws FileMissingError before any byte
   */
  read(key: string, range: ByteRange): Promise<Readable>;
  /**
   * Every finished file, in no order, a page in memory at a time: for finding those that nobody knows. A file that
   * comes or goes meanwhile may be told or not.
   */
  list(): AsyncIterable<StoredFile & { readonly key: string }>;
  /**
   * Removes what was begun before then and never finished: left behind by processes that were killed. A time well
   * in the past spares what is being written at this moment.
   * @returns how many
   */
  sweepUnfinished(olderThan: Date): Promise<number>;
  /** Frees connections. Nothing may be asked of it afterwards. */
  close(): Promise<void>;
}

/** Keeps a small file that is in memory already. It is there whole, or leaves no trace. */
export async function storeWhole(storage: Storage, key: string, bytes: Uint8Array): Promise<void> {
  const file = await storage.openWriter(key);
  try {
    await file.write(bytes);
    await file.finish();
  } catch (error) {
    await file.abandon();
    throw error;
  }
}
