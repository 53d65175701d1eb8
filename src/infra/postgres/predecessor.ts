import { readdir, readFile, readlink, realpath, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../log.js';
import { requirePrivate } from '../storage/private-files.js';
import { StartError } from '../start-error.js';
import { clusterOf } from './cluster.js';
import { accepts, type Door } from './door.js';
import { tryLockFile, type FileLock } from './lock.js';
import { seenFromHere } from './passage.js';

/** By then, the guardian of a server that was killed has told Postgres to stop. */
const GUARDIAN_PATIENCE_MS = 1_500;
/** Longer than the 20 seconds that the guardian gives Postgres. On SIGQUIT it ends at once, and recovers later. */
const QUIT_AFTER_MS = 25_000;
const GIVE_UP_AFTER_MS = 40_000;
/** For a Postgres without the lock, from when it is first seen. */
const UNLOCKED_PATIENCE_MS = 3_000;
const UNLOCKED_STOPPING_PATIENCE_MS = 25_000;
const RETRY_MS = 100;

/**
 * Takes the lock `postgres.lock` in the folder. Postgres, its guardian and initdb inherit it, so that it is free only
 * when none of their processes is left. A Postgres that has lost both its server and its guardian is told to stop.
 * That is safe, because the caller holds the folder, so that no other server uses it.
 * @throws StartError when one goes on running
 */
export async function lockForPostgres(folder: string, log: Logger): Promise<FileLock> {
  const path = join(folder, 'postgres.lock');
  await requirePrivate(path, { kind: 'file' });
  const startedAt = performance.now();
  const signals: NodeJS.Signals[] = [];
  for (;;) {
    const lock = tryLockFile(path);
    if (lock !== null) return lock;
    const waitedMs = performance.now() - startedAt;
    if (waitedMs > GIVE_UP_AFTER_MS)
      throw new StartError(
        `A Postgres of an earlier start still runs on ${folder}, in another container or as another user: stop it, or set another DATA_DIR.`,
      );
    if (waitedMs > GUARDIAN_PATIENCE_MS && signals.length === 0) {
      signals.push('SIGINT');
      const processes = await signalOrphans(folder, { lockPath: path, signal: 'SIGINT' });
      if (processes > 0)
        log.warn(
          { event: 'earlier-postgres-stopped', processes },
          'Postgres of an earlier start still runs, and is told to stop',
        );
    }
    if (waitedMs > QUIT_AFTER_MS && signals.length === 1) {
      signals.push('SIGQUIT');
      await signalOrphans(folder, { lockPath: path, signal: 'SIGQUIT' });
    }
    await sleep(RETRY_MS);
  }
}

/**
 * Signals the postmaster, which stops its processes, or each of them when there is none.
 * @returns how many processes there are
 */
async function signalOrphans(
  folder: string,
  { lockPath, signal }: { lockPath: string; signal: 'SIGINT' | 'SIGQUIT' },
): Promise<number> {
  const holders = await postgresProcessesThatHold(lockPath);
  const { pid } = await readPostmaster(folder);
  const hasPostmaster = holders.includes(pid);
  // Without a postmaster, SIGINT would only cancel a statement.
  const told = !hasPostmaster && signal === 'SIGINT' ? 'SIGTERM' : signal;
  for (const holder of hasPostmaster ? [pid] : holders) {
    try {
      process.kill(holder, told);
    } catch {
      // It has ended meanwhile, or belongs to another user. The lock tells which.
    }
  }
  return holders.length;
}

/**
 * Programs of Postgres that have the file open, as far as they are seen from here: in this PID namespace, and on Linux.
 * A backup that reads the file is none of them.
 */
async function postgresProcessesThatHold(path: string): Promise<number[]> {
  const { dev, ino } = await stat(path);
  const names = await readdir('/proc').catch(() => []);
  const holders: number[] = [];
  for (const pid of names.map(Number).filter((number) => Number.isInteger(number))) {
    const folder = `/proc/${String(pid)}`;
    const program = basename(await readlink(`${folder}/exe`).catch(() => ''));
    // A program that was replaced since has ` (deleted)` after its name.
    if (!program.startsWith('postgres') && !program.startsWith('initdb')) continue;
    for (const descriptor of await readdir(`${folder}/fd`).catch(() => [])) {
      const file = await stat(`${folder}/fd/${descriptor}`).catch(() => null);
      if (file?.dev !== dev || file.ino !== ino) continue;
      holders.push(pid);
      break;
    }
  }
  return holders;
}

const postmasterFileOf = (folder: string): string => join(clusterOf(folder), 'postmaster.pid');

/**
 * Removes the pid file of a Postgres that was killed. The caller has the lock for Postgres, so that the process id in the
 * file alone proves nothing: another process may have it by now. A Postgres that an earlier release or an operator has
 * started does not take the lock, and is recognised by its socket or its working directory.
 * @throws StartError when one goes on running
 */
export async function removeStalePidFile(folder: string): Promise<void> {
  const startedAt = performance.now();
  for (;;) {
    const postmaster = await readPostmaster(folder);
    if (!(await runs(folder, postmaster))) break;
    const patienceMs = postmaster.isStopping ? UNLOCKED_STOPPING_PATIENCE_MS : UNLOCKED_PATIENCE_MS;
    if (performance.now() - startedAt > patienceMs)
      throw new StartError(
        `Another Talebank is running on ${folder}: its Postgres, process ${String(postmaster.pid)}, was started by an earlier release or by hand. Stop it, or set another DATA_DIR.`,
      );
    await sleep(RETRY_MS);
  }
  await rm(postmasterFileOf(folder), { force: true });
}

async function runs(folder: string, { pid, door }: Postmaster): Promise<boolean> {
  if (door?.kind === 'socket' && (await accepts(door))) return true;
  const cluster = await realpath(clusterOf(folder)).catch(() => null);
  return (
    cluster !== null && (await readlink(`/proc/${String(pid)}/cwd`).catch(() => '')) === cluster
  );
}

export interface Postmaster {
  /** 0 when there is none. It is only valid in the PID namespace of that process. */
  readonly pid: number;
  /** Null while it starts. */
  readonly door: Door | null;
  readonly isStopping: boolean;
}

/** What postmaster.pid says, which may be out of date. */
export async function readPostmaster(folder: string): Promise<Postmaster> {
  // https://www.postgresql.org/docs/current/storage-file-layout.html: process id, folder of the cluster, start, port,
  // folder of the socket, address, shared memory, state.
  const text = await readFile(postmasterFileOf(folder), 'utf8').catch(() => '');
  const [pid = '', , , line4 = '', socketFolder = '', , , state = ''] = text.split('\n');
  const port = Number(line4);
  const isListening = Number.isInteger(port) && port > 0;
  const door: Door =
    socketFolder === ''
      ? { kind: 'tcp', port }
      : { kind: 'socket', folder: seenFromHere(socketFolder, folder), temporary: false, port };
  return {
    pid: Number.isInteger(Number(pid)) ? Math.abs(Number(pid)) : 0,
    door: isListening ? door : null,
    isStopping: state.startsWith('stopping'),
  };
}
