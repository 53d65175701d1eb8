import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import type { OpenApp } from '../../src/open-app.js';
import type { DomainError } from '../../src/domain/errors.js';
import type { UserId } from '../../src/domain/ids.js';
import type { CreditSource } from '../../src/domain/ledger/lots.js';
import type * as BulkGrant from '../../src/services/credits/bulk-grant.js';
import type * as BulkRevocation from '../../src/services/credits/bulk-revocation/revoke-bulk-grant.js';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, MID_MONTH, type TestDatabase } from '../support/cluster.js';
import {
  debit,
  grant,
  outcome,
  patiently,
  refund,
  revoke,
  revokePart,
} from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { expectSoundLedger } from '../support/invariants.js';
import { expectBelow, timeOf } from '../support/measure.js';
import { storm } from '../support/storm.js';

/**
 * Two processes ask for two commands on one account at once: two apps, each with its own connections and
 * batches. Every round has an account of its own, prepared so that the order shows in its history. RACE_ROUNDS says
 * how many (.ci/run: 200).
 */
const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 20);
/** 10,000 in .ci/run. */
const DEBITS = Math.max(2_000, 50 * ROUNDS);
const AT_ONCE = 20;
const DAY_MS = 86_400_000;

let database: TestDatabase;
let apps: [OpenApp, OpenApp];
let runMaintenance: typeof Maintenance.runMaintenance;
let bulkGrantCredits: typeof BulkGrant.bulkGrantCredits;
let revokeBulkGrant: typeof BulkRevocation.revokeBulkGrant;
let admin: UserId;

beforeAll(async () => {
  database = await createDatabase({ clockAt: MID_MONTH });
  apps = [
    await openTestApp(database, { MONTHLY_CREDITS: '5' }),
    await openTestApp(database, { MONTHLY_CREDITS: '5' }),
  ];
  ({ runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  ));
  ({ bulkGrantCredits } = await compiled<typeof BulkGrant>('services/credits/bulk-grant.js'));
  ({ revokeBulkGrant } = await compiled<typeof BulkRevocation>(
    'services/credits/bulk-revocation/revoke-bulk-grant.js',
  ));
  [admin = admin] = await makeAccounts(database, 1, { monthlyCredits: 0 });
});
afterEach(() => expectSoundLedger(database));
afterAll(async () => {
  for (const app of apps) await app.close(1000);
  await database.drop();
});

let movedMs = 0;
/** Moves the clock on, and never back, because what was recorded would then lie in the future. */
function advance(days: number): Promise<void> {
  movedMs += days * DAY_MS;
  return database.moveClock(movedMs);
}
const inDays = (days: number): Date => database.ledgerTime(days * DAY_MS);

/** What a round's account has before the race. */
interface Prepared {
  readonly userId: UserId;
  /** Holds 6 of 10 points, lapses tomorrow by the ledger's clock. */
  readonly lotId: string;
  /** Took 4 of the lot. */
  readonly debitSeq: number;
}

type Racer = (app: OpenApp, account: Prepared) => Promise<unknown>;

const racers: Readonly<Record<string, Racer>> = {
  GRANT: (app, { userId }) =>
    patiently(() => grant(app, userId, { amount: 3, source: 'EVENT', expiresAt: inDays(1) })),
  DEBIT: (app, { userId }) => outcome(patiently(() => debit(app, userId, 2))),
  REFUND: (app, { userId, debitSeq }) => patiently(() => refund(app, userId, debitSeq)),
  REVOCATION: (app, { userId, lotId }) => patiently(() => revoke(app, userId, lotId, admin)),
  PART: (app, lot) => outcome(patiently(() => revokePart(app, lot, admin, { amount: 2 }))),
};
const names = Object.keys(racers);
const pairs = names.flatMap((first, index) => names.slice(index).map((second) => [first, second]));

async function prepare(userId: UserId): Promise<Prepared> {
  const [app] = apps;
  const { lotId } = await grant(app, userId, { amount: 10, source: 'EVENT', expiresAt: inDays(1) });
  const { debitSeq } = await debit(app, userId, 4);
  return { userId, lotId, debitSeq: debitSeq ?? 0 };
}

/** The histories from the race on, as `TYPE TYPE …`. */
async function historiesOf(accounts: readonly Prepared[]): Promise<string[]> {
  const rows = await database.sql<{ history: string | null }>(
    `SELECT (SELECT string_agg(type::text, ' ' ORDER BY seq) FROM credit_transactions t
       WHERE t.user_id = a.user_id AND seq > 2) AS history
     FROM credit_accounts a WHERE user_id = ANY($1)`,
    [accounts.map(({ userId }) => userId)],
  );
  return rows.map(({ history }) => history ?? '');
}

