import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type * as BudgetModule from '../../src/http/admission/budget.js';
import { send } from '../support/client.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { expectBelow, timeOf } from '../support/measure.js';
import { administrator, newListener, newStory } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const MB = 1024 * 1024;
/** Resident memory stays below this whatever clients do. */
const RESIDENT_BYTES_MAX = 600 * MB;
const LIST = '{ stories(first: 5) { nodes { id title } } }';

let talebank: Talebank;
let url: string;
/** Asks for 1.4 million characters. */
let heavy: string;
const sockets: Socket[] = [];

beforeAll(async () => {
  talebank = await startTalebank({
    ROLE: 'api',
    TRUST_PROXY: 'loopback',
    CORS_ORIGINS: 'https://stories.example.com',
  });
  url = talebank.url;
  const admin = await administrator(url);
  const { id } = await newStory(url, admin, { length: 200_000 });
  const fields = Array.from({ length: 7 }, (_, index) => {
    return `a${String(index)}: story(id: "${id}") { content }`;
  });
  heavy = `{ ${fields.join(' ')} }`;
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await until('all is released', async () => {
    const held = await metrics();
    return ['request_body_bytes', 'answer_bytes', 'unsent_bytes'].every((name) => held(name) === 0);
  });
  await until('the connections are forgotten', async () => (await metrics())('connections') < 10);
});
afterAll(() => talebank.close());

/** What the server counts at this moment: the value of a sample, 0 when there is none. */
async function metrics(at = url): Promise<(sample: string) => number> {
  const text = await (await fetch(`${at}/metrics`)).text();
  const lines = text.split('\n');
  return (sample) =>
    Number(
      lines
        .find((line) => line.startsWith(`talebank_${sample} `))
        ?.split(' ')
        .at(-1) ?? 0,
    );
}

/** A connection that sends text and reads nothing until it is told to. */
function open(text: string, { at = url, localAddress = '127.0.0.1' } = {}): Socket {
  const { hostname, port } = new URL(at);
  const socket = connect({ host: hostname, port: Number(port), localAddress });
  socket.on('error', () => undefined);
  socket.pause();
  if (text !== '') socket.write(text);
  sockets.push(socket);
  return socket;
}

const posted = (query: string, from: string): string => {
  const body = JSON.stringify({ query });
  return `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-forwarded-for: ${from}\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`;
};
const got = (query: string, from: string): string =>
  `GET /graphql?query=${encodeURIComponent(query)} HTTP/1.1\r\nhost: x\r\napollo-require-preflight: 1\r\nx-forwarded-for: ${from}\r\n\r\n`;

const ALIVE = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n';
const preflight =
  'OPTIONS /graphql HTTP/1.1\r\nhost: x\r\norigin: https://stories.example.com\r\naccess-control-request-method: POST\r\n\r\n';
const crossSite =
  'POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\n{ }';

/** All that comes until the other side ends. */
async function answerOf(socket: Socket): Promise<string> {
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.resume();
  await once(socket, 'close');
  return answer;
}

/** Expects that others are served for a while, and that memory stays within its bound. */
async function expectService(rounds = 20): Promise<void> {
  let slow = 0;
  for (let round = 0; round < rounds; round += 1) {
    const startedAt = performance.now();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const headers = { 'x-forwarded-for': '198.51.100.1' };
    const answer = await send(url, LIST, {}, { headers });
    expect([answer.status, answer.errors]).toEqual([200, []]);
    if (performance.now() - startedAt > 3_000) slow += 1;
    const resident = (await metrics())('process_resident_memory_bytes');
    expect(resident).toBeLessThan(RESIDENT_BYTES_MAX);
    await sleep(50);
  }
  expect(slow).toBeLessThan(rounds / 2);
}

test('sixty long answers that are never read leave room for others', async () => {
  for (let index = 0; index < 60; index += 1) open(posted(heavy, '203.0.113.1'));
  await expectService();
  // Those who read are served by and by, from the same address too.
  const reading = await send(url, heavy, {}, { headers: { 'x-forwarded-for': '203.0.113.2' } });
  expect(reading.errors).toEqual([]);
});

