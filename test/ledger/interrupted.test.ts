import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/app.js';
import type { MaintenanceTask } from '../../src/services/maintenance/run-maintenance.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { ask } from '../support/client.js';
import { grant } from '../support/commands.js';
import { BulkGrant, RunMaintenance } from '../support/operations.js';
import { administrator } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const DAY_MS = 86_400_000;
const USERS = 6_000;

let talebank: Talebank;
let app: OpenApp;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api', MONTHLY_CREDITS: '3' });
  app = await openTestApp(talebank.database);
});
afterAll(async () => {
  await app.close(1000);
  await talebank.close();
});

/** Kills a server in the middle of what it is asked for, and lets another one do the same to its end. */
async function killInTheMiddle(
  work: (url: string, token: string) => Promise<unknown>,
  done: () => Promise<number>,
): Promise<void> {
  const doomed = await talebank.join();
  const { token } = await administrator(doomed.url);
  const before = await done();
  work(doomed.url, token).catch(() => undefined);
  const deadline = Date.now() + 20_000;
  while ((await done()) === before) {
    if (Date.now() > deadline) throw new Error('It never began.');
    await sleep(5);
  }
  await doomed.kill();
  await sleep(200);
  const half = (await done()) - before;
  expect(half).toBeGreaterThan(0);
  expect(half).toBeLessThan(USERS);
  await work(talebank.url, (await administrator(talebank.url)).token);
  expect((await done()) - before).toBe(USERS);
}

const count = (sql: string) => async (): Promise<number> => {
  const [row] = await talebank.database.sql<{ count: number }>(
    `SELECT count(*)::int AS count ${sql}`,
  );
  return row?.count ?? 0;
};
const task =
  (name: MaintenanceTask) =>
  (url: string, token: string): Promise<unknown> =>
    ask(url, RunMaintenance, { task: name }, token);

test('a sweep that is killed loses nothing and repeats nothing', async () => {
  const users = await makeAccounts(talebank.database, USERS, { monthlyCredits: 0 });
  const expiresAt = new Date(Date.now() + DAY_MS);
  await Promise.all(
    users.map((userId) => grant(app, userId, { amount: 5, source: 'EVENT', expiresAt })),
  );
  await talebank.database.moveClock(2 * DAY_MS);
  await killInTheMiddle(
    task('EXPIRE_CREDITS'),
    count(`FROM credit_transactions WHERE type = 'EXPIRY'`),
  );
  await talebank.database.moveClock(0);
});

test('a monthly grant that is killed reaches everyone, once', async () => {
  await makeAccounts(talebank.database, USERS);
  await killInTheMiddle(
    task('GRANT_MONTHLY_CREDITS'),
    count(
      `FROM credit_lots WHERE source = 'MONTHLY' AND user_id NOT IN (SELECT id FROM users WHERE role = 'ADMIN')`,
    ),
  );
});

test('a grant to many that is killed is finished under its key, and nobody gets it twice', async () => {
  const users = await makeAccounts(talebank.database, USERS, { monthlyCredits: 0 });
  const rows = users.map((userId) => ({ userId, amount: 2 }));
  const input = { source: 'REFERRAL' as const, reason: 'Thanks', idempotencyKey: 'killed', rows };
  await killInTheMiddle(
    (url, token) => ask(url, BulkGrant, { input }, token),
    count(`FROM credit_transactions WHERE idempotency_key = 'bulk:killed'`),
  );
});
