import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import type * as Reconcile from '../../src/services/reconciliation/reconcile.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { debit, grant, refund, revoke, revokePart } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { violations } from '../support/invariants.js';
import { sealHistory } from '../support/tampering.js';

/**
 * Every invariant is broken with SQL, as someone with the keys of the database could, and both the
 * server's check and the tests' own must say which one and where.
 */
let database: TestDatabase;
let app: OpenApp;
let checkLedger: typeof Reconcile.checkLedger;
let reconcileCredits: typeof Reconcile.reconcileCredits;

beforeAll(async () => {
  database = await createDatabase();
  app = await openTestApp(database);
  ({ checkLedger, reconcileCredits } = await compiled<typeof Reconcile>(
    'services/reconciliation/reconcile.js',
  ));
});
afterAll(async () => {
  await app.close(1000);
  await database.drop();
});

interface Account {
  readonly userId: UserId;
  /** FREE, 10 granted, 3 spent by debit 2 and 1 by debit 3. */
  readonly lotId: string;
  readonly audioId: string;
  /** EVENT, 2 granted by 5 and spent by debit 6. */
  readonly emptyLotId: string;
  /** ADD_ON, 2 granted by 7 for 1.99 EUR and revoked by 8. */
  readonly revokedLotId: string;
}

/**
 * 1 grant, 2 debit, 3 debit that was given back by 4, 5 another lot, 6 spent, 7 another, 8 revoked.
 * @param last instead of the revocation
 * @param afterFirst is called after 1
 */
async function account(
  last: (userId: UserId, lotId: string, admin: UserId) => Promise<unknown> = (...revoked) =>
    revoke(app, ...revoked),
  afterFirst: () => Promise<unknown> = () => Promise.resolve(),
): Promise<Account> {
  const [userId, admin] = (await makeAccounts(database, 2)) as [UserId, UserId];
  const { lotId } = await grant(app, userId, { amount: 10 });
  await afterFirst();
  const { audioId } = await debit(app, userId, 3);
  const second = await debit(app, userId, 1);
  await refund(app, userId, second.debitSeq ?? 0);
  // Refunded narrations have ended, so that no job waits for them.
  await database.sql(
    `UPDATE audios SET status = 'FAILED', failure_reason = 'A test' WHERE user_id = $1 AND id = $2`,
    [userId, second.audioId],
  );
  const expiresAt = database.ledgerTime(86_400_000);
  const empty = await grant(app, userId, { amount: 2, source: 'EVENT', expiresAt });
  await debit(app, userId, 2);
  const price = { priceMinor: 199, currency: 'EUR' };
  const other = await grant(app, userId, { amount: 2, source: 'ADD_ON', ...price });
  await last(userId, other.lotId, admin);
  return { userId, lotId, audioId, emptyLotId: empty.lotId, revokedLotId: other.lotId };
}

