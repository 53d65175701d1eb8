import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PassThrough, Transform, type Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Entry, type Extract } from 'tar-stream';
import unbzip2 from 'unbzip2-stream';
import { FOLDER_MODE, openPrivateFile } from '../../../storage/private-files.js';

/** Why an archive is not unpacked, in words that complete “the archive is refused, because”. */
export class RefusedArchive extends Error {}

export interface ArchiveLimits {
  /** The total size of everything that is unpacked. */
  readonly bytesMax: number;
  readonly entriesMax: number;
}

/** The largest models that the engine's project publishes have about a gigabyte, and some hundred files. */
export const ARCHIVE_LIMITS: ArchiveLimits = { bytesMax: 8 * 1024 ** 3, entriesMax: 20_000 };

/**
 * What may be unpacked between two files. The reader of archives keeps long headers in memory as a whole, and a harmful
 * one has gigabytes. A part of it is what the decompressor has read ahead.
 */
const HEADERS_BYTES_MAX = 16 * 1024 ** 2;
const DEPTH_MAX = 12;
const NAME_BYTES_MAX = 200;
/** The first bytes of files of each format. */
const BZIP2 = Buffer.from('BZh');
const GZIP = Buffer.from([0x1f, 0x8b]);
const ZIP = Buffer.from('PK');

/**
 * Unpacks a tar archive, also one that is compressed with bzip2 or gzip, into a folder that is empty and that nothing
 * else writes to. Only folders and files are made, so that nothing that is unpacked can lead out of it. Hidden files are
 * left out.
 * @throws RefusedArchive, and then the folder may have a part of the archive
 */
export async function unpackArchive(
  path: string,
  folder: string,
  limits: ArchiveLimits = ARCHIVE_LIMITS,
): Promise<void> {
  const tar = extract();
  const between: Between = { isInside: false, bytes: 0 };
  const reading = readEntries(tar, folder, { ...limits, between });
  // It is awaited below. If it fails earlier, the failure must not be reported as unhandled.
  reading.catch(() => undefined);
  const feeding = pipeline(
    createReadStream(path),
    await decompressorOf(path),
    bounded(limits.bytesMax, between),
    tar,
  );
  const [fed, read] = await Promise.allSettled([feeding, reading]);
  // Each ends when the other fails. The one that has refused the archive knows why.
  const reasons = [read, fed].flatMap((one) =>
    one.status === 'rejected' ? [one.reason as unknown] : [],
  );
  const known = reasons.find((reason) => reason instanceof RefusedArchive) ?? reasons[0];
  if (known === undefined) return;
  throw isOfFileSystem(known) || known instanceof RefusedArchive
    ? known
    : new RefusedArchive(`it is damaged: ${(known as Error).message}`);
}

/** A full disk, for example, which is no fault of the archive. */
const isOfFileSystem = (error: unknown): error is Error =>
  error instanceof Error && 'syscall' in error;

async function decompressorOf(path: string): Promise<Duplex> {
  const file = await open(path, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    if (buffer.subarray(0, BZIP2.length).equals(BZIP2)) return unbzip2();
    if (buffer.subarray(0, GZIP.length).equals(GZIP)) return createGunzip();
    if (buffer.subarray(0, ZIP.length).equals(ZIP))
      throw new RefusedArchive('it is a zip file: pack it as .tar.gz or .tar.bz2');
    return new PassThrough();
  } finally {
    await file.close();
  }
}

/** How much was unpacked since the last file. */
interface Between {
  isInside: boolean;
  bytes: number;
}

/** Limits the size of what is unpacked, because a small archive can expand to a very large one. */
function bounded(bytesMax: number, between: Between): Transform {
  let bytes = 0;
  return new Transform({
    transform: (chunk: Buffer, _, done) => {
      bytes += chunk.length;
      if (!between.isInside) between.bytes += chunk.length;
      if (bytes > bytesMax) done(new RefusedArchive(`it has more than ${String(bytesMax)} bytes`));
      else if (between.bytes > HEADERS_BYTES_MAX)
        done(new RefusedArchive('it has a header that is too long'));
      else done(null, chunk);
    },
  });
}

async function readEntries(
  tar: Extract,
  folder: string,
  { between, ...limits }: ArchiveLimits & { readonly between: Between },
): Promise<void> {
  let entries = 0;
  for await (const entry of tar) {
    entries += 1;
    between.isInside = true;
    if (entries > limits.entriesMax)
      throw new RefusedArchive(`it has more than ${String(limits.entriesMax)} files`);
    await writeEntry(entry, folder);
    between.isInside = false;
    between.bytes = 0;
  }
  if (entries === 0) throw new RefusedArchive('it is no tar archive, or it is empty');
}

async function writeEntry(entry: Entry, folder: string): Promise<void> {
  const { name, type } = entry.header;
  const path = safePath(name);
  if (type !== 'file' && type !== 'contiguous-file' && type !== 'directory')
    throw new RefusedArchive(
      `it has a ${String(type)} (${shown(name)}), and may have files and folders only`,
    );
  if (path === null || path.split('/').some((part) => part.startsWith('.'))) {
    await once(entry.resume(), 'close');
    return;
  }
  const place = join(folder, path);
  await mkdir(type === 'directory' ? place : dirname(place), {
    recursive: true,
    mode: FOLDER_MODE,
  }).catch(contradicted(name));
  if (type === 'directory') {
    entry.resume();
    return;
  }
  const file = await openPrivateFile(place).catch(contradicted(name));
  try {
    for await (const chunk of entry) await file.writeFile(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Something with the same name was already unpacked. */
const contradicted =
  (name: string) =>
  (error: unknown): never => {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['EEXIST', 'ENOTDIR', 'EISDIR'].includes(code))
      throw new RefusedArchive(`it has ${shown(name)} twice`);
    throw error;
  };

/** A path that stays in the folder. Null for the folder itself. @throws RefusedArchive */
function safePath(name: string): string | null {
  const parts = name.replace(/\/$/, '').split('/');
  if (parts[0] === '.') parts.shift();
  if (parts.length === 0 || (parts.length === 1 && parts[0] === '')) return null;
  const isSafe =
    parts.length <= DEPTH_MAX &&
    parts.every(
      (part) =>
        part !== '' &&
        part !== '.' &&
        part !== '..' &&
        Buffer.byteLength(part) <= NAME_BYTES_MAX &&
        // A backslash or a drive leads elsewhere on Windows.
        !/[\\:\p{Cc}]/u.test(part),
    );
  if (!isSafe) throw new RefusedArchive(`it has a path that is not allowed: ${shown(name)}`);
  return parts.join('/');
}

/** Removes characters that could change what a terminal shows. */
const shown = (name: string): string => JSON.stringify(name.slice(0, 100).replace(/\p{C}/gu, '?'));
