import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from '@jest/globals';
import type * as Migrations from '../../src/infra/migrations.js';
import { createDatabase, type TestDatabase } from './cluster.js';
import { compiled } from './compiled.js';

const PRISMA = fileURLToPath(new URL('../../prisma', import.meta.url));
const ROWS = fileURLToPath(new URL('../ledger/fixtures/before-format-2.sql', import.meta.url));
const LAST_OF_BEFORE = '20261129170000_search';

const SCHEMA = join(PRISMA, 'schema.prisma');

/** A ledger of the release before format 2 of the chain: the migrations of before, and the rows. */
export async function earlierDatabase(): Promise<TestDatabase> {
  const database = await createDatabase({ locale: '' });
  const before = await mkdtemp(join(tmpdir(), 'talebank-migrations-'));
  const { applyMigrations } = await compiled<typeof Migrations>('infra/migrations.js');
  await cp(join(PRISMA, 'migrations'), before, { recursive: true });
  for (const name of await readdir(before))
    if (/^\d/.test(name) && name > LAST_OF_BEFORE)
      await rm(join(before, name), { recursive: true, force: true });
  await applyMigrations(database.url, { schema: SCHEMA, folder: before });
  await rm(before, { recursive: true, force: true });
  await database.sql(await readFile(ROWS, 'utf8'));
  return database;
}

/** The same ledger, upgraded by the migrations since then. */
export async function upgradedDatabase(): Promise<TestDatabase> {
  const database = await earlierDatabase();
  const { applyMigrations, schemaDrift } = await compiled<typeof Migrations>('infra/migrations.js');
  const files = { schema: SCHEMA, folder: join(PRISMA, 'migrations') };
  await applyMigrations(database.url, files);
  expect(await schemaDrift(database.url, files)).toBe('');
  await database.startClock('2026-03-13T09:01:00.000Z');
  return database;
}
