import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import type * as Session from '../../src/infra/connections/session.js';
import type * as Credits from '../../src/services/credits/credits.js';
import type * as Reports from '../../src/services/credits/report.js';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import type * as Reconcile from '../../src/services/reconciliation/reconcile.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { debit, grant, refund } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { expectSoundLedger } from '../support/invariants.js';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** What a database, a role or an address may say; none of it may count. */
const hostile = (zone: string, dateStyle: string): Record<string, string> => ({
  timezone: zone,
  datestyle: dateStyle,
  intervalstyle: 'iso_8601',
  search_path: 'pg_catalog',
  bytea_output: 'escape',
  extra_float_digits: '-10',
  standard_conforming_strings: 'off',
  backslash_quote: 'off',
  array_nulls: 'off',
  transform_null_equals: 'on',
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  statement_timeout: '100ms',
  lock_timeout: '1ms',
  idle_in_transaction_session_timeout: '1ms',
  idle_session_timeout: '1s',
  transaction_timeout: '100ms',
});

type Level = 'database' | 'role' | 'address';
const PLACES: readonly [level: Level, zone: string, dateStyle: string][] = [
  ['database', 'America/New_York', 'German'],
  ['role', 'Asia/Kolkata', 'SQL, DMY'],
  ['address', 'Pacific/Auckland', 'Postgres, DMY'],
];

