import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type * as ConfigModule from '../../src/config.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { V8_FLAGS } from '../support/machine.js';
import { expectBelow, timeOf } from '../support/measure.js';
import {
  administrator,
  englishVoice,
  narrate,
  newListener,
  newStory,
  waitForAudio,
} from '../support/people.js';
import { startS3, type S3Server } from '../support/s3.js';
import { startTalebank, type Environment, type Talebank } from '../support/talebank.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

let s3: S3Server;
let talebank: Talebank;
let file: string;
let captions: string;
let key: string;
let whole: Buffer;

beforeAll(async () => {
  s3 = await startS3();
  talebank = await startTalebank({ ...s3.environment, S3_PREFIX: 'tales/' });
  const { url } = talebank;
  const listener = await newListener(url);
  const story = await newStory(url, await administrator(url), { length: 300 });
  const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
  const audio = await waitForAudio(url, listener, audioId);
  file = audio.url ?? '';
  captions = audio.captionsUrl ?? '';
  key = new URL(file).pathname.split('/').at(-1) ?? '';
  whole = await bytesOf(await fetch(file));
});
afterEach(() => {
  s3.interfere(() => false);
});
afterAll(async () => {
  await talebank.close();
  await s3.close();
});

const bytesOf = async (response: Response): Promise<Buffer> =>
  Buffer.from(await response.arrayBuffer());
const get = (headers: Record<string, string>): Promise<Response> => fetch(file, { headers });

test('who asks for what is there is answered also while the bucket is silent', async () => {
  const { url } = talebank;
  const listener = await newListener(url);
  const story = await newStory(url, await administrator(url), { length: 200 });
  const voiceId = await englishVoice(url);
  const { audioId } = await narrate(url, listener, story.id, voiceId);
  await waitForAudio(url, listener, audioId, ['READY']);
  s3.interfere(() => true);
  const ask = async (): Promise<void> => {
    expect(await narrate(url, listener, story.id, voiceId)).toMatchObject({ charged: false });
  };
  await expectBelow(5_000, () => timeOf(ask));
  expect(await waitForAudio(url, listener, audioId)).toMatchObject({ status: 'READY' });
});

test('a narration is kept in the bucket, and nowhere else', async () => {
  expect(whole.length).toBeGreaterThan(10_000);
  const answer = await get({});
  expect(answer.headers.get('content-type')).toBe('audio/mpeg');
  expect(answer.headers.get('content-length')).toBe(String(whole.length));
  expect(await s3.typeOf(`tales/${key}`)).toBe('audio/mpeg');
  expect(await (await fetch(captions)).text()).toMatch(/^WEBVTT\n\n1\n00:00:00\.000 --> /);
  expect(await readdir(talebank.dataDir)).not.toContain('audio');
});

test('HEAD tells the length and type, and reads nothing', async () => {
  const before = s3.requests.length;
  const head = await fetch(file, { method: 'HEAD' });
  expect(head.status).toBe(200);
  expect(head.headers.get('content-length')).toBe(String(whole.length));
  expect(head.headers.get('content-type')).toBe('audio/mpeg');
  expect((await bytesOf(head)).length).toBe(0);
  // The server may still be putting away what it has made, or asking once more for another file.
  const ofFile = s3.requests.slice(before).filter((request) => request.includes(key));
  expect(ofFile).toEqual([expect.stringMatching(/^HEAD /)]);
});

test.each([
  ['bytes=0-0', 0, 1],
  ['bytes=0-99', 0, 100],
  ['bytes=100-', 100, undefined],
  ['bytes=-1', -1, undefined],
  ['bytes=-50', -50, undefined],
])('%s is answered with that part', async (range, from, until) => {
  const part = await get({ range });
  expect(part.status).toBe(206);
  const bytes = await bytesOf(part);
  expect(bytes.equals(whole.subarray(from, until))).toBe(true);
  const start = from < 0 ? whole.length + from : from;
  const end = start + bytes.length - 1;
  expect(part.headers.get('content-range')).toBe(
    `bytes ${String(start)}-${String(end)}/${String(whole.length)}`,
  );
});

test('a range beyond the end is 416 with the length', async () => {
  const answer = await get({ range: `bytes=${String(whole.length)}-` });
  expect(answer.status).toBe(416);
  expect(answer.headers.get('content-range')).toBe(`bytes */${String(whole.length)}`);
});

test('the ETag and the time spare the bytes, and guard a range', async () => {
  const { headers } = await get({});
  const etag = headers.get('etag') ?? '';
  const modified = headers.get('last-modified') ?? '';
  expect(Math.abs(Date.parse(modified) - Date.now())).toBeLessThan(600_000);
  expect((await get({ 'if-none-match': etag })).status).toBe(304);
  const range = 'bytes=0-0';
  for (const [condition, status] of [
    [etag, 206],
    ['"another"', 200],
    [modified, 206],
    [new Date(0).toUTCString(), 200],
  ] as const)
    expect([condition, (await get({ 'if-range': condition, range })).status]).toEqual([
      condition,
      status,
    ]);
});

