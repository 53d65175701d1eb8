// Writes to a small disk until it is full, and again when there is room: node fill-disk.mjs FOLDER
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openLocalStorage } from '../../dist/infra/storage/local.js';

const [folder] = process.argv.slice(2);
const storage = await openLocalStorage(join(folder, 'audio'));
const key = `${'a'.repeat(64)}.mp3`;
const codeOf = (work) =>
  work.then(
    () => 'done',
    (error) => error.code ?? error.message,
  );
const left = async () =>
  (await readdir(folder, { recursive: true })).filter((name) => name.includes('.mp3'));
const handles = async () => (await readdir('/proc/self/fd')).length;
const piece = new Uint8Array(16 * 1024);

async function fill(end) {
  const before = await handles();
  const file = await storage.openWriter(key);
  let write = 'done';
  for (let pieces = 0; pieces < 100 && write === 'done'; pieces += 1)
    write = await codeOf(file.write(piece));
  const again = await codeOf(file.write(piece));
  return {
    write,
    again,
    ...(await end(file)),
    left: await left(),
    handles: (await handles()) - before,
  };
}

const abandoned = await fill(async (file) => {
  await file.abandon();
  return { abandon: 'done' };
});
const finished = await fill(async (file) => ({ finish: await codeOf(file.finish()) }));
const ballast = join(folder, 'ballast');
await codeOf(writeFile(ballast, new Uint8Array(1024 * 1024)));
const file = await storage.openWriter(key);
const whileFull = await codeOf(file.write(piece));
await file.abandon();
await rm(ballast);
const next = await storage.openWriter(key);
await next.write(piece);
const lengthBytes = await next.finish();
process.stdout.write(
  JSON.stringify({ abandoned, finished, whileFull, lengthBytes, left: await left() }),
);
