import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { until } from '../support/faults.js';
import { administrator, grantTo, newListener } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const DAY_MS = 86_400_000;

let talebank: Talebank;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'all' });
  await talebank.join({ ROLE: 'worker' });
});
afterAll(() => talebank.close());

test('every task has its time, in UTC', async () => {
  const schedules = await talebank.database.sql(
    'SELECT name, cron, timezone FROM pgboss.schedule ORDER BY name',
  );
  expect(schedules).toEqual([
    { name: 'expire-credits', cron: '*/5 * * * *', timezone: 'UTC' },
    { name: 'grant-monthly-credits', cron: '5 0 * * *', timezone: 'UTC' },
    { name: 'prune', cron: '0 4 * * *', timezone: 'UTC' },
    { name: 'reap-stuck-audio', cron: '* * * * *', timezone: 'UTC' },
    { name: 'reconcile-credits', cron: '30 3 * * *', timezone: 'UTC' },
  ]);
});

/**
 * As if it were due and half a minute had passed since a process last looked what is: one that starts looks at once,
 * before it sets the times anew.
 * @returns the minute in which it was looked
 */
async function lookAgain(): Promise<number> {
  await talebank.database.sql(
    `UPDATE pgboss.schedule SET cron = '* * * * *' WHERE name = 'expire-credits'`,
  );
  await talebank.database.sql('UPDATE pgboss.version SET cron_on = NULL');
  await talebank.join({ ROLE: 'worker' });
  let lookedAt: Date | null = null;
  await until('it has looked', async () => {
    const [row] = await talebank.database.sql<{ cron_on: Date | null }>(
      'SELECT cron_on FROM pgboss.version',
    );
    lookedAt = row?.cron_on ?? null;
    return lookedAt !== null;
  });
  return Math.floor(Number(lookedAt) / 60_000);
}

test('a task fires once however many processes run, and does its work', async () => {
  const admin = await administrator(talebank.url);
  const listener = await newListener(talebank.url);
  const expiresAt = new Date(Date.now() + DAY_MS).toISOString();
  const lotId = await grantTo(talebank.url, admin, listener, {
    amount: 4,
    source: 'EVENT',
    expiresAt,
  });
  await talebank.database.moveClock(2 * DAY_MS);
  const jobs = (): Promise<unknown[]> =>
    talebank.database.sql(
      `SELECT FROM pgboss.job WHERE name = 'expire-credits' AND state = 'completed'`,
    );
  const first = await lookAgain();
  await until('it has fired', async () => (await jobs()).length > 0);
  const second = await lookAgain();
  await until('whatever was to fire has', async () => {
    const left = await talebank.database.sql(
      `SELECT FROM pgboss.job WHERE name IN ('expire-credits', '__pgboss__send-it')
         AND state IN ('created', 'retry', 'active')`,
    );
    return left.length === 0;
  });
  // Once a minute, whoever looks; the second look may have been in the next one.
  expect(await jobs()).toHaveLength(first === second ? 1 : 2);
  const [lot] = await talebank.database.sql('SELECT remaining FROM credit_lots WHERE id = $1', [
    lotId,
  ]);
  expect(lot).toEqual({ remaining: 0 });
  await talebank.database.moveClock(0);
}, 60_000);