test('a file that was deleted is 404', async () => {
  const path = s3.pathOf(`tales/${key}`);
  await rename(path, `${path}.away`);
  expect((await get({})).status).toBe(404);
  expect((await fetch(file, { method: 'HEAD' })).status).toBe(404);
  await rename(`${path}.away`, path);
  expect((await get({})).status).toBe(200);
});

test('a file that goes between the look and the reading is 404, without what was seen of it', async () => {
  s3.interfere(({ method }, response) => {
    if (method !== 'GET') return false;
    response.writeHead(404, { 'content-type': 'application/xml' });
    response.end('<Error><Code>NoSuchKey</Code><Message>Gone.</Message></Error>');
    return true;
  });
  for (const headers of [{}, { range: 'bytes=0-9' }]) {
    const answer = await get(headers);
    expect(answer.status).toBe(404);
    expect(answer.headers.get('etag')).toBeNull();
    expect(answer.headers.get('content-range')).toBeNull();
    expect(await answer.json()).toEqual({ error: 'This file is gone.' });
  }
});

test('a file that breaks off on the way ends the connection, not the file', async () => {
  let breakOff = (): unknown => undefined;
  s3.interfere(({ method }, response) => {
    if (method !== 'GET') return false;
    response.writeHead(206, { 'content-length': whole.length });
    response.write(whole.subarray(0, 5_000));
    breakOff = () => response.destroy();
    return true;
  });
  const answer = await get({});
  expect(answer.status).toBe(200);
  breakOff();
  await expect(answer.arrayBuffer()).rejects.toThrow(/terminated/);
});

test('a file that breaks off before its first byte is an error without the length of the file', async () => {
  s3.interfere(({ method }, response) => {
    if (method !== 'GET') return false;
    response.writeHead(206, { 'content-length': whole.length }).flushHeaders();
    setTimeout(() => response.destroy(), 100);
    return true;
  });
  const answer = await get({});
  expect(answer.status).toBe(500);
  expect(answer.headers.get('content-type')).toMatch(/json/);
  expect(await answer.text()).not.toMatch(/aborted|127\.0\.0\.1/);
});

test('readyz says when the storage is away, and when it is back', async () => {
  const ready = async (): Promise<[number, boolean]> => {
    const answer = await fetch(`${talebank.url}/readyz`);
    const { storage } = (await answer.json()) as { storage: boolean };
    return [answer.status, storage];
  };
  const isReady = async (): Promise<boolean> => (await ready()).join() === '200,true';
  await until('it is ready', isReady);
  await s3.stop();
  expect(await ready()).toEqual([503, false]);
  await s3.restart();
  await until('it is ready again', isReady);
  expect((await get({})).status).toBe(200);
});

let database: TestDatabase;
let dataDir: string;
beforeAll(async () => {
  database = await createDatabase();
  dataDir = await mkdtemp(join(tmpdir(), 'talebank-refused-'));
});
afterAll(async () => {
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
});