/** The address of a database whose sessions would have other settings. */
async function settled(
  database: TestDatabase,
  level: Level,
  settings: Record<string, string>,
): Promise<string> {
  const url = new URL(database.url);
  if (level === 'address') {
    const options = Object.entries(settings).map(
      ([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`,
    );
    url.searchParams.set('options', options.join(' '));
    return url.href;
  }
  // The address of the tests' own cluster says which zone its sessions have.
  url.searchParams.delete('options');
  const name = url.pathname.slice(1);
  const whom =
    level === 'database' ? `DATABASE ${name}` : `ROLE ${url.username} IN DATABASE ${name}`;
  for (const [setting, value] of Object.entries(settings)) {
    const list = ['datestyle', 'search_path'].includes(setting) ? value : `'${value}'`;
    await database.sql(`ALTER ${whom} SET ${setting} = ${list}`);
  }
  return url.href;
}

/** In milliseconds, as no zone and no style can change them. */
const epoch = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::float8`;

/** Every instant that was stored for the account, as it lies from the clock outside. */
async function storedInstants(
  database: TestDatabase,
  userId: UserId,
): Promise<{ what: string; at: number }[]> {
  return database.sql(
    `SELECT 'granted' AS what, ${epoch('granted_at')} AS at FROM credit_lots WHERE user_id = $1
     UNION ALL SELECT type || ' recorded', ${epoch('recorded_at')} FROM credit_transactions WHERE user_id = $1
     UNION ALL SELECT type || ' effective', ${epoch('effective_at')} FROM credit_transactions
       WHERE user_id = $1 AND type <> 'EXPIRY'
     UNION ALL SELECT 'narration', ${epoch('created_at')} FROM audios WHERE user_id = $1`,
    [userId],
  );
}

/** Points come in, are spent, given back and lapse; at 00:05 on the first the allowance of the month comes. */
async function walk(app: OpenApp, database: TestDatabase): Promise<void> {
  const { runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  );
  const { balanceAt } = await compiled<typeof Credits>('services/credits/credits.js');
  const { creditReport } = await compiled<typeof Reports>('services/credits/report.js');
  const { checkLedger } = await compiled<typeof Reconcile>('services/reconciliation/reconcile.js');
  const expectNow = async (userId: UserId): Promise<void> => {
    const now = database.ledgerTime().getTime();
    for (const { what, at } of await storedInstants(database, userId))
      // A wrong zone or style would move it by more than an hour.
      expect({ what, hours: Math.round(Math.abs(at - now) / (60 * MINUTE_MS)) }).toEqual({
        what,
        hours: 0,
      });
  };

  await database.startClock('2031-05-31T20:30:00.000Z');
  const [userId] = (await makeAccounts(database, 1)) as [UserId];
  // Less than the offset of any of the zones.
  const expiresAt = database.ledgerTime(3 * 60 * MINUTE_MS);
  await grant(app, userId, { amount: 7, source: 'EVENT', expiresAt });
  await expect(
    grant(app, userId, { amount: 1, source: 'EVENT', expiresAt: database.ledgerTime(-MINUTE_MS) }),
  ).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
  const { debitSeq, audioId } = await debit(app, userId, 2);
  await refund(app, userId, debitSeq ?? 0);
  await database.sql(`UPDATE audios SET status = 'FAILED', failure_reason = 'x' WHERE id = $1`, [
    audioId,
  ]);
  await expectNow(userId);
  expect((await runMaintenance(app, 'EXPIRE_CREDITS')).changed).toBe(0);
  await database.moveClock(10 * MINUTE_MS);
  expect(await balanceAt(app, userId, database.ledgerTime(-MINUTE_MS))).toBe(7);
  expect(await balanceAt(app, userId, database.ledgerTime(-15 * MINUTE_MS))).toBe(0);

  // The event's lot has lapsed: only the 5 points of May can be spent, and the sweep books the lapse at its time.
  await database.startClock('2031-05-31T23:40:00.000Z');
  await expect(debit(app, userId, 6)).rejects.toMatchObject({ code: 'INSUFFICIENT_CREDITS' });
  expect((await runMaintenance(app, 'EXPIRE_CREDITS')).changed).toBe(1);
  const [expiry] = await database.sql<{ at: number }>(
    `SELECT ${epoch('effective_at')} AS at FROM credit_transactions WHERE type = 'EXPIRY'`,
  );
  expect(expiry?.at).toBe(expiresAt.getTime());

  await database.startClock('2031-06-01T00:05:00.000Z');
  expect((await runMaintenance(app, 'GRANT_MONTHLY_CREDITS')).changed).toBe(1);
  expect((await runMaintenance(app, 'EXPIRE_CREDITS')).changed).toBe(1);
  const lots = await database.sql(
    `SELECT period, ${epoch('expires_at')} AS at FROM credit_lots WHERE source = 'MONTHLY' ORDER BY period`,
  );
  expect(lots).toEqual([
    { period: '2031-05', at: Date.UTC(2031, 5, 1) },
    { period: '2031-06', at: Date.UTC(2031, 6, 1) },
  ]);
  const may = await creditReport(app, new Date('2031-05-01'), new Date('2031-06-01'));
  expect(may.rows.find(({ source }) => source === 'EVENT')).toMatchObject({
    granted: 7,
    debited: 2,
    refunded: 2,
    expired: 7,
    outstanding: 0,
  });
  await database.moveClock(DAY_MS);
  const june = await creditReport(app, new Date('2031-06-01'), database.ledgerTime(-1000));
  expect(june.runOff).toEqual([{ day: '2031-07-01', points: 5 }]);
  expect((await checkLedger(app)).checks.filter(({ violations }) => violations > 0)).toEqual([]);
  await expectSoundLedger(database);
}

test.each(PLACES)(
  'where the %s has the zone %s and the dates are written as %s, every instant is what it is in UTC',
  async (level, zone, dateStyle) => {
    const database = await createDatabase();
    const url = await settled(database, level, hostile(zone, dateStyle));
    const app = await openTestApp({ ...database, url }, { MONTHLY_CREDITS: '5' });
    try {
      await walk(app, database);
    } finally {
      await app.close(1000);
      await database.drop();
    }
  },
);

test('sessions have their own settings and time-outs, with any settings of the database', async () => {
  const { createClient, createPool } = await compiled<typeof Session>(
    'infra/connections/session.js',
  );
  const database = await createDatabase();
  const url = await settled(database, 'database', hostile('Asia/Tokyo', 'German'));
  const options = {
    purpose: 'test',
    connectTimeoutMs: 60_000,
    limits: { statementMs: 7_000, lockMs: 6_000, idleInTransactionMs: 5_000 },
  };
  const client = createClient(url, options);
  const pool = createPool(url, { ...options, connectionsMax: 1 }, () => undefined);
  try {
    await client.connect();
    const names = [...Object.keys(hostile('', '')), 'application_name', 'client_encoding'];
    const settings = `SELECT ${names.map((name) => `current_setting('${name}') AS ${name}`).join()}`;
    const wanted = {
      timezone: 'UTC',
      datestyle: 'ISO, MDY',
      intervalstyle: 'postgres',
      search_path: 'public',
      bytea_output: 'hex',
      extra_float_digits: '1',
      standard_conforming_strings: 'on',
      backslash_quote: 'safe_encoding',
      array_nulls: 'on',
      transform_null_equals: 'off',
      default_transaction_isolation: 'read committed',
      default_transaction_deferrable: 'off',
      statement_timeout: '7s',
      lock_timeout: '6s',
      idle_in_transaction_session_timeout: '5s',
      idle_session_timeout: '0',
      transaction_timeout: '0',
      application_name: 'talebank-test',
      client_encoding: 'UTF8',
    };
    expect((await client.query(settings)).rows).toEqual([wanted]);
    expect((await pool.query(settings)).rows).toEqual([wanted]);
  } finally {
    await client.end();
    await pool.end();
    await database.drop();
  }
});

test('the options of the database’s address are kept, except for what sessions set', async () => {
  const database = await createDatabase();
  const url = new URL(database.url);
  url.searchParams.set('options', '-c work_mem=8MB -c TimeZone=Asia/Tokyo');
  const app = await openTestApp({ ...database, url: url.href });
  try {
    const settings = await app.db.$queryRaw`
      SELECT current_setting('work_mem') AS memory, current_setting('TimeZone') AS zone`;
    expect(settings).toEqual([{ memory: '8MB', zone: 'UTC' }]);
  } finally {
    await app.close(1000);
    await database.drop();
  }
});

test('every connection is made in the one place that pins its session', async () => {
  const src = fileURLToPath(new URL('../../src/', import.meta.url));
  const files = (await readdir(src, { recursive: true })).filter((path) => path.endsWith('.ts'));
  const makers: string[] = [];
  for (const path of files) {
    const text = await readFile(join(src, path), 'utf8');
    // The class of pools makes no connection itself.
    const isClass = path === 'infra/connections/measured-pool.ts';
    const imports = /^import (?!type ).* from 'pg';$/m.test(text) && !isClass;
    if (imports || text.includes('new MeasuredPool(')) makers.push(path);
  }
  // The superuser of the embedded cluster prepares it with settings of its own.
  expect(makers.sort()).toEqual(['infra/connections/session.ts', 'infra/postgres/owner.ts']);
});

test('an operator’s session with another search_path can change what is followed', async () => {
  const database = await createDatabase();
  try {
    const [userId] = (await makeAccounts(database, 1)) as [UserId];
    await database.sql(`BEGIN; SET LOCAL search_path = pg_catalog;
      UPDATE public.credit_accounts SET last_seq = 1 WHERE user_id = '${userId}'; ROLLBACK`);
  } finally {
    await database.drop();
  }
});
