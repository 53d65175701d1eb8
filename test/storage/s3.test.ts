import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openS3Storage } from '../../src/infra/storage/s3.js';
import { storeWhole, type Storage } from '../../src/infra/storage/storage.js';
import { until } from '../support/faults.js';
import { startS3, type S3Server } from '../support/s3.js';

const MEGABYTE = 1024 * 1024;
const KEY = `${'a'.repeat(64)}.mp3`;
const ALL = { start: 0, end: Number.MAX_SAFE_INTEGER };
/** Three attempts, and the SDK's pauses between them. */
const timeouts = { connectMs: 500, idleMs: 500, checkMs: 500 };
/** Far more than that, and less than the three attempts take with the time-outs of a server. */
const BOUND_MS = 25_000;

let s3: S3Server;
let storage: Storage;
/** Waits a moment only: for what a server does that is silent. */
let hasty: Storage;

beforeEach(async () => {
  s3 = await startS3();
  storage = openS3Storage(s3.bucket);
  hasty = openS3Storage(s3.bucket, { timeouts });
});
afterEach(async () => {
  await storage.close();
  await hasty.close();
  await s3.close();
});

const isPart = ({ method, url = '' }: IncomingMessage): boolean =>
  method === 'PUT' && url.includes('partNumber');

async function fill(key = KEY, megabytes = 12, into = storage): Promise<number> {
  const file = await into.openWriter(key);
  try {
    for (let written = 0; written < megabytes; written += 1)
      await file.write(Buffer.alloc(MEGABYTE));
    return await file.finish();
  } catch (error) {
    await file.abandon();
    throw error;
  }
}

async function listed(from: Storage): Promise<unknown[]> {
  const found = [];
  for await (const one of from.list()) found.push(one);
  return found;
}

const everything = (): (readonly [string, () => Promise<unknown>])[] => [
  ['check', () => hasty.check()],
  ['stat', () => hasty.stat(KEY)],
  ['read', () => hasty.read(KEY, ALL)],
  ['remove', () => hasty.remove([KEY])],
  ['list', () => listed(hasty)],
  ['sweepUnfinished', () => hasty.sweepUnfinished(new Date())],
  ['writing a small file', () => storeWhole(hasty, KEY, Buffer.from('x'))],
  ['writing a large file', () => fill(KEY, 12, hasty)],
];

test.each([
  ['is silent', (): boolean => true],
  [
    'answers 500',
    (_request: IncomingMessage, response: ServerResponse): boolean => {
      response.writeHead(500).end();
      return true;
    },
  ],
])('a server that %s is a failure of everything, soon', async (_what, interference) => {
  s3.interfere(interference);
  const outcomes = await Promise.all(
    everything().map(async ([what, ask]) => {
      const startedAt = Date.now();
      const failed = await ask().then(
        () => false,
        () => true,
      );
      return { what, failed, soon: Date.now() - startedAt < BOUND_MS };
    }),
  );
  expect(outcomes).toEqual(everything().map(([what]) => ({ what, failed: true, soon: true })));
});

test('a server that cannot be reached is a failure', async () => {
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address() as AddressInfo;
  gone.close();
  const endpoint = `http://127.0.0.1:${String(port)}`;
  const unreachable = openS3Storage({ ...s3.bucket, endpoint }, { timeouts });
  await expect(unreachable.check()).rejects.toThrow(/ECONNREFUSED/);
  await unreachable.close();
});

test('a server that fails twice is asked again', async () => {
  let failures = 2;
  s3.interfere((request, response) => {
    if (!isPart(request) || failures === 0) return false;
    failures -= 1;
    response.writeHead(503).end();
    return true;
  });
  expect(await fill()).toBe(12 * MEGABYTE);
  expect(await storage.stat(KEY)).toMatchObject({ lengthBytes: 12 * MEGABYTE });
  await storage.remove([KEY]);
});

test('an upload that fails half-way fails the writer, and leaves neither parts nor a file', async () => {
  let parts = 0;
  s3.interfere((request, response) => {
    if (isPart(request)) parts += 1;
    if (!isPart(request) || parts < 3) return false;
    response.writeHead(500).end();
    return true;
  });
  const file = await storage.openWriter(KEY);
  const endless = async (): Promise<void> => {
    for (;;) await file.write(Buffer.alloc(MEGABYTE));
  };
  await expect(endless()).rejects.toMatchObject({ $metadata: { httpStatusCode: 500 } });
  await expect(file.write(Buffer.alloc(1))).rejects.toMatchObject({ name: expect.any(String) });
  await expect(file.finish()).rejects.toThrow();
  await file.abandon();
  expect(await s3.unfinished()).toEqual([]);
  expect(await storage.stat(KEY)).toBeNull();
});

test('a failed finish leaves neither parts nor a file', async () => {
  s3.interfere(({ method, url = '' }, response) => {
    if (method !== 'POST' || !url.includes('uploadId')) return false;
    response.writeHead(500).end();
    return true;
  });
  await expect(fill()).rejects.toThrow();
  expect(await s3.unfinished()).toEqual([]);
  expect(await storage.stat(KEY)).toBeNull();
});

