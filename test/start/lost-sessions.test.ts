import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type pg from 'pg';
import type * as Session from '../../src/infra/connections/session.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const { createClient, createPool } = await compiled<typeof Session>('infra/connections/session.js');
const OPTIONS = { purpose: 'lost', connectTimeoutMs: 60_000 };

let talebank: Talebank;
beforeAll(async () => {
  talebank = await startTalebank();
});
afterAll(() => talebank.close());

/** Not `once` of Node, which rejects with the error that comes before. */
const endOf = (client: pg.ClientBase): Promise<void> =>
  new Promise((resolve) => {
    client.once('end', () => {
      resolve();
    });
  });

const endSessions = (like: string): Promise<unknown> =>
  talebank.database.sql(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE $1 AND pid <> pg_backend_pid()`,
    [like],
  );

test('a session that is lost between two statements of its user rejects the next one', async () => {
  const lost: Error[] = [];
  const options = { ...OPTIONS, connectionsMax: 1 };
  const pool = createPool(talebank.database.url, options, (error) => lost.push(error));
  const client = await pool.connect();
  await client.query('BEGIN');
  const ended = endOf(client);
  await endSessions('talebank-lost');
  await ended;
  await expect(client.query('SELECT 1')).rejects.toThrow();
  client.release();
  // The pool gives the lost session to no other user.
  expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await pool.end();
});

test('a client of its own that is lost rejects the next statement', async () => {
  const client = createClient(talebank.database.url, OPTIONS);
  await client.connect();
  const ended = endOf(client);
  await endSessions('talebank-lost');
  await ended;
  await expect(client.query('SELECT 1')).rejects.toThrow();
});

test('a server that lets a client in and then answers nothing is given up', async () => {
  const address = new URL(talebank.database.url);
  const { hostname, port } = address;
  const sockets: Socket[] = [];
  const door = createServer((client) => {
    const target = connect(Number(port), hostname);
    sockets.push(client, target);
    client.pipe(target);
    target.on('data', (chunk: Buffer) => {
      client.write(chunk);
      // ReadyForQuery, which ends the start of a session.
      if (chunk.includes('Z\0\0\0\x05I')) target.pause();
    });
  }).listen(0, '127.0.0.1');
  await once(door, 'listening');
  address.port = String((door.address() as AddressInfo).port);
  const refusalWithin = async (connectTimeoutMs: number): Promise<string> => {
    const client = createClient(address.href, { purpose: 'frozen', connectTimeoutMs });
    return client.connect().then(
      () => 'none',
      (error: unknown) => String(error),
    );
  };
  let refusal = await refusalWithin(3_000);
  // On a slow machine it was not even let in.
  if (refusal.includes('timeout expired')) refusal = await refusalWithin(60_000);
  expect(refusal).toContain('Query read timeout');
  for (const socket of sockets) socket.destroy();
  door.close();
});

test('a server whose sessions are all lost again and again goes on, and logs nothing of the sessions', async () => {
  const { server, url } = talebank;
  for (let round = 0; round < 5; round += 1) {
    await endSessions('talebank%');
    await sleep(100);
  }
  await until('it is ready', async () => (await fetch(`${url}/readyz`)).ok);
  expect(server.child.exitCode).toBeNull();
  const errorsSoFar = (): Record<string, unknown>[] =>
    server.logs().filter((line) => 'err' in line);
  await until('it is logged', () =>
    errorsSoFar().some(({ msg }) => msg === 'database connection lost'),
  );
  const errors = errorsSoFar();
  expect(errors.filter(({ err }) => 'client' in (err as object))).toEqual([]);
});
