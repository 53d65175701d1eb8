import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import type * as Credits from '../../src/services/credits/credits.js';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import type * as Reconcile from '../../src/services/reconciliation/reconcile.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import {
  debit,
  grant,
  outcome,
  PRIORITY_OF,
  refund,
  revoke,
  revokePart,
} from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { violations } from '../support/invariants.js';
import {
  APPROVAL_ABOVE,
  ModelOrders,
  orderArbitrary,
  type Order,
} from '../support/model-orders.js';
import { ModelAccount, type ModelPair } from '../support/model.js';

/**
 * Random commands against the real ledger and against the model, on a clock that only the test moves.
 * A failure prints its seed and path: run it again with MODEL_SEED and MODEL_PATH, and longer with
 * MODEL_RUNS (one run is about 1,690 steps; .ci/run: 13 runs). MODEL_SHRINK=false ends with the first failure as it is.
 */
const RUNS = Number(process.env['MODEL_RUNS'] ?? 2);
const REPLAY = process.env['MODEL_SEED'];

const HALF_HOUR_MS = 1_800_000;
/** Those that move at once ride together: twice as many take little longer. */
const ACCOUNTS = 16;
const ROUNDS = 26;
const WAVES = 4;
const MONTHLY = 7;

let database: TestDatabase;
let app: OpenApp;
let balancesBySource: typeof Credits.balancesBySource;
let checkLedger: typeof Reconcile.checkLedger;
let reconcileCredits: typeof Reconcile.reconcileCredits;
let runMaintenance: typeof Maintenance.runMaintenance;
let admin: UserId;
let orders: ModelOrders;
let clock = Date.parse('2027-01-10T00:00:00.000Z');
let steps = 0;

beforeAll(async () => {
  database = await createDatabase();
  await database.sql(`CREATE TABLE test_clock (now timestamptz NOT NULL)`);
  await database.sql(`INSERT INTO test_clock VALUES ($1)`, [new Date(clock)]);
  await database.sql(`
    CREATE OR REPLACE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT now FROM test_clock'`);
  app = await openTestApp(database, {
    MONTHLY_CREDITS: String(MONTHLY),
    APPROVAL_ABOVE: String(APPROVAL_ABOVE),
  });
  ({ runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  ));
  ({ balancesBySource } = await compiled<typeof Credits>('services/credits/credits.js'));
  ({ checkLedger, reconcileCredits } = await compiled<typeof Reconcile>(
    'services/reconciliation/reconcile.js',
  ));
  [admin = admin] = await makeAccounts(database, 1);
  await database.sql('UPDATE users SET suspended_at = now() WHERE id = $1', [admin]);
  const administrators = await makeAccounts(database, 2, { monthlyCredits: 0 });
  await database.sql(`UPDATE users SET role = 'ADMIN' WHERE id = ANY ($1)`, [administrators]);
  orders = await ModelOrders.open(app, database, administrators);
});
afterAll(async () => {
  await app.close(1000);
  await database.drop();
});

async function moveClockBy(halfHours: number): Promise<void> {
  clock += halfHours * HALF_HOUR_MS;
  await database.sql('UPDATE test_clock SET now = $1', [new Date(clock)]);
}

const command = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('grant' as const),
      amount: fc.integer({ min: 1, max: 12 }),
      source: fc.constantFrom('EVENT', 'REFERRAL', 'ADD_ON', 'FREE'),
      halfHours: fc.option(fc.integer({ min: 1, max: 400 }), { freq: 4 }),
      key: fc.option(fc.nat(6), { freq: 2 }),
      variant: fc.nat(1),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('debit' as const),
      price: fc.integer({ min: 1, max: 15 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('refund' as const), pick: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('revoke' as const),
      pick: fc.nat(),
      expected: fc.option(fc.nat(6)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('revoke a part' as const),
      pick: fc.nat(),
      amount: fc.integer({ min: 1, max: 8 }),
      key: fc.option(fc.nat(3), { freq: 2 }),
    }),
  },
);
const round = fc.record({
  // Often nothing, often a step that lands on an expiry, sometimes a week or into the next month.
  halfHours: fc.oneof(
    fc.constant(0),
    fc.integer({ min: 1, max: 30 }),
    fc.integer({ min: 300, max: 900 }),
  ),
  task: fc.option(fc.constantFrom('EXPIRE_CREDITS' as const, 'GRANT_MONTHLY_CREDITS' as const), {
    freq: 3,
  }),
  orders: fc.array(orderArbitrary, { maxLength: 3 }),
  waves: fc.array(fc.array(command, { minLength: ACCOUNTS, maxLength: ACCOUNTS }), {
    minLength: WAVES,
    maxLength: WAVES,
  }),
});
type Command = typeof command extends fc.Arbitrary<infer Value> ? Value : never;