const FAULTS: readonly [
  invariant: string,
  what: string,
  sql: (account: Account) => string,
  alsoSeenBy: readonly string[],
][] = [
  [
    '1',
    'a lot that says another number than its movements',
    ({ lotId }) => `UPDATE credit_lots SET remaining = 6 WHERE id = '${lotId}'`,
    ['11'],
  ],
  [
    '1',
    'two lots that have a point of each other',
    ({ userId, emptyLotId }) =>
      `UPDATE credit_lots SET remaining = remaining - 1 WHERE id = (SELECT id FROM credit_lots WHERE user_id = '${userId}' AND remaining > 0 ORDER BY id DESC LIMIT 1); UPDATE credit_lots SET remaining = 1 WHERE id = '${emptyLotId}'`,
    ['11'],
  ],
  [
    '2',
    'a lot that holds more than was granted',
    ({ lotId }) =>
      `ALTER TABLE credit_lots DROP CONSTRAINT IF EXISTS credit_lots_remaining_in_range; UPDATE credit_lots SET remaining = 11 WHERE id = '${lotId}'`,
    ['1', '11'],
  ],
  [
    '3',
    'an allocation that is not in the sum',
    ({ userId }) =>
      `UPDATE credit_allocations SET amount = -2 WHERE user_id = '${userId}' AND seq = 2`,
    ['1', '9', '11'],
  ],
  [
    '4',
    'a refund of more than was taken',
    ({ userId }) =>
      `UPDATE credit_allocations SET amount = 2 WHERE user_id = '${userId}' AND seq = 4`,
    ['1', '3', '9', '10', '11'],
  ],
  [
    '5',
    'a narration that was charged twice',
    ({ userId, audioId }) =>
      `UPDATE credit_transactions SET audio_id = '${audioId}', debit_seq = NULL, type = 'DEBIT', amount = -1 WHERE user_id = '${userId}' AND seq IN (3, 4)`,
    ['3', '9', '10', '12'],
  ],
  [
    '6',
    'a debit from a lot that had lapsed',
    ({ lotId }) =>
      `UPDATE credit_lots SET granted_at = '2020-01-01', expires_at = '2020-01-02', remaining = 0 WHERE id = '${lotId}'`,
    ['1', '10', '11', '15'],
  ],
  [
    '7',
    'a lapsed lot that was not swept',
    ({ lotId }) =>
      `UPDATE credit_lots SET granted_at = '2020-01-01', expires_at = now() - interval '11 minutes' WHERE id = '${lotId}'`,
    ['6', '10', '15'],
  ],
  [
    '7',
    'a revoked lot that still holds points',
    ({ lotId }) => `UPDATE credit_lots SET revoked_at = now() WHERE id = '${lotId}'`,
    ['15'],
  ],
  [
    '3',
    'a refund of a debit that has no allocations any more',
    ({ userId }) => `DELETE FROM credit_allocations WHERE user_id = '${userId}' AND seq = 3`,
    ['1', '4', '9', '10', '11'],
  ],
  [
    '8',
    'an allocation on a lot that does not exist',
    ({ userId }) =>
      `UPDATE credit_allocations SET lot_id = gen_random_uuid() WHERE user_id = '${userId}' AND seq = 2`,
    ['1', '9', '10', '11'],
  ],
  [
    '9',
    'a word of the history that was changed',
    ({ userId }) =>
      `UPDATE credit_transactions SET reason = 'Nothing happened' WHERE user_id = '${userId}' AND seq = 2`,
    [],
  ],
  [
    '9',
    'a movement that is gone',
    ({ userId }) =>
      `DELETE FROM credit_allocations WHERE user_id = '${userId}' AND seq = 2; DELETE FROM credit_transactions WHERE user_id = '${userId}' AND seq = 2`,
    ['1', '11', '12'],
  ],
  [
    '9',
    'the end of a history cut off',
    ({ userId }) =>
      `DELETE FROM credit_allocations WHERE user_id = '${userId}' AND seq = 8; DELETE FROM credit_transactions WHERE user_id = '${userId}' AND seq = 8`,
    ['1', '11', '15'],
  ],
  [
    '9',
    'an account that forgot its end',
    ({ userId }) =>
      `UPDATE credit_accounts SET head_hash = decode(repeat('00', 32), 'hex') WHERE user_id = '${userId}'`,
    [],
  ],
  [
    '9',
    'a balance that is no sum',
    ({ userId }) =>
      `UPDATE credit_transactions SET balance_after = 99 WHERE user_id = '${userId}' AND seq = 2`,
    [],
  ],
  [
    '10',
    'a lot that burned out of turn',
    ({ userId, lotId }) =>
      `UPDATE credit_lots SET source = 'FREE', priority = 1, expires_at = '2199-01-01', granted = 10 WHERE user_id = '${userId}' AND id <> '${lotId}'`,
    ['11', '15'],
  ],
  [
    '11',
    'a lot that says it was granted more',
    ({ lotId }) => `UPDATE credit_lots SET granted = 12 WHERE id = '${lotId}'`,
    ['10', '15'],
  ],
  [
    '12',
    'a narration without a job',
    ({ userId, audioId }) =>
      `DELETE FROM pgboss.job WHERE data->>'audioId' = '${audioId}' AND '${userId}' <> ''`,
    [],
  ],
  [
    '12',
    'a failed narration that was not given back',
    ({ audioId }) =>
      `UPDATE audios SET status = 'FAILED', failure_reason = 'x' WHERE id = '${audioId}'`,
    [],
  ],
  [
    '13',
    'a closed account without a job that erases it',
    ({ userId }) => `UPDATE credit_accounts SET closed_at = now() WHERE user_id = '${userId}'`,
    [],
  ],
  [
    '13',
    'a closed account whose job was given up',
    ({ userId }) =>
      `INSERT INTO pgboss.job (name, data, state) VALUES ('erase-account', '{"userId":"${userId}"}', 'failed'); UPDATE credit_accounts SET closed_at = now() WHERE user_id = '${userId}'`,
    [],
  ],
  [
    '14',
    'a movement that was recorded hours ahead, as in the time of another zone',
    ({ userId }) =>
      `UPDATE credit_transactions SET recorded_at = recorded_at + interval '4 hours' WHERE user_id = '${userId}' AND seq = 8`,
    ['9', '10'],
  ],
  [
    '14',
    'a movement that was recorded before the one in front of it',
    ({ userId }) =>
      `UPDATE credit_transactions SET recorded_at = recorded_at - interval '1 hour' WHERE user_id = '${userId}' AND seq = 8`,
    ['9', '10'],
  ],
  [
    '15',
    'a lot of another source',
    ({ lotId }) => `UPDATE credit_lots SET source = 'ADD_ON' WHERE id = '${lotId}'`,
    [],
  ],
  [
    '15',
    'a lot that lapses ten years later',
    ({ emptyLotId }) =>
      `UPDATE credit_lots SET expires_at = expires_at + interval '10 years' WHERE id = '${emptyLotId}'`,
    [],
  ],
  [
    '15',
    'a lot that never lapses any more',
    ({ emptyLotId }) => `UPDATE credit_lots SET expires_at = NULL WHERE id = '${emptyLotId}'`,
    [],
  ],
  [
    '15',
    'a lot of a month',
    ({ lotId }) => `UPDATE credit_lots SET period = '2020-01' WHERE id = '${lotId}'`,
    [],
  ],
  [
    '15',
    'a lot with a parent',
    ({ lotId, emptyLotId }) =>
      `UPDATE credit_lots SET parent_lot_id = '${lotId}' WHERE id = '${emptyLotId}'`,
    ['10'],
  ],
  [
    '15',
    'an exhausted lot that says it was revoked',
    ({ emptyLotId }) => `UPDATE credit_lots SET revoked_at = now() WHERE id = '${emptyLotId}'`,
    [],
  ],
  [
    '15',
    'an exhausted lot that the account says was revoked',
    ({ userId, emptyLotId }) =>
      `UPDATE credit_lots SET revoked_at = now() WHERE id = '${emptyLotId}'; UPDATE credit_accounts SET uncovered_revocations = ARRAY['${emptyLotId}'::uuid] WHERE user_id = '${userId}'`,
    [],
  ],
  [
    '15',
    'a revoked lot that says it is not',
    ({ revokedLotId }) => `UPDATE credit_lots SET revoked_at = NULL WHERE id = '${revokedLotId}'`,
    ['10'],
  ],
  [
    '15',
    'a lot that was revoked at another time',
    ({ revokedLotId }) =>
      `UPDATE credit_lots SET revoked_at = revoked_at + interval '1 second' WHERE id = '${revokedLotId}'`,
    ['10'],
  ],
  [
    '15',
    'a lot whose price was changed',
    ({ revokedLotId }) => `UPDATE credit_lots SET price_minor = 99 WHERE id = '${revokedLotId}'`,
    [],
  ],
  [
    '15',
    'a lot whose currency was changed',
    ({ revokedLotId }) => `UPDATE credit_lots SET currency = 'CHF' WHERE id = '${revokedLotId}'`,
    [],
  ],
  [
    '15',
    'a lot whose price was removed',
    ({ revokedLotId }) =>
      `UPDATE credit_lots SET price_minor = NULL, currency = NULL WHERE id = '${revokedLotId}'`,
    [],
  ],
  [
    '15',
    'a free lot that got a price',
    ({ lotId }) =>
      `UPDATE credit_lots SET price_minor = 199, currency = 'EUR' WHERE id = '${lotId}'`,
    [],
  ],
  [
    '15',
    'a lot with a price and no currency',
    ({ revokedLotId }) =>
      `ALTER TABLE credit_lots DROP CONSTRAINT IF EXISTS credit_lots_price_has_a_currency; UPDATE credit_lots SET currency = NULL WHERE id = '${revokedLotId}'`,
    [],
  ],
  [
    '15',
    'a lot whose price was moved to another column',
    ({ revokedLotId }) =>
      `ALTER TABLE credit_lots DROP CONSTRAINT IF EXISTS credit_lots_period_is_a_month; UPDATE credit_lots SET price_minor = NULL, currency = NULL, period = '","199","EUR' WHERE id = '${revokedLotId}'`,
    [],
  ],
  [
    '15',
    'a lot that no movement made',
    ({ userId }) =>
      `INSERT INTO credit_lots (user_id, id, source, priority, granted, remaining, granted_at) VALUES ('${userId}', gen_random_uuid(), 'FREE', 50, 5, 0, now())`,
    ['11'],
  ],
  [
    '9',
    'a lot whose terms were changed together with what was hashed',
    ({ userId, lotId }) =>
      `UPDATE credit_lots SET source = 'ADD_ON' WHERE id = '${lotId}'; UPDATE credit_transactions SET lot_terms = replace(lot_terms::text, 'FREE', 'ADD_ON')::json WHERE user_id = '${userId}' AND seq = 1`,
    [],
  ],
  [
    '9',
    'a movement with another id',
    ({ userId }) =>
      `UPDATE credit_transactions SET id = gen_random_uuid() WHERE user_id = '${userId}' AND seq = 2`,
    [],
  ],
  [
    '9',
    'a movement of another request',
    ({ userId }) =>
      `UPDATE credit_transactions SET request_hash = sha256('x') WHERE user_id = '${userId}' AND seq = 1`,
    [],
  ],
  [
    '9',
    'a movement that says it is of format 1',
    ({ userId }) =>
      `UPDATE credit_transactions SET format = 1, revoked_lots = NULL WHERE user_id = '${userId}' AND seq = 8`,
    [],
  ],
  [
    '12',
    'the end of a history cut off together with its sums, its lots and its head',
    ({ userId, emptyLotId, revokedLotId }) =>
      `DELETE FROM credit_allocations WHERE user_id = '${userId}' AND seq > 5; DELETE FROM credit_transactions WHERE user_id = '${userId}' AND seq > 5; DELETE FROM credit_lots WHERE id = '${revokedLotId}'; UPDATE credit_lots SET remaining = 2 WHERE id = '${emptyLotId}'; UPDATE credit_accounts SET last_seq = 5, head_hash = (SELECT hash FROM credit_transactions WHERE user_id = '${userId}' AND seq = 5) WHERE user_id = '${userId}'`,
    [],
  ],
];

