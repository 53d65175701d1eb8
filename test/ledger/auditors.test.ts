import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import type * as Invariants from '../../src/services/reconciliation/invariants.sql.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { debit, grant, refund, revoke } from '../support/commands.js';
import { compiled } from '../support/compiled.js';

/** The role that docs/ledger.md describes reads the views of the schema audit, and nothing else. */
const DOCUMENT = fileURLToPath(new URL('../../docs/ledger.md', import.meta.url));
const WHOLE = ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'];

const role = `auditor_${randomBytes(6).toString('hex')}`;
let document: string;
let database: TestDatabase;
/** Another database of the same cluster, in which the role has no rights. */
let other: TestDatabase;
let app: OpenApp;
let userId: UserId;
let auditor: pg.Client;

/** The blocks of SQL in a part of the document. */
const sqlBelow = (heading: string): string[] => {
  const part = document.split(`\n${heading}`)[1]?.split(/\n#+ /)[0] ?? '';
  return [...part.matchAll(/```sql\n([^`]*)```/g)].map(([, sql]) => sql ?? '');
};

async function connectAs({ url }: TestDatabase): Promise<pg.Client> {
  const address = new URL(url);
  [address.username, address.password] = [role, 'secret'];
  const client = new pg.Client({ connectionString: address.href });
  await client.connect();
  return client;
}

beforeAll(async () => {
  document = await readFile(DOCUMENT, 'utf8');
  [database, other] = await Promise.all([createDatabase(), createDatabase()]);
  const statements = sqlBelow('### In SQL');
  expect(statements).toHaveLength(2);
  for (const sql of statements)
    await database.sql(sql.replaceAll('talebank_auditor', role).replaceAll('…', 'secret'));
  app = await openTestApp(database);
  const [person, admin] = (await makeAccounts(database, 2)) as [UserId, UserId];
  userId = person;
  const { lotId } = await grant(app, userId, { amount: 10 });
  await grant(app, userId, { amount: 5, source: 'ADD_ON' });
  const { debitSeq } = await debit(app, userId, 7);
  await refund(app, userId, debitSeq ?? 0);
  await revoke(app, userId, lotId, admin);
  await database.sql(
    `UPDATE users SET display_name = 'Private name', password_hash = 'a hash of a password' WHERE id = $1`,
    [userId],
  );
  auditor = await connectAs(database);
});
afterAll(async () => {
  await auditor.end();
  await app.close(1000);
  await database.sql(`DROP OWNED BY ${role}`);
  await database.sql(`DROP ROLE ${role}`);
  await Promise.all([database.drop(), other.drop()]);
});

/** The SQLSTATE that a statement is refused with. */
const refusal = async (sql: string, client = auditor): Promise<string> => {
  try {
    await client.query(sql);
    return 'not refused';
  } catch (error) {
    return (error as pg.DatabaseError).code ?? String(error);
  } finally {
    await client.query('ROLLBACK');
  }
};

const DENIED = '42501';

test('the views have the columns that are documented, in their order', async () => {
  const { rows } = await auditor.query<{ view: string; columns: string }>(`
    SELECT table_name AS view, string_agg(column_name, ', ' ORDER BY ordinal_position) AS columns
    FROM information_schema.columns WHERE table_schema = 'audit' GROUP BY table_name`);
  expect(rows.length).toBeGreaterThan(0);
  const part = document.split('\n### In SQL')[1]?.split(/\n#+ /)[0] ?? '';
  const documented = [...part.matchAll(/^\| `(\w+)` *\|[^|]*\|([^|]*)\|$/gm)].map(
    ([, view = '', columns = '']) => ({ view, columns: columns.replaceAll('`', '').trim() }),
  );
  const byView = (one: { view: string }, two: { view: string }): number =>
    one.view.localeCompare(two.view);
  expect(rows.sort(byView)).toEqual(documented.sort(byView));
});

test('an auditor reads every row of the ledger and of the audit log', async () => {
  for (const table of ['accounts', 'lots', 'transactions', 'allocations'].map(
    (name) => `credit_${name}`,
  )) {
    const [all] = await database.sql<{ count: number }>(
      `SELECT count(*)::int AS count FROM public.${table}`,
    );
    const { rows } = await auditor.query(`SELECT count(*)::int AS count FROM ${table}`);
    expect([table, rows]).toEqual([table, [all]]);
    expect(all?.count).toBeGreaterThan(0);
  }
  const { rows } = await auditor.query(
    'SELECT e.action, e.seq = c.last_seq AND e.hash = c.head_hash AS is_end FROM audit_entries e, audit_chain c',
  );
  expect(rows).toEqual([{ action: 'revokeCreditLot', is_end: true }]);
});

