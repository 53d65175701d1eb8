import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pMap from 'p-map';
import { z } from 'zod';
import { messageOf } from '../../domain/errors.js';
import { StartError } from '../start-error.js';
import { openLocalStorage } from '../storage/local.js';
import { openPrivateFile } from '../storage/private-files.js';
import { FileMissingError, isArchive, isKey, type Storage } from '../storage/storage.js';
import { hashOf, requireUnchanged, type Hashed } from './hashed-files.js';
import { RECORDINGS_LIST, recordingsOf, type Manifest } from './manifest.js';

type Recordings = NonNullable<Manifest['recordings']>;

/** Files at once. More help with a bucket, which answers slowly, and do not help with a disk. */
const AT_ONCE = 4;

const entry = z.strictObject({
  key: z.string().refine(isKey),
  lengthBytes: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
type Entry = z.infer<typeof entry>;

/**
 * Copies every recording and sentence into a backup, from a folder or a bucket, and lists them with their hashes. The file
 * of a key never changes, so a file that an interrupted backup has already copied is not copied again.
 */
export async function saveRecordings(storage: Storage, folder: string): Promise<Recordings> {
  const copies = await openLocalStorage(recordingsOf(folder));
  const list = join(folder, RECORDINGS_LIST);
  await rm(list, { force: true });
  const file = await openPrivateFile(list);
  const sum = { files: 0, lengthBytes: 0, missing: 0 };
  try {
    await pMap(
      withoutArchives(storage.list()),
      async ({ key, lengthBytes }) => {
        const saved = await save(storage, copies, { key, lengthBytes });
        // It was deleted after it was listed.
        if (saved === null) sum.missing += 1;
        else {
          await file.appendFile(`${JSON.stringify({ key, ...saved } satisfies Entry)}\n`);
          sum.files += 1;
          sum.lengthBytes += saved.lengthBytes;
        }
      },
      { concurrency: AT_ONCE },
    );
    await file.sync();
  } finally {
    await file.close();
  }
  const { sha256 } = await hashOf(createReadStream(list));
  return { ...sum, sha256 };
}

/**
 * Leaves out archives of users' data: a backup must not keep for years what the server removes after a day, and the user
 * can have another one made.
 */
async function* withoutArchives<File extends { readonly key: string }>(
  files: AsyncIterable<File>,
): AsyncIterable<File> {
  for await (const file of files) if (!isArchive(file.key)) yield file;
}

async function save(
  storage: Storage,
  copies: Storage,
  { key, lengthBytes }: Pick<Entry, 'key' | 'lengthBytes'>,
): Promise<Hashed | null> {
  try {
    if ((await copies.stat(key))?.lengthBytes !== lengthBytes)
      await copy(storage, copies, { key, lengthBytes });
    return await hashOf(await copies.read(key, { start: 0, end: lengthBytes - 1 }));
  } catch (error) {
    if (error instanceof FileMissingError) return null;
    throw error;
  }
}

async function copy(
  from: Storage,
  to: Storage,
  { key, lengthBytes }: Pick<Entry, 'key' | 'lengthBytes'>,
): Promise<void> {
  const bytes: AsyncIterable<Uint8Array> = await from.read(key, { start: 0, end: lengthBytes - 1 });
  const file = await to.openWriter(key);
  try {
    for await (const chunk of bytes) await file.write(chunk);
    await file.finish();
  } catch (error) {
    await file.abandon();
    throw error;
  }
}

/** @throws StartError when the list or a file is not as it was written */
export async function requireRecordings(folder: string, recordings: Recordings): Promise<void> {
  const list = join(folder, RECORDINGS_LIST);
  const { sha256 } = await hashOf(createReadStream(list)).catch((error: unknown) => {
    throw new StartError(`The backup is damaged: ${list}: ${messageOf(error)}`);
  });
  if (sha256 !== recordings.sha256)
    throw new StartError(
      `The backup is damaged: ${list} has the SHA-256 ${sha256}, but was written with ${recordings.sha256}.`,
    );
  await pMap(
    entriesOf(folder),
    ({ key, ...expected }) =>
      requireUnchanged(join(recordingsOf(folder), key.slice(0, 2), key), expected),
    { concurrency: AT_ONCE },
  );
}

/**
 * Puts the files of a backup into the storage. An existing file of the same length is kept.
 * @returns how many were written, and how many were there
 */
export async function loadRecordings(
  folder: string,
  storage: Storage,
): Promise<{ readonly written: number; readonly kept: number }> {
  const copies = await openLocalStorage(recordingsOf(folder));
  const sum = { written: 0, kept: 0 };
  await pMap(
    withoutArchives(entriesOf(folder)),
    async ({ key, lengthBytes }) => {
      if ((await storage.stat(key))?.lengthBytes === lengthBytes) sum.kept += 1;
      else {
        await copy(copies, storage, { key, lengthBytes });
        sum.written += 1;
      }
    },
    { concurrency: AT_ONCE },
  );
  return sum;
}

async function* entriesOf(folder: string): AsyncIterable<Entry> {
  const lines = createInterface({ input: createReadStream(join(folder, RECORDINGS_LIST)) });
  for await (const line of lines) yield entry.parse(JSON.parse(line));
}
