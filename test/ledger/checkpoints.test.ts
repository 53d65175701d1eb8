import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import type * as Reconcile from '../../src/services/reconciliation/reconcile.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { debit, grant, refund, revoke } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { expectSoundLedger } from '../support/invariants.js';

/** What a check of the ledger keeps, and what the next one reads. Which faults it finds is in faults.test.ts. */
const WEDNESDAY = '2027-03-10T12:00:00.000Z';
const DAY_MS = 86_400_000;

let database: TestDatabase;
let app: OpenApp;
let reconcileCredits: typeof Reconcile.reconcileCredits;

beforeAll(async () => {
  database = await createDatabase({ clockAt: WEDNESDAY });
  app = await openTestApp(database);
  ({ reconcileCredits } = await compiled<typeof Reconcile>('services/reconciliation/reconcile.js'));
});
beforeEach(async () => {
  await database.sql('DELETE FROM reconciliations; DELETE FROM credit_checkpoints');
  await reconcileCredits(app, { full: true });
});
afterAll(async () => {
  await expectSoundLedger(database);
  await app.close(1000);
  await database.drop();
});

const violated = ({ checks }: Reconcile.LedgerHealth): string[] =>
  checks.flatMap(({ sample }) => sample);

/** Accounts with some movements each: a grant of 100 and debits of 1. */
async function accounts(count: number, debits = 2): Promise<UserId[]> {
  const users = await makeAccounts(database, count);
  await Promise.all(users.map((userId) => grant(app, userId, { amount: 100 })));
  for (let done = 0; done < debits; done += 1)
    await Promise.all(users.map((userId) => debit(app, userId, 1)));
  return users;
}

/** @returns how many of the transactions it read */
async function readSince(): Promise<number> {
  const health = await reconcileCredits(app, { full: false });
  expect(violated(health)).toEqual([]);
  expect(health.isFull).toBe(false);
  const [all] = await database.sql<{ accounts: number; transactions: number }>(
    'SELECT count(*)::int AS accounts, sum(last_seq)::int AS transactions FROM credit_accounts',
  );
  expect(health).toMatchObject({ ...all });
  return health.transactionsRead;
}

test('an account is read from its checkpoint on, and one that stands as it stood is not read', async () => {
  const [one, other, third] = (await accounts(3)) as [UserId, UserId, UserId];
  expect(await readSince()).toBe(9);
  expect(await readSince()).toBe(0);
  const { debitSeq, audioId } = await debit(app, one, 5);
  await refund(app, one, debitSeq ?? 0);
  await database.sql(
    `UPDATE audios SET status = 'FAILED', failure_reason = 'A test' WHERE user_id = $1 AND id = $2`,
    [one, audioId],
  );
  const expiresAt = database.ledgerTime(DAY_MS);
  await grant(app, other, { amount: 3, source: 'EVENT', expiresAt });
  expect(await readSince()).toBe(3);
  expect(await readSince()).toBe(0);
  // What is revoked is read wholly, because the whole history proves it.
  const { lotId } = await grant(app, third, { amount: 3 });
  await revoke(app, third, lotId, one);
  expect(await readSince()).toBe(5);
  // A lot that holds nothing is revoked without a movement.
  const empty = await grant(app, third, { amount: 1, source: 'EVENT', expiresAt });
  await debit(app, third, 1);
  expect(await readSince()).toBe(2);
  await revoke(app, third, empty.lotId, one);
  expect(await readSince()).toBe(7);
  expect(await readSince()).toBe(0);
});

test('a checkpoint says what the account says, and what its movements came to', async () => {
  const [userId] = (await accounts(1)) as [UserId];
  await readSince();
  await debit(app, userId, 7);
  await grant(app, userId, { amount: 4, source: 'ADD_ON' });
  await readSince();
  const [kept] = await database.sql(
    `SELECT c.last_seq, c.head_hash = a.head_hash AS head, c.moved,
       c.reconciliation_id = (SELECT id FROM reconciliations ORDER BY id DESC LIMIT 1) AS newest
     FROM credit_checkpoints c JOIN credit_accounts a USING (user_id) WHERE user_id = $1`,
    [userId],
  );
  const moved = [
    ['ADD_ON', 'GRANT', 4],
    ['FREE', 'DEBIT', -9],
    ['FREE', 'GRANT', 100],
  ];
  expect(kept).toEqual({ last_seq: 5, head: true, moved, newest: true });
  // A full check makes the same of the whole history.
  await database.sql('DELETE FROM credit_checkpoints WHERE user_id = $1', [userId]);
  await reconcileCredits(app, { full: true });
  const [again] = await database.sql('SELECT moved FROM credit_checkpoints WHERE user_id = $1', [
    userId,
  ]);
  expect(again).toEqual({ moved });
});

