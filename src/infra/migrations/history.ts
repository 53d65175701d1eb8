import { createHash } from 'node:crypto';
import type pg from 'pg';
import { onOneLine } from '../log-text.js';
import { StartError } from '../start-error.js';
import { quoted } from '../connections/reach.js';

/** A migration that this program has. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
}

interface HistoryRow {
  readonly name: string;
  readonly checksum: string;
  readonly started_at: Date;
  readonly finished: boolean;
  readonly logs: string | null;
}

/** As Prisma keeps it. A migration that was rolled back may stand there again. */
const HISTORY = `
  SELECT migration_name AS name, checksum, started_at, finished_at IS NOT NULL AS finished, logs
  FROM public._prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at`;

/** Tables in the schema public; those of extensions are left out. */
const TABLES = `
  SELECT c.relname AS name,
         EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                 AND d.deptype = 'e') AS extension
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'f') ORDER BY c.relname`;

const SHOWN_MAX = 3;

const listed = (names: readonly string[]): string =>
  names
    .slice(0, SHOWN_MAX)
    .map((name) => onOneLine(name))
    .join(', ') + (names.length > SHOWN_MAX ? ', …' : '');

/** What is to be done, and what in the database is not ours. */
export interface Pending {
  readonly names: readonly string[];
  /** Those of the pending ones that were begun before and have not ended. */
  readonly unfinished: readonly string[];
  /** `schema.table` of extensions, which the schema engine must not take for ours. */
  readonly extensionTables: readonly string[];
}

/**
 * Lists the migrations that the database does not have yet. The caller must hold the lock of migrations, because one that
 * is being applied looks like one that was interrupted.
 * @param options.retry whether those that were begun and have not ended are to be applied again
 * @throws StartError where the database is of another program, of a newer release, or was left half-way
 */
export async function pendingMigrations(
  client: pg.Client,
  known: readonly Migration[],
  { retry }: { readonly retry: boolean },
): Promise<Pending> {
  const { rows: tables } = await client.query<{ name: string; extension: boolean }>(TABLES);
  const extensionTables = tables
    .filter(({ extension }) => extension)
    .map(({ name }) => `public.${name}`);
  if (!tables.some(({ name }) => name === '_prisma_migrations')) {
    requireEmpty(
      client,
      tables.filter(({ extension }) => !extension).map(({ name }) => name),
    );
    return { names: known.map(({ name }) => name), unfinished: [], extensionTables };
  }
  const { rows } = await client.query<HistoryRow>(HISTORY);
  requireOurs(client, rows, known);
  for (const row of rows) if (row.finished || !retry) requireSame(row, known);
  const applied = new Set(rows.filter(({ finished }) => finished).map(({ name }) => name));
  return {
    unfinished: rows.filter(({ finished }) => !finished).map(({ name }) => name),
    names: known.map(({ name }) => name).filter((name) => !applied.has(name)),
    extensionTables,
  };
}

const DATABASE_OF_ITS_OWN =
  'Talebank needs a database of its own: name an empty one, or one that does not exist yet';

function requireEmpty({ database = '' }: pg.Client, tables: readonly string[]): void {
  if (tables.length === 0) return;
  throw new StartError(
    `DATABASE_URL: the database ${quoted(database)} has ${String(tables.length)} tables of another program in its schema public (${listed(tables)}), but ${DATABASE_OF_ITS_OWN}.`,
  );
}

function requireOurs(
  { database = '' }: pg.Client,
  rows: readonly HistoryRow[],
  known: readonly Migration[],
): void {
  const names = new Set(known.map(({ name }) => name));
  const unknown = rows.map(({ name }) => name).filter((name) => !names.has(name));
  if (unknown.length === 0) return;
  if (unknown.length === rows.length)
    throw new StartError(
      `DATABASE_URL: the database ${quoted(database)} has the migrations of another program (${listed(unknown)}), but ${DATABASE_OF_ITS_OWN}.`,
    );
  throw new StartError(
    `DATABASE_URL: the database ${quoted(database)} has migrations that this release does not have (${listed(unknown)}), so a newer one has migrated it: start that release, or restore a backup from before.`,
  );
}

function requireSame(row: HistoryRow, known: readonly Migration[]): void {
  if (!row.finished) throw new StartError(`DATABASE_URL: ${interrupted(row)}.`);
  const migration = known.find(({ name }) => name === row.name);
  if (migration === undefined || checksumsOf(migration.sql).includes(row.checksum)) return;
  throw new StartError(
    `DATABASE_URL: the migration ${onOneLine(row.name)} was applied with the checksum ${onOneLine(row.checksum).slice(0, 16)}…, but this release has another file of that name (${checksumsOf(migration.sql)[0]?.slice(0, 16) ?? ''}…): install the release that migrated this database, with its files unchanged.`,
  );
}

const interrupted = ({ name, started_at: at, logs }: HistoryRow): string =>
  `the migration ${onOneLine(name)} was begun at ${at.toISOString()} and has not ended` +
  `${logs === null || logs === '' ? '' : ` (${onOneLine(logs).slice(0, 200)})`}. ` +
  'A migration is applied as a whole or not at all: run `npm run migrate -- --retry`, or restore a backup from before';

/** The checksums of a file with either kind of line ends, because Git may have changed them. */
export function checksumsOf(sql: string): string[] {
  const unix = sql.replaceAll('\r\n', '\n');
  return [sql, unix, unix.replaceAll('\n', '\r\n')].map((text) =>
    createHash('sha256').update(text).digest('hex'),
  );
}

/** Marks interrupted migrations as rolled back, so that they are applied again. @returns their names */
export async function rollBackUnfinished(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(`
    UPDATE public._prisma_migrations SET rolled_back_at = now()
    WHERE finished_at IS NULL AND rolled_back_at IS NULL RETURNING migration_name AS name`);
  return rows.map(({ name }) => name);
}
