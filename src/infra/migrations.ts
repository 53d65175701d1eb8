import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import pg from 'pg';
import { StartError } from './start-error.js';

/**
 * Prisma's own schema engine, in the WebAssembly build that comes from the npm registry: migrations
 * need no download, and `prisma migrate` understands what this writes.
 */
interface SchemaEngine {
  applyMigrations(input: object): Promise<{ appliedMigrationNames: string[] }>;
  diff(input: object): Promise<{ stdout?: string | null; exitCode: number }>;
  free?(): void;
}

/** What of Node's WebAssembly is used here; its types come with the browser's only. */
declare const WebAssembly: {
  instantiate(
    bytes: Uint8Array,
    imports: Record<string, unknown>,
  ): Promise<{ instance: { exports: Record<string, unknown> } }>;
};

interface EngineModule {
  __wbg_set_wasm(exports: Record<string, unknown>): void;
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
    (instance.exports['__wbindgen_start'] as () => void)();
    return glue;
  })();
  return loading;
}

const NO_FILTERS = { externalTables: [], externalEnums: [] };
/** Any number will do, as long as every process takes the same. */
const LOCK = 7_246_001;

interface MigrationFiles {
  /** The path of schema.prisma. */
  readonly schema: string;
  /** The folder with a folder for each migration. */
  readonly folder: string;
}

/** Runs `work` with an engine, and closes its connections afterwards. */
async function withEngine<Result>(
  databaseUrl: string,
  files: MigrationFiles,
  work: (engine: SchemaEngine) => Promise<Result>,
): Promise<Result> {
  const { SchemaEngine } = await loadEngine();
  const datamodel = await readFile(files.schema, 'utf8');
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  try {
    const adapter = bindMigrationAwareSqlAdapterFactory(mended(new PrismaPg(pool), pool));
    const datamodels: [string, string][] = [['schema.prisma', datamodel]];
    return await work(await SchemaEngine.new({ datamodels }, () => undefined, adapter));
  } finally {
    await pool.end();
  }
}

/**
 * Two things that the adapter cannot do for the engine. It cuts a script at every semicolon, also inside
 * of a function's body: Postgres itself takes the whole script, and rolls all of it back when a part
 * fails. And it does not know the one-byte type "char" of Postgres's own catalogs, which the engine reads
 * where there are CHECKs.
 */
function mended(factory: PrismaPg, pool: pg.Pool): PrismaPg {
  const connect = factory.connect.bind(factory);
  factory.connect = async () => {
    const adapter = await connect();
    const queryRaw = adapter.queryRaw.bind(adapter);
    adapter.queryRaw = (query) => queryRaw(query).catch(() => readingChars(pool, query, queryRaw));
    adapter.executeScript = async (script) => {
      await pool.query(script);
    };
    return adapter;
  };
  return factory;
}

type QueryRaw = Awaited<ReturnType<PrismaPg['connect']>>['queryRaw'];

/** "char", one byte, in Postgres's catalog of types. */
const CHAR_OID = 18;

/** Asks again with what is "char" cast to text, and says of it that it is a character. */
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

async function readMigrations({ folder }: MigrationFiles): Promise<object> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return {
    baseDir: folder,
    lockfile: {
      path: 'migration_lock.toml',
      content: await readFile(join(folder, 'migration_lock.toml'), 'utf8'),
    },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(
      names.map(async (name) => ({
        path: name,
        migrationFile: {
          path: 'migration.sql',
          content: {
            tag: 'ok',
            value: await readFile(join(folder, name, 'migration.sql'), 'utf8'),
          },
        },
      })),
    ),
  };
}

/** Connects, and makes the database when the server does not have it yet. */
async function connect(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 });
  try {
    await client.connect();
    return client;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    await client.end().catch(() => undefined);
    if (code === '3D000') {
      await createDatabase(databaseUrl);
      return connect(databaseUrl);
    }
    const where = `${client.host}:${String(client.port)}`;
    throw new StartError(
      `DATABASE_URL: the database at ${where} cannot be reached: ${message || (code ?? 'no answer')}`,
    );
  }
}

async function createDatabase(databaseUrl: string): Promise<void> {
  const url = new URL(databaseUrl);
  const name = decodeURIComponent(url.pathname.slice(1));
  url.pathname = '/postgres';
  const client = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: 10_000 });
  try {
    await client.connect();
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    // Another process that starts at the same moment was faster.
    if (code === '42P04' || code === '23505') return;
    throw new StartError(
      `DATABASE_URL: there is no database ${name}, and it cannot be made: ${message}`,
    );
  } finally {
    await client.end();
  }
}

/**
 * Applies the migrations that the database does not have yet. Several processes may start at once: one
 * applies, the others wait.
 * @returns the names of those applied
 * @throws StartError when the database cannot be reached
 */
export async function applyMigrations(
  databaseUrl: string,
  files: MigrationFiles,
): Promise<string[]> {
  const client = await connect(databaseUrl);
  try {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    const input = { migrationsList: await readMigrations(files), filters: NO_FILTERS };
    const applied = await withEngine(databaseUrl, files, (engine) => engine.applyMigrations(input));
    return applied.appliedMigrationNames;
  } finally {
    await client.end();
  }
}

/**
 * What SQL it would take to bring a migrated database to schema.prisma; '' when they agree. What Prisma
 * cannot say (CHECKs, partial indexes, triggers) does not count.
 */
export async function schemaDrift(databaseUrl: string, files: MigrationFiles): Promise<string> {
  const schema = [{ path: files.schema, content: await readFile(files.schema, 'utf8') }];
  const input = {
    from: { tag: 'schemaDatasource', files: schema, configDir: '' },
    to: { tag: 'schemaDatamodel', files: schema },
    script: true,
    exitCode: null,
    filters: NO_FILTERS,
  };
  const { stdout } = await withEngine(databaseUrl, files, (engine) => engine.diff(input));
  return (stdout ?? '').replace(/^-- This is an empty migration\.\s*$/m, '').trim();
}
