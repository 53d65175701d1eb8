import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { pino } from 'pino';
import type * as Embedded from '../../src/infra/postgres/embedded.js';
import { compiled } from '../support/compiled.js';
import { ask } from '../support/client.js';
import { Login } from '../support/operations.js';
import { newListener } from '../support/people.js';
import { command, embeddedAddress } from '../support/starting.js';
import { startServer } from '../support/talebank.js';

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'talebank-upgrade-'));
  // As earlier releases left it: the account of Postgres has to pass.
  await chmod(dataDir, 0o755);
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

/** The owners of everything in a database that does not belong to the system. */
const OWNERS = `
  SELECT DISTINCT owner::regrole::text AS owner FROM (
    SELECT relowner, relnamespace FROM pg_class UNION ALL
    SELECT typowner, typnamespace FROM pg_type UNION ALL
    SELECT proowner, pronamespace FROM pg_proc UNION ALL
    SELECT stxowner, stxnamespace FROM pg_statistic_ext UNION ALL
    SELECT nspowner, oid FROM pg_namespace WHERE nspname <> 'public'
  ) owned (owner, namespace) JOIN pg_namespace n ON n.oid = namespace
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'`;

/** As earlier releases worked: the superuser owns everything, and the server is the superuser. */
async function liveAsSuperuser(): Promise<{ id: string; email: string }> {
  const { startEmbeddedPostgres } = await compiled<typeof Embedded>('infra/postgres/embedded.js');
  const postgres = await startEmbeddedPostgres({
    folder: join(dataDir, 'postgres'),
    log: pino({ level: 'silent' }),
  });
  const server = await startServer({ DATA_DIR: dataDir, DATABASE_URL: postgres.url, SEED: 'true' });
  const { id, email } = await newListener(server.url);
  await server.stop();
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  // What an operator may have added, and what can be owned besides tables.
  await client.query(`
    CREATE EXTENSION pgcrypto;
    CREATE SCHEMA "my reports";
    CREATE TABLE "my reports"."Daily; DROP" (id int GENERATED ALWAYS AS IDENTITY, at timestamptz, note text);
    CREATE VIEW "my reports".latest AS SELECT at FROM "my reports"."Daily; DROP";
    CREATE STATISTICS "my reports".both ON at, note FROM "my reports"."Daily; DROP";
    CREATE TYPE "my reports".pair AS (a int, b int);
    CREATE DOMAIN "my reports".name AS text;
    CREATE SEQUENCE "my reports".numbers;
    CREATE FUNCTION "my reports".twice(integer) RETURNS integer LANGUAGE sql AS 'SELECT 2 * $1'`);
  expect((await client.query(OWNERS)).rows).toEqual([{ owner: 'postgres' }]);
  await client.end();
  await postgres.close();
  return { id, email };
}

test('a cluster of an earlier release is given to the role in place, and goes on as it was', async () => {
  const { id, email } = await liveAsSuperuser();
  const environment = { DATA_DIR: dataDir, SEED: 'true' };
  const first = await startServer(environment);
  const lines = first.logs().filter(({ msg }) => msg === 'database given to the role that owns it');
  expect(lines).toHaveLength(1);
  const { login } = await ask(first.url, Login, { input: { email, password: 'a good password' } });
  expect(login.user.id).toBe(id);
  const client = new pg.Client({ connectionString: await embeddedAddress(dataDir) });
  await client.connect();
  // What comes with an extension stays with it.
  const { rows } = await client.query<{ owner: string }>(OWNERS);
  expect(rows.map(({ owner }) => owner).sort()).toEqual(['postgres', 'talebank']);
  const left = await client.query<{ count: number }>(`
    SELECT count(*)::int AS count FROM pg_proc p
    WHERE proowner = 'postgres'::regrole AND pronamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')`);
  expect(left.rows).toEqual([{ count: 0 }]);
  // The owner can replace its functions and change its tables, as later migrations do.
  await client.query('ALTER TABLE users ADD COLUMN later int');
  await client.query('ALTER TABLE users DROP COLUMN later');
  await client.query('ALTER TABLE "my reports"."Daily; DROP" ADD COLUMN later int');
  await client.end();
  await first.stop();

  const second = await startServer(environment);
  expect(second.output()).not.toContain('database given');
  await second.stop();
  const { code, said } = await command('ledger', ['verify'], environment);
  expect(said).toMatch(/Sound: \d+ accounts, [1-9]\d* transactions/);
  expect(code).toBe(0);
});
