import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { messageOf } from '../../domain/errors.js';
import { StartError } from '../start-error.js';
import { openPrivateFile } from '../storage/private-files.js';

/** A fast level, because the processor limits a dump before the disk does. */
const GZIP_LEVEL = 3;

export interface Hashed {
  readonly lengthBytes: number;
  readonly sha256: string;
}

/** @throws when the stream fails before its end */
export async function hashOf(bytes: AsyncIterable<Uint8Array>): Promise<Hashed> {
  const hash = createHash('sha256');
  let lengthBytes = 0;
  for await (const chunk of bytes) {
    hash.update(chunk);
    lengthBytes += chunk.length;
  }
  return { lengthBytes, sha256: hash.digest('hex') };
}

/** Writes a stream to a new file, compressed and durable. @returns the length and the hash of the file */
export async function writeCompressed(path: string, rows: Readable): Promise<Hashed> {
  await rm(path, { force: true });
  const file = await openPrivateFile(path);
  try {
    const counted = new PassThrough();
    const hashed = hashOf(counted);
    // Awaited below; without a listener, a failure of the pipeline would be reported as unhandled.
    hashed.catch(() => undefined);
    await pipeline(
      rows,
      createGzip({ level: GZIP_LEVEL }),
      async function* (compressed: AsyncIterable<Uint8Array>) {
        for await (const chunk of compressed) {
          await file.appendFile(chunk);
          yield chunk;
        }
      },
      counted,
    );
    await file.sync();
    return await hashed;
  } finally {
    await file.close();
  }
}

/** The streams that read a file and decompress it, for the beginning of a pipeline. */
export const readCompressed = (path: string): Readable[] => [
  createReadStream(path),
  createGunzip(),
];

/** @throws StartError when a file is not the one that the backup was made with */
export async function requireUnchanged(path: string, expected: Hashed): Promise<void> {
  const found = await hashOf(createReadStream(path)).catch((error: unknown) => {
    throw new StartError(`The backup is damaged: ${path} cannot be read: ${messageOf(error)}`);
  });
  if (found.sha256 !== expected.sha256 || found.lengthBytes !== expected.lengthBytes)
    throw new StartError(
      `The backup is damaged: ${path} has the SHA-256 ${found.sha256} and ${String(found.lengthBytes)} bytes, but was written with ${expected.sha256} and ${String(expected.lengthBytes)} bytes.`,
    );
}
