import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pino } from 'pino';
import type * as Embedded from '../../src/infra/postgres/embedded.js';
import { compiled } from './compiled.js';
import { openDoor } from './door.js';
import { machineClock, V8_FLAGS } from './machine.js';

const MIGRATE = fileURLToPath(new URL('../../dist/cli/migrate.js', import.meta.url));

/** A Postgres of its own, as durable as it is shipped, that can be killed and comes back at the same address. */
export interface CrashablePostgres {
  readonly url: string;
  /** Kills it without a word, and starts it again: it recovers from what it has written. */
  crash(): Promise<void>;
  close(): Promise<void>;
}

export async function startCrashablePostgres(): Promise<CrashablePostgres> {
  const { startEmbeddedPostgres } = await compiled<typeof Embedded>('infra/postgres/embedded.js');
  const folder = await mkdtemp(join(tmpdir(), 'talebank-crash-'));
  const log = pino({ level: 'silent' });
  const start = (): ReturnType<typeof startEmbeddedPostgres> =>
    startEmbeddedPostgres({
      folder,
      log,
      settings: { max_connections: '150' },
      environment: machineClock(),
    });
  let postgres = await start();
  const door = await openDoor(() => Number(new URL(postgres.url).port));
  const url = new URL(postgres.url);
  url.port = String(door.port);
  await promisify(execFile)(process.execPath, [...V8_FLAGS, MIGRATE], {
    env: { ...machineClock(), DATABASE_URL: url.href },
  });
  return {
    url: url.href,
    crash: async () => {
      const lock = await readFile(join(folder, 'cluster', 'postmaster.pid'), 'utf8');
      process.kill(Number(lock.split('\n')[0]), 'SIGKILL');
      postgres = await start();
    },
    close: async () => {
      await postgres.close();
      door.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
