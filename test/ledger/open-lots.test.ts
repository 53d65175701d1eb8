import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import type * as Books from '../../src/services/ledger/books.sql.js';
import type * as MaintenanceSql from '../../src/services/maintenance/maintenance.sql.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { countBlocks } from '../support/blocks.js';
import { createDatabase, MID_MONTH, type TestDatabase } from '../support/cluster.js';
import { debit, grant, refund } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';

/** Open lots are found by indexes that a debit leaves alone. */
const HOUR_MS = 3_600_000;

let database: TestDatabase;
let app: OpenApp;
let books: typeof Books;

beforeAll(async () => {
  database = await createDatabase({ clockAt: MID_MONTH });
  app = await openTestApp(database);
  books = await compiled<typeof Books>('services/ledger/books.sql.js');
});
afterAll(async () => {
  await app.close(1000);
  await database.drop();
});

interface Updates {
  readonly all: number;
  readonly hot: number;
}

const updatesOf = async (table: string): Promise<Updates> =>
  (
    await database.sql<Updates>(
      `SELECT n_tup_upd::int AS all, n_tup_hot_upd::int AS hot FROM pg_stat_user_tables WHERE relname = $1`,
      [table],
    )
  )[0] ?? { all: 0, hot: 0 };

/** A connection tells what it has counted within some seconds. */
const counted = (table: string, updates: number): Promise<void> =>
  until('the updates are counted', async () => (await updatesOf(table)).all >= updates);