const prepareAll = async (): Promise<Prepared[]> =>
  Promise.all((await makeAccounts(database, AT_ONCE, { monthlyCredits: 0 })).map(prepare));

/**
 * Runs rounds until every order was seen, because a machine may favour one of them; in any case so many.
 * @param runRound is told how many there were before, and returns the histories that were seen
 */
async function repeat(
  orders: readonly string[],
  runRound: (before: number) => Promise<readonly string[]>,
): Promise<string[]> {
  const seen = new Set<string>();
  const isMissing = (): boolean => orders.some((order) => !seen.has(order));
  const most = ROUNDS + 20 * AT_ONCE;
  for (let round = 0; round < ROUNDS || (round < most && isMissing()); round += AT_ONCE)
    for (const history of await runRound(round / AT_ONCE)) seen.add(history);
  return [...seen].sort();
}

/** Races side by side. @returns the histories that were seen */
const race = (orders: readonly string[], first: Racer, second: Racer): Promise<string[]> =>
  repeat(orders, async (before) => {
    const accounts = await prepareAll();
    await Promise.all(
      accounts.flatMap((account, index) => {
        const racing = [
          (): Promise<unknown> => first(apps[0], account),
          (): Promise<unknown> => second(apps[1], account),
        ];
        return (index % 2 === 0 ? racing : racing.reverse()).map(async (begin) => {
          // A batch takes a few milliseconds, and more on a slow machine: so either may be the first.
          await sleep(Math.random() * 8 * (before + 1));
          await begin();
        });
      }),
    );
    return historiesOf(accounts);
  });

/** The same against the sweep, when the prepared lots have lapsed. One sweep meets all accounts of a round. */
const raceWithSweep = (orders: readonly string[], other: Racer): Promise<string[]> =>
  repeat(orders, async (before) => {
    const accounts = await prepareAll();
    await advance(2);
    const racing = accounts.map((account) => (): Promise<unknown> => other(apps[0], account));
    const sweep = (): Promise<unknown> => runMaintenance(apps[1], 'EXPIRE_CREDITS');
    racing.splice(before % 2 === 0 ? 0 : AT_ONCE, 0, sweep);
    await Promise.all(
      racing.map(async (begin, index) => {
        await sleep((index / 4) * (before + 1));
        await begin();
      }),
    );
    // What was held at that moment is left for the next sweep.
    await sweep();
    return historiesOf(accounts);
  });

/** What each pair may come to: either order, and nothing else. */
const ORDERS: Readonly<Record<string, readonly string[]>> = {
  'GRANT GRANT': ['GRANT GRANT'],
  'GRANT DEBIT': ['DEBIT GRANT', 'GRANT DEBIT'],
  'GRANT REFUND': ['GRANT REFUND', 'REFUND GRANT'],
  'GRANT REVOCATION': ['GRANT REVOCATION', 'REVOCATION GRANT'],
  'DEBIT DEBIT': ['DEBIT DEBIT'],
  'DEBIT REFUND': ['DEBIT REFUND', 'REFUND DEBIT'],
  // Revoked first, there is nothing left to pay with.
  'DEBIT REVOCATION': ['DEBIT REVOCATION', 'REVOCATION'],
  'REFUND REFUND': ['REFUND'],
  // Revoked first, what comes back is forfeited too.
  'REFUND REVOCATION': ['REFUND REVOCATION', 'REVOCATION REFUND REVOCATION'],
  'REVOCATION REVOCATION': ['REVOCATION'],
  'GRANT PART': ['GRANT REVOCATION', 'REVOCATION GRANT'],
  'DEBIT PART': ['DEBIT REVOCATION', 'REVOCATION DEBIT'],
  // Only a part of a live lot was revoked, so that the refund stays in it.
  'REFUND PART': ['REFUND REVOCATION', 'REVOCATION REFUND'],
  // Revoked first, there is no part left.
  'REVOCATION PART': ['REVOCATION', 'REVOCATION REVOCATION'],
  'PART PART': ['REVOCATION REVOCATION'],
};

test.each(pairs)('%s and %s of one account race, in both orders', async (one = '', other = '') => {
  const [first, second] = [racers[one], racers[other]];
  if (first === undefined || second === undefined) throw new Error('There is no such racer.');
  const orders = ORDERS[`${one} ${other}`] ?? [];
  expect(await race(orders, first, second)).toEqual(orders);
});

