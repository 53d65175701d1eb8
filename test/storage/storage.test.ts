import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openLocalStorage } from '../../src/infra/storage/local.js';
import { openS3Storage } from '../../src/infra/storage/s3.js';
import {
  FileMissingError,
  storeWhole,
  type ByteRange,
  type FileWriter,
  type Storage,
} from '../../src/infra/storage/storage.js';
import { until } from '../support/faults.js';
import { startS3 } from '../support/s3.js';

/** A storage of one kind, with what the tests do to it from behind. */
interface Place {
  readonly storage: Storage;
  /** As an argument of write-much.mjs. */
  readonly where: string;
  /** What was begun and not finished. */
  unfinished(): Promise<string[]>;
  backdate(unfinished: string, begun: Date): Promise<void>;
  close(): Promise<void>;
}

const MEGABYTE = 1024 * 1024;
const support = (script: string): string =>
  fileURLToPath(new URL(`../support/${script}`, import.meta.url));
const run = promisify(execFile);

async function openLocal(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'talebank-storage-'));
  return {
    storage: await openLocalStorage(folder),
    where: folder,
    unfinished: async () =>
      (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.partial')),
    backdate: (name, begun) => utimes(join(folder, name), begun, begun),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

async function openS3(): Promise<Place> {
  const s3 = await startS3();
  const bucket = { ...s3.bucket, prefix: 'tales/of-one/' };
  return {
    storage: openS3Storage(bucket, { pageSize: 3 }),
    where: JSON.stringify(bucket),
    unfinished: () => s3.unfinished(),
    backdate: (uploadId, begun) => s3.backdate(uploadId, begun),
    close: () => s3.close(),
  };
}

const keyOf = (number: number, ending = 'mp3'): string =>
  `${createHash('sha256').update(String(number)).digest('hex')}.${ending}`;
const KEY = keyOf(0);
const ALL: ByteRange = { start: 0, end: Number.MAX_SAFE_INTEGER };

async function write(file: FileWriter, bytes: Uint8Array, pieceBytes = 100_000): Promise<void> {
  for (let at = 0; at < bytes.length; at += pieceBytes)
    await file.write(bytes.subarray(at, at + pieceBytes));
}

async function store(storage: Storage, key: string, bytes: Uint8Array): Promise<number> {
  const file = await storage.openWriter(key);
  await write(file, bytes);
  return file.finish();
}

const readWhole = async (storage: Storage, key: string, range = ALL): Promise<Buffer> =>
  buffer(await storage.read(key, range));

describe.each([
  ['the local disk', openLocal],
  ['S3', openS3],
])('on %s', (_name, open) => {
  let place: Place;
  let storage: Storage;

  beforeEach(async () => {
    place = await open();
    storage = place.storage;
  });
  afterEach(async () => {
    await storage.close();
    await place.close();
  });

  test('a file that is written in pieces is read whole, with its length and time', async () => {
    const bytes = randomBytes(250_000);
    const before = Date.now();
    expect(await store(storage, KEY, bytes)).toBe(bytes.length);
    expect((await readWhole(storage, KEY)).equals(bytes)).toBe(true);
    const found = await storage.stat(KEY);
    expect(found?.lengthBytes).toBe(bytes.length);
    // S3 tells whole seconds.
    const modifiedMs = found?.modifiedAt.getTime() ?? 0;
    expect(modifiedMs).toBeGreaterThan(before - 2_000);
    expect(modifiedMs).toBeLessThan(Date.now() + 2_000);
  });

  test('a file of many parts comes back as it was', async () => {
    const bytes = randomBytes(12 * MEGABYTE + 1);
    expect(await store(storage, KEY, bytes)).toBe(bytes.length);
    expect((await readWhole(storage, KEY)).equals(bytes)).toBe(true);
    expect(await place.unfinished()).toEqual([]);
  });

  test('a file of exactly one part or two', async () => {
    for (const parts of [1, 2]) {
      const bytes = randomBytes(parts * 5 * MEGABYTE);
      await store(storage, KEY, bytes);
      expect((await readWhole(storage, KEY)).equals(bytes)).toBe(true);
    }
  });

  test('an empty file is a file', async () => {
    expect(await store(storage, KEY, Buffer.alloc(0))).toBe(0);
    expect(await storage.stat(KEY)).toMatchObject({ lengthBytes: 0 });
    expect((await readWhole(storage, KEY, { start: 0, end: -1 })).length).toBe(0);
    expect(await listed(storage)).toEqual([KEY]);
  });

  test('what the writer was given may be written over afterwards', async () => {
    const piece = Buffer.alloc(1000);
    const file = await storage.openWriter(KEY);
    for (const byte of [1, 2, 3]) await file.write(piece.fill(byte));
    await file.finish();
    const bytes = await readWhole(storage, KEY);
    expect([bytes[0], bytes[1000], bytes[2999]]).toEqual([1, 2, 3]);
  });

  test.each([
    [{ start: 0, end: 0 }],
    [{ start: 0, end: 99 }],
    [{ start: 999, end: 999 }],
    [{ start: 500, end: 1_000_000 }],
  ])('the range %j', async (range) => {
    const bytes = randomBytes(1000);
    await store(storage, KEY, bytes);
    const part = await readWhole(storage, KEY, range);
    expect(part.equals(bytes.subarray(range.start, range.end + 1))).toBe(true);
  });

  test('a reader keeps the file that it began with while another takes its place', async () => {
    const [old, young] = [randomBytes(3 * MEGABYTE), randomBytes(2 * MEGABYTE)];
    await store(storage, KEY, old);
    const reading = (await storage.read(KEY, ALL))[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    const first = (await reading.next()).value as Buffer;
    await store(storage, KEY, young);
    const pieces = [first];
    for (let next = await reading.next(); next.done !== true; next = await reading.next())
      pieces.push(next.value);
    expect(Buffer.concat(pieces).equals(old)).toBe(true);
    expect((await readWhole(storage, KEY)).equals(young)).toBe(true);
  });

  test('a file is not visible before it is finished', async () => {
    const file = await storage.openWriter(KEY);
    await write(file, randomBytes(12 * MEGABYTE));
    await until('it is on its way', async () => (await place.unfinished()).length === 1);
    expect(await storage.stat(KEY)).toBeNull();
    await expect(storage.read(KEY, ALL)).rejects.toThrow(FileMissingError);
    expect(await listed(storage)).toEqual([]);
    await file.finish();
    expect(await storage.stat(KEY)).not.toBeNull();
    expect(await listed(storage)).toEqual([KEY]);
  });

  test.each([
    ['small', 1000],
    ['of many parts', 12 * MEGABYTE],
  ])(
    'a file %s that is abandoned leaves nothing, and cannot be written any more',
    async (_size, lengthBytes) => {
      const file = await storage.openWriter(KEY);
      await write(file, randomBytes(lengthBytes));
      await file.abandon();
      await file.abandon();
      expect(await place.unfinished()).toEqual([]);
      expect(await storage.stat(KEY)).toBeNull();
      await expect(file.write(Buffer.from('more'))).rejects.toThrow();
      await expect(file.finish()).rejects.toThrow();
      await file.abandon();
      expect(await place.unfinished()).toEqual([]);
      expect(await storage.stat(KEY)).toBeNull();
    },
  );

  test('a finished file stays, also if its writer aborts afterwards', async () => {
    const file = await storage.openWriter(KEY);
    await file.write(Buffer.from('once'));
    await file.finish();
    await expect(file.write(Buffer.from('more'))).rejects.toThrow();
    await file.abandon();
    expect((await readWhole(storage, KEY)).toString()).toBe('once');
  });

  test('of several who write one file at once, the last one wins whole', async () => {
    const contents = Array.from({ length: 4 }, () => randomBytes(6 * MEGABYTE));
    await Promise.all(contents.map((bytes) => store(storage, KEY, bytes)));
    const between = await readWhole(storage, KEY);
    expect(contents.some((bytes) => bytes.equals(between))).toBe(true);
    const last = randomBytes(1000);
    await store(storage, KEY, last);
    expect((await readWhole(storage, KEY)).equals(last)).toBe(true);
    expect(await place.unfinished()).toEqual([]);
  });

  test('every finished file is listed over many pages, and none that is not', async () => {
    const keys = Array.from({ length: 35 }, (_, number) =>
      keyOf(number, ['mp3', 'vtt', 'part'][number % 3]),
    );
    for (const [number, key] of keys.entries())
      await storeWhole(storage, key, Buffer.alloc(number));
    const file = await storage.openWriter(keyOf(100));
    await write(file, randomBytes(11 * MEGABYTE));
    const found = [];
    for await (const one of storage.list()) found.push(one);
    await file.abandon();
    expect(found.map(({ key }) => key).sort()).toEqual([...keys].sort());
    for (const { key, lengthBytes, modifiedAt } of found) {
      expect(lengthBytes).toBe(keys.indexOf(key));
      expect(Date.now() - modifiedAt.getTime()).toBeLessThan(300_000);
    }
  });

  test('many files are removed at once, and absent ones without a word', async () => {
    const keys = Array.from({ length: 25 }, (_, number) => keyOf(number));
    for (const key of keys) await storeWhole(storage, key, Buffer.from('x'));
    const absent = Array.from({ length: 1050 }, (_, number) => keyOf(1000 + number));
    await storage.remove([...keys.slice(1), ...absent]);
    expect(await listed(storage)).toEqual([keys[0]]);
    await storage.remove([]);
    await storage.remove(keys);
    expect(await listed(storage)).toEqual([]);
  });

  test('a file that is not there has no length, and reading it says so before any byte', async () => {
    expect(await storage.stat(KEY)).toBeNull();
    for (const range of [ALL, { start: 0, end: -1 }])
      await expect(storage.read(KEY, range)).rejects.toThrow(FileMissingError);
  });

  test.each([
    '',
    '../../etc/passwd',
    `/${'a'.repeat(63)}.mp3`,
    `../${'a'.repeat(61)}.mp3`,
    `${'A'.repeat(64)}.mp3`,
    `${'a'.repeat(64)}.wav`,
    `${'a'.repeat(64)}.mp3\n`,
    `${'a'.repeat(64)}.mp3.partial`,
    `${'a'.repeat(65)}.mp3`,
    `${'a'.repeat(64)}xmp3`,
  ])('%j is no key', async (key) => {
    const refused = /is not a storage key/;
    await expect(storage.openWriter(key)).rejects.toThrow(refused);
    await expect(storage.stat(key)).rejects.toThrow(refused);
    await expect(storage.read(key, ALL)).rejects.toThrow(refused);
    await expect(storage.remove([KEY, key])).rejects.toThrow(refused);
  });

  test('what was left unfinished long ago is swept, and what is being written is not', async () => {
    const old = new Date(Date.now() - 86_400_000);
    const begun = [];
    // More than a page of the same key, and another one.
    for (const number of [0, 0, 0, 0, 0, 1]) {
      const file = await storage.openWriter(keyOf(number));
      await write(file, Buffer.alloc(6 * MEGABYTE), MEGABYTE);
      begun.push(file);
    }
    await until('all are on their way', async () => (await place.unfinished()).length === 6);
    const [young, ...left] = await place.unfinished();
    for (const name of left) await place.backdate(name, old);
    const hourAgo = new Date(Date.now() - 3_600_000);
    expect(await storage.sweepUnfinished(hourAgo)).toBe(5);
    expect(await place.unfinished()).toEqual([young]);
    expect(await storage.sweepUnfinished(hourAgo)).toBe(0);
    for (const file of begun) await file.abandon();
    expect(await place.unfinished()).toEqual([]);
  });

  test('a large file passes through in little memory', async () => {
    const { stdout } = await run(process.execPath, [support('write-much.mjs'), '60', place.where]);
    const { lengthBytes, grownBytes } = JSON.parse(stdout) as Record<string, number>;
    expect(lengthBytes).toBe(60 * MEGABYTE);
    expect(grownBytes).toBeLessThan(40 * MEGABYTE);
    expect(await storage.stat(`${'b'.repeat(64)}.mp3`)).toMatchObject({ lengthBytes });
  });

  test('it says that it is there', async () => {
    await storage.check();
  });
});

async function listed(storage: Storage): Promise<string[]> {
  const keys = [];
  for await (const { key } of storage.list()) keys.push(key);
  return keys.sort();
}