/** Runs SQL without triggers and foreign keys. */
const tamper = (sql: string, of = database): Promise<unknown> =>
  of.sql(`SET session_replication_role = replica; ${sql}; SET session_replication_role = origin`);

const TABLES = [
  'audios',
  'credit_accounts',
  'credit_lots',
  'credit_transactions',
  'credit_allocations',
  'credit_checkpoints',
];
const IN_RANGE = 'credit_lots_remaining_in_range';

async function forget(...accounts: readonly Pick<Account, 'userId'>[]): Promise<void> {
  const users = accounts.map(({ userId }) => `'${userId}'`).join();
  await tamper(
    TABLES.map((table) => `DELETE FROM ${table} WHERE user_id IN (${users})`).join('; '),
  );
  const constraint = 'SELECT FROM pg_constraint WHERE conname = $1';
  // A fault has dropped it.
  if ((await database.sql(constraint, [IN_RANGE])).length === 0)
    await database.sql(
      `ALTER TABLE credit_lots ADD CONSTRAINT ${IN_RANGE} CHECK (0 <= remaining AND remaining <= granted)`,
    );
}

test.each(FAULTS)('invariant %s: %s is named with its ids', async (invariant, _what, sql, also) => {
  await expectNamed(await account(), sql, [invariant, ...also]);
});

