import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type * as NoticesModule from '../../src/infra/notices.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { compiled } from '../support/compiled.js';
import { expectBelow } from '../support/measure.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

async function openNotices(
  askEveryMs: number,
): Promise<{ notices: NoticesModule.Notices; heard: string[]; missed: () => number }> {
  const { createNotices } = await compiled<typeof NoticesModule>('infra/notices.js');
  const notices = createNotices({ url: database.url, log: pino({ level: 'silent' }), askEveryMs });
  const heard: string[] = [];
  let missed = 0;
  notices.listen('news', {
    heard: (payload) => heard.push(payload),
    missed: () => (missed += 1),
  });
  notices.open();
  await until(() => notices.current());
  return { notices, heard, missed: () => missed };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('It never came true.');
    await sleep(10);
  }
}

test('what is told is heard; a connection that is lost is replaced, and says that something may have been missed', async () => {
  const { notices, heard, missed } = await openNotices(50);
  await database.sql("SELECT pg_notify('news', 'one')");
  await until(() => heard.includes('one'));
  expect(missed()).toBe(1);
  await database.sql(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = 'talebank-notices' AND datname = current_database()`,
  );
  await until(() => missed() > 1);
  await until(() => notices.current());
  expect(missed()).toBe(2);
  await database.sql("SELECT pg_notify('news', 'two')");
  await until(() => heard.includes('two'));
  await notices.close();
  expect(notices.current()).toBe(false);
});

test('hearing for a long time keeps nothing', async () => {
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  const used = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const { notices } = await openNotices(0);
  await sleep(500);
  await expectBelow(1_000_000, async () => {
    const before = used();
    // Thousands of looks: as many as in a quarter of an hour.
    await sleep(2500);
    return used() - before;
  });
  await notices.close();
});
