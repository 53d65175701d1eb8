import { access, constants, open, opendir, rename, rm, stat } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { asError, codeOf } from '../../domain/errors.js';
import { makePrivateFolder, openPrivateFile, syncFolder } from './private-files.js';
import { assertKey, FileMissingError, isKey, type FileWriter, type Storage } from './storage.js';

/** Files under a folder, spread over 256 subfolders by the first two digits of their keys. */
export async function openLocalStorage(folder: string): Promise<Storage> {
  await makePrivateFolder(folder);

  function pathOf(key: string): string {
    assertKey(key);
    return join(folder, key.slice(0, 2), key);
  }

  return {
    check: () => access(folder, constants.W_OK | constants.X_OK),
    openWriter: async (key) => openWriter(pathOf(key)),
    stat: async (key) => statOf(pathOf(key)),
    async remove(keys) {
      for (const path of keys.map(pathOf)) await rm(path, { force: true });
    },
    async read(key, { start, end }) {
      const file = await unlessMissing(open(pathOf(key), 'r'));
      if (file === null) throw new FileMissingError(key);
      if (end >= start) return file.createReadStream({ start, end });
      await file.close();
      return Readable.from([]);
    },
    async *list() {
      for await (const { name, path } of filesUnder(folder)) {
        if (!isKey(name)) continue;
        const found = await statOf(path);
        if (found !== null) yield { key: name, ...found };
      }
    },
    async sweepUnfinished(olderThan) {
      let swept = 0;
      for await (const { name, path } of filesUnder(folder)) {
        if (!PARTIAL.test(name)) continue;
        // The time of the last write: not every file system remembers when a file was made.
        const found = await statOf(path);
        if (found === null || found.modifiedAt >= olderThan) continue;
        await rm(path, { force: true });
        swept += 1;
      }
      return swept;
    },
    close: () => Promise.resolve(),
  };
}

const PARTIAL = /^[0-9a-f]{64}\.[a-z0-9]+\.[0-9a-f-]{36}\.partial$/;

async function openWriter(path: string): Promise<FileWriter> {
  // A temporary name of its own: two workers may make the same recording at once.
  const partial = `${path}.${randomUUID()}.partial`;
  await makePrivateFolder(dirname(path));
  const file = await openPrivateFile(partial);
  let lengthBytes = 0;
  let failure: Error | undefined;

  async function abandon(): Promise<void> {
    failure ??= new Error('This file was abandoned.');
    // Closing what is closed already does nothing.
    await file.close().catch(() => undefined);
    await rm(partial, { force: true }).catch(() => undefined);
  }

  return {
    async write(bytes) {
      if (failure !== undefined) throw failure;
      try {
        await file.appendFile(bytes);
      } catch (error) {
        // A part of the bytes may be there: a later write would leave a hole before its own.
        failure = asError(error);
        throw error;
      }
      lengthBytes += bytes.length;
    },
    async finish() {
      try {
        if (failure !== undefined) throw failure;
        await file.sync();
        await file.close();
        await rename(partial, path);
        await syncFolder(dirname(path));
        return lengthBytes;
      } catch (error) {
        await abandon();
        throw error;
      }
    },
    abandon,
  };
}

async function statOf(path: string): Promise<{ lengthBytes: number; modifiedAt: Date } | null> {
  const found = await unlessMissing(stat(path));
  return found === null ? null : { lengthBytes: found.size, modifiedAt: found.mtime };
}

async function unlessMissing<Found>(looked: Promise<Found>): Promise<Found | null> {
  try {
    return await looked;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Everything in the subfolders, read bit by bit. */
async function* filesUnder(folder: string): AsyncIterable<{ name: string; path: string }> {
  for await (const subfolder of await opendir(folder)) {
    if (!/^[0-9a-f]{2}$/.test(subfolder.name)) continue;
    const path = join(folder, subfolder.name);
    for await (const { name } of await opendir(path)) yield { name, path: join(path, name) };
  }
}
