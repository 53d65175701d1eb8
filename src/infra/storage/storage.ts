import type { Readable } from 'node:stream';
import { isKeyOf } from '../../domain/objects.js';

/** The endings of what is kept, with the types that they are served as. */
const CONTENT_TYPES = {
  mp3: 'audio/mpeg',
  vtt: 'text/vtt; charset=utf-8',
  /** An archive of a user's data. */
  gz: 'application/gzip',
  /** One spoken sentence, which a recording is put together from. */
  part: 'application/octet-stream',
} as const;

const KEY = /^[0-9a-f]{64}\.([a-z0-9]+)$/;

const endingOf = (key: string): string => KEY.exec(key)?.[1] ?? '';

/** Whether a text has the form of a key: 64 hexadecimal digits and a known ending. */
export const isKey = (text: string): boolean => isKeyOf(CONTENT_TYPES, endingOf(text));

/** Whether a file is an archive of a user's data, which is removed after a day. */
export const isArchive = (key: string): boolean => key.endsWith('.gz');

/** The last check before a key becomes a path, because nothing else may name a file. @throws unless it is a key */
export function assertKey(key: string): void {
  if (!isKey(key)) throw notAKey(key);
}

const notAKey = (key: string): Error => new Error(`${JSON.stringify(key)} is not a storage key.`);

/** The Content-Type under which a file is served, by its ending. @throws Error unless it is a key */
export function contentTypeOf(key: string): string {
  const ending = endingOf(key);
  if (!isKeyOf(CONTENT_TYPES, ending)) throw notAKey(key);
  return CONTENT_TYPES[ending];
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

/** A file that is being written. It cannot be read before `finish`. */
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
  /** Ignores files that do not exist. @throws when one of them could not be removed */
  remove(keys: readonly string[]): Promise<void>;
  /**
   * Reads from one version of the file, even if another one replaces it meanwhile. The stream fails when bytes are missing
   * at the end, and frees its resources when it is destroyed.
   * @throws FileMissingError before any byte
   */
  read(key: string, range: ByteRange): Promise<Readable>;
  /**
   * Lists every finished file, in no particular order and with one page in memory at a time, to find files that are not
   * referenced. A file that is added or removed meanwhile may or may not be listed.
   */
  list(): AsyncIterable<StoredFile & { readonly key: string }>;
  /**
   * Removes files that were begun before this time and never finished, which killed processes leave behind. The time must
   * be well in the past, so that files that are being written stay.
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

/** Where files of anchors are kept, outside of the database. */
export interface AnchorPlace {
  /** For the log. */
  readonly name: string;
  /**
   * Stores a copy of a file under its name, completely or not at all. An existing one is not replaced.
   * @throws when it is not kept
   */
  keep(fileName: string, path: string): Promise<void>;
  close(): void;
}
