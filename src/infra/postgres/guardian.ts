/**
 * A process of its own that owns the embedded Postgres. Its channel to the server is its lifeline:
 * when the server ends, however that happens, the channel closes and Postgres is stopped in order.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { socketFiles, type Door } from './door.js';
import {
  GUARDIAN_FOLDER_DESCRIPTOR,
  GUARDIAN_LOCK_DESCRIPTOR,
  serverArguments,
  type GuardianOrders,
  type GuardianReport,
} from './guardian-orders.js';

const STOP_TIMEOUT_MS = 20_000;
const START_TIMEOUT_MS = 60_000;

let postmaster: ChildProcess | undefined;
let door: Door | undefined;
let stopping = false;

function report(message: GuardianReport): void {
  if (process.connected) process.send?.(message);
}

async function removeSocket(at: Door): Promise<void> {
  if (at.kind !== 'socket') return;
  for (const name of socketFiles) await rm(join(at.folder, name), { force: true });
}

async function start(orders: GuardianOrders): Promise<void> {
  door = orders.door;
  // After a crash, the lock file of the socket is left, and its process id may belong to another program by now.
  await removeSocket(orders.door);
  const child = spawn(orders.postgres, serverArguments(orders), {
    ...(orders.account ?? {}),
    // Postgres and its processes keep the lock for as long as any of them lives, also without this one.
    stdio: ['ignore', 'ignore', 'pipe', GUARDIAN_LOCK_DESCRIPTOR, GUARDIAN_FOLDER_DESCRIPTOR],
    env: { PATH: process.env['PATH'] ?? '', ...orders.environment, LC_ALL: 'C', TZ: 'UTC' },
  });
  postmaster = child;
  const lastLines: string[] = [];
  const ready = new Promise<void>((resolve, reject) => {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
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

/** Fast shutdown (SIGINT), which rolls back open transactions. Immediate shutdown (SIGQUIT) if it takes too long. */
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
    if (door?.kind === 'socket' && door.temporary) {
      await removeSocket(door);
      await rmdir(door.folder).catch(() => undefined);
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
