import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from './domain/errors.js';
import type { Config } from './config.js';
import type { Logger } from './infra/log.js';
import { letThrough, PASSAGE_MODE, postgresAccount } from './infra/postgres/account.js';
import { holdEmbeddedDatabase } from './infra/postgres/embedded.js';
import type { Hold } from './infra/postgres/hold.js';
import { requireLocalFileSystem } from './infra/storage/file-systems.js';
import {
  FOLDER_MODE,
  isClosed,
  makePrivateFolder,
  quoted,
  requirePrivate,
  writePrivateFile,
} from './infra/storage/private-files.js';
import { StartError } from './infra/start-error.js';

/** The path of a file of this package, wherever it is installed. */
export const root = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** The schema and its migrations. */
export const MIGRATIONS = {
  schema: root('prisma/schema.prisma'),
  folder: root('prisma/migrations'),
};

/** The folder of V8's compile cache for the compiled server. A build deletes it together with the old files. */
export const COMPILED = root('dist/.compiled');

/** The mode of folders above DATA_DIR that we create. Other users may pass through them. */
const PARENT_MODE = 0o755;

/** The folder of the embedded Postgres. */
export const databaseFolderOf = (dataDir: string): string => join(dataDir, 'postgres');

/**
 * Acquires the right to use the embedded database of DATA_DIR, before anything in DATA_DIR is touched.
 * @throws StartError when another process has it, or DATA_DIR cannot be used
 */
export function holdDatabase({ dataDir }: Config, log: Logger): Promise<Hold> {
  return asStartError(dataDir, async () => {
    await requireLocalFileSystem(dataDir);
    await openTop(dataDir, { passable: true });
    return holdEmbeddedDatabase(databaseFolderOf(dataDir), log);
  });
}

/**
 * Makes DATA_DIR ready for writing, and checks its contents.
 * @throws StartError when it cannot be written, or other local users may write to it or own it
 */
export function openDataDir({ dataDir, databaseUrl, storage }: Config): Promise<void> {
  return asStartError(dataDir, async () => {
    await openTop(dataDir, { passable: databaseUrl === null });
    await requirePrivate(administratorPasswordOf(dataDir), { kind: 'file' });
    await requirePrivate(join(dataDir, 'mail'), { kind: 'folder' });
    if (storage.kind === 'local') await openRecordings(join(dataDir, 'audio'));
    await writePrivateFile(join(dataDir, '.writable'), '');
  });
}

async function asStartError<Result>(dataDir: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`DATA_DIR is ${dataDir}, but cannot be written: ${messageOf(error)}`);
  }
}

/**
 * @param options.passable whether another user must be able to pass through, because under root Postgres runs as
 * another user
 */
async function openTop(dataDir: string, { passable }: { passable: boolean }): Promise<void> {
  const account = passable ? await postgresAccount() : null;
  await makePrivateFolder(dataDir, PARENT_MODE);
  await requirePrivate(dataDir, { kind: 'folder', ...(account && { mode: PASSAGE_MODE }) });
  if (account !== null) await letThrough(dataDir, account);
}

/** The file with the password of the administrator that is created outside production. */
export const administratorPasswordOf = (dataDir: string): string =>
  join(dataDir, 'administrator-password');

async function openRecordings(folder: string): Promise<void> {
  await makePrivateFolder(folder);
  const mode = await requirePrivate(folder, { kind: 'folder' });
  // Modes of an earlier release are corrected if the closed parent folder has kept other users out.
  const closed = mode !== null && isClosed(mode);
  for (const { name } of await readdir(folder, { withFileTypes: true })) {
    if (!/^[0-9a-f]{2}$/.test(name)) continue;
    const path = join(folder, name);
    if (closed) await chmod(path, FOLDER_MODE);
    await requirePrivate(path, { kind: 'folder', mend: `chmod -R go-rwx ${quoted(folder)}` });
  }
}
