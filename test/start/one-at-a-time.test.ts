import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isAlive, until } from '../support/faults.js';
import { command, postmasterOf, refusal, type Ended } from '../support/starting.js';
import { startServer, type ServerProcess } from '../support/talebank.js';

let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'talebank-one-'));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

/** A program in namespaces of its own, as in another container. It is its process 1, and ends with `unshare`. */
const apart = (...kinds: string[]): string[] => [
  'unshare',
  ...['--pid', '--fork', '--mount-proc', '--kill-child=KILL'],
  ...kinds.map((kind) => `--${kind}`),
];
const CAN_LIVE_APART = spawnSync('unshare', [...apart('ipc', 'net').slice(1), 'true']).status === 0;
const whenApart = CAN_LIVE_APART ? describe : describe.skip;

const start = (under: readonly string[] = []): Promise<ServerProcess> =>
  startServer({ DATA_DIR: dataDir }, { under });

async function isReady(server: ServerProcess): Promise<void> {
  expect(await (await fetch(`${server.url}/readyz`)).json()).toMatchObject({ status: 'ready' });
}

/** The size, the mode and the time of change of every file, except those that a running Postgres writes. */
async function everything(): Promise<string[]> {
  const entries = await readdir(dataDir, { recursive: true });
  const stats = entries
    .filter((path) => !/\/(?:base|global|pg_(?!hba|ident)[a-z_]+)/.test(path))
    .map(async (path) => {
      const { ino, size, mode, mtimeMs } = await stat(join(dataDir, path));
      return [path, ino, size, mode, mtimeMs].join(' ');
    });
  return (await Promise.all(stats)).sort();
}

const IN_USE =
  /^Talebank cannot start\. Another Talebank is running on .*\/postgres \(process \d+ of \S+ since [-:.\dTZ]+\): stop it, or set another DATA_DIR\.$/;

whenApart('in other namespaces (where this system lets them be made)', () => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await start(apart('ipc'));
  });
  afterAll(() => server.kill());

  test.each([[[]], [['ipc']], [['ipc', 'net', 'uts', 'mount']]])(
    'a second server is refused and changes nothing: pid %j',
    async (kinds) => {
      const before = await everything();
      const ended: Ended = await refusal({ DATA_DIR: dataDir }, apart(...kinds));
      expect(ended.said).toMatch(IN_USE);
      expect(ended.code).toBe(1);
      expect(await everything()).toEqual(before);
      await isReady(server);
    },
  );

  test.each([
    ['ledger', ['verify']],
    ['keys', []],
    ['migrate', []],
  ])('a command joins the database of the server: %s', async (name, args) => {
    const ended = await command(name, args, { DATA_DIR: dataDir }, apart('ipc'));
    expect(ended).toMatchObject({ code: 0 });
    await isReady(server);
  });

  test('after a kill, the next one starts with any process numbers', async () => {
    await server.kill();
    // Each program takes a number before the server does.
    const script = 'for i in $(seq 3); do true | true; done; exec "$@"';
    server = await start([...apart('ipc'), 'sh', '-c', script, 'sh']);
    await isReady(server);
  });
});

test('a number in postmaster.pid that another Postgres has by now does not stop a start', async () => {
  const server = await start();
  process.kill(await postmasterOf(dataDir), 'SIGKILL');
  await once(server.child, 'exit');
  const path = join(dataDir, 'postgres', 'cluster', 'postmaster.pid');
  const lines = (await readFile(path, 'utf8')).split('\n');
  // Its own group, because the shell does not end what it waits for.
  const other = spawn('sh', ['-c', 'sleep 900; : postgres'], { stdio: 'ignore', detached: true });
  await writeFile(path, [String(other.pid), ...lines.slice(1)].join('\n'));
  const next = await start();
  await isReady(next);
  expect(isAlive(other.pid ?? 0)).toBe(true);
  process.kill(-(other.pid ?? 0), 'SIGKILL');
  await next.stop();
});

/** The guardian process of the Postgres in DATA_DIR. */
async function guardianOf(postmaster: number): Promise<number> {
  const status = await readFile(`/proc/${String(postmaster)}/status`, 'utf8');
  return Number(/^PPid:\t(\d+)$/m.exec(status)?.[1]);
}

test('a Postgres that has lost its server and its guardian is stopped by the next start', async () => {
  const server = await start();
  const postmaster = await postmasterOf(dataDir);
  process.kill(await guardianOf(postmaster), 'SIGKILL');
  await server.kill();
  expect(isAlive(postmaster)).toBe(true);
  const next = await start();
  // Its lock is free a moment before it is gone.
  await until('it is gone', () => !isAlive(postmaster));
  expect(next.output()).toContain('Postgres of an earlier start still runs, and is told to stop');
  await isReady(next);
  await next.stop();
});

test('a server that is told to stop is waited for', async () => {
  const server = await start();
  const stopped = server.stop();
  const next = await start();
  await stopped;
  await isReady(next);
  await next.stop();
});

test('a first start that is killed while it makes the cluster does not spoil the next one', async () => {
  // Not inside of another one, which another user cannot enter before a start has opened it for the database's.
  const fresh = await mkdtemp(join(tmpdir(), 'talebank-fresh-'));
  const server = startServer({ DATA_DIR: fresh });
  const ended = expect(server).rejects.toThrow(/ended with/);
  await until('initdb works', async () =>
    (await readdir(join(fresh, 'postgres')).catch((): string[] => [])).includes('cluster.partial'),
  );
  const note = await readFile(join(fresh, 'postgres', 'server.lock'), 'utf8');
  process.kill(Number(/process (\d+)/.exec(note)?.[1]), 'SIGKILL');
  await ended;
  const next = await startServer({ DATA_DIR: fresh });
  await isReady(next);
  await next.stop();
  await rm(fresh, { recursive: true });
});