test('all history is read once a week, by the first check from Sunday on, and when there is no checkpoint', async () => {
  // Without an account there is no checkpoint.
  await accounts(1);
  await reconcileCredits(app, { full: true });
  const isFull = async (): Promise<boolean> => (await reconcileCredits(app)).isFull;
  try {
    expect(await isFull()).toBe(false);
    await database.startClock('2027-03-13T23:59:00.000Z');
    expect(await isFull()).toBe(false);
    await database.startClock('2027-03-14T00:00:01.000Z');
    expect([await isFull(), await isFull()]).toEqual([true, false]);
    // The night of the Sunday was missed.
    await database.startClock('2027-03-23T03:30:00.000Z');
    expect([await isFull(), await isFull()]).toEqual([true, false]);
    await database.sql('DELETE FROM credit_checkpoints');
    expect([await isFull(), await isFull()]).toEqual([true, false]);
    // As the release before has left it: its checks have read all, and kept nothing.
    await database.sql(`
      UPDATE reconciliations SET is_full = DEFAULT, transactions_read = DEFAULT;
      DELETE FROM credit_checkpoints`);
    expect(await isFull()).toBe(true);
  } finally {
    await database.startClock(WEDNESDAY);
  }
});

/** Stops a check before its next part, so many parts on. */
const stoppedAfter = (parts: number): AbortSignal => {
  let left = parts;
  const throwIfAborted = (): void => {
    left -= 1;
    if (left < 0) throw new Error('It was stopped.');
  };
  return { throwIfAborted } as AbortSignal;
};

const checkpoints = async (where = 'true'): Promise<number> =>
  (await database.sql(`SELECT FROM credit_checkpoints WHERE ${where}`)).length;

test.each([true, false])(
  'a check that is interrupted keeps what it has done, and the next one does the rest (full: %s)',
  async (full) => {
    const users = await makeAccounts(database, 4_100);
    const [last] = users.slice(-1) as [UserId];
    await grant(app, last, { amount: 10 });
    await database.sql('DELETE FROM credit_checkpoints');
    const before = await database.sql('SELECT id FROM reconciliations');
    await expect(reconcileCredits(app, { full, signal: stoppedAfter(2) })).rejects.toThrow(
      'It was stopped.',
    );
    expect(await database.sql('SELECT id FROM reconciliations')).toEqual(before);
    expect(await checkpoints()).toBeGreaterThan(1_000);
    expect(await checkpoints(`user_id = '${last}'`)).toBe(0);
    expect(await readSince()).toBeGreaterThan(0);
    expect(await checkpoints(`user_id = '${last}'`)).toBe(1);
    expect(await readSince()).toBe(0);
  },
);

test('checks beside movements and beside each other find nothing, and keep nothing that is not so', async () => {
  const users = await accounts(16);
  let isOver = false;
  const move = async (userId: UserId, turn: number): Promise<void> => {
    const moves = [
      () => debit(app, userId, 1),
      () => grant(app, userId, { amount: 2, source: 'ADD_ON' }),
      async () => {
        const { debitSeq, audioId } = await debit(app, userId, 1);
        await refund(app, userId, debitSeq ?? 0);
        await database.sql(
          `UPDATE audios SET status = 'FAILED', failure_reason = 'A test' WHERE user_id = $1 AND id = $2`,
          [userId, audioId],
        );
      },
    ];
    await moves[turn % moves.length]?.();
  };
  const moving = users.map(async (userId, index) => {
    for (let turn = index; !isOver; turn += 1) await move(userId, turn);
  });
  const checking = [false, false, true].map(async (full) => {
    const found: string[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      const health = await reconcileCredits(app, { full });
      // A narration that is being given back is FAILED a moment later than its refund.
      found.push(...violated(health));
    }
    return found;
  });
  const found = (await Promise.all(checking)).flat();
  isOver = true;
  await Promise.all(moving);
  expect(found).toEqual([]);
  await readSince();
  expect(await readSince()).toBe(0);
  const wrong = await database.sql(
    `SELECT a.user_id FROM credit_accounts a LEFT JOIN credit_checkpoints c USING (user_id)
     WHERE (c.last_seq, c.head_hash) IS DISTINCT FROM (a.last_seq, a.head_hash)`,
  );
  expect(wrong).toEqual([]);
});

test('a checkpoint that the lots do not fit is not believed, and made anew', async () => {
  const [userId] = (await accounts(1)) as [UserId];
  await readSince();
  await debit(app, userId, 1);
  await database.sql(
    `UPDATE credit_checkpoints SET state_hash = sha256('another') WHERE user_id = $1`,
    [userId],
  );
  expect(await readSince()).toBe(4);
  expect(await readSince()).toBe(0);
});