test('nine of ten debits and more write no entry into any index of lots and accounts', async () => {
  const ACCOUNTS = 1_500;
  const AT_ONCE = 50;
  const users = await makeAccounts(database, ACCOUNTS);
  const expiresAt = database.ledgerTime(HOUR_MS);
  await Promise.all(
    users.map((user) => grant(app, user, { amount: 1_000, source: 'EVENT', expiresAt })),
  );
  const tables = ['credit_lots', 'credit_accounts'];
  // While its workers read a table, what is dead stays there and takes the room of new rows.
  for (const table of tables)
    await database.sql(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  await counted('credit_accounts', ACCOUNTS);
  // What the grants have left dead is removed, as it is before people come back to spend.
  for (const table of tables) await database.sql(`VACUUM ${table}`);
  const before = await Promise.all(tables.map(updatesOf));
  // Those who are served together are not neighbours, as it is with people who come by themselves.
  for (let first = 0; first < ACCOUNTS / AT_ONCE; first += 1)
    await Promise.all(
      users
        .filter((_, place) => place % (ACCOUNTS / AT_ONCE) === first)
        .map((user) => debit(app, user, 3)),
    );
  for (const [index, table] of tables.entries()) {
    const { all, hot } = before[index] ?? { all: 0, hot: 0 };
    await counted(table, all + ACCOUNTS);
    const after = await updatesOf(table);
    expect((after.hot - hot) / (after.all - all)).toBeGreaterThan(0.9);
  }
});

test('a lot is closed when its last point is taken, and open again when one comes back', async () => {
  const [userId] = (await makeAccounts(database, 1)) as [UserId];
  await grant(app, userId, { amount: 4 });
  const isOpen = async (): Promise<boolean[]> => {
    const open = await database.sql<{ is_open: boolean }>(
      'SELECT is_open FROM credit_lots WHERE user_id = $1',
      [userId],
    );
    return open.map((lot) => lot.is_open);
  };
  await debit(app, userId, 3);
  expect(await isOpen()).toEqual([true]);
  const { debitSeq } = await debit(app, userId, 1);
  expect(await isOpen()).toEqual([false]);
  await refund(app, userId, debitSeq ?? 0);
  expect(await isOpen()).toEqual([true]);
});

/** Lots as after years of use, a few of which hold points. The rest of their history is not read here. */
const giveEmptyLots = (userId: UserId, count: number, open: number): Promise<unknown> =>
  database.sql(
    `INSERT INTO credit_lots (user_id, id, source, priority, granted, remaining, granted_at, expires_at)
     SELECT $1, gen_random_uuid(), 'EVENT', 10, 5, CASE WHEN n <= $3 THEN 5 ELSE 0 END,
       ledger_now() - interval '2 days', ledger_now() - interval '1 day' - n * interval '1 second'
     FROM generate_series(1, $2::int) n`,
    [userId, count, open],
  );

test('the open lots of an account with ten thousand are found by reading a few blocks', async () => {
  const [userId] = (await makeAccounts(database, 1)) as [UserId];
  await giveEmptyLots(userId, 10_000, 3);
  await database.sql('ANALYZE credit_lots');
  const { result, blocks } = await countBlocks(app, ['credit_lots'], (tx) =>
    books.readOpenLots(tx as never, [userId]),
  );
  expect(result.length).toBe(3);
  expect(blocks).toBeLessThan(15);
});

test('the sweep finds its next lots by reading a few blocks, however many have lapsed at the same instant', async () => {
  const [userId] = (await makeAccounts(database, 1)) as [UserId];
  await giveEmptyLots(userId, 5_000, 0);
  await database.sql(
    `INSERT INTO credit_lots (user_id, id, source, priority, granted, remaining, granted_at, expires_at)
     SELECT $1, gen_random_uuid(), 'EVENT', 10, 5, 5, $2::timestamptz - interval '1 day', $2
     FROM generate_series(1, 5000)`,
    [userId, database.ledgerTime(-HOUR_MS)],
  );
  await database.sql('ANALYZE credit_lots');
  const { readLapsedLots } = await compiled<typeof MaintenanceSql>(
    'services/maintenance/maintenance.sql.js',
  );
  const until = database.ledgerTime();
  const { result, blocks } = await countBlocks(app, ['credit_lots'], async (tx) => {
    const page = { until, limit: 20, lane: { number: 0, of: 1 } };
    const first = await readLapsedLots(tx, { ...page, after: null });
    const second = await readLapsedLots(tx, { ...page, after: first.next });
    return [...first.rows, ...second.rows];
  });
  expect(new Set(result.map(({ lotId }) => lotId)).size).toBe(40);
  // The planner looks for the ends of the index, too. Sorting the lots of one instant would read many hundred.
  expect(blocks).toBeLessThan(400);
});

test('the expiries of earlier lots are not read for a lot that has lapsed by the clock', async () => {
  const [userId] = (await makeAccounts(database, 1)) as [UserId];
  const now = database.ledgerTime();
  await giveEmptyLots(userId, 1, 1);
  const [lot] = await database.sql<{ id: string; expires_at: Date }>(
    'SELECT id, expires_at FROM credit_lots WHERE user_id = $1',
    [userId],
  );
  // None took effect at the lot's expiry, so a search for that one reads all of them, or all allocations of the lot.
  await database.sql(
    `INSERT INTO credit_transactions (user_id, seq, id, format, type, amount, balance_after, idempotency_key, effective_at,
       recorded_at, hash)
     SELECT $1, n, gen_random_uuid(), 2, 'EXPIRY', -1, 5, 'test:' || n, $2::timestamptz - n * interval '1 second',
       ledger_now(), sha256('')
     FROM generate_series(1, 3000) n`,
    [userId, lot?.expires_at],
  );
  await database.sql(
    `INSERT INTO credit_allocations (user_id, seq, ordinal, lot_id, amount)
     SELECT $1, n, 1, $2, -1 FROM generate_series(1, 3000) n`,
    [userId, lot?.id],
  );
  await database.sql('ANALYZE credit_transactions, credit_allocations');
  const tables = ['credit_transactions', 'credit_allocations', 'credit_lots'];
  const { result, blocks } = await countBlocks(app, tables, (tx) =>
    books.readLotsOf(tx as never, [{ userId, lotId: lot?.id ?? '' }], now),
  );
  expect(result).toMatchObject([{ remaining: 5, lapseBooked: false, expireKeyTaken: false }]);
  // The planner looks into the indexes, too.
  expect(blocks).toBeLessThan(60);
});
