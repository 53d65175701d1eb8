/**
 * A process of its own that owns the embedded Postgres. Its channel to the server is its lifeline:
 * when the server ends, however that happens, the channel closes and Postgres is stopped in order.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serverArguments, type GuardianOrders, type GuardianReport } from './orders.js';

const STOP_TIMEOUT_MS = 20_000;
const START_TIMEOUT_MS = 60_000;
const IN_USE_AFTER_MS = 3_000;

let postmaster: ChildProcess | undefined;
let stopping = false;

function report(message: GuardianReport): void {
  if (process.connected) process.send?.(message);
}

/** An older Postgres that is still shutting down, or a file that a crash left behind. */
async function waitForPredecessor(folder: string): Promise<void> {
  const startedAt = Date.now();
  const pidFile = join(folder, 'postmaster.pid');
  for (;;) {
    const lines = (await readFile(pidFile, 'utf8').catch(() => '')).split('\n');
    const pid = Number(lines[0]);
    if (!Number.isInteger(pid) || pid <= 0) return;
    if (!(await isPostgres(pid))) {
      await rm(pidFile, { force: true });
      return;
    }
    // Its eighth line says how it is. One that nobody has told to stop by now belongs to someone.
    const patienceMs =
      lines[7]?.startsWith('stopping') === true ? STOP_TIMEOUT_MS : IN_USE_AFTER_MS;
    if (Date.now() - startedAt > patienceMs) throw new Error('IN_USE');
    await sleep(100);
  }
}

/** The number may have gone to another program since the machine was restarted. */
async function isPostgres(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const commandLine = await readFile(`/proc/${String(pid)}/cmdline`, 'utf8').catch(
    () => 'postgres',
  );
  return commandLine.includes('postgres');
}

async function start(orders: GuardianOrders): Promise<void> {
  await waitForPredecessor(orders.folder);
  const child = spawn(orders.postgres, serverArguments(orders), {
    ...(orders.account ?? {}),
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { LC_ALL: 'C', TZ: 'UTC', PATH: process.env['PATH'] ?? '' },
  });
  postmaster = child;
  const lastLines: string[] = [];
  const ready = new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      lastLines.push(...text.split('\n').filter((line) => line !== ''));
      lastLines.splice(0, Math.max(0, lastLines.length - 20));
      if (text.includes('database system is ready to accept connections')) resolve();
    });
    child.once('error', reject);
    child.once('exit', (code) => {
      reject(new Error(`exit code ${String(code)}: ${lastLines.join(' | ')}`));
    });
    setTimeout(() => {
      reject(new Error(`no answer: ${lastLines.join(' | ')}`));
    }, START_TIMEOUT_MS).unref();
  });
  child.once('exit', () => {
    if (!stopping) process.exit(1);
  });
  await ready;
  report({ kind: 'ready', pid: child.pid ?? 0 });
}

/** Fast shutdown: open transactions are rolled back. Harder when it does not come to an end. */
async function stop(): Promise<never> {
  if (!stopping) {
    stopping = true;
    const child = postmaster;
    if (child?.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGINT');
      const inTime = await Promise.race([
        ended.then(() => true),
        sleep(STOP_TIMEOUT_MS, false, { ref: false }),
      ]);
      if (!inTime) {
        child.kill('SIGQUIT');
        await ended;
      }
    }
    process.exit(0);
  }
  return new Promise(() => undefined);
}

// The terminal's Ctrl-C is for the server, which stops us when its own work is done.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => void stop());
process.on('disconnect', () => void stop());
process.on('message', (message: GuardianOrders | 'stop') => {
  if (message === 'stop') {
    void stop();
    return;
  }
  start(message).catch((error: unknown) => {
    report({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
    void stop();
  });
});