/** Breaks one account. @param expected the invariants that must say so; the first of them is the one it is about */
async function expectNamed<Broken extends Pick<Account, 'userId'>>(
  fresh: Broken,
  sql: (account: Broken) => string,
  expected: readonly [string, ...string[]],
): Promise<void> {
  const [invariant] = expected;
  try {
    const before = await checkLedger(app, { userId: fresh.userId });
    expect(before.checks.filter((check) => check.violations > 0)).toEqual([]);
    await tamper(sql(fresh));
    const { ok, checks } = await checkLedger(app, { userId: fresh.userId });
    expect(ok).toBe(false);
    const named = checks.filter((check) => check.violations > 0);
    expect(named.map((check) => check.invariant)).toEqual(
      [...expected].sort((a, b) => Number(a) - Number(b)),
    );
    const [sample = ''] = named.find((check) => check.invariant === invariant)?.sample ?? [];
    expect(sample).toContain(`user ${fresh.userId}`);
    // The tests' own checks see it too: they share no code with the server's.
    const seen = Object.keys(await violations(database)).map((name) => name.split(' ')[0]);
    expect(seen).toContain(invariant);
  } finally {
    await forget(fresh);
  }
}

interface PartlyRevoked {
  readonly userId: UserId;
  /** 5 granted by 1, 2 spent by 2, 3 revoked as a part by 3. */
  readonly emptyLotId: string;
  /** 5 granted by 4, 1 revoked as a part by 5. */
  readonly lotId: string;
}

