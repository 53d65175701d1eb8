import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/app.js';
import type { UserId } from '../../src/domain/ids.js';
import type * as Reconcile from '../../src/services/reconciliation/reconcile.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { debit, grant, refund, revoke } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { violations } from '../support/invariants.js';

/**
 * Every invariant is broken with SQL, as someone with the keys of the database could, and both the
 * server's check and the tests' own must say which one and where.
 */
let database: TestDatabase;
let app: OpenApp;
let checkLedger: typeof Reconcile.checkLedger;

beforeAll(async () => {
  database = await createDatabase();
  app = await openTestApp(database);
  ({ checkLedger } = await compiled<typeof Reconcile>('services/reconciliation/reconcile.js'));
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
}

/** 1 grant, 2 debit, 3 debit that was given back by 4, 5 another lot, 6 revoked. */
async function account(): Promise<Account> {
  const [userId, admin] = (await makeAccounts(database, 2)) as [UserId, UserId];
  const { lotId } = await grant(app, userId, { amount: 10 });
  const { audioId } = await debit(app, userId, 3);
  const second = await debit(app, userId, 1);
  await refund(app, userId, second.debitSeq ?? 0);
  // What was given back is over: nobody waits for it.
  await database.sql(
    `UPDATE audios SET status = 'FAILED', failure_reason = 'A test' WHERE user_id = $1 AND id = $2`,
    [userId, second.audioId],
  );
  const other = await grant(app, userId, { amount: 2, source: 'ADD_ON' });
  await revoke(app, userId, other.lotId, admin);
  return { userId, lotId, audioId };
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
    '2',
    'a lot that holds more than was granted',
    ({ lotId }) =>
      `ALTER TABLE credit_lots DROP CONSTRAINT credit_lots_remaining_in_range; UPDATE credit_lots SET remaining = 11 WHERE id = '${lotId}'`,
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
    ['3', '9', '10'],
  ],
  [
    '6',
    'a debit from a lot that had lapsed',
    ({ lotId }) =>
      `UPDATE credit_lots SET granted_at = '2020-01-01', expires_at = '2020-01-02', remaining = 0 WHERE id = '${lotId}'`,
    ['1', '10', '11'],
  ],
  [
    '7',
    'a lapsed lot that nobody swept',
    ({ lotId }) =>
      `UPDATE credit_lots SET granted_at = '2020-01-01', expires_at = now() - interval '11 minutes' WHERE id = '${lotId}'`,
    ['6', '10'],
  ],
  [
    '7',
    'a revoked lot that still holds points',
    ({ lotId }) => `UPDATE credit_lots SET revoked_at = now() WHERE id = '${lotId}'`,
    [],
  ],
  [
    '3',
    'a refund of a debit that has no allocations any more',
    ({ userId }) => `DELETE FROM credit_allocations WHERE user_id = '${userId}' AND seq = 3`,
    ['1', '4', '9', '10', '11'],
  ],
  [
    '8',
    'an allocation on a lot of nobody',
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
    ['1', '11'],
  ],
  [
    '9',
    'the end of a history cut off',
    ({ userId }) =>
      `DELETE FROM credit_allocations WHERE user_id = '${userId}' AND seq = 6; DELETE FROM credit_transactions WHERE user_id = '${userId}' AND seq = 6`,
    ['1', '11'],
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
    ['11'],
  ],
  [
    '11',
    'a lot that says it was granted more',
    ({ lotId }) => `UPDATE credit_lots SET granted = 12 WHERE id = '${lotId}'`,
    ['10'],
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
];

/** Runs SQL without triggers and foreign keys. */
const tamper = (sql: string): Promise<unknown> =>
  database.sql(
    `SET session_replication_role = replica; ${sql}; SET session_replication_role = origin`,
  );

const TABLES = [
  'audios',
  'credit_accounts',
  'credit_lots',
  'credit_transactions',
  'credit_allocations',
];
const IN_RANGE = 'credit_lots_remaining_in_range';

async function forget({ userId }: Pick<Account, 'userId'>): Promise<void> {
  for (const table of TABLES) await tamper(`DELETE FROM ${table} WHERE user_id = '${userId}'`);
  await database.sql(`ALTER TABLE credit_lots DROP CONSTRAINT IF EXISTS ${IN_RANGE}`);
  await database.sql(
    `ALTER TABLE credit_lots ADD CONSTRAINT ${IN_RANGE} CHECK (0 <= remaining AND remaining <= granted)`,
  );
}

test.each(FAULTS)('invariant %s: %s is named with its ids', async (invariant, _what, sql, also) => {
  const fresh = await account();
  try {
    const before = await checkLedger(app, { userId: fresh.userId });
    expect(before.checks.filter((check) => check.violations > 0)).toEqual([]);
    await tamper(sql(fresh));
    const { ok, checks } = await checkLedger(app, { userId: fresh.userId });
    expect(ok).toBe(false);
    const named = checks.filter((check) => check.violations > 0);
    expect(named.map((check) => check.invariant)).toEqual(
      [invariant, ...also].sort((a, b) => Number(a) - Number(b)),
    );
    const [sample = ''] = named.find((check) => check.invariant === invariant)?.sample ?? [];
    expect(sample).toContain(`user ${fresh.userId}`);
    // The tests' own checks see it too: they share no code with the server's.
    const seen = Object.keys(await violations(database)).map((name) => name.split(' ')[0]);
    expect(seen).toContain(invariant);
  } finally {
    await forget(fresh);
  }
});

test('what belongs to nobody is found by a check of the whole', async () => {
  const { userId } = await account();
  await tamper(`DELETE FROM credit_accounts WHERE user_id = '${userId}'`);
  const { checks } = await checkLedger(app);
  expect(checks.filter((check) => check.violations > 0)).toMatchObject([
    { invariant: '9', sample: [expect.stringContaining(userId)] },
  ]);
  await forget({ userId });
});

test('a history longer than a window is checked to its end, and a fault in any window is found', async () => {
  const [userId] = (await makeAccounts(database, 1)) as [UserId];
  await grant(app, userId, { amount: 1_000_000 });
  for (let done = 0; done < 24_000; done += 1_000)
    await Promise.all(Array.from({ length: 1_000 }, () => debit(app, userId, 1)));
  const sound = await checkLedger(app);
  expect(sound.checks.filter((check) => check.violations > 0)).toEqual([]);
  expect(sound.transactions).toBeGreaterThanOrEqual(24_001);
  for (const seq of [20_000, 20_001, 24_001]) {
    await tamper(
      `UPDATE credit_transactions SET reason = 'Other' WHERE user_id = '${userId}' AND seq = ${String(seq)}`,
    );
    const { checks } = await checkLedger(app);
    expect(checks.filter((check) => check.violations > 0)).toMatchObject([
      {
        invariant: '9',
        violations: 1,
        sample: [expect.stringContaining(`transaction ${String(seq)} `)],
      },
    ]);
    await tamper(
      `UPDATE credit_transactions SET reason = 'A test' WHERE user_id = '${userId}' AND seq = ${String(seq)}`,
    );
  }
  await tamper(
    `UPDATE credit_allocations SET amount = -2 WHERE user_id = '${userId}' AND seq = 23999`,
  );
  const { checks } = await checkLedger(app);
  expect(checks.filter((check) => check.violations > 0).map((check) => check.invariant)).toEqual([
    '1',
    '3',
    '9',
    '11',
  ]);
  await tamper(
    `UPDATE credit_allocations SET amount = -1 WHERE user_id = '${userId}' AND seq = 23999`,
  );
  // Every other test looks at all there is.
  await forget({ userId });
}, 120_000);