test('pipelined requests are bounded on each connection', async () => {
  const cutOff = 'answers_cut_off_total{reason="pipelined"}';
  const before = (await metrics())(cutOff);
  for (let index = 0; index < 20; index += 1) open(got(heavy, '203.0.113.3').repeat(200));
  await expectService();
  await until('all are cut off', async () => (await metrics())(cutOff) - before >= 20);
  expect((await metrics())(cutOff) - before).toBe(20);
  const few = open(
    `${got(LIST, '203.0.113.4').repeat(9)}${got(LIST, '203.0.113.4').replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n')}`,
  );
  expect((await answerOf(few)).match(/HTTP\/1.1 200 OK/g)).toHaveLength(10);
});

test('bodies that come slowly are bounded for each address, and others are taken meanwhile', async () => {
  const begun = (from: string): string =>
    `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-forwarded-for: ${from}\r\ncontent-length: 1000000\r\n\r\n{"query":"${'a'.repeat(500_000)}`;
  for (let index = 0; index < 100; index += 1) open(begun(`203.0.113.${String(10 + (index % 4))}`));
  await until('some are held', async () => (await metrics())('request_body_bytes') > 10_000_000);
  await expectService();
  expect((await metrics())('request_body_bytes')).toBeLessThanOrEqual(32 * MB);
  // One more of an address that holds its share is refused before its body is read.
  for (let index = 0; index < 20; index += 1) open(begun('203.0.113.20'));
  const refused = await answerOf(open(begun('203.0.113.20').slice(0, 200)));
  expect(refused).toMatch(/^HTTP\/1.1 503 /);
  expect(refused).toMatch(/retry-after: 1\r\n/);
  expect(refused).toContain('"code":"BUSY"');
  // A body in pieces may have any length, so that it counts with the most that one may have.
  const chunked = begun('203.0.113.20').replace(
    'content-length: 1000000',
    'transfer-encoding: chunked',
  );
  expect(await answerOf(open(chunked.slice(0, 200)))).toMatch(/^HTTP\/1.1 503 /);
});

test('a client that says nothing, or its headers only in part, is not waited for', () =>
  // Fifteen seconds at most, where a whole request would have thirty.
  expectBelow(28_000, () => {
    const silent = [open(''), open('GET /healthz HTTP/1.1\r\nhost: x\r\n')];
    return timeOf(() => Promise.all(silent.map(answerOf)));
  }));

test('headers have a bound', async () => {
  const long = open(`GET /healthz HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`);
  expect(await answerOf(long)).toMatch(/^HTTP\/1.1 431 /);
});

test('connections are bounded for each address and for all, and an idle crowd keeps no other out', async () => {
  const { url: at } = await talebank.join({
    TRUST_PROXY: 'false',
    CONNECTIONS_PER_ADDRESS_MAX: '20',
    CONNECTIONS_MAX: '50',
  });
  // One that has had an answer may idle for longer than one that has not asked yet.
  const crowd = (localAddress: string, count: number): Socket[] =>
    Array.from({ length: count }, () => open(ALIVE, { at, localAddress }));
  const openOf = (crowds: Socket[]): number => crowds.filter(({ destroyed }) => !destroyed).length;
  const first = crowd('127.0.0.2', 30);
  for (const socket of first) socket.resume();
  await until('those beyond the bound are closed', () => openOf(first) === 20);
  const others = [...crowd('127.0.0.3', 20), ...crowd('127.0.0.4', 20)];
  for (const socket of others) socket.resume();
  await until('there are as many as there may be', () => openOf([...first, ...others]) === 50);
  // From an address that has none yet.
  for (let round = 0; round < 5; round += 1)
    expect((await fetch(`${at}/healthz`, { headers: { connection: 'close' } })).status).toBe(200);
  const counted = await metrics(at);
  expect(counted('connections_refused_total{reason="address"}')).toBe(10);
  expect(counted('connections')).toBeLessThanOrEqual(50);
});

test('a trusted proxy may have as many connections as there are', async () => {
  const { url: at } = await talebank.join({
    TRUST_PROXY: 'loopback',
    CONNECTIONS_PER_ADDRESS_MAX: '5',
  });
  const many = Array.from({ length: 30 }, () => open(ALIVE, { at }));
  let answered = 0;
  for (const socket of many) socket.once('data', () => (answered += 1)).resume();
  await until('all are answered', () => answered === 30);
  expect(many.every(({ destroyed }) => !destroyed)).toBe(true);
  expect((await fetch(`${at}/healthz`)).status).toBe(200);
});