async function partlyRevoked(): Promise<PartlyRevoked> {
  const [userId, admin] = (await makeAccounts(database, 2)) as [UserId, UserId];
  const { lotId: emptyLotId } = await grant(app, userId, { amount: 5 });
  await debit(app, userId, 2);
  await revokePart(app, { userId, lotId: emptyLotId }, admin, { amount: 3 });
  const { lotId } = await grant(app, userId, { amount: 5 });
  await revokePart(app, { userId, lotId }, admin, { amount: 1 });
  return { userId, emptyLotId, lotId };
}

const FAULTS_OF_PARTS: readonly [
  what: string,
  sql: (account: PartlyRevoked) => string,
  seenBy: readonly [string, ...string[]],
][] = [
  [
    'a lot that says it was revoked when a part of it was',
    ({ userId, emptyLotId }) =>
      `UPDATE credit_lots SET revoked_at = (SELECT recorded_at FROM credit_transactions WHERE user_id = '${userId}' AND seq = 3) WHERE id = '${emptyLotId}'; UPDATE credit_accounts SET uncovered_revocations = ARRAY['${emptyLotId}'::uuid] WHERE user_id = '${userId}'`,
    ['15'],
  ],
  [
    'a part of a lot that had been revoked before',
    ({ userId, emptyLotId }) =>
      `UPDATE credit_lots SET revoked_at = (SELECT recorded_at - interval '1 millisecond' FROM credit_transactions WHERE user_id = '${userId}' AND seq = 3) WHERE id = '${emptyLotId}'; UPDATE credit_accounts SET uncovered_revocations = ARRAY['${emptyLotId}'::uuid] WHERE user_id = '${userId}'`,
    ['15', '10'],
  ],
  [
    'a part that was all of a lot',
    ({ userId, lotId }) =>
      `UPDATE credit_transactions SET idempotency_key = 'revoke:${lotId}' WHERE user_id = '${userId}' AND seq = 5`,
    ['9', '10'],
  ],
  [
    'a part of another request',
    ({ userId }) =>
      `UPDATE credit_transactions SET request_hash = sha256('x') WHERE user_id = '${userId}' AND seq = 5`,
    ['9'],
  ],
];

test.each(FAULTS_OF_PARTS)('%s is named with its ids', async (_what, sql, seenBy) => {
  await expectNamed(await partlyRevoked(), sql, seenBy);
});

const hasCheckpoint = async ({ userId }: Pick<Account, 'userId'>): Promise<boolean> =>
  (await database.sql('SELECT FROM credit_checkpoints WHERE user_id = $1', [userId])).length > 0;