test('what a dead server keeps of a failed upload is swept when it is back', async () => {
  let dead = false;
  s3.interfere((request, response) => {
    dead ||= isPart(request);
    if (dead) response.destroy();
    return dead;
  });
  await expect(fill()).rejects.toThrow();
  s3.interfere(() => false);
  expect((await s3.unfinished()).length).toBe(1);
  expect(await storage.sweepUnfinished(new Date(Date.now() + 5_000))).toBe(1);
  expect(await s3.unfinished()).toEqual([]);
});

test.each(['silent', 'cut'])(
  'a body that stops in the middle fails the stream: %s',
  async (how) => {
    s3.interfere(({ method }, response) => {
      if (method !== 'GET') return false;
      response.writeHead(206, { 'content-length': 1000 });
      response.write('half');
      if (how === 'cut') setTimeout(() => response.destroy(), 50);
      return true;
    });
    const [from, message] =
      how === 'silent' ? [hasty, /sent nothing for 500 ms/] : [storage, /aborted/];
    await expect(buffer(await from.read(KEY, ALL))).rejects.toThrow(message);
  },
);

test('a listener who pauses for longer than that goes on where they were', async () => {
  await fill(KEY, 9);
  const idleMs = 4_000;
  const strict = openS3Storage(s3.bucket, { timeouts: { ...timeouts, connectMs: 60_000, idleMs } });
  const stream = await strict.read(KEY, ALL);
  const reading = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let lengthBytes = ((await reading.next()).value as Buffer).length;
  await sleep(1.5 * idleMs);
  for (let next = await reading.next(); next.done !== true; next = await reading.next())
    lengthBytes += next.value.length;
  expect(lengthBytes).toBe(9 * MEGABYTE);
  await strict.close();
});

test('a reader who goes away frees the connection, also from a server that is silent', async () => {
  let closed = 0;
  s3.interfere(({ method }, response) => {
    if (method !== 'GET') return false;
    response.writeHead(206, { 'content-length': 1000 });
    response.write('half');
    response.once('close', () => (closed += 1));
    return true;
  });
  // No time-out frees it.
  const patient = openS3Storage(s3.bucket, {
    timeouts: { ...timeouts, connectMs: 60_000, idleMs: 600_000 },
  });
  const streams = await Promise.all([1, 2, 3].map(() => patient.read(KEY, ALL)));
  for (const stream of streams) stream.resume().destroy();
  await until('the server sees them go', () => closed === 3);
  await patient.close();
});

test('sixty listeners who pause do not stand in the way of others', async () => {
  await fill(KEY, 3);
  const streams = await Promise.all(Array.from({ length: 60 }, () => storage.read(KEY, ALL)));
  await storage.check();
  expect(await storage.stat(KEY)).toMatchObject({ lengthBytes: 3 * MEGABYTE });
  for (const stream of streams) stream.destroy();
});

test('what others keep in the bucket is neither listed nor swept', async () => {
  const ours = openS3Storage({ ...s3.bucket, prefix: 'ours/' });
  const file = await storage.openWriter(KEY);
  await file.write(Buffer.alloc(11 * MEGABYTE));
  await storeWhole(storage, KEY, Buffer.from('x'));
  await storeWhole(ours, KEY, Buffer.from('ours'));
  expect(await listed(ours)).toMatchObject([{ key: KEY, lengthBytes: 4 }]);
  expect(await listed(storage)).toMatchObject([{ key: KEY, lengthBytes: 1 }]);
  expect(await ours.sweepUnfinished(new Date(Date.now() + 60_000))).toBe(0);
  await file.abandon();
  await ours.remove([KEY]);
  expect(await storage.stat(KEY)).not.toBeNull();
  await ours.close();
});

test('files are kept with their types', async () => {
  const hash = 'b'.repeat(64);
  const types = [];
  for (const ending of ['mp3', 'vtt', 'part']) {
    await storeWhole(storage, `${hash}.${ending}`, Buffer.from('x'));
    types.push(await s3.typeOf(`${hash}.${ending}`));
  }
  await fill(`${hash}.mp3`, 6);
  types.push(await s3.typeOf(`${hash}.mp3`));
  expect(types).toEqual([
    'audio/mpeg',
    'text/vtt; charset=utf-8',
    'application/octet-stream',
    'audio/mpeg',
  ]);
});

test('a thousand files are removed in a request, and one that stays is a failure', async () => {
  const keys = Array.from({ length: 1_050 }, (_, n) => `${String(n).padStart(64, '0')}.part`);
  const before = s3.requests.length;
  await storage.remove(keys);
  expect(s3.requests.slice(before)).toEqual(Array(2).fill(expect.stringMatching(/^POST .*delete/)));
  s3.interfere(({ headers }, response) => {
    expect(headers['content-md5']).toMatch(/==$/);
    response.end(
      `<DeleteResult><Error><Key>${KEY}</Key><Code>AccessDenied</Code><Message>No.</Message></Error></DeleteResult>`,
    );
    return true;
  });
  await expect(storage.remove(keys.slice(0, 3))).rejects.toThrow(
    `1 of 3 files were not removed; ${KEY}: AccessDenied No.`,
  );
});

test('a bucket that is not there is no missing file', async () => {
  const elsewhere = openS3Storage({ ...s3.bucket, name: 'another-bucket' });
  await expect(elsewhere.check()).rejects.toMatchObject({ $metadata: { httpStatusCode: 404 } });
  await expect(elsewhere.read(KEY, ALL)).rejects.toMatchObject({ name: 'NoSuchBucket' });
  await elsewhere.close();
});