test('no view holds personal data or a secret', async () => {
  const { rows } = await auditor.query<{ view: string }>(
    `SELECT table_name AS view FROM information_schema.tables WHERE table_schema = 'audit'`,
  );
  for (const { view } of rows) {
    const all = await auditor.query(`SELECT to_jsonb(v)::text AS row FROM ${view} v`);
    expect(JSON.stringify(all.rows)).not.toMatch(/@example\.com|Private name|a hash of a password/);
  }
});

test('an auditor reads nothing but the views', async () => {
  const relations = await database.sql<{ name: string; relkind: string }>(`
    SELECT format('%I.%I', nspname, relname) AS name, relkind::text
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND nspname NOT IN ('audit', 'information_schema', 'pg_catalog', 'pg_toast')`);
  expect(relations.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['public.users', 'public.sessions', 'public.credit_lots', 'pgboss.job']),
  );
  const read: string[] = [];
  for (const { name } of relations)
    if ((await refusal(`SELECT FROM ${name}`)) !== DENIED) read.push(name);
  expect(read).toEqual([]);
  // Nor with rights that a function lends.
  const lending = await database.sql(`
    SELECT p.oid::regprocedure AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE prosecdef AND nspname IN ('public', 'audit', 'pgboss')`);
  expect(lending).toEqual([]);
});

test('an auditor writes nothing, even where transactions may write', async () => {
  expect(await refusal('CREATE TEMP TABLE mine (id int)')).toBe('25006');
  await auditor.query('SET default_transaction_read_only = off');
  const writes = [
    'UPDATE credit_lots SET remaining = 0',
    `INSERT INTO audit_chain VALUES (1, '')`,
    'DELETE FROM audit_entries',
    'DELETE FROM public.credit_accounts',
    'TRUNCATE public.credit_lots CASCADE',
    `UPDATE public.users SET role = 'ADMIN'`,
    'CREATE TABLE public.mine (id int)',
    'CREATE VIEW audit.mine AS SELECT 1 AS one',
    'CREATE OR REPLACE FUNCTION public.ledger_now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT now() $$',
    'CREATE SCHEMA mine',
  ];
  const done: string[] = [];
  for (const sql of writes) if ((await refusal(sql)) !== DENIED) done.push(sql);
  expect(done).toEqual([]);
  await auditor.query('RESET default_transaction_read_only');
});

test('a role that is granted one database of the cluster reads no other', async () => {
  const client = await connectAs(other);
  try {
    expect(await refusal('SELECT FROM audit.credit_lots', client)).toBe(DENIED);
    expect(await refusal('SELECT FROM public.credit_lots', client)).toBe(DENIED);
  } finally {
    await client.end();
  }
});

test('the documented queries of the invariants run on the views, and see what is wrong', async () => {
  const { INVARIANTS } = await compiled<typeof Invariants>(
    'services/reconciliation/invariants.sql.js',
  );
  const ofLedger = INVARIANTS.filter(({ number }) => !['12', '13'].includes(number)).map(
    ({ sql }) => sql,
  );
  expect(ofLedger.length).toBeGreaterThan(8);
  const [chain = ''] = sqlBelow('### 9.');
  const [entries = ''] = sqlBelow('### 16.');
  const violations = async (): Promise<number> => {
    let count = (await auditor.query(entries)).rowCount ?? 0;
    for (const sql of [...ofLedger, chain])
      count += (await auditor.query(sql, WHOLE)).rowCount ?? 0;
    return count;
  };
  expect(await violations()).toBe(0);
  const change = (reason: string): Promise<unknown> =>
    database.sql(`
      ALTER TABLE credit_transactions DISABLE TRIGGER USER;
      UPDATE credit_transactions SET reason = '${reason}' WHERE user_id = '${userId}' AND seq = 2;
      ALTER TABLE credit_transactions ENABLE TRIGGER USER`);
  await change('Another');
  expect(await violations()).toBe(1);
  await change('A test');
  expect(await violations()).toBe(0);
});
