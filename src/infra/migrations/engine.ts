import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import type pg from 'pg';
import { hasCitus, runOneByOne } from '../citus/statements.js';
import { createPool } from '../connections/session.js';
import type { Migration } from './history.js';

/**
 * Prisma's own schema engine, in the WebAssembly build that comes from the npm registry: migrations
 * need no download, and `prisma migrate` understands what this writes.
 */
interface SchemaEngine {
  applyMigrations(input: object): Promise<{ appliedMigrationNames: string[] }>;
  diff(input: object): Promise<{ stdout?: string | null; exitCode: number }>;
  free?(): void;
}

/** The part of WebAssembly that is used here. It is declared, because only the types for browsers have it. */
declare const WebAssembly: {
  instantiate(
    bytes: Uint8Array,
    imports: Record<string, unknown>,
  ): Promise<{ instance: { exports: EngineExports } }>;
};

interface EngineExports extends Readonly<Record<string, unknown>> {
  __wbindgen_start(): void;
}

interface EngineModule {
  __wbg_set_wasm(exports: EngineExports): void;
  SchemaEngine: {
    new: (
      options: { datamodels: [string, string][] },
      log: (line: string) => void,
      adapter: unknown,
    ) => Promise<SchemaEngine>;
  };
}

let loading: Promise<EngineModule> | undefined;

function loadEngine(): Promise<EngineModule> {
  loading ??= (async () => {
    const name = '@prisma/schema-engine-wasm/schema_engine_bg';
    const glue = (await import(name)) as EngineModule;
    const path = createRequire(import.meta.url)
      .resolve(name)
      .replace(/\.js$/, '.wasm');
    const bytes = await readFile(path);
    const { instance } = await WebAssembly.instantiate(bytes, {
      './schema_engine_bg.js': glue,
    });
    glue.__wbg_set_wasm(instance.exports);
    instance.exports.__wbindgen_start();
    return glue;
  })();
  return loading;
}

const CONNECT_TIMEOUT_MS = 10_000;
const LOCK_TIMEOUT_MS = 5_000;

export interface MigrationFiles {
  /** The path of schema.prisma. */
  readonly schema: string;
  /** The folder with a folder for each migration. */
  readonly folder: string;
}

/** The last script that Postgres refused. */
interface Refusal {
  error?: unknown;
}

/** Runs `work` with an engine, and closes its connections afterwards. */
async function withEngine<Result>(
  databaseUrl: string,
  files: MigrationFiles,
  work: (engine: SchemaEngine) => Promise<Result>,
  migrations: readonly Migration[] = [],
  refusal: Refusal = {},
): Promise<Result> {
  const { SchemaEngine } = await loadEngine();
  const datamodel = await readFile(files.schema, 'utf8');
  const pool = createPool(
    databaseUrl,
    {
      purpose: 'migrations',
      connectionsMax: 2,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      // While a migration waits for a table, every statement on that table waits behind it.
      limits: { lockMs: LOCK_TIMEOUT_MS },
      isWatched: false,
    },
    // The next statement on the connection says what happened.
    () => undefined,
  );
  try {
    const factory = mended(new PrismaPg(pool), pool, migrations, refusal);
    const adapter = bindMigrationAwareSqlAdapterFactory(factory);
    const datamodels: [string, string][] = [['schema.prisma', datamodel]];
    return await work(await SchemaEngine.new({ datamodels }, () => undefined, adapter));
  } finally {
    await pool.end();
  }
}

/** Runs in the transaction of the migration itself, so that no migration is applied without being recorded. */
const NOTE_END = `UPDATE public._prisma_migrations SET finished_at = now()
  WHERE finished_at IS NULL AND rolled_back_at IS NULL`;

/**
 * Corrects two faults of the adapter. It splits a script at every semicolon, even inside the body of a function, so that
 * the whole script is sent to Postgres instead, which rolls all of it back when a part fails. And it does not know the
 * one-byte type "char" of Postgres's catalogs, which the engine reads where there are CHECKs.
 */