const named = ({ checks }: Reconcile.LedgerHealth): string[] =>
  checks.filter(({ violations }) => violations > 0).map(({ invariant }) => invariant);

/** Faults that lie before a checkpoint and change neither the account, its lots, its newest hash nor its narrations. */
const HIDDEN_BEFORE: ReadonlySet<string> = new Set([
  'an allocation that is not in the sum',
  'a refund of more than was taken',
  'a refund of a debit that has no allocations any more',
  'an allocation on a lot that does not exist',
  'a word of the history that was changed',
  'a balance that is no sum',
  'a movement that was recorded before the one in front of it',
  'a movement with another id',
  'a movement of another request',
  'a movement that says it is of format 1',
]);
/** The same of what came later: this one is in the first movement, to which the checkpoint belongs. */
const HIDDEN_IN_FIRST: ReadonlySet<string> = new Set(['a movement of another request']);
/** Faults of an account that has a revoked lot. */
const OF_REVOKED: ReadonlySet<string> = new Set([
  'a revoked lot that says it is not',
  'a lot that was revoked at another time',
]);

const namesUser =
  ({ checks }: Reconcile.LedgerHealth) =>
  ({ userId }: Account, invariant = ''): boolean =>
    checks.some(
      (check) =>
        check.invariant.includes(invariant) && check.sample.some((line) => line.includes(userId)),
    );

test.each(FAULTS)(
  'from checkpoints, invariant %s: %s is seen in what came later, and by a full check everywhere',
  async (_invariant, what, sql) => {
    const known = await account();
    const grown = await account(
      (userId) => debit(app, userId, 1),
      async () => {
        expect(named(await reconcileCredits(app, { full: false }))).toEqual([]);
      },
    );
    const isInGrown = !OF_REVOKED.has(what);
    try {
      await tamper(sql(known));
      if (isInGrown) await tamper(sql(grown));
      const first = namesUser(await reconcileCredits(app, { full: false }));
      expect(first(known)).toBe(!HIDDEN_BEFORE.has(what));
      expect(first(grown)).toBe(isInGrown && !HIDDEN_IN_FIRST.has(what));
      const full = namesUser(await reconcileCredits(app, { full: true }));
      expect([full(known), full(grown)]).toEqual([true, isInGrown]);
      // Nothing wrong has a checkpoint, but one that shows what is wrong.
      expect(await hasCheckpoint(known)).toBe(full(known, '17'));
      expect(await hasCheckpoint(grown)).toBe(full(grown, '17') || !isInGrown);
      const again = namesUser(await reconcileCredits(app, { full: false }));
      expect([again(known), again(grown)]).toEqual([true, isInGrown]);
    } finally {
      await forget(known, grown);
    }
  },
);

test.each<[what: string, rewrite: (account: Account) => Promise<unknown>]>([
  [
    'rewritten with all its hashes',
    async ({ userId }) => {
      await tamper(
        `UPDATE credit_transactions SET reason = 'Other' WHERE user_id = '${userId}' AND seq = 2`,
      );
      await sealHistory(database, userId, { keepCheckpoint: true });
    },
  ],
  [
    'rewritten with all its hashes and then moved on',
    async ({ userId }) => {
      await tamper(
        `UPDATE credit_transactions SET reason = 'Other' WHERE user_id = '${userId}' AND seq = 2`,
      );
      await sealHistory(database, userId, { keepCheckpoint: true });
      await debit(app, userId, 1);
    },
  ],
  [
    'taken away with its account',
    async ({ userId }) => {
      for (const table of TABLES.filter((one) => one !== 'credit_checkpoints'))
        await tamper(`DELETE FROM ${table} WHERE user_id = '${userId}'`);
    },
  ],
])('a history that was %s contradicts its checkpoint in every check', async (_what, rewrite) => {
  const fresh = await account();
  try {
    expect(named(await reconcileCredits(app, { full: false }))).toEqual([]);
    await rewrite(fresh);
    const { userId } = fresh;
    const violated = [
      { invariant: '17', violations: 1, sample: [expect.stringContaining(userId)] },
    ];
    for (const check of [
      () => reconcileCredits(app, { full: false }),
      () => reconcileCredits(app, { full: true }),
      () => checkLedger(app),
      () => checkLedger(app, { userId }),
      () => reconcileCredits(app, { full: false }),
    ])
      expect((await check()).checks.filter(({ violations: count }) => count > 0)).toMatchObject(
        violated,
      );
    // Until an operator has looked at it.
    await database.sql('DELETE FROM credit_checkpoints WHERE user_id = $1', [userId]);
    expect(named(await reconcileCredits(app, { full: false }))).toEqual([]);
  } finally {
    await forget(fresh);
  }
});