const SWEPT: readonly [string, Racer, readonly string[]][] = [
  [
    'GRANT',
    (app, { userId }) =>
      patiently(() => grant(app, userId, { amount: 3, source: 'EVENT', expiresAt: inDays(100) })),
    ['EXPIRY GRANT', 'GRANT EXPIRY'],
  ],
  // The lot has lapsed, whether or not that is booked.
  ['DEBIT', (app, { userId }) => outcome(patiently(() => debit(app, userId, 2))), ['EXPIRY']],
  [
    'REFUND',
    (app, { userId, debitSeq }) => patiently(() => refund(app, userId, debitSeq)),
    ['EXPIRY REFUND EXPIRY GRANT', 'REFUND EXPIRY GRANT EXPIRY'],
  ],
  [
    'REVOCATION',
    (app, { userId, lotId }) => patiently(() => revoke(app, userId, lotId, admin)),
    ['EXPIRY'],
  ],
  [
    'PART',
    (app, lot) => outcome(patiently(() => revokePart(app, lot, admin, { amount: 2 }))),
    ['EXPIRY'],
  ],
  ['EXPIRY', (app) => runMaintenance(app, 'EXPIRE_CREDITS'), ['EXPIRY']],
];

test.each(SWEPT)('the sweep races with %s, in both orders', async (_name, other, orders) => {
  expect(await raceWithSweep(orders, other)).toEqual(orders);
});

/** Those of the accounts that have booked the expiry of a lot. */
async function sweptOf(accounts: readonly Prepared[]): Promise<string[]> {
  const rows = await database.sql<{ user_id: string }>(
    `SELECT DISTINCT user_id FROM credit_transactions
     WHERE type = 'EXPIRY' AND user_id = ANY($1) ORDER BY user_id`,
    [accounts.map(({ userId }) => userId)],
  );
  return rows.map(({ user_id }) => user_id);
}

test('the sweep does not wait for a locked account: it leaves the account for the next sweep', async () => {
  // What other tests have left to lapse would lengthen the sweep.
  await advance(2);
  await runMaintenance(apps[0], 'EXPIRE_CREDITS');
  // A lock is waited for at most five seconds.
  await expectBelow(2_000, async () => {
    const accounts = await prepareAll();
    await advance(2);
    const [held] = accounts;
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query('BEGIN');
    await client.query('SELECT FROM credit_accounts WHERE user_id = $1 FOR UPDATE', [held?.userId]);
    const startedAt = performance.now();
    await runMaintenance(apps[0], 'EXPIRE_CREDITS');
    const durationMs = performance.now() - startedAt;
    await client.query('ROLLBACK');
    await client.end();
    // Only these accounts are counted, because monthly points of other tests' accounts may lapse at the same time.
    const others = accounts.filter((account) => account !== held);
    expect(await sweptOf(accounts)).toEqual(others.map(({ userId }) => userId).sort());
    await runMaintenance(apps[1], 'EXPIRE_CREDITS');
    expect(await sweptOf(accounts)).toEqual(accounts.map(({ userId }) => userId).sort());
    return durationMs;
  });
});

test('the monthly grant is made once for each, however many processes make it at once', async () => {
  const users = await makeAccounts(database, 300);
  const runs = await Promise.all(
    [0, 1, 0, 1, 0, 1].map((index) =>
      runMaintenance(apps[index] ?? apps[0], 'GRANT_MONTHLY_CREDITS'),
    ),
  );
  expect(runs.reduce((sum, { changed }) => sum + changed, 0)).toBe(300);
  const [lots] = await database.sql<{ count: number; users: number }>(
    `SELECT count(*)::int AS count, count(DISTINCT user_id)::int AS users FROM credit_lots
     WHERE source = 'MONTHLY' AND user_id = ANY($1)`,
    [users],
  );
  expect(lots).toEqual({ count: 300, users: 300 });
});

test('the same key a hundred times at once, from two processes, is one grant and equal answers', async () => {
  const [userId = admin] = await makeAccounts(database, 1, { monthlyCredits: 0 });
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      patiently(() => grant(apps[index % 2] ?? apps[0], userId, { amount: 7, key: 'once' })),
    ),
  );
  expect(new Set(answers.map(({ seq, lotId }) => `${String(seq)} ${lotId}`)).size).toBe(1);
  expect(answers.filter(({ replayed }) => !replayed).length).toBe(1);
});

test('parts of one lot, each asked for by two processes: each is revoked once, and never more than there is', async () => {
  const [userId = admin] = await makeAccounts(database, 1, { monthlyCredits: 0 });
  const { lotId } = await grant(apps[0], userId, { amount: 10 });
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      outcome(
        patiently(() =>
          revokePart(apps[index % 2] ?? apps[0], { userId, lotId }, admin, {
            amount: 3,
            key: String(Math.floor(index / 4)),
          }),
        ),
      ),
    ),
  );
  const seqs = answers.flatMap((answer) => (typeof answer === 'string' ? [] : [answer.seq]));
  expect([...new Set(seqs)].sort()).toEqual([2, 3, 4]);
  expect(answers.filter((answer) => answer === 'CONFLICT').length).toBe(60 - seqs.length);
  const [lot] = await database.sql<{ remaining: number; revoked_at: Date | null }>(
    'SELECT remaining, revoked_at FROM credit_lots WHERE id = $1',
    [lotId],
  );
  expect(lot).toEqual({ remaining: 1, revoked_at: null });
});