function mended(
  factory: PrismaPg,
  pool: pg.Pool,
  migrations: readonly Migration[],
  refusal: Refusal,
): PrismaPg {
  const connect = factory.connect.bind(factory);
  factory.connect = async () => {
    const adapter = await connect();
    const queryRaw = adapter.queryRaw.bind(adapter);
    adapter.queryRaw = (query) => queryRaw(query).catch(() => readingChars(pool, query, queryRaw));
    adapter.executeScript = async (script) => {
      const isMigration = migrations.some(({ sql }) => sql === script);
      try {
        const whole = isMigration ? `${script};\n${NOTE_END}` : script;
        await (isMigration && (await hasCitus(pool))
          ? runOneByOne(pool, whole)
          : pool.query(whole));
      } catch (error) {
        refusal.error = error;
        throw error;
      }
    };
    return adapter;
  };
  return factory;
}

type QueryRaw = Awaited<ReturnType<PrismaPg['connect']>>['queryRaw'];

/** "char", one byte, in Postgres's catalog of types. */
const CHAR_OID = 18;

/** Repeats the query with its "char" columns cast to text, and reports their type as a character. */
async function readingChars(
  pool: pg.Pool,
  query: Parameters<QueryRaw>[0],
  queryRaw: QueryRaw,
): ReturnType<QueryRaw> {
  const { fields } = await pool.query(query.sql, query.args);
  const columns = fields.map(({ name, dataTypeID }) =>
    dataTypeID === CHAR_OID ? `"${name}"::text AS "${name}"` : `"${name}"`,
  );
  const sql = `SELECT ${columns.join(', ')} FROM (${query.sql.trim().replace(/;$/, '')}) q`;
  const result = await queryRaw({ ...query, sql });
  for (const [index, { dataTypeID }] of fields.entries()) {
    if (dataTypeID === CHAR_OID) result.columnTypes[index] = ColumnTypeEnum.Character;
  }
  return result;
}

/** In the order in which they are applied. */
export async function readMigrations({ folder }: MigrationFiles): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return Promise.all(
    names.map(async (name) => ({
      name,
      sql: await readFile(join(folder, name, 'migration.sql'), 'utf8'),
    })),
  );
}

/**
 * Applies those of the migrations that the database does not have yet, each in a transaction.
 * @param options.extensionTables `schema.table`, which are not looked at
 * @returns the names of those applied
 * @throws what Postgres said, when it refused one
 */
export async function runMigrations(
  databaseUrl: string,
  files: MigrationFiles,
  options: {
    readonly migrations: readonly Migration[];
    readonly extensionTables: readonly string[];
  },
): Promise<string[]> {
  const { migrations, extensionTables } = options;
  const input = {
    migrationsList: {
      baseDir: files.folder,
      lockfile: {
        path: 'migration_lock.toml',
        content: await readFile(join(files.folder, 'migration_lock.toml'), 'utf8'),
      },
      shadowDbInitScript: '',
      migrationDirectories: migrations.map(({ name, sql }) => ({
        path: name,
        migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
      })),
    },
    filters: { externalTables: extensionTables, externalEnums: [] },
  };
  const refusal: Refusal = {};
  try {
    const { appliedMigrationNames } = await withEngine(
      databaseUrl,
      files,
      (engine) => engine.applyMigrations(input),
      migrations,
      refusal,
    );
    return appliedMigrationNames;
  } catch (error) {
    throw refusal.error ?? error;
  }
}

/**
 * What SQL it would take to bring a migrated database to schema.prisma; '' when they agree. What Prisma
 * cannot say (CHECKs, partial indexes, triggers) does not count.
 */
export async function diffSchema(databaseUrl: string, files: MigrationFiles): Promise<string> {
  const schema = [{ path: files.schema, content: await readFile(files.schema, 'utf8') }];
  const input = {
    from: { tag: 'schemaDatasource', files: schema, configDir: '' },
    to: { tag: 'schemaDatamodel', files: schema },
    script: true,
    exitCode: null,
    filters: { externalTables: [], externalEnums: [] },
  };
  const { stdout } = await withEngine(databaseUrl, files, (engine) => engine.diff(input));
  return (stdout ?? '').replace(/^-- This is an empty migration\.\s*$/m, '').trim();
}
