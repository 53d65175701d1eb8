import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../domain/errors.js';
import { tryLockFile, type FileLock } from '../postgres/lock.js';
import { StartError } from '../start-error.js';
import { makePrivateFolder, requirePrivate, syncFolder } from '../storage/private-files.js';

/** This file is locked while a backup is being made. If it exists and is not locked, the backup was interrupted. */
const UNFINISHED = 'unfinished';

/** A folder in which a backup is being made. */
export interface BackupFolder {
  /** Whether an interrupted backup was there before. */
  readonly isResumed: boolean;
  /** Makes the backup durable and complete; its manifest must be there. */
  finish(): Promise<void>;
  release(): void;
}

/**
 * Takes a new or empty folder, or one in which a backup was interrupted.
 * @throws StartError when it holds anything else, other users can write to it, or another process makes a backup there
 */
export async function takeBackupFolder(path: string): Promise<BackupFolder> {
  await makePrivateFolder(path);
  // Another user who can write to it could exchange what is in the backup.
  await requirePrivate(path, { kind: 'folder', variable: 'FOLDER' });
  const names = await readdir(path);
  if (names.length > 0 && !names.includes(UNFINISHED))
    throw new StartError(
      names.includes('manifest.json')
        ? `${path} has a backup already: name a new folder, because a backup is never overwritten.`
        : `${path} is not empty, but a backup needs a folder of its own: name a new one.`,
    );
  const lock = lockIn(path);
  if (lock === null)
    throw new StartError(`Another process is making a backup in ${path}: wait until it has ended.`);
  return {
    isResumed: names.includes(UNFINISHED),
    finish: async () => {
      await rm(join(path, UNFINISHED));
      await syncFolder(path);
    },
    release: () => {
      lock.release();
    },
  };
}

function lockIn(path: string): FileLock | null {
  try {
    return tryLockFile(join(path, UNFINISHED));
  } catch (error) {
    throw new StartError(
      `${path} cannot be locked: make the backup on a disk of this machine, and copy it afterwards. ${messageOf(error)}`,
    );
  }
}
