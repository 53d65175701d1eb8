import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  get,
  MB,
  read,
  startAdmissionServer,
  type AdmissionServer,
} from '../support/admission-server.js';
import { until } from '../support/faults.js';

/** More than the buffers of the network take. */
const LONG = 15 * MB;
const long = (from?: string): string => get(`/answer?bytes=${String(LONG)}`, from);

let server: AdmissionServer;

beforeEach(async () => {
  server = await startAdmissionServer();
});
afterEach(() => server.close());

const cutOff = (reason: string): Promise<number> =>
  server.sample(`answers_cut_off_total{reason="${reason}"}`);

async function expectCutOffs(expected: Record<string, number>): Promise<void> {
  const counts = { slow: 0, deadline: 0, room: 0, pipelined: 0, ...expected };
  for (const [reason, count] of Object.entries(counts))
    expect([reason, await cutOff(reason)]).toEqual([reason, count]);
}

/** Waits until the buffers of the network are full and the server has seen the answer. */
async function untilHeld(bytes: number): Promise<void> {
  await until('the answer waits', async () => (await server.sample('unsent_bytes')) === bytes);
}

test('an answer of which nothing is taken for ten seconds is cut off', async () => {
  const socket = server.open(long());
  await untilHeld(LONG);
  // What the network took counts as taken in the first window.
  await server.pass(10_000);
  await expectCutOffs({});
  await server.pass(9_999);
  await expectCutOffs({});
  await server.pass(1);
  await expectCutOffs({ slow: 1 });
  expect(await read(socket)).toBeLessThan(LONG);
  await server.pass(0);
  expect(await server.sample('answer_bytes')).toBe(0);
});

test('an answer that is taken faster than that is not cut off', async () => {
  const socket = server.open(long());
  await untilHeld(LONG);
  let taken = 0;
  for (let window = 0; window < 4; window += 1) {
    await server.pass(10_000);
    taken += await read(socket, 2 * MB);
    await sleep(100);
  }
  await expectCutOffs({});
  taken += await read(socket, LONG - taken);
  expect(taken).toBeGreaterThan(LONG);
  await until('it is taken', async () => (await server.sample('answer_bytes')) === 0);
});

test('an answer that is not taken within sixty seconds is cut off, however fast it was taken', async () => {
  server.open(long());
  await untilHeld(LONG);
  await server.pass(60_000);
  await expectCutOffs({});
  await server.pass(1);
  await expectCutOffs({ deadline: 1 });
});

test('an address that asks for more than its share loses its oldest answer', async () => {
  const first = server.open(long());
  await untilHeld(LONG);
  const second = server.open(get(`/answer?bytes=${String(2 * MB)}`));
  expect(await read(second, 2 * MB)).toBeGreaterThanOrEqual(2 * MB);
  expect(await read(first)).toBeLessThan(LONG);
  await expectCutOffs({ room: 1 });
});

test('when all room is used, the oldest answer of the address with the most is cut off', async () => {
  const sockets = [];
  for (let index = 1; index <= 5; index += 1) {
    sockets.push(server.open(long(`203.0.113.${String(index)}`)));
    await untilHeld(index * LONG);
  }
  await expectCutOffs({});
  server.open(long('203.0.113.6'));
  await until('one is cut off', async () => (await cutOff('room')) === 1);
  await untilHeld(5 * LONG);
  await expectCutOffs({ room: 1 });
});

test('an address that holds its share of unread answers is refused before its body is read', async () => {
  server.open(get(`/answer?bytes=${String(16 * MB)}`));
  await untilHeld(16 * MB);
  const refused = server.open(get('/answer?bytes=1'));
  let answer = '';
  refused.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  refused.resume();
  await until('it is answered', () => answer.includes('\r\n\r\n'));
  expect(answer).toContain('retry-after: 1');
  expect(await server.sample('requests_refused_total{reason="answers"}')).toBe(1);
});

test('a connection has at most sixteen requests', async () => {
  const allowed = server.open(get('/wait').repeat(16));
  await until('all of them run', () => server.waiting() === 16);
  await server.pass(0);
  expect(allowed.destroyed).toBe(false);
  await expectCutOffs({});
  server.open(get('/wait', '203.0.113.2').repeat(17));
  await until('the other is closed', async () => (await cutOff('pipelined')) === 1);
  await server.pass(0);
  expect(await server.sample('connections')).toBe(1);
});

test('of the streams of an address that have too much unsent, those with the most are cut off', async () => {
  const stream = (bytes: number): string => get(`/stream?bytes=${String(bytes)}`);
  const small = server.open(stream(9 * MB));
  await until('it waits', async () => (await server.sample('unsent_bytes')) > MB);
  await expectCutOffs({});
  const great = server.open(stream(30 * MB));
  await until('one is cut off', async () => (await cutOff('room')) === 1);
  expect(await read(great)).toBeLessThan(30 * MB);
  expect(await read(small, 9 * MB)).toBeGreaterThanOrEqual(9 * MB);
  await expectCutOffs({ room: 1 });
});
