import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pino } from 'pino';
import type * as Embedded from '../../src/infra/postgres/embedded.js';
import { compiled } from './compiled.js';
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

/** An address that stays the same, wherever it leads. */
async function openDoor(port: () => number): Promise<{ port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(port(), '127.0.0.1');
    client.pipe(target).pipe(client);
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
