import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from './config.js';
import { StartError } from './infra/start-error.js';

/** A file of ours, wherever we are installed. */
export const root = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Where the schema and its migrations are. */
export const MIGRATIONS = {
  schema: root('prisma/schema.prisma'),
  folder: root('prisma/migrations'),
};

/** Makes DATA_DIR ready to be written. @throws StartError */
export async function openDataDir({ dataDir, databaseUrl, storage }: Config): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true });
    if (storage.kind === 'local')
      await mkdir(join(dataDir, 'audio'), { recursive: true, mode: 0o700 });
    // For root, Postgres runs as another user, who must be able to walk through to its own folder.
    if (databaseUrl === null && process.getuid?.() === 0) {
      await chmod(dataDir, ((await stat(dataDir)).mode & 0o777) | 0o011);
    }
    await writeFile(join(dataDir, '.writable'), '');
  } catch (error) {
    throw new StartError(
      `DATA_DIR is ${dataDir}, but cannot be written: ${(error as Error).message}`,
    );
  }
}
