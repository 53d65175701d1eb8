import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../domain/errors.js';
import { StartError } from '../start-error.js';
import { writePrivateFile } from '../storage/private-files.js';

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().min(0);
/** Names become paths and identifiers, so nothing else is accepted. */
const name = z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/);

/**
 * As `format_type` writes it, for example `timestamp(3) with time zone`, `pgboss.job_state` or `text[]`. Types become a
 * part of a statement, so that only digits are accepted between brackets, and no sign that ends a column.
 */
const type = z
  .string()
  .max(200)
  .regex(/^["\w. ]+(?:\(\d+(?:,\d+)?\)[\w ]*)?(?:\[\])?$/);

const table = z.strictObject({
  schema: z.enum(['public', 'pgboss']),
  name,
  columns: z.array(z.strictObject({ name, type })).min(1),
  rows: count,
  /** The length of the compressed file. */
  lengthBytes: count,
  sha256: sha256Hex,
});

const manifest = z.strictObject({
  format: z.literal(1),
  /** The release that made the backup. */
  release: z.string(),
  /** The instant of the snapshot, by the clock of the database. */
  at: z.iso.datetime({ precision: 3 }),
  /** `server_version` of the database. */
  postgres: z.string(),
  migrations: z.array(z.strictObject({ name: z.string(), checksum: sha256Hex })).min(1),
  tables: z.array(table),
  sequences: z.array(z.strictObject({ name, lastValue: z.string().regex(/^-?\d+$/) })),
  /** Null: the recordings were left out. */
  recordings: z
    .strictObject({ files: count, lengthBytes: count, missing: count, sha256: sha256Hex })
    .nullable(),
  /** The ids of the keys that are in the environment and not in the database. Null: they are in the database. */
  environmentKeys: z.strictObject({
    tokens: z.array(z.string()).nullable(),
    anchors: z.array(z.string()).nullable(),
  }),
});

/** What a backup holds. The file is written last, so that a folder without it is no backup. */
export type Manifest = z.infer<typeof manifest>;
export type TableFile = Manifest['tables'][number];

const FILE = 'manifest.json';
export const RECORDINGS_LIST = 'recordings.jsonl';

/** The path of the manifest in the folder of a backup. */
export const manifestOf = (folder: string): string => join(folder, FILE);

/** The path of a table’s rows in the folder of a backup. */
export const tableFileOf = (
  folder: string,
  { schema, name }: Pick<TableFile, 'schema' | 'name'>,
): string => join(folder, 'database', `${schema}.${name}.copy.gz`);

/** The path of the folder of recordings in the folder of a backup. */
export const recordingsOf = (folder: string): string => join(folder, 'recordings');

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** @returns the digest, by which a restore can recognise exactly this backup */
export async function writeManifest(folder: string, content: Manifest): Promise<string> {
  const text = `${JSON.stringify(content, null, 1)}\n`;
  await writePrivateFile(manifestOf(folder), text);
  return digestOf(text);
}

/** @throws StartError when there is no complete backup in the folder */
export async function readManifest(
  folder: string,
): Promise<{ readonly manifest: Manifest; readonly digest: string }> {
  const text = await readFile(manifestOf(folder), 'utf8').catch((error: unknown) => {
    throw new StartError(
      `${folder} has no complete backup, because its ${FILE} cannot be read: ${messageOf(error)}`,
    );
  });
  const parsed = manifest.safeParse(asJson(text));
  if (!parsed.success)
    throw new StartError(
      `${manifestOf(folder)} is not that of a backup that this release can read: ${parsed.error.issues[0]?.path.join('.') ?? ''} ${parsed.error.issues[0]?.message ?? ''}`,
    );
  return { manifest: parsed.data, digest: digestOf(text) };
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