interface Pair extends ModelPair {
  readonly allowance: number | null;
  readonly months: Set<string>;
  readonly keys: Map<string, { seq: number; hash: string }>;
}

const sourceOf = (pair: Pair, lotId: string): string => pair.model.lots.get(lotId)?.source ?? '';
const pickFrom = <Value>(values: readonly Value[], pick: number): Value | undefined =>
  values[pick % Math.max(1, values.length)];

async function step(pair: Pair, command: Command): Promise<void> {
  steps += 1;
  if (command.kind === 'grant') await stepGrant(pair, command);
  if (command.kind === 'debit') await stepDebit(pair, command.price);
  if (command.kind === 'refund') await stepRefund(pair, command.pick);
  if (command.kind === 'revoke') await stepRevoke(pair, command);
  if (command.kind === 'revoke a part') await stepRevokePart(pair, command);
}

async function stepGrant(pair: Pair, command: Extract<Command, { kind: 'grant' }>): Promise<void> {
  const { amount, source, halfHours, variant } = command;
  const expiresAt = halfHours === null ? null : clock + halfHours * HALF_HOUR_MS;
  const key = command.key === null ? randomUUID() : `reused-${String(command.key)}`;
  const hash = String(command.key === null ? 0 : variant);
  const first = pair.keys.get(key);
  const answer = await outcome(
    grant(app, pair.userId, {
      amount,
      source: source,
      expiresAt: expiresAt === null ? null : new Date(expiresAt),
      key,
      hash: Number(hash),
    }),
  );
  if (first !== undefined) {
    expect(answer).toEqual(
      first.hash === hash
        ? expect.objectContaining({ seq: first.seq, replayed: true })
        : 'IDEMPOTENCY_KEY_REUSED',
    );
    return;
  }
  if (typeof answer === 'string') throw new Error(`The grant was refused: ${answer}`);
  pair.seq += 1;
  expect(answer).toMatchObject({ seq: pair.seq, replayed: false });
  pair.keys.set(key, { seq: pair.seq, hash });
  pair.expected.push(
    pair.model.grant({
      id: answer.lotId,
      source,
      priority: PRIORITY_OF[source as 'FREE'],
      granted: amount,
      grantedAt: clock,
      expiresAt,
      parent: null,
      price: null,
    }),
  );
}

async function stepDebit(pair: Pair, price: number): Promise<void> {
  const movement = pair.model.debit(pair.seq + 1, price, clock);
  const answer = await outcome(debit(app, pair.userId, price));
  if (movement === null) {
    expect(answer).toBe('INSUFFICIENT_CREDITS');
    return;
  }
  pair.seq += 1;
  expect(answer).toMatchObject({ debitSeq: pair.seq, balance: pair.model.balance(clock) });
  pair.expected.push(movement);
}

async function stepRefund(pair: Pair, pick: number): Promise<void> {
  const debitSeq = pickFrom([...pair.model.debits.keys()], pick);
  if (debitSeq === undefined) {
    expect(await outcome(refund(app, pair.userId, 1_000_000))).toBe('NOT_FOUND');
    return;
  }
  const { movements, grace } = pair.model.refund(debitSeq, clock);
  const answer = await outcome(refund(app, pair.userId, debitSeq));
  expect(answer).toEqual({ seq: movements.length === 0 ? null : pair.seq + 1 });
  pair.expected.push(
    ...movements,
    ...grace.map((lot) => ({ grace: lot, source: sourceOf(pair, lot.parent) })),
  );
  pair.seq += movements.length + grace.length;
  // The ids of lots that make good for others are only known from the ledger itself.
  if (grace.length > 0) await compare(pair);
}

async function stepRevoke(
  pair: Pair,
  { pick, expected }: Extract<Command, { kind: 'revoke' }>,
): Promise<void> {
  const lot = pickFrom([...pair.model.lots.values()], pick);
  if (lot === undefined) {
    expect(await outcome(revoke(app, pair.userId, randomUUID(), admin))).toBe('NOT_FOUND');
    return;
  }
  const { remaining, revoked } = lot;
  const answer = await outcome(revoke(app, pair.userId, lot.id, admin, revoked ? null : expected));
  if (!revoked && expected !== null && expected !== remaining) {
    expect(answer).toBe('CONFLICT');
    return;
  }
  const movements = pair.model.revoke(lot.id, clock);
  if (!revoked) {
    const forfeits = movements[0]?.type === 'REVOCATION';
    expect(answer).toEqual({ seq: forfeits ? pair.seq + 1 : null, replayed: false });
  }
  pair.seq += movements.length;
  pair.expected.push(...movements);
}