/** Starts a server that must not start. @returns what it said */
async function refusal(environment: Environment): Promise<string> {
  const child = spawn(process.execPath, [...V8_FLAGS, MAIN], {
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: '0',
      DATA_DIR: dataDir,
      DATABASE_URL: database.url,
      LOG_LEVEL: 'silent',
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
    // One that starts after all.
    timeout: 240_000,
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  expect(await once(child, 'exit')).toEqual([1, null]);
  return said.trim().replace('Talebank cannot start. ', '');
}

test('a wrong configuration stops the start with one line, without what is secret', async () => {
  const keys = { S3_ACCESS_KEY_ID: 'somebody', S3_SECRET_ACCESS_KEY: 'hid den' };
  expect(
    await Promise.all([
      refusal({ STORAGE: 's3' }),
      refusal({ STORAGE: 's3', S3_BUCKET: 'tales', ...keys }),
    ]),
  ).toEqual([
    'S3_BUCKET is not set, and STORAGE=s3 needs one.',
    'S3_SECRET_ACCESS_KEY is a value, but must be a value without spaces.',
  ]);
});

test.each([
  [
    { STORAGE: 's3', S3_BUCKET: 'tales', S3_ACCESS_KEY_ID: 'somebody' },
    'S3_SECRET_ACCESS_KEY is not set, but S3_ACCESS_KEY_ID is: set both or neither.',
  ],
  [
    { STORAGE: 's3', S3_BUCKET: 'tales', S3_SECRET_ACCESS_KEY: 'hidden' },
    'S3_ACCESS_KEY_ID is not set, but S3_SECRET_ACCESS_KEY is: set both or neither.',
  ],
  [{ STORAGE: 'tape' }, 'STORAGE is "tape", but must be local, s3.'],
  [{ S3_BUCKET: 'a b' }, 'S3_BUCKET is "a b", but must be the name of a bucket.'],
  [
    { S3_ENDPOINT: 'ftp://storage.example.com' },
    'S3_ENDPOINT is "ftp://storage.example.com", but must be an address that begins with http:// or https://.',
  ],
  [
    { S3_PREFIX: '../tales' },
    'S3_PREFIX is "../tales", but must be letters, digits, slashes, underscores and hyphens.',
  ],
  [
    { S3_FORCE_PATH_STYLE: 'perhaps' },
    'S3_FORCE_PATH_STYLE is "perhaps", but must be true, false, yes, no.',
  ],
])('a wrong variable is named: %j', async (environment, line) => {
  const { readConfig } = await compiled<typeof ConfigModule>('config.js');
  expect(() => readConfig(environment as Environment)).toThrow(line);
});

test('the bucket is named in the path at other servers, and in the host at Amazon', async () => {
  const { readConfig } = await compiled<typeof ConfigModule>('config.js');
  const storageOf = (environment: Environment): unknown =>
    readConfig({ STORAGE: 's3', S3_BUCKET: 'tales', ...environment }).storage;
  expect(readConfig({}).storage).toEqual({ kind: 'local' });
  expect(storageOf({})).toEqual({
    kind: 's3',
    name: 'tales',
    endpoint: null,
    region: 'us-east-1',
    credentials: null,
    forcePathStyle: false,
    prefix: '',
  });
  const endpoint = { S3_ENDPOINT: 'https://storage.example.com' };
  expect(storageOf(endpoint)).toMatchObject({ forcePathStyle: true });
  expect(storageOf({ ...endpoint, S3_FORCE_PATH_STYLE: 'no' })).toMatchObject({
    forcePathStyle: false,
  });
});

test('a bucket that is not there stops the start', async () => {
  expect(await refusal({ ...s3.environment, S3_BUCKET: 'another' })).toBe(
    `S3_BUCKET is another, but there is no such bucket at ${new URL(s3.url).host}.`,
  );
});

// s3rver knows its accounts, but does not check what they sign.
test('keys that are refused stop the start, and are not shown', async () => {
  expect(await refusal({ ...s3.environment, S3_ACCESS_KEY_ID: 'hidden' })).toBe(
    `S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY: ${new URL(s3.url).host} refuses them for the bucket talebank-test.`,
  );
});

test('a bucket in another region stops the start', async () => {
  s3.interfere(({ method }, response) => {
    if (method === 'HEAD') response.writeHead(301, { 'x-amz-bucket-region': 'eu-west-1' }).end();
    return method === 'HEAD';
  });
  expect(await refusal({ ...s3.environment, S3_REGION: 'us-east-2' })).toMatch(
    /^S3_REGION is us-east-2, but the bucket talebank-test at .* is probably in another one\.$/,
  );
});

test('a storage that cannot be reached, or that is silent, stops the start', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const where = `127.0.0.1:${String((silent.address() as AddressInfo).port)}`;
  const [unreachable, hanging] = await Promise.all([
    refusal({ ...s3.environment, S3_ENDPOINT: 'http://127.0.0.1:9' }),
    refusal({ ...s3.environment, S3_ENDPOINT: `http://${where}` }),
  ]);
  silent.close();
  expect(unreachable).toMatch(
    /^S3_ENDPOINT: the storage at 127\.0\.0\.1:9 cannot be reached: .*ECONNREFUSED/,
  );
  expect(hanging).toBe(
    `S3_ENDPOINT: the storage at ${where} cannot be reached: It did not answer in 5000 ms.`,
  );
});

test('without credentials, and with none to be found, the start stops', async () => {
  const { S3_ACCESS_KEY_ID: _id, S3_SECRET_ACCESS_KEY: _secret, ...environment } = s3.environment;
  const nowhere = { AWS_EC2_METADATA_DISABLED: 'true', HOME: dataDir };
  const found = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' };
  const [without, withOthers] = await Promise.all([
    refusal({ ...environment, ...nowhere }),
    refusal({ ...environment, ...nowhere, ...found, S3_BUCKET: 'another' }),
  ]);
  expect(without).toMatch(
    /^S3_ACCESS_KEY_ID is not set, and the SDK finds no credentials by itself: /,
  );
  // What it finds counts.
  expect(withOthers).toMatch(/^S3_BUCKET is another, but there is no such bucket/);
});
