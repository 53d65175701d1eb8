import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeAccounts } from '../support/app.js';
import { ask, send } from '../support/client.js';
import { MID_MONTH } from '../support/cluster.js';
import { until } from '../support/faults.js';
import type { LedgerHealthQuery } from '../support/generated/graphql.js';
import { LedgerHealth, RunMaintenance } from '../support/operations.js';
import { administrator, type Person } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

/** How a ledger stands that is too large to be checked while a client waits. */
let talebank: Talebank;
let admin: Person;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' }, { clockAt: MID_MONTH });
  admin = await administrator(talebank.url);
  // Another account, with which nothing is wrong.
  await makeAccounts(talebank.database, 1);
  // The account says that it is long; checking it finds that it is not.
  await talebank.database.sql(
    `UPDATE credit_accounts SET last_seq = last_seq + 60000 WHERE user_id = $1`,
    [admin.id],
  );
});
afterAll(async () => {
  await talebank.database.sql(
    `UPDATE credit_accounts SET last_seq = last_seq - 60000 WHERE user_id = $1`,
    [admin.id],
  );
  await talebank.close();
});

const health = async (): Promise<LedgerHealthQuery['ledgerHealth']> =>
  (await ask(talebank.url, LedgerHealth, {}, admin.token)).ledgerHealth;

test('a large ledger is checked by a worker, and what was found is told with its age', async () => {
  const { database } = talebank;
  const never = {
    ...{ ok: false, accounts: 0, checks: [], checkedSecondsAgo: null, isChecking: true },
    ...{ isFull: false, fullyCheckedSecondsAgo: null, transactions: 0, transactionsRead: 0 },
  };
  expect(await health()).toMatchObject(never);
  expect(await health()).toMatchObject(never);
  const { data } = await send<{ ledgerHealth: { ok: boolean; checkedAt: string } }>(
    talebank.url,
    '{ ledgerHealth { ok checkedAt accounts checks { invariant description violations sample } } }',
    {},
    { token: admin.token },
  );
  expect(data?.ledgerHealth.ok).toBe(false);
  const aheadMs = Date.parse(data?.ledgerHealth.checkedAt ?? '') - database.ledgerTime().getTime();
  expect(Math.abs(aheadMs)).toBeLessThan(60_000);
  const jobs = await database.sql(`SELECT FROM pgboss.job WHERE name = 'reconcile-credits'`);
  expect(jobs.length).toBe(1);

  const worker = await talebank.join({ ROLE: 'worker' });
  await until('the ledger is checked', async () => {
    const { checkedSecondsAgo, isChecking } = await health();
    return checkedSecondsAgo !== null && !isChecking;
  });
  await worker.stop();
  await database.moveClock(3_600_000);
  const found = await health();
  expect(found).toMatchObject({ ok: false, isChecking: false });
  expect(found.checkedSecondsAgo).toBeGreaterThanOrEqual(3_599);
  expect(found.checkedSecondsAgo).toBeLessThan(3_800);
  expect(found.accounts).toBeGreaterThan(0);
  expect(found.checks.filter(({ violations }) => violations > 0)).toMatchObject([
    { invariant: '9', violations: 1 },
  ]);
  expect(found).toMatchObject({ isFull: true, fullyCheckedSecondsAgo: found.checkedSecondsAgo });
  expect(found.transactionsRead).toBe(found.transactions);

  // The next one starts from the checkpoints of the sound accounts, and finds the same.
  await ask(talebank.url, RunMaintenance, { task: 'RECONCILE_CREDITS' }, admin.token);
  const again = await health();
  expect(again).toMatchObject({ ok: false, isFull: false, checks: found.checks });
  expect([again.accounts, again.transactions]).toEqual([found.accounts, found.transactions]);
  expect(again.checkedSecondsAgo).toBeLessThan(600);
  expect(again.fullyCheckedSecondsAgo).toBeGreaterThanOrEqual(3_599);
});
