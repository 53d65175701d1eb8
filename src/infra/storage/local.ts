import { access, constants, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { FileMissingError, type Storage } from './storage.js';

const KEY = /^[0-9a-f]{64}\.(mp3|vtt|part)$/;

/** Files under a folder, spread over 256 subfolders by the first two digits of their keys. */
export async function openLocalStorage(folder: string): Promise<Storage> {
  await mkdir(folder, { recursive: true });

  function pathOf(key: string): string {
    if (!KEY.test(key)) throw new Error(`${JSON.stringify(key)} is not a storage key.`);
    return join(folder, key.slice(0, 2), key);
  }

  return {
    check: () => access(folder, constants.W_OK | constants.X_OK),
    async openWriter(key) {
      const path = pathOf(key);
      // A temporary name of its own: two workers may make the same recording at once.
      const partial = `${path}.${randomUUID()}.partial`;
      await mkdir(dirname(path), { recursive: true });
      const file = await open(partial, 'wx');
      let lengthBytes = 0;
      return {
        async write(bytes) {
          await file.appendFile(bytes);
          lengthBytes += bytes.length;
        },
        async finish() {
          await file.sync();
          await file.close();
          await rename(partial, path);
          await syncFolder(dirname(path));
          return lengthBytes;
        },
        async abandon() {
          await file.close();
          await rm(partial, { force: true });
        },
      };
    },
    async stat(key) {
      try {
        const found = await stat(pathOf(key));
        return { lengthBytes: found.size, modifiedAt: found.mtime };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
    async remove(keys) {
      for (const key of keys) await rm(pathOf(key), { force: true });
    },
    async read(key, range) {
      const file = await open(pathOf(key)).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new FileMissingError(key);
        throw error;
      });
      return file.createReadStream(range);
    },
  };
}

/** Without it a crash may forget the new name although the bytes are safe. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  await handle.sync();
  await handle.close();
}
