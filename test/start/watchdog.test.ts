import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { isAlive, until } from '../support/faults.js';
import { startServer, type Environment, type ServerProcess } from '../support/talebank.js';

const BLOCKER = new URL('../support/block-loop.mjs', import.meta.url).href;

let dataDir: string;
const servers: ServerProcess[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'talebank-watchdog-'));
});
afterEach(() => Promise.all(servers.splice(0).map((server) => server.kill())));
// The guardian of a killed server still stops Postgres there.
afterAll(() => rm(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 500 }));

async function start(environment: Environment): Promise<ServerProcess> {
  const server = await startServer({ DATA_DIR: dataDir, ...environment }, { before: BLOCKER });
  servers.push(server);
  return server;
}

const isHealthy = async (url: string): Promise<boolean> =>
  (await fetch(`${url}/healthz`, { headers: { connection: 'close' } })).status === 200;

test('a process whose event loop stands still ends, says why, and leaves no Postgres behind', async () => {
  const server = await start({ EVENT_LOOP_STALL_SECONDS: '2' });
  const file = await readFile(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8');
  const postmaster = Number(file.split('\n')[0]);
  expect(isAlive(postmaster)).toBe(true);
  const exited = once(server.child, 'exit');
  const startedAt = performance.now();
  server.child.send('block');
  // Its handler never runs.
  server.child.kill('SIGTERM');
  expect(await exited).toEqual([null, 'SIGKILL']);
  expect(performance.now() - startedAt).toBeGreaterThan(1_500);
  expect(server.logs().at(-1)).toMatchObject({
    level: 'fatal',
    stallSeconds: 2,
    msg: 'the event loop stood still for 2 s, so this process ends itself: start it again',
  });
  await until('Postgres is gone', () => !isAlive(postmaster));
});

test('time during which the process is stopped, or a shorter stall, does not end it', async () => {
  const server = await start({ EVENT_LOOP_STALL_SECONDS: '2' });
  server.child.send('500');
  await sleep(700);
  server.child.kill('SIGSTOP');
  await sleep(3_500);
  server.child.kill('SIGCONT');
  await sleep(700);
  expect(await isHealthy(server.url)).toBe(true);
  await sleep(2_700);
  expect(await isHealthy(server.url)).toBe(true);
});

test('a log that is not read does not keep it alive', async () => {
  const server = await start({ EVENT_LOOP_STALL_SECONDS: '1' });
  const exited = once(server.child, 'exit');
  // From now on its pipe fills up, and every line stops the thread that writes it.
  server.child.stdout?.pause();
  server.child.send('fill');
  expect(await exited).toEqual([null, 'SIGKILL']);
});

test('it can be switched off', async () => {
  const server = await start({ EVENT_LOOP_STALL_SECONDS: '0' });
  server.child.send('2500');
  await sleep(3_000);
  expect(await isHealthy(server.url)).toBe(true);
});
