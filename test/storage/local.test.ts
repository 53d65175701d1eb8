import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readlink, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openLocalStorage } from '../../src/infra/storage/local.js';
import { storeWhole, type Storage } from '../../src/infra/storage/storage.js';
import { until } from '../support/faults.js';

const run = promisify(execFile);
const FILL_DISK = fileURLToPath(new URL('../support/fill-disk.mjs', import.meta.url));
const KEY = `${'a'.repeat(64)}.mp3`;

let folder: string;
let storage: Storage;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'talebank-local-'));
  storage = await openLocalStorage(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Open files of this process below the folder. */
async function handles(): Promise<number> {
  const links = (await readdir('/proc/self/fd')).map((fd) =>
    readlink(`/proc/self/fd/${fd}`).catch(() => ''),
  );
  return (await Promise.all(links)).filter((path) => path.startsWith(folder)).length;
}

/** A tmpfs of a namespace of its own: it goes with the process, also when that is killed. */
async function onSmallDisk(): Promise<string> {
  const [node, script] = [process.execPath, FILL_DISK];
  const mount = `mount -t tmpfs -o size=256k tmpfs "$0" && exec "$1" "$2" "$0"`;
  const user = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  const command = [...user, '--mount', 'sh', '-c', mount, folder, node, script];
  return (await run('unshare', command)).stdout;
}

(process.platform === 'linux' ? test : test.skip)(
  'a full disk is said by the write, leaves nothing behind, and is forgotten when there is room',
  async () => {
    const {
      abandoned,
      finished: ended,
      whileFull,
      lengthBytes,
      left,
    } = JSON.parse(await onSmallDisk()) as Record<string, unknown>;
    const full = { write: 'ENOSPC', again: 'ENOSPC', left: [], handles: 0 };
    expect(abandoned).toEqual({ ...full, abandon: 'done' });
    expect(ended).toEqual({ ...full, finish: 'ENOSPC' });
    expect(whileFull).toBe('ENOSPC');
    expect(lengthBytes).toBe(16 * 1024);
    expect(left).toEqual([join('audio', 'aa', KEY)]);
  },
);

test('a folder that vanishes while a file is written fails the file, and nothing else', async () => {
  for (const end of ['finish', 'abandon'] as const) {
    const file = await storage.openWriter(KEY);
    await file.write(Buffer.from('half of'));
    await rm(folder, { recursive: true });
    if (end === 'finish') await expect(file.finish()).rejects.toThrow(/ENOENT/);
    await file.abandon();
    await file.abandon();
    expect(await handles()).toBe(0);
  }
  await storeWhole(storage, KEY, Buffer.from('whole'));
  expect(await storage.stat(KEY)).toMatchObject({ lengthBytes: 5 });
});

test('a file that cannot be put in its place leaves nothing', async () => {
  const file = await storage.openWriter(KEY);
  await file.write(Buffer.from('half of'));
  // Something that cannot be written over.
  await rename(await aFolderWithSomething(), join(folder, 'aa', KEY));
  await expect(file.finish()).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST|EPERM/);
  await expect(file.finish()).rejects.toThrow();
  await file.abandon();
  expect(await readdir(join(folder, 'aa'))).toEqual([KEY]);
  expect(await handles()).toBe(0);
});

async function aFolderWithSomething(): Promise<string> {
  const inner = await openLocalStorage(join(folder, 'other'));
  await storeWhole(inner, KEY, Buffer.from('x'));
  return join(folder, 'other');
}

test('a file is open while it is read and no longer, however that ends', async () => {
  await storeWhole(storage, KEY, Buffer.alloc(1_000_000));
  const range = { start: 0, end: 999_999 };
  const whole = await storage.read(KEY, range);
  expect(await handles()).toBe(1);
  await finished(whole.resume());
  const broken = await storage.read(KEY, range);
  broken.destroy();
  await until('all are closed', async () => (await handles()) === 0);
  await storage.read(KEY, { start: 0, end: -1 });
  expect(await handles()).toBe(0);
});