async function stepRevokePart(
  pair: Pair,
  { pick, amount, key }: Extract<Command, { kind: 'revoke a part' }>,
): Promise<void> {
  const { userId, model, keys } = pair;
  const lotId = pickFrom([...model.lots.keys()], pick);
  if (lotId === undefined) return;
  const part = key === null ? randomUUID() : `part-${String(key)}`;
  const first = keys.get(part);
  const hash =
    createHash('sha256')
      .update(`${lotId} ${String(amount)}`)
      .digest()[0] ?? 0;
  const request = { amount, key: part, hash };
  const answer = await outcome(revokePart(app, { userId, lotId }, admin, request));
  if (first !== undefined) {
    const isSame = first.hash === String(hash);
    expect(answer).toEqual(isSame ? { seq: first.seq, replayed: true } : 'IDEMPOTENCY_KEY_REUSED');
    return;
  }
  const movement = model.revokePart(lotId, amount, clock);
  if (movement === null) {
    expect(answer).toBe('CONFLICT');
    return;
  }
  pair.seq += 1;
  expect(answer).toEqual({ seq: pair.seq, replayed: false });
  keys.set(part, { seq: pair.seq, hash: String(hash) });
  pair.expected.push(movement);
}

async function carryOut(order: Order, pairs: readonly Pair[]): Promise<void> {
  steps += 1;
  await orders.carryOut(order, pairs, clock);
}

async function runTask(
  pairs: readonly Pair[],
  task: 'EXPIRE_CREDITS' | 'GRANT_MONTHLY_CREDITS',
): Promise<void> {
  steps += 1;
  await runMaintenance(app, task);
  for (const pair of pairs) {
    if (task === 'EXPIRE_CREDITS') expectSweep(pair);
    else await expectAllowance(pair);
  }
}

function expectSweep(pair: Pair): void {
  const lapsed = [...pair.model.lots.values()].sort(
    (a, b) => (a.expiresAt ?? 0) - (b.expiresAt ?? 0) || (a.id < b.id ? -1 : 1),
  );
  for (const { id } of lapsed) {
    const movement = pair.model.expire(id, clock);
    if (movement === null) continue;
    pair.seq += 1;
    pair.expected.push(movement);
  }
}

/** @returns whether it is due in this month for the first time */
async function expectAllowance(pair: Pair): Promise<boolean> {
  const period = new Date(clock).toISOString().slice(0, 7);
  const amount = pair.allowance ?? MONTHLY;
  if (amount === 0 || pair.months.has(period)) return false;
  pair.months.add(period);
  const [year = 0, month = 0] = period.split('-').map(Number);
  let lot: { id: string } | undefined;
  // A read waits for a grant for a second at most, and a slow grant comes later.
  await until('the allowance is granted', async () => {
    [lot] = await database.sql<{ id: string }>(
      `SELECT id FROM credit_lots WHERE user_id = $1 AND source = 'MONTHLY' AND period = $2`,
      [pair.userId, period],
    );
    return lot !== undefined;
  });
  pair.seq += 1;
  pair.expected.push(
    pair.model.grant({
      id: lot?.id ?? 'missing',
      source: 'MONTHLY',
      priority: PRIORITY_OF.MONTHLY,
      granted: amount,
      grantedAt: clock,
      expiresAt: Date.UTC(year, month),
      parent: null,
      price: null,
    }),
  );
  return true;
}

interface StoredMovement {
  readonly seq: number;
  readonly type: string;
  readonly balance_after: number;
  readonly effective_at: Date;
  readonly parts: [string, number][];
}

/**
 * The history since last time, the lots and the balance: the ledger's and the model's are the same. Reading the balance
 * grants the allowance of a month that has begun.
 */
