import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { sha256Hex } from '../../../domain/text.js';
import { writePrivateFile } from '../../storage/private-files.js';
import { UnusableModel } from './kinds.js';

/** Beside the model: its checksum, and what its files looked like when that was computed. */
const NOTE = '.talebank-checksum.json';
const FILES_MAX = 20_000;

const note = z.strictObject({ looks: z.string(), checksum: z.string() });

/** A file by its path in the model's folder. */
interface ModelFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Changes when the file does. */
  readonly look: string;
}

/** The files of a model, without hidden ones. Links are followed, because an operator may have put them there. */
export async function filesOfModel(folder: string): Promise<readonly ModelFile[]> {
  const files: ModelFile[] = [];
  await collect(folder, '', files);
  return files.sort((one, other) => (one.path < other.path ? -1 : 1));
}

async function collect(folder: string, under: string, files: ModelFile[]): Promise<void> {
  for (const name of await readdir(join(folder, under))) {
    if (name.startsWith('.')) continue;
    const path = under === '' ? name : `${under}/${name}`;
    const found = await stat(join(folder, path));
    if (found.isDirectory()) await collect(folder, path, files);
    else if (found.isFile()) files.push({ path, sizeBytes: found.size, look: lookOf(found) });
    if (files.length > FILES_MAX) throw new UnusableModel('it has too many files');
  }
}

const lookOf = ({ size, mtimeMs, ino }: { size: number; mtimeMs: number; ino: number }): string =>
  [size, mtimeMs, ino].join(' ');

/** What these files look like now: size, time and place on the disk. '' when one of them is missing. */
export async function looksOf(paths: readonly string[]): Promise<string> {
  const looks = await Promise.all(paths.map((path) => stat(path).then(lookOf, () => null)));
  return looks.includes(null) ? '' : looks.join('\n');
}

/**
 * The checksum of the contents and names of all files of a model. It is noted in the folder, because reading hundreds of
 * megabytes would delay each start, and computed again when a file looks different.
 */
export async function checksumOfModel(
  folder: string,
  files: readonly ModelFile[],
): Promise<string> {
  const looks = sha256Hex(JSON.stringify(files.map(({ path, look }) => [path, look])));
  const kept = await readNote(join(folder, NOTE));
  if (kept?.looks === looks) return kept.checksum;
  const hashes: [string, string][] = [];
  for (const { path } of files) hashes.push([path, await sha256OfFile(join(folder, path))]);
  const checksum = sha256Hex(JSON.stringify(hashes));
  // A folder that cannot be written is read again at the next start.
  await writePrivateFile(join(folder, NOTE), JSON.stringify({ looks, checksum })).catch(
    () => undefined,
  );
  return checksum;
}

async function readNote(path: string): Promise<z.infer<typeof note> | null> {
  try {
    return note.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return null;
  }
}

/** The SHA-256 of a file in hexadecimal digits. It is read as a stream, because a model may have gigabytes. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
