import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, expect, test } from '@jest/globals';
import { faultsOf, loadParser } from '../support/migration-rules.js';

/** Earlier ones are applied while every process is stopped. */
const SIDE_BY_SIDE_SINCE = '20261130230500';
const FOLDER = 'prisma/migrations';

beforeAll(loadParser);

const migrations = readdirSync(FOLDER).filter(
  (name) => name >= SIDE_BY_SIDE_SINCE && !name.endsWith('.toml'),
);

test.each(migrations)('processes of the earlier release run on during and after %s', (name) => {
  const faults = faultsOf(readFileSync(`${FOLDER}/${name}/migration.sql`, 'utf8'));
  expect(faults.filter(({ kind }) => kind === 'breaks')).toEqual([]);
  // A wait is allowed where operators are told of it.
  const told = readFileSync('docs/operations.md', 'utf8').includes(`\`${name}\``);
  if (!told) expect(faults).toEqual([]);
});

const BREAKING = [
  'DROP TABLE notices',
  'DROP FUNCTION f()',
  'ALTER TABLE notices DROP COLUMN a',
  'ALTER TABLE notices RENAME COLUMN a TO b',
  'ALTER TABLE notices RENAME TO messages',
  'ALTER TABLE notices ADD COLUMN a INT NOT NULL',
  'ALTER TABLE notices ALTER COLUMN a SET NOT NULL',
  'ALTER TABLE notices ALTER COLUMN a TYPE bigint',
  'ALTER TABLE notices ALTER COLUMN a DROP DEFAULT',
  'ALTER TABLE secrets ADD CONSTRAINT c UNIQUE (a)',
  'CREATE UNIQUE INDEX i ON secrets (a)',
  "DO $$ BEGIN EXECUTE 'DROP TABLE notices'; END $$",
  'TRUNCATE notices',
];
const WAITING = [
  'ALTER TABLE notices ADD COLUMN a TIMESTAMPTZ DEFAULT clock_timestamp()',
  'ALTER TABLE notices ADD COLUMN a INT GENERATED ALWAYS AS (b + 1) STORED',
  'ALTER TABLE notices ADD COLUMN a INT CHECK (a > 0)',
  'ALTER TABLE credit_lots ADD CONSTRAINT c CHECK (a > 0)',
  'ALTER TABLE credit_lots ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES users (id)',
  'CREATE INDEX i ON credit_transactions (a)',
  'ALTER TABLE secrets ADD COLUMN a INT; CREATE INDEX i ON secrets (a)',
  'ALTER TABLE secrets ADD COLUMN a INT; UPDATE secrets SET a = 1',
  'UPDATE stories SET a = 1',
  'LOCK TABLE users',
];
const HONEST = [
  'ALTER TABLE notices ADD COLUMN a INT',
  "ALTER TABLE notices ADD COLUMN a TEXT[] NOT NULL DEFAULT '{}', ADD COLUMN b INT NOT NULL DEFAULT 0",
  'ALTER TABLE credit_lots ADD CONSTRAINT c CHECK (a > 0) NOT VALID',
  'CREATE TABLE t (a INT NOT NULL); CREATE UNIQUE INDEX i ON t (a); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)',
  'DROP INDEX i',
  'ALTER TABLE credit_lots VALIDATE CONSTRAINT c',
  'CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$',
];

test.each(BREAKING)('%s breaks processes of the earlier release', (sql) => {
  expect(faultsOf(sql).map(({ kind }) => kind)).toContain('breaks');
});
test.each(WAITING)('%s makes processes of the earlier release wait', (sql) => {
  expect(faultsOf(sql).map(({ kind }) => kind)).toEqual(['waits']);
});
test.each(HONEST)('%s is allowed', (sql) => {
  expect(faultsOf(sql)).toEqual([]);
});
