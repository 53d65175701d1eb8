import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../log.js';
import { requirePrivate } from '../storage/private-files.js';
import { StartError } from '../start-error.js';
import { tryLockFile } from './lock.js';

/** The right to start the embedded Postgres of a folder. One process has it at a time. */
export interface Hold {
  /** Tells others that wait for the folder that it will be free. */
  noteStopping(): void;
  release(): void;
}

/** One that runs may be a command that ends soon, or a server that was told to stop a moment ago. */
const RUNNING_PATIENCE_MS = 3_000;
/** Longer than the 45 seconds after which a server that is stopping ends in any case. */
const STOPPING_PATIENCE_MS = 60_000;
const RETRY_MS = 100;
const STOPPING = 'stopping';

const lockOf = (folder: string): string => join(folder, 'server.lock');

/**
 * Takes the lock `server.lock` in the folder. Until it is released, no other process starts Postgres there or changes
 * what is in the folder.
 * @param folder must exist
 * @throws StartError when another process goes on holding it
 */
export async function holdFolder(folder: string, log: Logger): Promise<Hold> {
  const path = lockOf(folder);
  await requirePrivate(path, { kind: 'file' });
  const startedAt = performance.now();
  for (let tries = 0; ; tries += 1) {
    const lock = tryLockFile(path);
    if (lock !== null) {
      const holder = `process ${String(process.pid)} of ${hostname()} since ${new Date().toISOString()}`;
      lock.write(`running: ${holder}\n`);
      return {
        noteStopping: () => {
          lock.write(`${STOPPING}: ${holder}\n`);
        },
        release: () => {
          lock.release();
        },
      };
    }
    const [state = '', holder = 'a process that does not say which'] = await noteIn(path);
    const isStopping = state === STOPPING;
    if (performance.now() - startedAt > (isStopping ? STOPPING_PATIENCE_MS : RUNNING_PATIENCE_MS))
      throw new StartError(
        `Another Talebank is ${isStopping ? STOPPING : 'running'} on ${folder} (${holder}): stop it, or set another DATA_DIR.`,
      );
    if (isStopping && tries === 0)
      log.info(
        { event: 'waiting-for-other-server', holder },
        'waiting for another server that is stopping',
      );
    await sleep(RETRY_MS);
  }
}

/**
 * Which process holds the folder. Null when none does. The lock is taken for a moment, and a server that starts at this
 * moment tries again.
 */
export async function holderOf(folder: string): Promise<string | null> {
  const path = lockOf(folder);
  if (!existsSync(path)) return null;
  const lock = tryLockFile(path);
  if (lock === null) {
    const [, holder = 'a process that does not say which'] = await noteIn(path);
    return holder;
  }
  lock.release();
  return null;
}

/** @returns its state, and which process it is */
async function noteIn(path: string): Promise<string[]> {
  const [line = ''] = (await readFile(path, 'utf8')).split('\n');
  return line === '' ? [] : line.split(': ');
}