test('two processes revoke a grant to many while its points are spent and given back: both say the same', async () => {
  const users = await makeAccounts(database, 120, { monthlyCredits: 0 });
  const key = 'raced';
  await bulkGrantCredits(
    apps[0],
    {
      source: 'EVENT',
      expiresAt: inDays(1),
      reason: 'A test',
      idempotencyKey: key,
      rows: users.map((userId) => ({ userId, amount: 9 })),
    },
    admin,
  );
  const debits = await Promise.all(users.map((userId) => debit(apps[0], userId, 4)));
  const order = { idempotencyKey: key, reason: 'A test' };
  const revoking = apps.map((app) => revokeBulkGrant(app, order, admin));
  await Promise.all([
    ...revoking,
    ...users.map((userId, index) => outcome(debit(apps[index % 2] ?? apps[0], userId, 2))),
    ...users.map((userId, index) =>
      patiently(() => refund(apps[1], userId, debits[index]?.debitSeq ?? 0)),
    ),
    runMaintenance(apps[1], 'EXPIRE_CREDITS'),
  ]);
  const [one, other] = await Promise.all(revoking);
  expect({ ...one, replayed: false }).toEqual({ ...other, replayed: false });
  const [sums] = await database.sql(
    `SELECT count(*)::int AS accounts, sum(granted)::int AS granted, sum(remaining)::int AS remaining,
       count(revoked_at)::int AS revoked,
       (SELECT -sum(t.amount)::int FROM credit_transactions t
        WHERE t.idempotency_key IN (SELECT 'revoke:' || l.id FROM credit_lots l WHERE user_id = ANY($1))) AS forfeited
     FROM credit_lots WHERE user_id = ANY($1)`,
    [users],
  );
  const { accounts, granted, revoked, spent } = one ?? {};
  expect(sums).toEqual({ accounts, granted, remaining: 0, revoked: 120, forfeited: revoked });
  expect([accounts, granted, spent]).toEqual([120, 1080, 1080 - (revoked ?? 0)]);
});

test('debits from three processes against fewer points: exactly as many succeed as there are points', async () => {
  const [userId = admin] = await makeAccounts(database, 1, { monthlyCredits: 0 });
  const sources: CreditSource[] = ['FREE', 'ADD_ON', 'REFERRAL'];
  for (const source of sources) await grant(apps[0], userId, { amount: DEBITS / 5, source });
  const results = await storm(database, { userId, processes: 3, debits: DEBITS });
  expect(results).toEqual({
    CHARGED: (DEBITS / 5) * sources.length,
    INSUFFICIENT_CREDITS: (DEBITS / 5) * 2,
  });
  const [lots] = await database.sql<{ remaining: number }>(
    'SELECT sum(remaining)::int AS remaining FROM credit_lots WHERE user_id = $1',
    [userId],
  );
  expect(lots?.remaining).toBe(0);
});

test('a batch that one request poisons does not wait for an account that another of its requests needs', () =>
  // A lock is waited for at most five seconds.
  expectBelow(3_000, async () => {
    const people = await makeAccounts(database, 8, { monthlyCredits: 0 });
    const [held = admin, poisoned = admin, ...others] = people;
    // Something that the command cannot foresee: the rows of this account are refused by the database.
    await database.sql(
      `ALTER TABLE credit_lots ADD CONSTRAINT poison CHECK (user_id <> '${poisoned}')`,
    );
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query('BEGIN');
    await client.query('SELECT FROM credit_accounts WHERE user_id = $1 FOR UPDATE', [held]);
    // Asked for in one breath, they are one batch.
    const [waiting, refused, ...answers] = people.map((userId) =>
      grant(apps[0], userId, { amount: 3 }).catch((error: unknown) => (error as DomainError).code),
    );
    const durationMs = await timeOf(() => Promise.all(answers));
    for (const answer of await Promise.all(answers))
      expect(answer).toMatchObject({ replayed: false });
    expect(await refused).toBe('INTERNAL');
    await database.sql('ALTER TABLE credit_lots DROP CONSTRAINT poison');
    await client.query('COMMIT');
    await client.end();
    const waited = await waiting;
    // A machine that stands still for seconds holds the account for too long.
    if (waited !== 'BUSY') expect(waited).toMatchObject({ replayed: false });
    const [sum] = await database.sql<{ points: number }>(
      'SELECT sum(remaining)::int AS points FROM credit_lots WHERE user_id = ANY($1)',
      [people],
    );
    expect(sum).toEqual({ points: 3 * (others.length + (waited === 'BUSY' ? 0 : 1)) });
    return waited === 'BUSY' ? Infinity : durationMs;
  }));
