import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pMap from 'p-map';
import { pino } from 'pino';
import type * as Embedded from '../src/infra/postgres/embedded.ts';
import { ask, grant, loadOfMachine, newListener, type Person } from './product.ts';
import { englishVoice, newStory } from './stories.ts';
import { compiled, print } from './support.ts';

const STARTS = 5;
const LISTENERS = 8;
const STORIES = 120;
const IN_FLIGHT = 32;
/** How many orders are answered before the process is told to stop. */
const ANSWERED_FIRST = 200;
const ADMIN = { email: 'admin@example.com', password: 'administrator' };
const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));

interface Api {
  readonly url: string;
  readonly child: ChildProcess;
  /** From its start until it is ready. */
  readonly readyMs: number;
  /** The processor time that it has used until then. */
  readonly cpuMs: number;
}

/** Another API process beside a running one: how soon it is ready, and how soon it has stopped under load. */
export async function benchProcesses(): Promise<void> {
  print(`\nAnother API process, load of the machine before ${await loadOfMachine()}`);
  const { startEmbeddedPostgres } = await compiled<typeof Embedded>('infra/postgres/embedded.js');
  const folder = await mkdtemp(join(tmpdir(), 'talebank-bench-'));
  const postgres = await startEmbeddedPostgres({ folder, log: pino({ level: 'error' }) });
  const dataDir = await mkdtemp(join(tmpdir(), 'talebank-bench-'));
  const start = (): Promise<Api> => startApi({ DATABASE_URL: postgres.url, DATA_DIR: dataDir });
  const steady = await start();
  try {
    const starts: Api[] = [];
    for (let count = 0; count < STARTS; count += 1) {
      const api = await start();
      starts.push(api);
      await stop(api);
    }
    const all = (read: (api: Api) => number): string =>
      starts.map((api) => read(api).toFixed(0)).join(', ');
    print(
      `  ready after                                 ${median(starts.map(({ readyMs }) => readyMs)).toFixed(0)} ms, the median of ${all(({ readyMs }) => readyMs)}`,
    );
    print(`  processor time until then                   ${all(({ cpuMs }) => cpuMs)} ms`);
    await benchStop(steady, await start());
    print(`  load of the machine after                   ${await loadOfMachine()}`);
  } finally {
    await stop(steady);
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
    await rm(dataDir, { recursive: true, force: true });
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

async function startApi(environment: Readonly<Record<string, string>>): Promise<Api> {
  const port = await freePort();
  const url = `http://127.0.0.1:${String(port)}`;
  const startedAt = performance.now();
  const child = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      LOG_FORMAT: 'json',
      ROLE: 'api',
      SEED: 'false',
      ADMIN_EMAIL: ADMIN.email,
      ADMIN_PASSWORD: ADMIN.password,
      RATE_LIMIT_FACTOR: '1000000',
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (;;) {
    if (child.exitCode !== null) throw new Error('The process ended while it started.');
    const isReady = await fetch(`${url}/readyz`).then(
      ({ status }) => status === 200,
      () => false,
    );
    if (isReady) break;
    await sleep(5);
  }
  const readyMs = performance.now() - startedAt;
  return { url, child, readyMs, cpuMs: await cpuOf(child) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** proc(5): the fields after the name, of which two are the time in hundredths of a second. */
async function cpuOf({ pid }: ChildProcess): Promise<number> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => '');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

async function stop({ child }: Api): Promise<number> {
  const startedAt = performance.now();
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`The process ended with ${String(code)}.`);
  return performance.now() - startedAt;
}

interface Order {
  readonly listener: Person;
  readonly input: { storyId: string; voiceId: string; idempotencyKey: string };
  /** The charge that was acknowledged. */
  charge?: string;
}

async function place(url: string, { listener, input }: Order): Promise<string> {
  const { synthesizeAudio } = await ask<{ synthesizeAudio: { charge: { id: string } } }>(
    url,
    'mutation ($input: SynthesizeAudioInput!) { synthesizeAudio(input: $input) { charge { id } } }',
    { input },
    listener.token,
  );
  return synthesizeAudio.charge.id;
}

async function newOrders(url: string): Promise<Order[]> {
  const login =
    'mutation ($input: LoginInput!) { login(input: $input) { accessToken user { id } } }';
  const { login: signedIn } = await ask<{ login: { accessToken: string; user: { id: string } } }>(
    url,
    login,
    { input: ADMIN },
  );
  const admin = { id: signedIn.user.id, token: signedIn.accessToken };
  const voiceId = await englishVoice(url);
  const listeners: Person[] = [];
  for (let count = 0; count < LISTENERS; count += 1) {
    const listener = await newListener(url);
    await grant(url, admin, listener, STORIES);
    listeners.push(listener);
  }
  const numbers = Array.from({ length: STORIES }, (_, number) => number);
  const stories = await pMap(numbers, () => newStory(url, admin, 60), { concurrency: 8 });
  return stories.flatMap((storyId) =>
    listeners.map((listener) => ({
      listener,
      input: { storyId, voiceId, idempotencyKey: `stop-${storyId}` },
    })),
  );
}

/** Stops a process in the middle of many orders, and repeats all of them at the other one. */
async function benchStop(steady: Api, stopping: Api): Promise<void> {
  const orders = await newOrders(steady.url);
  let [answered, unanswered] = [0, 0];
  let stopped: Promise<number> | undefined;
  await pMap(
    orders,
    async (order) => {
      try {
        order.charge = await place(stopping.url, order);
        answered += 1;
      } catch {
        unanswered += 1;
      }
      if (answered >= ANSWERED_FIRST) stopped ??= stop(stopping);
    },
    { concurrency: IN_FLIGHT },
  );
  const stopMs = (await stopped) ?? 0;
  let lost = 0;
  await pMap(
    orders,
    async (order) => {
      const charge = await place(steady.url, order);
      if (order.charge !== undefined && order.charge !== charge) lost += 1;
    },
    { concurrency: IN_FLIGHT },
  );
  const balances = await pMap(
    new Set(orders.map(({ listener }) => listener)),
    async ({ token }) => {
      const { me } = await ask<{ me: { credits: { balance: number } } }>(
        steady.url,
        '{ me { credits { balance } } }',
        {},
        token,
      );
      return me.credits.balance;
    },
  );
  // Ten points for the sign-up are left.
  const isRight = balances.every((balance) => balance === 10);
  print(`  stopped with ${String(IN_FLIGHT)} orders in flight after    ${stopMs.toFixed(0)} ms`);
  print(
    `  orders                                      ${String(answered)} acknowledged, ${String(unanswered)} refused or without an answer; repeated at the other process: ${String(lost)} acknowledged ones lost, ${isRight ? 'each charged once' : 'NOT each charged once'}`,
  );
}
