import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import type { CreditTransactionType } from '../../src/domain/ledger/chain.js';
import type { CreditSource } from '../../src/domain/ledger/lots.js';
import type * as History from '../../src/services/credits/past/history.sql.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { countBlocks } from '../support/blocks.js';
import { createDatabase, MID_MONTH, type TestDatabase } from '../support/cluster.js';
import { grant } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { expectPlainHistory } from '../support/histories.js';

/** A rare part of a long history is read without reading the rest, and it is the right part. */
const LONG = 30_000;
const HOUR_MS = 3_600_000;
/** An hour after both lots were granted. */
const STARTED_AT = Date.parse(MID_MONTH) + HOUR_MS;
const after = (seconds: number): Date => new Date(STARTED_AT + seconds * 1000);

let database: TestDatabase;
let app: OpenApp;
let userId: UserId;

/**
 * One movement a second: debits, a hundred from each FREE lot, but for ten from an EVENT lot, a REVOCATION, and a lapse of the
 * EVENT lot that was booked three hours after it took effect. Written as it would be, without the chain and the grants, which no
 * history reads.
 */
async function makeLongHistory(): Promise<void> {
  const expiresAt = database.ledgerTime(1000 * HOUR_MS);
  await grant(app, userId, { amount: 100 });
  const { lotId } = await grant(app, userId, { amount: 1000, source: 'EVENT', expiresAt });
  await database.sql(
    `WITH lots AS (
      INSERT INTO credit_lots (user_id, id, source, priority, granted, remaining, granted_at)
      SELECT $1, gen_random_uuid(), 'FREE', 50, 100, 0, $3 FROM generate_series(0, $4::int / 100)
      RETURNING id
    ), free AS (
      SELECT id, row_number() OVER () - 1 AS number FROM lots
    ), planned AS (
      SELECT n AS seq, $3::timestamptz + n * interval '1 second' AS at,
        CASE n WHEN 9000 THEN 'REVOCATION' WHEN 15000 THEN 'EXPIRY' ELSE 'DEBIT' END::credit_transaction_type AS type,
        CASE WHEN n BETWEEN 8001 AND 8010 OR n = 15000 THEN $2::uuid ELSE free.id END AS lot_id
      FROM generate_series(3, $4::int) n JOIN free ON free.number = n / 100
    ), moved AS (
      INSERT INTO credit_transactions (user_id, seq, id, format, type, amount, balance_after, audio_id, effective_at, recorded_at, hash)
      SELECT $1, seq, gen_random_uuid(), 2, type, -1, 1, CASE type WHEN 'DEBIT' THEN gen_random_uuid() END,
        at - CASE type WHEN 'EXPIRY' THEN interval '3 hours' ELSE interval '0' END, at, sha256('')
      FROM planned ORDER BY seq
    ), allocated AS (
      INSERT INTO credit_allocations (user_id, seq, ordinal, lot_id, amount) SELECT $1, seq, 1, lot_id, -1 FROM planned ORDER BY seq
    )
    UPDATE credit_accounts SET last_seq = $4::int WHERE user_id = $1`,
    [userId, lotId, after(0), LONG],
  );
  await database.sql('ANALYZE');
}

let history: typeof History;
beforeAll(async () => {
  database = await createDatabase({ clockAt: MID_MONTH });
  app = await openTestApp(database);
  history = await compiled<typeof History>('services/credits/past/history.sql.js');
  [userId] = (await makeAccounts(database, 1)) as [UserId];
  await makeLongHistory();
});
afterAll(async () => {
  await app.close(1000);
  await database.drop();
});

const audioOf = async (seq: number): Promise<string | null> => {
  const [row] = await database.sql<{ id: string }>(
    'SELECT audio_id AS id FROM credit_transactions WHERE user_id = $1 AND seq = $2',
    [userId, seq],
  );
  return row?.id ?? null;
};

