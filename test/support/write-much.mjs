// Writes a large file and says how much memory that took at most: node write-much.mjs MEGABYTES WHERE
// WHERE is a bucket as JSON, or a folder.
import { openLocalStorage } from '../../dist/infra/storage/local.js';
import { openS3Storage } from '../../dist/infra/storage/s3.js';

const [megabytes, where] = process.argv.slice(2);
const storage = where.startsWith('{')
  ? openS3Storage(JSON.parse(where))
  : await openLocalStorage(where);

async function write(digit, bytes, look) {
  const file = await storage.openWriter(`${digit.repeat(64)}.mp3`);
  const piece = new Uint8Array(64 * 1024).fill(digit.charCodeAt(0));
  for (let written = 0; written < bytes; written += piece.length) {
    await file.write(piece);
    look();
  }
  return file.finish();
}

// What the client needs at all, and the parts that it keeps in hand, are there after the first few.
await write('a', 20 * 1024 * 1024, () => undefined);
const before = process.memoryUsage.rss();
let most = before;
const lengthBytes = await write('b', Number(megabytes) * 1024 * 1024, () => {
  most = Math.max(most, process.memoryUsage.rss());
});
await storage.close();
process.stdout.write(JSON.stringify({ lengthBytes, grownBytes: most - before, most }));
