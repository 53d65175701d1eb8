import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { chown, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { StartError } from '../start-error.js';

const run = promisify(execFile);

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

let found: Promise<Account | null> | undefined;

/**
 * The account that Postgres runs as. Postgres refuses to run as root, so that a server of root runs it as the user
 * `postgres`, who is created if missing.
 * @returns null when we are not root: Postgres runs as ourselves
 * @throws StartError when there is no such account
 */
export function postgresAccount(): Promise<Account | null> {
  found ??= findAccount();
  return found;
}

async function findAccount(): Promise<Account | null> {
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

/**
 * The mode of a folder above the account's own. Through the folder's group, the account can enter paths whose names it
 * knows, but it cannot list the folder. Other users are kept out.
 */
export const PASSAGE_MODE = 0o710;

/** Gives a folder of root to the account's group, so that PASSAGE_MODE lets it through. */
export async function letThrough(folder: string, account: Account): Promise<void> {
  const { uid, gid } = await stat(folder);
  if (gid !== account.gid) await chown(folder, uid, account.gid);
}

/** @returns the folder above that keeps the account from walking down to this one; null when none does */
export async function closedAbove(folder: string, account: Account): Promise<string | null> {
  for (let path = folder; path !== dirname(path);) {
    path = dirname(path);
    const { mode, uid, gid } = await stat(path);
    const others = gid === account.gid ? constants.S_IXGRP : constants.S_IXOTH;
    const needed = uid === account.uid ? constants.S_IXUSR : others;
    if ((mode & needed) === 0) return path;
  }
  return null;
}

/** How Postgres and initdb find the folder that holds the cluster and the socket. */
export interface Passage {
  /** The folder's path for them. */
  readonly path: string;
  /** An open folder that they must inherit as PASSAGE_DESCRIPTOR; null where they need none. */
  readonly descriptor: number | null;
  /** Closes the folder here. Processes that have inherited it keep it. */
  readonly close: () => Promise<void>;
}
