import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import type { CreditTransactionType } from '../../src/domain/ledger/chain.js';
import type { CreditSource } from '../../src/domain/ledger/lots.js';
import type * as Past from '../../src/services/credits/past/balance-at.sql.js';
import type * as Series from '../../src/services/credits/past/series.sql.js';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { countBlocks } from '../support/blocks.js';
import { createDatabase, MID_MONTH, type TestDatabase } from '../support/cluster.js';
import { debit, grant, outcome, refund, revoke } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { expectPlainHistory } from '../support/histories.js';

/**
 * A balance in the past is what the sum of the movements comes to, however late a lapse was booked; and a part of the history is
 * what is left of the whole.
 */
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let database: TestDatabase;
let app: OpenApp;
let past: typeof Past;
let series: typeof Series;
let sweep: () => Promise<unknown>;
let admin: UserId;
let movedMs = 0;

beforeAll(async () => {
  database = await createDatabase({ clockAt: MID_MONTH });
  app = await openTestApp(database);
  past = await compiled<typeof Past>('services/credits/past/balance-at.sql.js');
  series = await compiled<typeof Series>('services/credits/past/series.sql.js');
  const { runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  );
  sweep = () => runMaintenance(app, 'EXPIRE_CREDITS');
  [admin] = (await makeAccounts(database, 1)) as [UserId];
});
afterAll(async () => {
  await app.close(1000);
  await database.drop();
});

async function passTime(ms: number): Promise<void> {
  movedMs += ms;
  await database.moveClock(movedMs);
}

/** The sum that the balance stands for: of the lots that were alive, what had taken effect. */
const PLAIN_SUM = `
  SELECT coalesce(sum(a.amount), 0)::int AS balance
  FROM credit_lots l
  JOIN credit_allocations a ON a.user_id = l.user_id AND a.lot_id = l.id
  JOIN credit_transactions t ON t.user_id = a.user_id AND t.seq = a.seq
  WHERE l.user_id = $1 AND l.granted_at <= i.at AND (l.expires_at IS NULL OR i.at < l.expires_at)
    AND (l.revoked_at IS NULL OR i.at < l.revoked_at) AND t.effective_at <= i.at`;

/** Every instant at which something about an account changed, the milliseconds around it, and an hour before and after. */
const INSTANTS = `
  SELECT DISTINCT at + ms * interval '1 millisecond' AS at
  FROM (
    SELECT recorded_at AS at FROM credit_transactions WHERE user_id = $1
    UNION SELECT effective_at FROM credit_transactions WHERE user_id = $1
    UNION SELECT unnest(ARRAY[granted_at, expires_at, revoked_at]) FROM credit_lots WHERE user_id = $1
  ) changes, unnest(ARRAY[-3600000, -3599999, -1, 0, 1, 3600000, 3600001]) ms
  WHERE at + ms * interval '1 millisecond' <= ledger_now()`;

async function expectPlainSums(userId: UserId): Promise<number> {
  const right = await database.sql<{ at: Date; balance: number }>(
    `SELECT i.at, s.balance FROM (${INSTANTS}) i, LATERAL (${PLAIN_SUM}) s ORDER BY i.at`,
    [userId],
  );
  const found = await Promise.all(
    right.map(async ({ at }) => ({
      at,
      balance: await past.readBalanceAt(app.points, userId, at),
    })),
  );
  expect(found).toEqual(right);
  const instants = right.map(({ at }) => at);
  expect(await series.readBalancesAt(app.points, userId, instants)).toEqual(right);
  return right.length;
}

