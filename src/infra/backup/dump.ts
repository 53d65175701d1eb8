import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { createClient } from '../connections/session.js';
import { MIGRATION_LOCK } from '../migrations.js';
import { syncFolder } from '../storage/private-files.js';
import { readSequences, readTables, type TableShape } from './catalogue.sql.js';
import { writeCompressed } from './hashed-files.js';
import { tableFileOf, type Manifest, type TableFile } from './manifest.js';

const CONNECT_TIMEOUT_MS = 10_000;

export type DatabasePart = Pick<
  Manifest,
  'at' | 'postgres' | 'migrations' | 'tables' | 'sequences'
>;

/**
 * Writes every table to a file, all as they were at one instant. Other processes continue to work; only a migration
 * waits.
 * @param folder of the backup
 */
export async function dumpDatabase(databaseUrl: string, folder: string): Promise<DatabasePart> {
  const files = join(folder, 'database');
  await rm(files, { recursive: true, force: true });
  await mkdir(files, { mode: 0o700 });
  const client = createClient(databaseUrl, {
    purpose: 'backup',
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  });
  await client.connect();
  try {
    // Until the tables are locked, because a table that a migration rewrites then would be empty for an older snapshot.
    await client.query('SELECT pg_advisory_lock_shared($1)', [MIGRATION_LOCK]);
    // Everything is read from the snapshot of the first statement.
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const part = await readDatabase(client, folder);
    await client.query('COMMIT');
    await syncFolder(files);
    return part;
  } finally {
    await client.end();
  }
}

async function readDatabase(client: pg.Client, folder: string): Promise<DatabasePart> {
  const { rows } = await client.query<{ at: Date; postgres: string }>(
    `SELECT now() AS at, current_setting('server_version') AS postgres`,
  );
  const [about] = rows;
  if (about === undefined) throw new Error('The database has no clock.');
  const shapes = await readTables(client);
  await client.query(`LOCK TABLE ${shapes.map(nameIn(client)).join(', ')} IN ACCESS SHARE MODE`);
  await client.query('SELECT pg_advisory_unlock_shared($1)', [MIGRATION_LOCK]);
  const { rows: migrations } = await client.query<{ name: string; checksum: string }>(
    `SELECT migration_name AS name, checksum FROM public._prisma_migrations
     WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY migration_name`,
  );
  const tables: TableFile[] = [];
  for (const shape of shapes) tables.push(await dumpTable(client, folder, shape));
  return {
    at: about.at.toISOString(),
    postgres: about.postgres,
    migrations,
    tables,
    sequences: await readSequences(client),
  };
}

/** The qualified name of a table, quoted for SQL text, because COPY takes no parameters. */
export const nameIn =
  (client: pg.Client) =>
  ({ schema, name }: Pick<TableShape, 'schema' | 'name'>): string =>
    `${client.escapeIdentifier(schema)}.${client.escapeIdentifier(name)}`;

/** The names of columns, quoted for SQL text and separated by commas. */
export const columnsIn = (client: pg.Client, columns: readonly { name: string }[]): string =>
  columns.map(({ name }) => client.escapeIdentifier(name)).join(', ');

async function dumpTable(client: pg.Client, folder: string, shape: TableShape): Promise<TableFile> {
  // A query, because COPY of a partitioned table itself is refused.
  const query = `SELECT ${columnsIn(client, shape.columns)} FROM ${nameIn(client)(shape)}`;
  const rows = client.query(copyTo(`COPY (${query}) TO STDOUT`));
  const file = await writeCompressed(tableFileOf(folder, shape), rows);
  return { ...shape, rows: rows.rowCount, ...file };
}
