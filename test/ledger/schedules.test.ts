import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type * as Jobs from '../../src/jobs/index.js';
import { TASKS } from '../../src/services/tasks.js';
import { openTestApp } from '../support/app.js';
import { createDatabase, MID_MONTH, type TestDatabase } from '../support/cluster.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { expectSoundLedger } from '../support/invariants.js';
import { administrator, grantTo, newListener } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const DAY_MS = 86_400_000;
const SCHEDULES = Object.values(TASKS)
  .map(({ queue, cron }) => ({ name: queue, cron, timezone: 'UTC' }))
  .sort((one, other) => (one.name < other.name ? -1 : 1));

let talebank: Talebank;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'all' }, { clockAt: MID_MONTH });
  await talebank.join({ ROLE: 'worker' });
});
afterAll(() => talebank.close());

test('every task has its time, in UTC', async () => {
  const schedules = await talebank.database.sql(
    'SELECT name, cron, timezone FROM pgboss.schedule ORDER BY name',
  );
  expect(schedules).toEqual(SCHEDULES);
});

/** Waits until nothing of the sweep's schedule is in progress. */
const untilQuiet = (): Promise<void> =>
  until('everything that was to fire has', async () => {
    const left = await talebank.database.sql(
      `SELECT FROM pgboss.job WHERE name IN ('expire-credits', '__pgboss__send-it')
         AND state IN ('created', 'retry', 'active')`,
    );
    return left.length === 0;
  });

/** The sweep is not due for half a day, and no earlier run of it is known. */
async function forgetSweeps(): Promise<void> {
  await talebank.database.sql(
    `UPDATE pgboss.schedule SET cron = to_char((now() + interval '12 hours') AT TIME ZONE 'UTC', 'FMMI FMHH24 * * *')
     WHERE name = 'expire-credits'`,
  );
  await untilQuiet();
  await talebank.database.sql(
    `DELETE FROM pgboss.job WHERE name IN ('expire-credits', '__pgboss__send-it')`,
  );
}

/**
 * As if it were due and half a minute had passed since a process last looked what is: one that starts looks at once,
 * before it sets the times anew.
 */
async function lookAgain(): Promise<void> {
  await talebank.database.sql(
    `UPDATE pgboss.schedule SET cron = '* * * * *' WHERE name = 'expire-credits'`,
  );
  await talebank.database.sql('UPDATE pgboss.version SET cron_on = NULL');
  await talebank.join({ ROLE: 'worker' });
  await until('it has looked', async () => {
    const [row] = await talebank.database.sql<{ cron_on: Date | null }>(
      'SELECT cron_on FROM pgboss.version',
    );
    return row?.cron_on != null;
  });
}

test('a task fires once however many processes run, and does its work', async () => {
  const admin = await administrator(talebank.url);
  const listener = await newListener(talebank.url);
  const expiresAt = talebank.database.ledgerTime(DAY_MS).toISOString();
  const lotId = await grantTo(talebank.url, admin, listener, {
    amount: 4,
    source: 'EVENT',
    expiresAt,
  });
  await forgetSweeps();
  await talebank.database.moveClock(2 * DAY_MS);
  await lookAgain();
  await lookAgain();
  await until('it has fired', async () => {
    const fired = await talebank.database.sql(
      `SELECT FROM pgboss.job WHERE name = 'expire-credits' AND state = 'completed'`,
    );
    return fired.length > 0;
  });
  await untilQuiet();
  // Once a minute, however many look. The looks may fall into different minutes.
  const [counts] = await talebank.database.sql(
    `SELECT count(*) FILTER (WHERE name = 'expire-credits') = count(DISTINCT singleton_on) FILTER
         (WHERE name = '__pgboss__send-it') AS "isOnceAMinute"
     FROM pgboss.job
     WHERE name = 'expire-credits' OR name = '__pgboss__send-it' AND data->>'name' = 'expire-credits'`,
  );
  expect(counts).toEqual({ isOnceAMinute: true });
  const [lot] = await talebank.database.sql('SELECT remaining FROM credit_lots WHERE id = $1', [
    lotId,
  ]);
  expect(lot).toEqual({ remaining: 0 });
  await talebank.database.moveClock(0);
});

/** What was sent for times that had passed, and what was done, for each task. */
interface Caught {
  readonly name: string;
  readonly missed: number;
  readonly sent: number;
  readonly done: number;
}

const caughtUp = (database: TestDatabase): Promise<Caught[]> =>
  database.sql(
    `SELECT s.name,
       (SELECT count(*)::int FROM pgboss.job j WHERE j.name = '__pgboss__send-it'
          AND j.data->>'name' = s.name AND j.singleton_on < now() - interval '1 hour') AS missed,
       (SELECT count(*)::int FROM pgboss.job j WHERE j.name = '__pgboss__send-it'
          AND j.data->>'name' = s.name) AS sent,
       (SELECT count(*)::int FROM pgboss.job j WHERE j.name = s.name AND j.state = 'completed') AS done
     FROM pgboss.schedule s ORDER BY s.name`,
  );

test('a task whose time passed while no worker ran is done once, when several workers start at once', async () => {
  const database = await createDatabase();
  const { startJobs } = await compiled<typeof Jobs>('jobs/index.js');
  const startWorker = async (): Promise<OpenApp> => {
    const app = await openTestApp(database, { ROLE: 'worker' });
    await startJobs(app);
    return app;
  };
  await (await startWorker()).close(1000);
  // As if it had stopped a day and an hour ago, and each task had been due five hours ago and the day before.
  await database.sql(`DELETE FROM pgboss.job`);
  await database.sql(`UPDATE pgboss.version SET cron_on = now() - interval '25 hours'`);
  await database.sql(
    `UPDATE pgboss.schedule SET created_on = now() - interval '2 days',
       cron = to_char((now() - interval '5 hours') AT TIME ZONE 'UTC', 'FMMI FMHH24 * * *')`,
  );
  const workers = await Promise.all(Array.from({ length: 3 }, startWorker));
  try {
    await until(
      'every task is done',
      async () => (await caughtUp(database)).every(({ done }) => done > 0),
      60_000,
    );
    // The next worker finds nothing to make up for.
    workers.push(await startWorker());
    const tasks = await caughtUp(database);
    expect(tasks.map(({ name }) => name)).toEqual(SCHEDULES.map(({ name }) => name));
    for (const { name, missed, sent, done } of tasks)
      expect([name, missed, done <= sent]).toEqual([name, 1, true]);
    await expectSoundLedger(database);
  } finally {
    for (const worker of workers) await worker.close(1000);
    await database.drop();
  }
});
