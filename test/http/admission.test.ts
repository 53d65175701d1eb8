import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  get,
  MB,
  post,
  startAdmissionServer,
  type AdmissionServer,
} from '../support/admission-server.js';
import { until } from '../support/faults.js';

let server: AdmissionServer;

beforeEach(async () => {
  server = await startAdmissionServer();
});
afterEach(() => server.close());

const GAUGES = ['request_body_bytes', 'answer_bytes', 'unsent_bytes'];

const untilSample = (name: string, value: number): Promise<void> =>
  until(`${name} is ${String(value)}`, async () => (await server.sample(name)) === value);

async function expectNothingHeld(): Promise<void> {
  // What is on its way arrives first.
  for (const name of GAUGES) await untilSample(name, 0);
  await server.pass(0);
  for (const name of GAUGES) expect([name, await server.sample(name)]).toEqual([name, 0]);
}

/** Waits for the beginning of an answer and goes on reading. */
async function statusOf(socket: Socket): Promise<number> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.resume();
  await until('it is answered', () => text.includes('\r\n'));
  return Number(/^HTTP\/1.1 (\d+) /.exec(text)?.[1]);
}

describe('a client that leaves gives back what it held', () => {
  afterEach(() => untilSample('connections', 0));

  test('while its body is received', async () => {
    const socket = server.open(post('/answer', 'a', ['content-length: 1000']));
    await untilSample('request_body_bytes', 1000);
    socket.destroy();
    await untilSample('request_body_bytes', 0);
  });

  test('while its body is received in chunks', async () => {
    const socket = server.open(post('/answer', '1\r\na\r\n', ['transfer-encoding: chunked']));
    await untilSample('request_body_bytes', MB);
    socket.destroy();
    await untilSample('request_body_bytes', 0);
  });

  test('before it was told to send its body', async () => {
    const socket = server.open(
      post('/answer', '', ['content-length: 1000', 'expect: 100-continue']),
    );
    await untilSample('request_body_bytes', 1000);
    socket.destroy();
    await untilSample('request_body_bytes', 0);
  });

  test('while its handler runs, once that has answered, because the handler still has the body', async () => {
    const socket = server.open(post('/wait', 'a'.repeat(1000)));
    await untilSample('request_body_bytes', 1000);
    await until('the handler runs', () => server.waiting() === 1);
    socket.destroy();
    await untilSample('connections', 0);
    expect(await server.sample('request_body_bytes')).toBe(1000);
    server.answerAll();
    await untilSample('request_body_bytes', 0);
    await expectNothingHeld();
  });

  test('while its handler runs that hijacks the reply in the end', async () => {
    const socket = server.open(post('/hijacked', 'a'.repeat(1000)));
    await until('the handler runs', () => server.waiting() === 1);
    socket.destroy();
    await untilSample('connections', 0);
    server.answerAll();
    await expectNothingHeld();
  });

  test('while its long body waits to be parsed', async () => {
    const json = JSON.stringify('a'.repeat(100_000));
    const request = post('/wait', json).replace('text/plain', 'application/json');
    const first = server.open(request);
    const second = server.open(request);
    await untilSample('request_body_bytes', 2 * json.length);
    second.destroy();
    await untilSample('request_body_bytes', json.length);
    server.answerAll();
    await untilSample('request_body_bytes', 0);
    first.destroy();
  });

  test('while its operation runs, and while it waits for its turn', async () => {
    const sockets = Array.from({ length: 5 }, () => server.open(post('/operation', 'a')));
    await until('four of five run', () => server.waiting() === 4);
    await untilSample('answer_bytes', 16_000_000);
    for (const socket of sockets) socket.destroy();
    await untilSample('connections', 0);
    expect(await server.sample('answer_bytes')).toBe(16_000_000);
    server.answerAll();
    await until('the fifth is over', async () => {
      server.answerAll();
      return (await server.sample('answer_bytes')) === 0;
    });
    // One that waits in the lane is over when its turn comes.
    await untilSample('request_body_bytes', 0);
    await expectNothingHeld();
  });

  test('while its answer waits to be taken', async () => {
    const socket = server.open(get(`/answer?bytes=${String(15 * MB)}`));
    await untilSample('unsent_bytes', 15 * MB);
    socket.destroy();
    await untilSample('answer_bytes', 0);
  });

  test('while several answers wait on its connection', async () => {
    const socket = server.open(
      get(`/answer?bytes=${String(10 * MB)}`) + get('/answer?bytes=100000').repeat(5),
    );
    await untilSample('answer_bytes', 10 * MB + 500_000);
    socket.destroy();
    await untilSample('answer_bytes', 0);
  });

  test('while answers wait behind one that is not there yet', async () => {
    const socket = server.open(get('/wait') + get('/answer?bytes=100000').repeat(5));
    await untilSample('answer_bytes', 500_000);
    socket.destroy();
    await untilSample('answer_bytes', 0);
    server.answerAll();
    await expectNothingHeld();
  });

  test('while it reads a stream', async () => {
    const socket = server.open(get(`/stream?bytes=${String(15 * MB)}`));
    await until('it waits', async () => (await server.sample('unsent_bytes')) > MB);
    socket.destroy();
    await untilSample('unsent_bytes', 0);
  });
});