/** To read the rest takes more than a thousand. */
const BLOCKS_MAX = 400;
const TABLES = ['credit_transactions', 'credit_allocations', 'credit_lots', 'credit_accounts'];

type Part = Partial<Omit<History.HistorySelection, 'audioId'>> & { readonly narrationAt?: number };

test.each<[string, Part, readonly number[]]>([
  ['a type', { types: ['REVOCATION'] }, [9000]],
  ['types', { types: ['REVOCATION', 'EXPIRY', 'GRANT'] }, [15_000, 9000, 2, 1]],
  ['a source', { sources: ['EVENT'] }, [15_000, 8010, 8009, 8008, 8007]],
  ['a type of a source', { types: ['DEBIT'], sources: ['EVENT'] }, [8010, 8009, 8008, 8007, 8006]],
  ['a narration', { narrationAt: 8005 }, [8005]],
  ['a narration of its source', { narrationAt: 8005, sources: ['EVENT'] }, [8005]],
  ['a narration of another source', { narrationAt: 8005, sources: ['FREE'] }, []],
  ['the beginning', { to: after(0) }, [2, 1]],
  ['the end', { from: after(LONG - 2) }, [LONG, LONG - 1, LONG - 2]],
  ['a few seconds', { from: after(8000), to: after(8003) }, [8002, 8001, 8000]],
  ['a source in them', { sources: ['EVENT'], from: after(8009), to: after(8012) }, [8010, 8009]],
  ['a lapse that was booked late', { types: ['EXPIRY'], to: after(4201) }, [15_000]],
  ['it, by its source', { sources: ['EVENT'], from: after(4199), to: after(4201) }, [15_000]],
])('%s is read from either end without the rest', async (_name, part, numbers) => {
  const { narrationAt, ...given } = part;
  const audioId = narrationAt === undefined ? null : await audioOf(narrationAt);
  const selection = { types: null, sources: null, from: null, to: null, ...given, audioId };
  for (const backward of [false, true]) {
    const window = { limit: 4, backward, after: null, before: null };
    const query = history.historyQuery({ userId, window, selection });
    const { result, blocks } = await countBlocks(app, TABLES, (tx) =>
      tx.$queryRaw<{ seq: number }[]>(query),
    );
    expect(blocks).toBeLessThan(BLOCKS_MAX);
    const found = result.map(({ seq }) => seq);
    // From its end, another page of the same.
    if (backward) expect(found).toHaveLength(numbers.length);
    else expect(found).toEqual(numbers);
  }
});

/** Near what is rare, or anywhere. */
const number = fc.oneof(
  ...[1, 8001, 8010, 9000, 15_000].map((at) => fc.integer({ min: at - 3, max: at + 3 })),
  fc.integer({ min: 1, max: LONG }),
);
const instant = number.map(after);
const maybe = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | null> =>
  fc.option(value, { freq: 1 });
const TYPES: CreditTransactionType[] = ['DEBIT', 'REVOCATION', 'EXPIRY'];

test('a part of a source is what is left of the whole, wherever in a long history it is', async () => {
  let found = 0;
  const wanted = fc.record({
    window: fc.record({
      limit: fc.integer({ min: 1, max: 6 }),
      backward: fc.boolean(),
      after: maybe(number),
      before: maybe(number),
    }),
    selection: fc.record({
      types: maybe(fc.subarray(TYPES, { minLength: 1 })),
      sources: fc.constantFrom<CreditSource[]>(['EVENT'], ['EVENT', 'ADD_ON'], ['FREE']),
      audioId: fc.constant(null),
      from: maybe(instant),
      to: maybe(instant),
    }),
  });
  await fc.assert(
    fc.asyncProperty(wanted, async (part) => {
      found += await expectPlainHistory(database, app, { userId, ...part });
    }),
    { numRuns: 100, endOnFailure: true },
  );
  expect(found).toBeGreaterThan(50);
});