async function compare(pair: Pair): Promise<void> {
  const { userId, model } = pair;
  const read = async (): Promise<readonly { balance: number }[]> =>
    (await balancesBySource(app, [userId])).get(userId) ?? [];
  let sources = await read();
  if (await expectAllowance(pair)) sources = await read();
  const { expected } = pair;
  const history = await database.sql<StoredMovement>(
    `SELECT t.seq, t.type::text, t.balance_after, t.effective_at, (
       SELECT json_agg(json_build_array(a.lot_id, a.amount) ORDER BY a.ordinal) FROM credit_allocations a
       WHERE a.user_id = t.user_id AND a.seq = t.seq) AS parts
     FROM credit_transactions t WHERE t.user_id = $1 AND t.seq > $2 ORDER BY t.seq`,
    [userId, pair.seq - expected.length],
  );
  expect(history.map(({ seq }) => seq)).toEqual(
    expected.map((_, index) => pair.seq - expected.length + index + 1),
  );
  expected.forEach((movement, index) => {
    const entry = history[index];
    const stored = {
      type: entry?.type,
      parts: entry?.parts,
      effectiveAt: entry?.effective_at.getTime(),
    };
    if (!('grace' in movement)) {
      expect(stored).toEqual(movement);
      return;
    }
    const { parent, amount, expiresAt } = movement.grace;
    const [[id] = ['']] = entry?.parts ?? [];
    const { source, priority } = model.lot(parent);
    const terms = { source, priority, granted: amount, grantedAt: clock, expiresAt };
    const lot = { id, ...terms, parent, price: null };
    expect(stored).toEqual(model.grant(lot));
  });
  pair.expected = [];
  const lots = await database.sql<{
    id: string;
    remaining: number;
    parent: string | null;
    expires_at: Date | null;
    price: string | null;
  }>(
    `SELECT id, remaining, parent_lot_id AS parent, expires_at, price_minor || ' ' || currency AS price
     FROM credit_lots WHERE user_id = $1 ORDER BY id`,
    [userId],
  );
  expect(
    lots.map(({ id, remaining, parent, expires_at: expiresAt, price }) => [
      id,
      remaining,
      parent,
      expiresAt?.getTime() ?? null,
      price,
    ]),
  ).toEqual(
    [...model.lots.values()]
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map(({ id, remaining, parent, expiresAt, price }) => [
        id,
        remaining,
        parent,
        expiresAt,
        price === null ? null : `${String(price.priceMinor)} ${price.currency}`,
      ]),
  );
  expect(sources.reduce((sum, { balance }) => sum + balance, 0)).toBe(model.balance(clock));
  const total = [...model.lots.values()].reduce((sum, { remaining }) => sum + remaining, 0);
  const last = history.at(-1);
  if (last !== undefined) expect(last.balance_after).toBe(total);
}

async function newPairs(): Promise<Pair[]> {
  const half = ACCOUNTS / 2;
  const groups = await Promise.all([
    makeAccounts(database, half),
    makeAccounts(database, half / 2, { monthlyCredits: 3 }),
    makeAccounts(database, half / 2, { monthlyCredits: 0 }),
  ]);
  return groups.flatMap((ids, index) =>
    ids.map((userId) => ({
      userId,
      allowance: [null, 3, 0][index] ?? null,
      model: new ModelAccount(),
      months: new Set<string>(),
      keys: new Map(),
      seq: 0,
      expected: [],
    })),
  );
}

let [checked, read] = [0, 0];

/** Only lots that are not swept yet may differ. */
async function checkFromCheckpoints(): Promise<void> {
  const health = await reconcileCredits(app, { full: false });
  const wrong = health.checks.filter(({ sample }) => sample.length > 0);
  expect(wrong.filter(({ invariant }) => invariant !== '7')).toEqual([]);
  checked += health.transactions;
  read += health.transactionsRead;
}

test('random commands agree with the model, in any order and at any time', async () => {
  const property = fc.asyncProperty(
    fc.array(round, { minLength: ROUNDS, maxLength: ROUNDS }),
    async (rounds) => {
      const pairs = await newPairs();
      for (const [index, { halfHours, task, orders: asked, waves }] of rounds.entries()) {
        if (halfHours > 0) await moveClockBy(halfHours);
        if (task !== null) await runTask(pairs, task);
        for (const order of asked) await carryOut(order, pairs);
        for (const wave of waves) {
          const moves = pairs.map((pair, index) =>
            step(pair, wave[index] ?? { kind: 'debit', price: 1 }),
          );
          await Promise.all(moves);
        }
        await Promise.all(pairs.map(compare));
        if (index % 4 === 0) await checkFromCheckpoints();
      }
      // Others' lots must not lapse in the middle of the next run's histories.
      await database.sql(
        `UPDATE users SET suspended_at = now() WHERE suspended_at IS NULL AND role <> 'ADMIN'`,
      );
      orders.forget();
    },
  );
  await fc.assert(property, {
    numRuns: RUNS,
    // Making a failure smaller takes minutes.
    endOnFailure: process.env['MODEL_SHRINK'] === 'false',
    ...(REPLAY === undefined ? {} : { seed: Number(REPLAY) }),
    ...(process.env['MODEL_PATH'] === undefined ? {} : { path: process.env['MODEL_PATH'] }),
  });
  await runMaintenance(app, 'EXPIRE_CREDITS');
  // The model was the replay, because the rows alone do not say what came first within one instant.
  expect(await violations(database, { replay: false })).toEqual({});
  const { checks } = await checkLedger(app);
  expect(checks.filter(({ sample }) => sample.length > 0)).toEqual([]);
  if (REPLAY === undefined) expect(steps).toBeGreaterThanOrEqual(RUNS * 1_600);
  // Most of what was checked after some rounds lay before a checkpoint. In two runs, chance decides about a quarter of it.
  expect(read).toBeLessThan(checked * (RUNS < 10 ? 0.75 : 0.5));
}, 1_800_000);