const lines = Array.from({ length: 201 }, (_, index) => `x${String(index)}: a`);

test.each([
  ['a short answer', get('/answer?bytes=10'), 200],
  ['a long answer', get('/answer?bytes=5000000'), 200],
  ['an answer without a body', get('/answer'), 200],
  ['HEAD', get('/answer?bytes=5000000', undefined, 'HEAD'), 200],
  ['304', get('/unchanged'), 304],
  ['OPTIONS with a body', post('/answer', 'abc').replace('POST', 'OPTIONS'), 204],
  ['404 with a body', post('/nothing', 'abc'), 404],
  ['a body that is too long', post('/answer', '', ['content-length: 2000000']), 413],
  [
    'a body that is too long, in chunks',
    post('/answer', `110000\r\n${'a'.repeat(0x110000)}\r\n0\r\n\r\n`, [
      'transfer-encoding: chunked',
    ]),
    413,
  ],
  [
    'a body of another length',
    post('/answer', 'abc', ['content-length: 3', 'content-length: 4']),
    400,
  ],
  ['headers that are too long', get(`/answer?${'a'.repeat(20_000)}`), 431],
  ['too many headers', post('/answer', 'abc', [...lines, 'content-length: 3']), 431],
  [
    'a body that is no JSON',
    post('/answer', '{', ['content-length: 1']).replace('text/plain', 'application/json'),
    400,
  ],
  ['a body of an unknown type', post('/answer', 'abc').replace('text/plain', 'image/png'), 415],
  ['a handler that fails', post('/error', 'abc'), 500],
  ['a stream that fails', get('/broken'), 200],
  ['what is no HTTP', 'nonsense\r\n\r\n', 400],
])('%s leaves nothing behind', async (_name, text, status) => {
  const socket = server.open(text);
  expect(await statusOf(socket)).toBe(status);
  // Its connection may stay open.
  await expectNothingHeld();
  if (!socket.destroyed) {
    socket.destroy();
    await once(socket, 'close');
  }
  await untilSample('connections', 0);
});

test('a connection may have any number of requests, one after the other', async () => {
  const socket = server.open('');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.resume();
  for (let count = 1; count <= 40; count += 1) {
    socket.write(get('/answer?bytes=1'));
    await until('it is answered', () => text.split('200 OK').length === count + 1);
  }
  expect(socket.destroyed).toBe(false);
});

test('requests behind one that closes the connection leave nothing behind', async () => {
  server.open(get('/wait').repeat(40) + post('/answer', 'abc'));
  await untilSample('connections', 0);
  server.answerAll();
  await expectNothingHeld();
});