test('a closed account may hold points while its job is live, and must not afterwards', async () => {
  const { userId } = await account();
  try {
    await database.sql(`INSERT INTO pgboss.job (name, data) VALUES ('erase-account', $1)`, [
      { userId },
    ]);
    await tamper(`UPDATE credit_accounts SET closed_at = now() WHERE user_id = '${userId}'`);
    for (const state of ['created', 'retry', 'active', 'completed']) {
      await database.sql(
        `UPDATE pgboss.job SET state = $2::pgboss.job_state WHERE data->>'userId' = $1 AND name = 'erase-account'`,
        [userId, state],
      );
      expect([state, named(await checkLedger(app, { userId }))]).toEqual([
        state,
        state === 'completed' ? ['13'] : [],
      ]);
    }
  } finally {
    await forget({ userId });
  }
});

test('rows without an account are found by a check of the whole ledger', async () => {
  const { userId } = await account();
  await tamper(`DELETE FROM credit_accounts WHERE user_id = '${userId}'`);
  const { checks } = await checkLedger(app);
  expect(checks.filter((check) => check.violations > 0)).toMatchObject([
    { invariant: '9', sample: [expect.stringContaining(userId)] },
  ]);
  await forget({ userId });
});

async function expectLongHistoryChecked(long: TestDatabase, own: OpenApp): Promise<void> {
  const [userId] = (await makeAccounts(long, 1)) as [UserId];
  await grant(own, userId, { amount: 1_000_000 });
  await reconcileCredits(own, { full: false });
  for (let done = 0; done < 24_000; done += 1_000)
    await Promise.all(Array.from({ length: 1_000 }, () => debit(own, userId, 1)));
  const sound = await checkLedger(own);
  expect(sound.checks.filter((check) => check.violations > 0)).toEqual([]);
  expect(sound.transactions).toBeGreaterThanOrEqual(24_001);
  // It has grown by more than a window.
  const grown = await reconcileCredits(own, { full: false });
  expect([named(grown), grown.transactionsRead]).toEqual([[], sound.transactions]);
  for (const seq of [20_000, 20_001, 24_001]) {
    await tamper(
      `UPDATE credit_transactions SET reason = 'Other' WHERE user_id = '${userId}' AND seq = ${String(seq)}`,
      long,
    );
    const { checks } = await checkLedger(own);
    expect(checks.filter((check) => check.violations > 0)).toMatchObject([
      {
        invariant: '9',
        violations: 1,
        sample: [expect.stringContaining(`transaction ${String(seq)} `)],
      },
    ]);
    await tamper(
      `UPDATE credit_transactions SET reason = 'A test' WHERE user_id = '${userId}' AND seq = ${String(seq)}`,
      long,
    );
  }
  await tamper(
    `UPDATE credit_allocations SET amount = -2 WHERE user_id = '${userId}' AND seq = 23999`,
    long,
  );
  const { checks } = await checkLedger(own);
  expect(checks.filter((check) => check.violations > 0).map((check) => check.invariant)).toEqual([
    '1',
    '3',
    '9',
    '11',
  ]);
}

test('a history longer than a window is checked to its end, and a fault in any window is found', async () => {
  // A database of its own, because the space of its rows would slow the checks of the other tests.
  const long = await createDatabase();
  const own = await openTestApp(long);
  try {
    await expectLongHistoryChecked(long, own);
  } finally {
    await own.close(1000);
    await long.drop();
  }
}, 1_200_000);
