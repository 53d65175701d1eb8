import type { Readable } from 'node:stream';

export interface StoredFile {
  readonly lengthBytes: number;
  readonly modifiedAt: Date;
}

/** A file that is being written; nobody can read it before `finish`. */
export interface FileWriter {
  write(bytes: Uint8Array): Promise<void>;
  /** Makes it durable and puts it in its place. @returns its length in bytes */
  finish(): Promise<number>;
  /** Leaves no trace. */
  abandon(): Promise<void>;
}

/** What was to be read is not there. */
export class FileMissingError extends Error {}

/** Where recordings are kept. Keys are made by the server: hex digits, a dot and an ending. */
export interface Storage {
  /** @throws when it cannot be written */
  check(): Promise<void>;
  openWriter(key: string): Promise<FileWriter>;
  /** @returns null when there is no such file */
  stat(key: string): Promise<StoredFile | null>;
  /** Without a word about files that are not there. */
  remove(keys: readonly string[]): Promise<void>;
  /** @param range both ends inclusive, in bytes. @throws FileMissingError before the first byte */
  read(key: string, range: { start: number; end: number }): Promise<Readable>;
}

/** Writes a file at once. Nothing is left of one that could not be written. */
export async function writeFile(
  storage: Pick<Storage, 'openWriter'>,
  key: string,
  bytes: Uint8Array,
): Promise<void> {
  const file = await storage.openWriter(key);
  try {
    await file.write(bytes);
    await file.finish();
  } catch (error) {
    await file.abandon();
    throw error;
  }
}