const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('grant' as const),
      amount: fc.integer({ min: 1, max: 20 }),
      minutes: fc.option(fc.integer({ min: 1, max: 300 }), { freq: 5 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('debit' as const),
      price: fc.integer({ min: 1, max: 25 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('refund' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('revoke' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'sweep' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      // A set-back of less than five minutes lets the account's time stand still.
      minutes: fc.oneof(
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: -4, max: -1 }),
        fc.constant(3 * 24 * 60),
      ),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

const pickOf = <Value>(values: readonly Value[], pick: number): Value | undefined =>
  values[pick % Math.max(1, values.length)];

async function take(userId: UserId, { lots, debits }: Account, one: Step): Promise<void> {
  if (one.kind === 'wait') {
    const setBackMs = database.setBackMs() - one.minutes * MINUTE_MS;
    return setBackMs < 5 * MINUTE_MS ? passTime(one.minutes * MINUTE_MS) : undefined;
  }
  if (one.kind === 'sweep') {
    await sweep();
  } else if (one.kind === 'grant') {
    const expiresAt =
      one.minutes === null ? null : database.ledgerTime((one.minutes + 6) * MINUTE_MS);
    const source = expiresAt === null ? 'FREE' : 'EVENT';
    lots.push((await grant(app, userId, { amount: one.amount, source, expiresAt })).lotId);
  } else if (one.kind === 'debit') {
    const done = await outcome(debit(app, userId, one.price));
    if (typeof done !== 'string' && done.debitSeq !== null) debits.push(done.debitSeq);
  } else if (one.kind === 'refund') {
    const debitSeq = pickOf(debits, one.pick);
    if (debitSeq !== undefined) await refund(app, userId, debitSeq);
  } else {
    const lotId = pickOf(lots, one.pick);
    if (lotId !== undefined) await outcome(revoke(app, userId, lotId, admin));
  }
}

interface Account {
  readonly lots: string[];
  readonly debits: number[];
}

test('a balance in the past is the sum of what had been moved, with late sweeps, grace lots and a clock set back', async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const [userId] = (await makeAccounts(database, 1)) as [UserId];
      const account: Account = { lots: [], debits: [] };
      for (const one of steps) await take(userId, account, one);
      // A clock that is behind the account would leave its newest movements out of the comparison.
      await passTime(5 * MINUTE_MS);
      compared += await expectPlainSums(userId);
    }),
    { numRuns: 25, endOnFailure: true },
  );
  expect(compared).toBeGreaterThan(500);
});

test('a lapse that was booked days later counts from when it took effect', async () => {
  const [userId] = (await makeAccounts(database, 1)) as [UserId];
  const expiresAt = database.ledgerTime(HOUR_MS);
  await grant(app, userId, { amount: 10, source: 'EVENT', expiresAt });
  await grant(app, userId, { amount: 5 });
  await debit(app, userId, 3);
  const balances = (): Promise<(number | null)[]> =>
    Promise.all(
      [-1, 0, 30 * HOUR_MS].map((ms) =>
        past.readBalanceAt(app.points, userId, new Date(expiresAt.getTime() + ms)),
      ),
    );
  await passTime(31 * HOUR_MS + MINUTE_MS);
  expect(await balances()).toEqual([12, 5, 5]);
  await sweep();
  expect(await balances()).toEqual([12, 5, 5]);
  await passTime(24 * HOUR_MS);
  expect(await balances()).toEqual([12, 5, 5]);
  await expectPlainSums(userId);
});

test('an instant that has not come has no balance, and an account without movements has had none', async () => {
  const [userId] = (await makeAccounts(database, 1)) as [UserId];
  expect(await past.readBalanceAt(app.points, userId, database.ledgerTime(MINUTE_MS))).toBeNull();
  expect(await past.readBalanceAt(app.points, userId, database.ledgerTime(-MINUTE_MS))).toBe(0);
});

test('of a long history only a few rows are read', async () => {
  const [userId] = (await makeAccounts(database, 1)) as [UserId];
  const { lotId } = await grant(app, userId, { amount: 100_000 });
  // Written as it would be, without the chain, which no balance reads.
  await database.sql(
    `WITH moved AS (
      INSERT INTO credit_transactions (user_id, seq, id, format, type, amount, balance_after, effective_at, recorded_at, hash)
      SELECT user_id, n, gen_random_uuid(), 2, 'DEBIT', -1, 100001 - n, recorded_at + n * interval '1 second',
        recorded_at + n * interval '1 second', hash
      FROM credit_transactions, generate_series(2, 20000) n WHERE user_id = $1 RETURNING user_id, seq
    ), allocated AS (
      INSERT INTO credit_allocations (user_id, seq, ordinal, lot_id, amount) SELECT user_id, seq, 1, $2, -1 FROM moved
    ), account AS (UPDATE credit_accounts SET last_seq = 20000 WHERE user_id = $1)
    UPDATE credit_lots SET remaining = remaining - 19999 WHERE user_id = $1`,
    [userId, lotId],
  );
  // Statistics from before would say that there is one movement, and the sum would be planned for that.
  await database.sql('ANALYZE credit_transactions, credit_allocations, credit_lots');
  await passTime(24 * HOUR_MS);
  const at = database.ledgerTime(-18 * HOUR_MS);
  const tables = ['credit_transactions', 'credit_allocations', 'credit_lots'];
  const { blocks } = await countBlocks(app, tables, (tx) =>
    tx.$queryRaw(past.balanceAtQuery(userId, at)),
  );
  // The history alone has many hundred.
  expect(blocks).toBeLessThan(400);
  await expectPlainSumsAt(userId, at);
});

