import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import type * as Migrations from '../../src/infra/migrations.js';
import { CERTIFICATE } from '../support/certificate.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { compiled } from '../support/compiled.js';
import { command, refusal } from '../support/starting.js';
import { startServer } from '../support/talebank.js';
import { openTlsDoor, type TlsDoor } from '../support/tls-door.js';

/** What an operator may meet between installing Postgres and the first start: each is one line that says what to do. */

const { prepareDatabase } = await compiled<typeof Migrations>('infra/migrations.js');
const MIGRATIONS = {
  schema: fileURLToPath(new URL('../../prisma/schema.prisma', import.meta.url)),
  folder: fileURLToPath(new URL('../../prisma/migrations', import.meta.url)),
};

let database: TestDatabase;
let dataDir: string;
const doors: TlsDoor[] = [];
const made: string[] = [];
let administrator: pg.Client;

beforeAll(async () => {
  database = await createDatabase();
  dataDir = await mkdtemp(join(tmpdir(), 'talebank-database-'));
  administrator = new pg.Client({ connectionString: at('postgres') });
  await administrator.connect();
});
afterEach(async () => {
  await Promise.all(doors.splice(0).map((door) => door.close()));
  for (const name of made.splice(0)) {
    await administrator.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await administrator.query(`DROP ROLE IF EXISTS ${name}`);
  }
});
afterAll(async () => {
  await administrator.end();
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
});

/** The address of another database of the tests' cluster. */
function at(name: string, change: (url: URL) => void = () => undefined): string {
  const url = new URL(database.url);
  url.pathname = `/${name}`;
  change(url);
  return url.href;
}

const newName = (): string => {
  const name = `start_${randomBytes(6).toString('hex')}`;
  made.push(name);
  return name;
};

/** An empty database, and a role of the same name that may do nothing special. */
async function emptyDatabase(sql = ''): Promise<{ name: string; url: string; asRole: string }> {
  const name = newName();
  await administrator.query(`CREATE ROLE ${name} LOGIN PASSWORD 'p'`);
  await administrator.query(`CREATE DATABASE ${name}`);
  await runIn(at(name), sql);
  const asRole = at(name, (url) => {
    url.username = name;
    url.password = 'p';
  });
  return { name, url: at(name), asRole };
}

async function runIn(url: string, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client.query(sql).finally(() => client.end());
}

/** @returns what the start says */
async function refused(url: string, options = {}): Promise<string> {
  try {
    await prepareDatabase(url, MIGRATIONS, options);
  } catch (error) {
    expect((error as Error).constructor.name).toBe('StartError');
    expect((error as Error).message).not.toMatch(/\n|secret/);
    return (error as Error).message;
  }
  throw new Error('It starts.');
}

const tablesIn = async (url: string): Promise<unknown[]> =>
  (await runIn(url, `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`))
    .rows as unknown[];

