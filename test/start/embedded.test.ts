import { mkdtemp, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { isAlive, until } from '../support/faults.js';
import { command, embeddedAddress, postmasterOf, socketFolderOf } from '../support/starting.js';
import { startServer, type Environment, type ServerProcess } from '../support/talebank.js';

let parent: string;
/** One whose path is too long for a socket, and has everything that must be encoded in an address. */
let awkwardDir: string;
let server: ServerProcess;
let client: pg.Client;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'talebank-embedded-'));
  awkwardDir = join(parent, `a "quoted", 'ärgerlich' 100%25 path ${'é'.repeat(40)}`);
  server = await startServer({ DATA_DIR: parent });
  client = new pg.Client({ connectionString: await embeddedAddress(parent) });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await server.stop();
  await rm(parent, { recursive: true, force: true });
});

async function ready(environment: Environment): Promise<ServerProcess> {
  const other = await startServer(environment);
  await until('it is ready', async () => (await fetch(`${other.url}/readyz`)).ok);
  expect(await (await fetch(`${other.url}/readyz`)).json()).toMatchObject({ status: 'ready' });
  return other;
}

test('Postgres listens on a socket in a private folder, and on no port', async () => {
  const { rows } = await client.query(
    "SELECT current_setting('listen_addresses') AS addresses, inet_server_addr() AS address",
  );
  expect(rows).toEqual([{ addresses: '', address: null }]);
  const folder = join(parent, 'postgres', 'socket');
  expect(await socketFolderOf(parent)).toBe(folder);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await stat(join(folder, '.s.PGSQL.5432'))).mode & 0o777).toBe(0o700);
});

test('a wrong password is refused for every role, and so is replication', async () => {
  for (const user of ['postgres', 'talebank']) {
    const address = new URL(await embeddedAddress(parent));
    address.username = user;
    address.password = 'guess';
    const guesser = new pg.Client({ connectionString: address.href });
    await expect(guesser.connect()).rejects.toThrow(/password authentication failed/);
  }
  const address = new URL(await embeddedAddress(parent));
  address.searchParams.set('replication', 'true');
  const replica = new pg.Client({ connectionString: address.href });
  await expect(replica.connect()).rejects.toThrow(/no pg_hba.conf entry for replication/);
});

describe('the server’s own sessions', () => {
  test('are of one role, which has no rights in the cluster', async () => {
    const { rows } = await client.query(`
      SELECT DISTINCT usename, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
      FROM pg_stat_activity JOIN pg_roles ON rolname = usename`);
    expect(rows).toEqual([
      {
        usename: 'talebank',
        rolsuper: false,
        rolcreaterole: false,
        rolcreatedb: false,
        rolreplication: false,
        rolbypassrls: false,
      },
    ]);
    const { rows: names } = await client.query<{ name: string }>(
      'SELECT DISTINCT application_name AS name FROM pg_stat_activity WHERE usename IS NOT NULL',
    );
    const seen = names.map(({ name }) => name);
    for (const name of ['talebank', 'talebank-queue', 'talebank-notices'])
      expect(seen).toContain(name);
  });

  test.each([
    ["COPY (SELECT 1) TO PROGRAM 'true'", 'an external program'],
    ["COPY users TO '/tmp/users'", 'to a file'],
    ['CREATE ROLE helper', 'to create role'],
    ['ALTER ROLE talebank SUPERUSER', 'to alter role'],
    ['CREATE DATABASE other', 'to create database'],
    ['SELECT rolpassword FROM pg_authid', 'table pg_authid'],
    ["SELECT pg_read_file('/etc/passwd')", 'pg_read_file'],
    ["ALTER SYSTEM SET log_statement = 'all'", 'log_statement'],
    ["SET session_replication_role = 'replica'", 'session_replication_role'],
    ['SET ROLE postgres', 'to set role'],
  ])('cannot %s', async (statement, what) => {
    await expect(client.query(statement)).rejects.toThrow(
      expect.objectContaining({ code: '42501', message: expect.stringContaining(what) as unknown }),
    );
  });

  test('reach no other database', async () => {
    const address = new URL(await embeddedAddress(parent));
    address.pathname = '/postgres';
    const other = new pg.Client({ connectionString: address.href });
    await expect(other.connect()).rejects.toThrow(/permission denied for database/);
  });

  test('own what they need: everything in the database', async () => {
    const { rows } = await client.query(`
      SELECT DISTINCT relowner::regrole::text AS owner FROM pg_class
      JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('public', 'pgboss')`);
    expect(rows).toEqual([{ owner: 'talebank' }]);
  });
});

test('a path that no socket can have: it is in a temporary folder, which commands find and a stop removes', async () => {
  const environment = { DATA_DIR: awkwardDir };
  const other = await ready(environment);
  const folder = await socketFolderOf(awkwardDir);
  expect(folder.startsWith(join(tmpdir(), 'talebank-'))).toBe(true);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect(await command('migrate', [], environment)).toEqual({
    code: 0,
    said: 'Nothing to migrate.',
  });
  await other.stop();
  await expect(stat(folder)).rejects.toThrow(/ENOENT/);

  const killed = await ready(environment);
  const next = await socketFolderOf(awkwardDir);
  await killed.kill();
  await until('its folder is gone', async () => {
    return !(await readdir(tmpdir())).includes(next.slice(tmpdir().length + 1));
  });
  expect(await command('ledger', ['verify'], environment)).toMatchObject({ code: 0 });
});

test('what a crash leaves beside the socket does not stop a start, also if another process has its number now', async () => {
  const dataDir = join(parent, 'crashed');
  const first = await ready({ DATA_DIR: dataDir });
  const folder = await socketFolderOf(dataDir);
  const postmaster = await postmasterOf(dataDir);
  process.kill(postmaster, 'SIGKILL');
  await until('Postgres is gone', () => !isAlive(postmaster));
  await first.stop();
  const lock = [process.pid, join(dataDir, 'postgres', 'cluster'), 1, 5432, folder, ''].join('\n');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, '.s.PGSQL.5432.lock'), `${lock}\n`);
  await (await ready({ DATA_DIR: dataDir })).stop();
});

test('variables for other Postgres clients change nothing', async () => {
  const nonsense = {
    PGHOST: '203.0.113.1',
    PGHOSTADDR: '203.0.113.1',
    PGPORT: '9',
    PGUSER: 'root',
    PGPASSWORD: 'wrong',
    PGPASSFILE: '/nowhere',
    PGDATABASE: 'elsewhere',
    PGSERVICE: 'elsewhere',
    PGSERVICEFILE: '/nowhere',
    PGOPTIONS: '-c statement_timeout=1 -c search_path=nowhere',
    PGSSLMODE: 'verify-full',
    PGSSLNEGOTIATION: 'direct',
    PGREPLICATION: 'database',
    PGCLIENT_ENCODING: 'latin1',
    PGAPPNAME: 'psql',
    PGCONNECT_TIMEOUT: '1',
    PGBINARY: 'true',
    PGDATA: '/nowhere',
    PGTZ: 'Asia/Tokyo',
    PGDATESTYLE: 'German',
  };
  const environment = { DATA_DIR: join(parent, 'nonsense'), ...nonsense };
  const other = await ready(environment);
  expect(await command('ledger', ['verify'], environment)).toMatchObject({ code: 0 });
  await other.stop();
  expect(await command('migrate', [], environment)).toMatchObject({ code: 0 });
});
