import type pg from 'pg';
import { propertyOf } from '../domain/objects.js';
import { quoted, reachDatabase, said } from './connections/reach.js';
import { isSqlState, losesSession } from './connections/sql-states.js';
import { requireConnections, requireRights, requireServer } from './connections/requirements.js';
import { databaseRefusal } from './connections/database-errors.js';
import { StartError } from './start-error.js';
import {
  diffSchema,
  readMigrations,
  runMigrations,
  type MigrationFiles,
} from './migrations/engine.js';
import { pendingMigrations, rollBackUnfinished, type Migration } from './migrations/history.js';

/** Any number will do, as long as every process takes the same. */
export const MIGRATION_LOCK = 7_246_001;

interface PrepareOptions {
  /** The connections that this process will have; left out by commands, which have few. */
  readonly connections?: { readonly poolSize: number; readonly besides: number };
  /** Whether a migration that was begun and has not ended is applied again. */
  readonly retry?: boolean;
  /** Set by a restore, which writes to the database. `only` has the migrations that are applied; undefined for all. */
  readonly restoring?: { readonly only?: readonly string[] };
}

export interface Prepared {
  /** The address that everything else connects with. */
  readonly databaseUrl: string;
  /** The names of the migrations that were applied. */
  readonly applied: readonly string[];
}

/**
 * Creates the database if it is missing, checks that Talebank can work with it, and applies the migrations that it does
 * not have yet. In an existing database nothing is changed before everything that the start needs was checked. Several
 * processes may start at once: one of them applies the migrations, and the others wait.
 * @throws StartError, one line that names the variable, what was found and what must be
 */
export async function prepareDatabase(
  databaseUrl: string,
  files: MigrationFiles,
  options: PrepareOptions = {},
): Promise<Prepared> {
  const reached = await reachDatabase(databaseUrl, { create: true });
  const { client } = reached;
  try {
    await requireServer(client);
    if (options.connections !== undefined) await requireConnections(client, options.connections);
    const migrations = (await readMigrations(files)).filter(
      ({ name }) => options.restoring?.only?.includes(name) ?? true,
    );
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    if (options.restoring === undefined) await requireRestored(client);
    const { names, unfinished, extensionTables } = await pendingMigrations(client, migrations, {
      retry: options.retry === true,
    });
    await requireRights(client, names.length > 0);
    if (unfinished.length > 0) await rollBackUnfinished(client);
    const applied =
      names.length === 0
        ? []
        : await apply(client, reached.databaseUrl, files, { migrations, extensionTables });
    return { databaseUrl: reached.databaseUrl, applied };
  } catch (error) {
    throw asStartError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** @throws StartError when a restore was begun in the database and has not ended */
async function requireRestored(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ begun: boolean }>(
    `SELECT to_regnamespace('talebank_restore') IS NOT NULL AS begun`,
  );
  if (rows[0]?.begun !== true) return;
  throw new StartError(
    `DATABASE_URL: a restore has begun in the database ${quoted(client.database ?? '')} and has not ended: run \`npm run restore\` again with the same backup.`,
  );
}

async function apply(
  client: pg.Client,
  databaseUrl: string,
  files: MigrationFiles,
  options: {
    readonly migrations: readonly Migration[];
    readonly extensionTables: readonly string[];
  },
): Promise<string[]> {
  try {
    return await runMigrations(databaseUrl, files, options);
  } catch (error) {
    // If Postgres has refused the script, it was rolled back as a whole. Without an answer, the outcome is unknown.
    if (!isRefusal(error)) throw error;
    const [name = 'of this release'] = await rollBackUnfinished(client);
    throw new StartError(
      `DATABASE_URL: the migration ${name} cannot be applied to the database ${quoted(client.database ?? '')}: ${said(error)} (SQLSTATE ${error.code}). Nothing of it was kept: mend what Postgres names, and start again.`,
    );
  }
}

/** Recognised by the code, because Postgres translates the severity. */
const isRefusal = (error: unknown): error is { readonly code: string } =>
  error instanceof Error &&
  'severity' in error &&
  'code' in error &&
  typeof error.code === 'string' &&
  isSqlState(error.code) &&
  !losesSession(error.code);

/** Turns a refusal by the database into one line for the operator, instead of a stack trace. */
export function asStartError(error: unknown): unknown {
  if (error instanceof StartError) return error;
  // A file that is missing has the code of a socket that is missing.
  if (propertyOf(error, 'path') !== undefined) return error;
  const refusal = databaseRefusal(error);
  if (refusal === null) return error;
  const { state } = refusal;
  const advice =
    state === '42501' ? ': docs/operations.md lists the rights that the role needs' : '';
  return new StartError(
    `DATABASE_URL: the database refuses what the start needs: ${said(refusal)}${state === null ? '' : ` (SQLSTATE ${state})`}${advice}.`,
  );
}

/** As `prepareDatabase`. @returns the names of the migrations that were applied */
export const applyMigrations = async (
  databaseUrl: string,
  files: MigrationFiles,
): Promise<readonly string[]> => (await prepareDatabase(databaseUrl, files)).applied;

/** As `diffSchema`, for a database that is reached first. */
export async function schemaDrift(databaseUrl: string, files: MigrationFiles): Promise<string> {
  const { client, databaseUrl: settled } = await reachDatabase(databaseUrl, { create: false });
  await client.end();
  return diffSchema(settled, files);
}