test('tables of another program are left alone; those of extensions are no program', async () => {
  const { url } = await emptyDatabase('CREATE TABLE orders (id int); CREATE TABLE items (id int)');
  expect(await refused(url)).toMatch(
    /^DATABASE_URL: the database "start_\w+" has 2 tables of another program in its schema public \(items, orders\), but Talebank needs a database of its own: /,
  );
  expect(await tablesIn(url)).toHaveLength(2);
  const extended = await emptyDatabase('CREATE EXTENSION pgcrypto');
  const { applied } = await prepareDatabase(extended.url, MIGRATIONS);
  expect(applied.length).toBeGreaterThan(4);
  // A history of Prisma's that has nothing of ours.
  await runIn(extended.url, `UPDATE _prisma_migrations SET migration_name = 'shop_' || id`);
  expect(await refused(extended.url)).toMatch(/has the migrations of another program \(shop_/);
});

test('rights are missed before anything is changed', async () => {
  const { name, url, asRole } = await emptyDatabase();
  expect(await refused(asRole)).toBe(
    `DATABASE_URL: the role "${name}" has no right CREATE on the schema "public", which migrations need: run GRANT CREATE ON SCHEMA public TO "${name}" as its owner. Nothing was changed.`,
  );
  await runIn(url, `GRANT CREATE ON SCHEMA public TO ${name}`);
  expect(await refused(asRole)).toContain(
    `run GRANT CREATE ON DATABASE "${name}" TO "${name}" as its owner. Nothing was changed.`,
  );
  expect(await tablesIn(url)).toEqual([]);
  // A schema for the queue does as well, and one for the views of auditors.
  await runIn(url, `CREATE SCHEMA pgboss AUTHORIZATION ${name}`);
  expect(await refused(asRole)).toContain(
    `which the schema audit of the views for auditors needs: run GRANT CREATE ON DATABASE "${name}" TO "${name}" as its owner. Nothing was changed.`,
  );
  await runIn(url, `CREATE SCHEMA audit; GRANT USAGE ON SCHEMA audit TO ${name}`);
  expect(await refused(asRole)).toContain(
    `run GRANT USAGE, CREATE ON SCHEMA audit TO "${name}" as its owner. Nothing was changed.`,
  );
  await runIn(url, `GRANT CREATE ON SCHEMA audit TO ${name}`);
  const server = await startServer({ DATABASE_URL: asRole, DATA_DIR: dataDir });
  await server.stop();
  // What is migrated can be started by a role that creates nothing.
  await runIn(url, `REVOKE CREATE ON SCHEMA public FROM ${name}`);
  expect((await prepareDatabase(asRole, MIGRATIONS)).applied).toEqual([]);
  await runIn(url, `ALTER TABLE users OWNER TO postgres`);
  const { said } = await refusal({ DATABASE_URL: asRole, DATA_DIR: dataDir });
  expect(said).toBe(
    'Talebank cannot start. DATABASE_URL: the database refuses what the start needs: permission denied for table users (SQLSTATE 42501): docs/operations.md lists the rights that the role needs.',
  );
  await runIn(url, `DROP SCHEMA public CASCADE`);
  expect(await refused(url)).toMatch(/has no schema public, where the tables are/);
});

test('a history that this release does not have, or that was left half-way, stops the start', async () => {
  const { url, name } = await emptyDatabase();
  await prepareDatabase(url, MIGRATIONS);
  const change = (sql: string): Promise<unknown> => runIn(url, sql);
  const last = "migration_name LIKE '%_sentences_and_live_updates'";
  await change(`INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name)
    VALUES ('x', 'x', now(), '29990101000000_later')`);
  expect(await refused(url)).toMatch(
    /has migrations that this release does not have \(29990101000000_later\), so a newer one/,
  );
  await change(`DELETE FROM _prisma_migrations WHERE id = 'x'`);
  await change(`UPDATE _prisma_migrations SET checksum = repeat('0', 64) WHERE ${last}`);
  expect(await refused(url)).toMatch(/was applied with the checksum 0000000000000000…, but this/);
  await change(`DELETE FROM _prisma_migrations WHERE ${last}`);
  // It is there, but not noted: applying it again fails, and says at what.
  expect(await refused(url)).toMatch(
    /the migration \d+_sentences_and_live_updates cannot be applied to the database "start_\w+": relation "spoken_sentences" already exists \(SQLSTATE 42P07\)\. Nothing of it was kept/,
  );
  await change(`DROP TABLE spoken_sentences, live_changes CASCADE`);
  await change(
    `ALTER TABLE renditions DROP COLUMN erasing_by; ALTER TABLE audios DROP COLUMN remade`,
  );
  await change(`DROP FUNCTION note_audio_change, note_credit_change CASCADE`);
  expect((await prepareDatabase(url, MIGRATIONS)).applied).toHaveLength(1);
  await change(`UPDATE _prisma_migrations SET finished_at = NULL
    WHERE migration_name LIKE '%_functions_that_name_their_schema'`);
  const { said, code } = await refusal({ DATABASE_URL: url, DATA_DIR: dataDir });
  expect(said).toMatch(
    /^Talebank cannot start\. DATABASE_URL: the migration \w+ was begun at .*Z and has not ended\. .*: run `npm run migrate -- --retry`, or restore a backup from before\.$/,
  );
  expect(code).toBe(1);
  const retried = await command('migrate', ['--retry'], { DATABASE_URL: url });
  expect(retried).toMatchObject({ code: 0, said: expect.stringContaining('Applied ') });
  expect(name).not.toBe('');
});

test('who may not come in, and where nothing is, is said with what to correct', async () => {
  const { name, asRole } = await emptyDatabase();
  const wrong = (change: (url: URL) => void): Promise<string> =>
    refused(at(name, change)).then((line) => line.replaceAll(name, 'it'));
  expect(await wrong((url) => (url.password = 'secret'))).toMatch(
    /refuses the password of the user "postgres": correct user and password/,
  );
  expect(await wrong((url) => (url.port = '9'))).toMatch(
    /^DATABASE_URL: the database at 127\.0\.0\.1:9 cannot be reached: .*ECONNREFUSED/,
  );
  expect(await wrong((url) => (url.hostname = 'nowhere.invalid'))).toMatch(
    /the database at nowhere\.invalid:\d+ cannot be reached: the (?:name of the )?host "nowhere\.invalid"/,
  );
  expect(
    await wrong((url) => {
      url.searchParams.set('host', '/nowhere');
    }),
  ).toMatch(/the database at the socket in \/nowhere cannot be reached: there is no socket/);
  const missing = new URL(asRole);
  missing.pathname = '/not_there';
  expect(await refused(missing.href)).toMatch(
    /there is no database "not_there", and it cannot be created: permission denied to create database/,
  );
  await administrator.query(`REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC`);
  expect(await refused(asRole)).toMatch(/must have the right CONNECT on the database/);
  await administrator.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
  expect(await refused(at(name))).toMatch(/takes no connections now: .*not currently accepting/);
});

test('a database that cannot keep the ledger is refused', async () => {
  const latin = newName();
  await administrator.query(
    `CREATE DATABASE ${latin} ENCODING LATIN1 LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0`,
  );
  expect(await refused(at(latin))).toMatch(/has the encoding LATIN1, but must have UTF8/);
  const { name, asRole } = await emptyDatabase();
  await administrator.query(`ALTER ROLE ${name} SET default_transaction_read_only = on`);
  expect(await refused(asRole)).toMatch(/are read-only \(default_transaction_read_only is on\)/);
  await administrator.query(`ALTER ROLE ${name} RESET default_transaction_read_only`);
  await administrator.query(`ALTER ROLE ${name} SET session_replication_role = replica`);
  expect(await refused(asRole)).toMatch(/session_replication_role is replica/);
});

test('a pool larger than the server allows names what is allowed', async () => {
  const { name, asRole } = await emptyDatabase();
  await administrator.query(`ALTER ROLE ${name} CONNECTION LIMIT 20`);
  const connections = { poolSize: 100, besides: 8 };
  expect(await refused(asRole, { connections })).toBe(
    `DATABASE_POOL_SIZE is 100, but the server lets the role "${name}" have 20 connections, of which this process needs 8 besides the pool: it must be 2 to 12, less what other processes use, or max_connections of the server must be raised.`,
  );
  await administrator.query(`ALTER ROLE ${name} CONNECTION LIMIT 5`);
  expect(await refused(asRole, { connections })).toMatch(/to at least 10\.$/);
  const embedded = await refusal({ DATA_DIR: dataDir, DATABASE_POOL_SIZE: '100' });
  expect(embedded.said).toMatch(
    /Talebank cannot start\. DATABASE_POOL_SIZE is 100, but the server lets the role "talebank" have 57 connections, .* it must be 2 to 49, /,
  );
});

test('TLS is what libpq makes of sslmode', async () => {
  const { name } = await emptyDatabase();
  const through = async (demandsTls: boolean): Promise<TlsDoor> => {
    const door = await openTlsDoor(database.url, demandsTls);
    doors.push(door);
    return door;
  };
  const withTls = (door: TlsDoor | null, parameters: Record<string, string>): string =>
    at(name, (url) => {
      url.hostname = 'localhost';
      if (door !== null) url.port = String(door.port);
      url.searchParams.delete('sslnegotiation');
      for (const [key, value] of Object.entries(parameters)) url.searchParams.set(key, value);
    });
  const modeOf = async (url: string): Promise<string | null> =>
    new URL((await prepareDatabase(url, MIGRATIONS)).databaseUrl).searchParams.get('sslmode');
  // A server without TLS.
  expect(await modeOf(withTls(null, { sslmode: 'prefer' }))).toBe('disable');
  expect(await modeOf(withTls(null, { sslmode: 'allow' }))).toBe('disable');
  expect(await refused(withTls(null, { sslmode: 'require' }))).toMatch(
    /^DATABASE_URL has sslmode=require, but the server at localhost:\d+ has no TLS: set sslmode=prefer, or sslmode=disable\.$/,
  );
  // One that has it, with a certificate that it signed itself.
  const optional = await through(false);
  expect(await modeOf(withTls(optional, { sslmode: 'prefer' }))).toBe('require');
  expect(optional.seen.plain).toBe(0);
  expect(await modeOf(withTls(optional, { sslmode: 'allow' }))).toBe('disable');
  expect(await modeOf(withTls(optional, { sslmode: 'require' }))).toBe('require');
  const unverified = await refused(withTls(optional, { sslmode: 'verify-full' }));
  expect(unverified).toMatch(
    /has sslmode=verify-full, but the certificate of the server at localhost:\d+ cannot be verified \(DEPTH_ZERO_SELF_SIGNED_CERT\): set sslrootcert to the file/,
  );
  const root = join(dataDir, 'root.crt');
  await writeFile(root, CERTIFICATE);
  const verified = { sslmode: 'verify-full', sslrootcert: root };
  expect(await modeOf(withTls(optional, verified))).toBe('verify-full');
  const otherName = withTls(optional, verified).replace('localhost', '127.0.0.1');
  expect(await refused(otherName)).toMatch(/certificate .* is for another name/);
  expect(await modeOf(otherName.replace('verify-full', 'verify-ca'))).toBe('verify-ca');
  // One that wants nothing else.
  const demanding = await through(true);
  expect(await modeOf(withTls(demanding, { sslmode: 'allow' }))).toBe('require');
  expect(await refused(withTls(demanding, { sslmode: 'disable' }))).toMatch(
    /no encryption\. Set sslmode=require if it demands TLS\.$/,
  );
});
