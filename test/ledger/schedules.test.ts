import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { administrator, grantTo, newListener } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const DAY_MS = 86_400_000;

let talebank: Talebank;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'all' });
  await Promise.all([talebank.join({ ROLE: 'worker' }), talebank.join({ ROLE: 'worker' })]);
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
  // The next full minute is soon enough.
  await talebank.database.sql(
    `UPDATE pgboss.schedule SET cron = '* * * * *' WHERE name = 'expire-credits'`,
  );
  const jobs = (): Promise<{ minute: Date; jobs: number }[]> =>
    talebank.database.sql(`
      SELECT date_trunc('minute', created_on) AS minute, count(*)::int AS jobs FROM pgboss.job
      WHERE name = 'expire-credits' AND state = 'completed' GROUP BY 1`);
  const deadline = Date.now() + 120_000;
  while ((await jobs()).length === 0) {
    if (Date.now() > deadline) throw new Error('The task did not fire.');
    await sleep(500);
  }
  // Whatever else was to fire in this minute would have by now.
  await sleep(12_000);
  expect((await jobs()).map((minute) => minute.jobs)).toEqual([1]);
  const [lot] = await talebank.database.sql('SELECT remaining FROM credit_lots WHERE id = $1', [
    lotId,
  ]);
  expect(lot).toEqual({ remaining: 0 });
  await talebank.database.moveClock(0);
  await talebank.database.sql(
    `UPDATE pgboss.schedule SET cron = '*/5 * * * *' WHERE name = 'expire-credits'`,
  );
}, 180_000);
