import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { access, chown, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../domain/errors.js';
import { makePrivateFolder, requirePrivate, writePrivateFile } from '../storage/private-files.js';
import { StartError } from '../start-error.js';
import { letThrough, PASSAGE_MODE, type Account, type Passage } from './account.js';
import type { PostgresBinaries } from './binaries.js';

/**
 * What is kept in the folder of the embedded Postgres. The folder belongs to us; the cluster and the socket belong to
 * the account that Postgres runs as.
 */
export const clusterOf = (folder: string): string => join(folder, 'cluster');
/** The cluster while it is made. */
const partialOf = (folder: string): string => `${clusterOf(folder)}.partial`;
/** What initdb reads. */
const initialPasswordOf = (folder: string): string => join(folder, 'initdb-password');
/** The password file of the superuser `postgres`, which only prepares the cluster. */
const superuserPasswordOf = (folder: string): string => join(folder, 'password');
/** The password file of the role that owns the database and that everything else connects as. */
export const ownerPasswordOf = (folder: string): string => join(folder, 'owner-password');

/**
 * Makes the folder, or checks the one that is there. Nothing in it is touched.
 * @throws StartError
 */
export async function openFolder(folder: string, account: Account | null): Promise<void> {
  await makePrivateFolder(folder);
  await requirePrivate(folder, {
    kind: 'folder',
    ...(account && { mode: PASSAGE_MODE }),
  });
  if (account !== null) await letThrough(folder, account);
}

/**
 * Checks what is in the folder.
 * @returns the superuser's password
 * @throws StartError
 */
export async function prepareFolder(folder: string, account: Account | null): Promise<string> {
  await requirePrivate(clusterOf(folder), {
    kind: 'folder',
    ...(account && { ownerUid: account.uid }),
  });
  return keepPassword(superuserPasswordOf(folder));
}

/** The password in a file, which is made when it is missing. */
export async function keepPassword(path: string): Promise<string> {
  await requirePrivate(path, { kind: 'file' });
  const known = await readFile(path, 'utf8').catch(() => '');
  if (known !== '') return known;
  const password = randomBytes(24).toString('base64url');
  await writePrivateFile(path, password);
  return password;
}

/** Every connection needs a password, and none may replicate. The second rule is for a Postgres that listens on TCP. */
const HOST_BASED_ACCESS = `# Written at every start.
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
`;

/** Writes pg_hba.conf at every start, because an earlier release may have made the cluster. */
export const writeAccessRules = (folder: string, account: Account | null): Promise<void> =>
  writePrivateFile(join(clusterOf(folder), 'pg_hba.conf'), HOST_BASED_ACCESS, account);

interface Initialisation {
  readonly initdb: PostgresBinaries['initdb'];
  readonly account: Account | null;
  readonly passage: Passage;
  /** The descriptor of the lock that initdb, Postgres and its processes hold while they may write. */
  readonly lockDescriptor: number;
}

/** @returns whether there was no cluster, and one was made */
export async function initialiseOnce(folder: string, options: Initialisation): Promise<boolean> {
  try {
    await access(join(clusterOf(folder), 'PG_VERSION'));
    return false;
  } catch (error) {
    // Only a missing file means that there is no cluster. A disk that cannot be read may hold one.
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  await initialise(folder, options);
  return true;
}

/** The cluster gets its name when it is complete, because initdb may be killed at any moment. */
async function initialise(folder: string, options: Initialisation): Promise<void> {
  const { account } = options;
  const partial = partialOf(folder);
  await rm(partial, { recursive: true, force: true });
  await makePrivateFolder(partial);
  if (account !== null) await chown(partial, account.uid, account.gid);
  const passwordFile = initialPasswordOf(folder);
  const password = await readFile(superuserPasswordOf(folder), 'utf8');
  await writePrivateFile(passwordFile, password, account);
  try {
    await runInitdb(folder, options);
    // What an interrupted first start of an earlier release has left behind is no cluster.
    await rm(clusterOf(folder), { recursive: true, force: true });
    await rename(partial, clusterOf(folder));
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function runInitdb(folder: string, options: Initialisation): Promise<void> {
  const { initdb, account, passage, lockDescriptor } = options;
  const child = spawn(
    initdb,
    [
      `--pgdata=${partialOf(passage.path)}`,
      '--username=postgres',
      `--pwfile=${initialPasswordOf(passage.path)}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      '--no-instructions',
    ],
    {
      ...(account ?? {}),
      cwd: folder,
      env: { LC_ALL: 'C', PATH: process.env['PATH'] ?? '' },
      // The place of the last one is PASSAGE_DESCRIPTOR.
      stdio: ['ignore', 'ignore', 'pipe', lockDescriptor, passage.descriptor ?? 'ignore'],
    },
  );
  const end = (): void => void child.kill();
  process.once('exit', end);
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-10_000);
  });
  const [code, signal] = (await once(child, 'close').catch((error: unknown) => [
    String(error),
    null,
  ])) as [number | string | null, string | null];
  process.off('exit', end);
  if (code !== 0)
    throw new StartError(
      `The embedded database could not be created: ${said.trim() || String(signal ?? code)}`,
    );
}
