import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type { LotId, UserId } from '../../src/domain/ids.js';
import { monthOf } from '../../src/domain/ledger/month.js';
import type * as Placement from '../../src/infra/citus/placement.js';
import type * as Statements from '../../src/infra/citus/statements.js';
import type * as Allowances from '../../src/services/ledger/allowances.js';
import type * as SettleAttempt from '../../src/services/narrations/settle-attempt.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, MID_MONTH, type TestDatabase } from '../support/cluster.js';
import { debit, grant, refund, revoke, revokePart } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { expectSoundLedger } from '../support/invariants.js';
import { machineClock, V8_FLAGS } from '../support/machine.js';
import { partitionByUser, placesOf, scansOf } from '../support/partitions.js';

const DISTRIBUTE = fileURLToPath(new URL('../../dist/cli/distribute.js', import.meta.url));
const DAY_MS = 86_400_000;

let database: TestDatabase;
let partitioned: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
  partitioned = await createDatabase({ clockAt: MID_MONTH });
});
afterAll(async () => {
  await database.drop();
  await partitioned.drop();
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const distribute = (...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      [...V8_FLAGS, DISTRIBUTE, ...args],
      { env: { ...machineClock(), DATABASE_URL: database.url } },
      (error, stdout, stderr) => {
        resolve({ code: Number(error?.code ?? 0), stdout, stderr });
      },
    );
  });