test('METRICS_PORT has a bound of its own, and idle connections do not keep probes out', async () => {
  const server = await talebank.join({ METRICS_PORT: '0' });
  const at = String(server.logs().find(({ msg }) => msg === 'listening')?.['metricsUrl']).replace(
    /\/metrics$/,
    '',
  );
  const many = Array.from({ length: 100 }, () => open('', { at }));
  const told = new Set<Socket>();
  for (const socket of many) socket.once('data', () => told.add(socket)).resume();
  // Those within it are told that they did not ask in time, because one that sends no headers has five seconds.
  await until('all are closed', () => many.every((one) => one.destroyed));
  expect(told.size).toBe(64);
  expect((await fetch(`${at}/healthz`)).status).toBe(200);
});

test('an open subscription does not hold its body, and one that is left holds nothing', async () => {
  const { token } = await newListener(url);
  const query = `subscription { creditsUpdated { balance } }${' '.repeat(5_000)}`;
  const asked = (path: string): string =>
    posted(query, '203.0.113.30').replace(
      'POST /graphql HTTP/1.1',
      `POST ${path} HTTP/1.1\r\naccept: text/event-stream\r\nauthorization: Bearer ${token}`,
    );
  for (const path of ['/graphql', '/graphql/stream']) {
    const streams = Array.from({ length: 10 }, () => open(asked(path)));
    await until('all are open', async () => (await metrics())('subscriptions') === 10);
    await sleep(1_100);
    const held = await metrics();
    expect([held('request_body_bytes'), held('answer_bytes')]).toEqual([0, 0]);
    for (const stream of streams) stream.destroy();
    // Some that leave while they are being opened.
    for (const stream of Array.from({ length: 10 }, () => open(asked(path)))) {
      await sleep(5);
      stream.destroy();
    }
    await until('none is open', async () => (await metrics())('subscriptions') === 0);
  }
});

test.each([
  ['a preflight', () => preflight, 204],
  ['HEAD', () => 'HEAD /healthz HTTP/1.1\r\nhost: x\r\n\r\n', 200],
  ['a query by GET', () => got(heavy, '203.0.113.31'), 200],
  ['a refused document', () => posted(`{ ${'a '.repeat(3_000)} }`, '203.0.113.31'), 400],
  ['a request that a page of another site can send', () => crossSite, 400],
])('%s leaves nothing behind on an open connection', async (_name, text, status) => {
  const socket = open(text());
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.resume();
  await until('it is answered', () => answer.includes('\r\n\r\n'));
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${String(status)} `));
  await until('nothing is held', async () => {
    const held = await metrics();
    return held('answer_bytes') + held('request_body_bytes') + held('unsent_bytes') === 0;
  });
});

test('a budget takes from the address that holds the most, the oldest first', async () => {
  const { createBudget } = await compiled<typeof BudgetModule>('http/admission/budget.js');
  const budget = createBudget({ addressBytesMax: 50, bytesMax: 100 });
  const cut: string[] = [];
  const hold = (address: string, bytes: number, name: string): void => {
    budget.hold(address, bytes, () => cut.push(name));
  };
  hold('a', 20, 'a1');
  hold('a', 30, 'a2');
  hold('b', 40, 'b1');
  expect(budget.fits('a', 1)).toBe(false);
  expect(budget.fits('c', 20)).toBe(false);
  const held = budget.tryHold('c', 20, null);
  expect(held?.bytes).toBe(20);
  held?.release();
  expect(cut).toEqual(['a1']);
  expect(budget.tryHold('b', 60, null)).toBeNull();
  budget.makeRoomWithin('b', 20);
  expect(cut).toEqual(['a1', 'b1']);
  // Equal shares: what is there already takes the place of the oldest.
  hold('c', 30, 'c1');
  hold('e', 30, 'e1');
  expect(budget.tryHold('f', 30, null)).toBeNull();
  budget.makeRoomForExisting(30);
  expect(cut).toEqual(['a1', 'b1', 'a2']);
  const kept = budget.hold('d', 100, null);
  expect(budget.tryHold('c', 1, null)).toBeNull();
  kept.release();
  kept.release();
  expect([budget.bytes(), budget.bytesOf('a'), budget.bytesOf('d')]).toEqual([60, 0, 0]);
});