async function expectPlainSumsAt(userId: UserId, at: Date): Promise<void> {
  const [row] = await database.sql<{ balance: number }>(
    PLAIN_SUM.replaceAll('i.at', '$2::timestamptz'),
    [userId, at],
  );
  expect(await past.readBalanceAt(app.points, userId, at)).toBe(row?.balance);
}

const TYPES = ['GRANT', 'DEBIT', 'REFUND', 'EXPIRY', 'REVOCATION'] as const;
const SOURCES = ['EVENT', 'FREE'] as const;

const rarely = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | null> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: value });

/** What of a history is read, and where in it: numbers pick from what is there. */
const part = fc.record({
  types: rarely(fc.subarray<CreditTransactionType>([...TYPES])),
  sources: fc.option(fc.subarray<CreditSource>([...SOURCES], { minLength: 1 }), { freq: 1 }),
  audio: rarely(fc.nat()),
  from: rarely(fc.nat()),
  to: rarely(fc.nat()),
  // Short pages, so that a walk of a few times as many ends before the history.
  limit: fc.constantFrom(1, 1, 2, 5),
  backward: fc.boolean(),
  after: rarely(fc.nat()),
  before: rarely(fc.nat()),
});

type Part = typeof part extends fc.Arbitrary<infer Value> ? Value : never;

/** Parts of the history of an account; instants are those at which something took effect or was recorded, and beside them. */
async function expectPlainHistories(userId: UserId, parts: readonly Part[]): Promise<number> {
  const rows = await database.sql<{ seq: number; audio: string | null; at: Date }>(
    `SELECT t.seq, t.audio_id AS audio, i.at + ms * interval '1 millisecond' AS at
     FROM credit_transactions t, unnest(ARRAY[t.effective_at, t.recorded_at]) i(at), unnest(ARRAY[-1, 0, 1, 3600000]) ms
     WHERE t.user_id = $1 ORDER BY t.seq, at`,
    [userId],
  );
  const audios = rows.flatMap(({ audio }) => audio ?? []);
  const pick = <Value>(values: readonly Value[], at: number | null): Value | null =>
    at === null ? null : (pickOf(values, at) ?? null);
  let found = 0;
  for (const { types, sources, audio, from, to, limit, backward, after, before } of parts) {
    const numbers = rows.map(({ seq }) => seq);
    const instants = rows.map(({ at }) => at);
    found += await expectPlainHistory(database, app, {
      userId,
      window: { limit, backward, after: pick(numbers, after), before: pick(numbers, before) },
      selection: {
        types,
        sources,
        audioId: pick(audios, audio),
        from: pick(instants, from),
        to: pick(instants, to),
      },
    });
  }
  return found;
}

test('a part of a history is what is left of the whole, with late sweeps, grace lots and a clock set back', async () => {
  let found = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 60 }),
      fc.array(part, { minLength: 40, maxLength: 40 }),
      async (steps, parts) => {
        const [userId] = (await makeAccounts(database, 1)) as [UserId];
        const account: Account = { lots: [], debits: [] };
        for (const one of steps) await take(userId, account, one);
        found += await expectPlainHistories(userId, parts);
      },
    ),
    { numRuns: 12, endOnFailure: true },
  );
  expect(found).toBeGreaterThan(200);
});