describe('npm run distribute', () => {
  test('refuses a database without Citus in one sentence, and says what to read', async () => {
    const { code, stdout, stderr } = await distribute();
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^DATABASE_URL: .* does not have the extension citus.*docs\/citus\.md/);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  test('plans every table with a user, and everything that these tables refer to', async () => {
    const { code, stdout } = await distribute('--plan');
    expect(code).toBe(0);
    const named = (pattern: RegExp): string[] =>
      [...stdout.matchAll(pattern)].map(([, name = '']) => name).sort();
    const owned = await database.sql<{ name: string }>(
      `SELECT relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname = 'user_id' AND a.attnotnull`,
    );
    const distributed = named(/create_distributed_table\('public\.(\w+)', 'user_id'/g);
    expect(distributed).toEqual(owned.map(({ name }) => name).sort());
    const copied = named(/create_reference_table\('public\.(\w+)'/g);
    expect(copied).toEqual(expect.arrayContaining(['stories', 'users', 'voices']));
    const keys = await database.sql<{ name: string; target: string; columns: string[] }>(
      `SELECT k.conname AS name, t.relname AS target, ARRAY(SELECT attname::text FROM pg_attribute
         WHERE attrelid = k.conrelid AND attnum = k.conkey[1]) AS columns
       FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
       WHERE k.contype = 'f' AND c.relname = ANY($1)`,
      [distributed],
    );
    expect(keys.length).toBeGreaterThan(10);
    for (const { name, target, columns } of keys) {
      expect([name, [...distributed, ...copied].includes(target)]).toEqual([name, true]);
      expect([name, columns]).toEqual([name, ['user_id']]);
      expect(named(new RegExp(`(?:DROP|ADD) CONSTRAINT "(${name})"`, 'g'))).toHaveLength(2);
    }
    // Nothing must be taken away from the schema.
    expect(stdout).not.toContain('DROP INDEX');
    expect(stdout.lastIndexOf('DROP CONSTRAINT')).toBeLessThan(
      stdout.indexOf('create_reference_table'),
    );
    const triggers = await database.sql<{ name: string }>(
      `SELECT tgname AS name FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
       WHERE NOT tgisinternal AND relname = ANY($1) ORDER BY tgname`,
      [[...distributed, ...copied]],
    );
    const names = triggers.map(({ name }) => name);
    expect(names.length).toBeGreaterThan(10);
    expect(named(/DROP TRIGGER "(\w+)"/g)).toEqual([...names].sort());
    expect(named(/CREATE TRIGGER (\w+)/g)).toEqual([...names].sort());
    expect(stdout.lastIndexOf('create_distributed_table')).toBeLessThan(
      stdout.indexOf('ADD CONSTRAINT'),
    );
  });
});

test('a migration is split between its statements, and nowhere else', async () => {
  const { statementsOf } = await compiled<typeof Statements>('infra/citus/statements.js');
  const script = `SELECT ';', '''; ' ";" -- a; b
    /* c; */; DO $a$ BEGIN x; y := $$;$$; END $a$; DO $q1$ x; $q1$; SELECT 1`;
  expect(statementsOf(script).map((statement) => statement.trim().slice(0, 8))).toEqual([
    "SELECT '",
    'DO $a$ B',
    'DO $q1$ ',
    'SELECT 1',
  ]);
  for (const name of await readdir('prisma/migrations')) {
    if (!/^\d/.test(name)) continue;
    const sql = await readFile(`prisma/migrations/${name}/migration.sql`, 'utf8');
    const statements = statementsOf(sql);
    expect(statements.join(';')).toBe(sql);
    // Each function, trigger and block is whole.
    for (const one of statements)
      expect([name, (one.split('$$').length - 1) % 2]).toEqual([name, 0]);
  }
});

/** Every command that moves points, for one account each. @returns what is left to lapse */
async function moveAll(app: OpenApp, userId: UserId, admin: UserId): Promise<LotId> {
  const { failNarration } = await compiled<typeof SettleAttempt>(
    'services/narrations/settle-attempt.js',
  );
  const { monthlyGrant } = await compiled<typeof Allowances>('services/ledger/allowances.js');
  const month = monthOf(partitioned.ledgerTime());
  const lapsing = await grant(app, userId, {
    amount: 9,
    source: 'EVENT',
    expiresAt: partitioned.ledgerTime(DAY_MS),
  });
  const { lotId } = await grant(app, userId, { amount: 20 });
  await app.ledger.grantAllowance(monthlyGrant(app.config.credits, month, { userId, amount: 3 }));
  const { debitSeq, audioId } = await debit(app, userId, 4);
  await refund(app, userId, debitSeq ?? 0);
  const failure = { reason: 'A test', code: 'INTERNAL' } as const;
  await failNarration(app, { userId, audioId, attempt: 1 }, failure, null);
  await debit(app, userId, 2);
  await revokePart(app, { userId, lotId }, admin, { amount: 5 });
  await revoke(app, userId, lotId, admin);
  return lapsing.lotId as LotId;
}

test('no statement of the ledger reads or writes another account than it was asked about', async () => {
  const tables = await partitionByUser(partitioned);
  expect(tables).toEqual(expect.arrayContaining(['audios', 'credit_accounts', 'credit_lots']));
  const users = await makeAccounts(partitioned, 24);
  const places = await placesOf(partitioned);
  const [one, admin] = users as [UserId, UserId];
  const other = users.find((id) => places.get(id) !== places.get(one)) ?? admin;
  const asked = [one, other];

  // All have rows, so that a statement which reads too much finds some.
  const before = await openTestApp(partitioned, { MONTHLY_CREDITS: '3' });
  await Promise.all(users.map((userId) => grant(before, userId, { amount: 7 })));
  await Promise.all(users.map((userId) => debit(before, userId, 1)));
  await before.close(1000);

  const scans = async (): Promise<ReadonlyMap<string, number>> => {
    // A session adds its counts when it ends.
    await until('the sessions have ended', async () => {
      const open = await partitioned.sql(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'talebank%'`,
      );
      return open.length === 0;
    });
    return scansOf(partitioned);
  };
  const started = await scans();
  const app = await openTestApp(partitioned, { MONTHLY_CREDITS: '3' });
  const { markDistributed } = await compiled<typeof Placement>('infra/citus/placement.js');
  markDistributed(app.db);
  // One after the other, because a distributed database commits each account by itself.
  const lapsing = [{ userId: one, lotId: await moveAll(app, one, admin) }];
  for (const userId of asked) await debit(app, userId, 1);
  lapsing.push({ userId: other, lotId: await moveAll(app, other, admin) });
  await partitioned.moveClock(2 * DAY_MS);
  for (const lot of lapsing) await app.ledger.expire([lot], { patient: true });
  await app.close(1000);

  const ended = await scans();
  const scanned = [...ended].filter(([name, count]) => count > (started.get(name) ?? 0));
  const isAsked = (name: string): boolean =>
    asked.some((userId) => name.endsWith(`_p${String(places.get(userId))}`));
  expect(scanned.filter(([name]) => !isAsked(name))).toEqual([]);
  // The counts see what was asked about.
  const read = scanned.map(([name]) => name.replace(/_p\d+$/, ''));
  expect(read).toEqual(
    expect.arrayContaining([
      ...['audios', 'credit_accounts', 'credit_allocations', 'credit_lots', 'credit_transactions'],
    ]),
  );
  await expectSoundLedger(partitioned);
});
