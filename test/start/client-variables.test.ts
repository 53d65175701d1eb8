import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { command } from '../support/starting.js';

let database: TestDatabase;
let home: string;

beforeAll(async () => {
  database = await createDatabase();
  home = await mkdtemp(join(tmpdir(), 'talebank-home-'));
});
afterAll(async () => {
  await database.drop();
  await rm(home, { recursive: true, force: true });
});

test('variables of Postgres clients do not change how DATABASE_URL is reached', async () => {
  const variables = {
    PGHOST: '203.0.113.1',
    PGPORT: '9',
    PGUSER: 'root',
    PGOPTIONS: '-c statement_timeout=1 -c search_path=nowhere',
    PGSSLMODE: 'verify-full',
    PGSSLNEGOTIATION: 'direct',
    PGREPLICATION: 'database',
    PGCLIENT_ENCODING: 'latin1',
    PGCONNECT_TIMEOUT: '1',
    PGBINARY: 'true',
    PGSERVICE: 'elsewhere',
    NODE_PG_FORCE_NATIVE: '1',
  };
  const environment = { DATABASE_URL: database.url, ...variables };
  expect(await command('keys', [], environment)).toMatchObject({ code: 0 });
  expect(await command('migrate', [], environment)).toEqual({
    code: 0,
    said: 'Nothing to migrate.',
  });
});

test('a password comes from DATABASE_URL alone, neither from a variable nor from a file', async () => {
  const url = new URL(database.url);
  const password = decodeURIComponent(url.password);
  url.password = '';
  await writeFile(join(home, '.pgpass'), `*:*:*:*:${password}\n`, { mode: 0o600 });
  for (const variables of [
    { HOME: home },
    { PGPASSFILE: join(home, '.pgpass') },
    { PGPASSWORD: password },
  ]) {
    const { code } = await command('migrate', [], { DATABASE_URL: url.href, ...variables });
    expect(code).toBe(1);
  }
});
