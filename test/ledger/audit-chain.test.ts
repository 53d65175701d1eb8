import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import { newId, type UserId } from '../../src/domain/ids.js';
import type * as DbModule from '../../src/infra/db.js';
import type * as Administration from '../../src/services/accounts/administration.js';
import type * as Audit from '../../src/services/audit.sql.js';
import type * as Allowance from '../../src/services/credits/allowance.js';
import type * as Reconcile from '../../src/services/reconciliation/reconcile.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { brokenAudit } from '../support/chain.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { grant, revoke } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { expectSoundLedger } from '../support/invariants.js';

let database: TestDatabase;
let apps: OpenApp[];
let checkLedger: typeof Reconcile.checkLedger;
let allowance: typeof Allowance;
let administration: typeof Administration;

beforeAll(async () => {
  database = await createDatabase();
  apps = [await openTestApp(database), await openTestApp(database)];
  ({ checkLedger } = await compiled<typeof Reconcile>('services/reconciliation/reconcile.js'));
  allowance = await compiled<typeof Allowance>('services/credits/allowance.js');
  administration = await compiled<typeof Administration>('services/accounts/administration.js');
});
afterAll(async () => {
  await expectSoundLedger(database);
  await Promise.all(apps.map((app) => app.close(1000)));
  await database.drop();
});

function appOf(index: number): OpenApp {
  const app = apps[index % apps.length];
  if (app === undefined) throw new Error('No app is open.');
  return app;
}

/** The audit entries that the server's check and the tests' own find wrong. */
async function found(): Promise<{ server: readonly string[]; own: readonly string[] }> {
  const { checks } = await checkLedger(appOf(0));
  const [audit] = checks.filter(({ invariant }) => invariant === '16');
  return {
    server: (audit?.sample ?? []).map((line) => line.replace('audit entry ', '')),
    own: await brokenAudit(database),
  };
}

/** Administrators who change allowances. @returns the ids of the new entries, oldest first */
async function entries(count: number): Promise<string[]> {
  const [admin, listener] = (await makeAccounts(database, 2)) as [UserId, UserId];
  for (let amount = 0; amount < count; amount += 1)
    await allowance.setMonthlyCredits(
      appOf(0),
      { userId: listener, amount, reason: 'A "test" \\ żółć 🌙' },
      admin,
    );
  const rows = await database.sql<{ id: string }>(
    'SELECT id FROM audit_entries WHERE actor_id = $1 ORDER BY seq',
    [admin],
  );
  return rows.map(({ id }) => id);
}

test('entries of two processes at once are one chain, and their locks never form a circle', async () => {
  const people = await makeAccounts(database, 12);
  const [admin = '' as UserId] = people;
  await database.sql(`UPDATE users SET role = 'ADMIN' WHERE id = $1`, [admin]);
  const reason = 'A test';
  const lots = await Promise.all(
    people.map((userId, index) => grant(appOf(index), userId, { amount: 5 })),
  );
  await Promise.all(
    people
      .slice(1)
      .flatMap((userId, index) => [
        revoke(appOf(index), userId, lots[index + 1]?.lotId ?? '', admin),
        allowance.setMonthlyCredits(appOf(index), { userId, amount: index, reason }, admin),
        allowance.setMonthlyCredits(appOf(index + 1), { userId, amount: 7, reason }, admin),
        administration.suspendUser(appOf(index), { userId, reason }, admin),
        administration.reinstateUser(appOf(index + 1), { userId, reason }, admin),
      ]),
  );
  expect(await found()).toEqual({ server: [], own: [] });
  const [count] = await database.sql<{ entries: number; last: number }>(
    `SELECT (SELECT count(*)::int FROM audit_entries) AS entries, (SELECT last_seq FROM audit_chain) AS last`,
  );
  expect(count?.entries).toBe(count?.last);
  expect(count?.entries).toBeGreaterThanOrEqual(3 * 11);
  const deadlocks = await database.sql<{ deadlocks: string }>(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  );
  expect(deadlocks).toEqual([{ deadlocks: '0' }]);
});

test('an entry that is noted before a lock is taken does not hold up who has that lock and notes one too', async () => {
  const { transact } = await compiled<typeof DbModule>('infra/db.js');
  const { writeAudit } = await compiled<typeof Audit>('services/audit.sql.js');
  const [userId] = await makeAccounts(database, 1);
  const at = database.ledgerTime();
  const entry = { actorId: null, action: 'x', target: 'x', reason: null, details: null, at };
  const lock = (tx: DbModule.Tx): Promise<unknown> =>
    tx.$queryRaw`SELECT FROM credit_accounts WHERE user_id = ${userId}::uuid FOR UPDATE`;
  let [noted, locked] = [0, 0];
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await sleep(5);
  };
  await Promise.all([
    transact(appOf(0).db, async (tx) => {
      await writeAudit(tx, [entry]);
      noted += 1;
      await until(() => locked > 0);
      await lock(tx);
    }),
    transact(appOf(1).db, async (tx) => {
      await until(() => noted > 0);
      await lock(tx);
      locked += 1;
      await writeAudit(tx, [entry]);
    }),
  ]);
  // Each transaction came to its end at the first try.
  expect([noted, locked]).toEqual([1, 1]);
  expect(await found()).toEqual({ server: [], own: [] });
});

test.each<[what: string, sql: (ids: readonly string[]) => string, wrong: readonly number[]]>([
  [
    'a changed reason',
    ([, id]) => `UPDATE audit_entries SET reason = 'x' WHERE id = '${id ?? ''}'`,
    [1],
  ],
  [
    'another actor',
    ([, id]) => `UPDATE audit_entries SET actor_id = NULL WHERE id = '${id ?? ''}'`,
    [1],
  ],
  [
    'another time',
    ([, id]) => `UPDATE audit_entries SET at = at - interval '1 day' WHERE id = '${id ?? ''}'`,
    [1],
  ],
  [
    'another target',
    ([, id]) => `UPDATE audit_entries SET target = 'x' WHERE id = '${id ?? ''}'`,
    [1],
  ],
  [
    'other values',
    ([, id]) =>
      `UPDATE audit_entries SET details = '{"monthlyCredits":{"from":0,"to":5}}' WHERE id = '${id ?? ''}'`,
    [1],
  ],
  [
    'no values',
    ([, id]) => `UPDATE audit_entries SET details = NULL WHERE id = '${id ?? ''}'`,
    [1],
  ],
  ['an entry that is gone', ([, id]) => `DELETE FROM audit_entries WHERE id = '${id ?? ''}'`, [2]],
])('%s is reported', async (_what, sql, wrong) => {
  const ids = await entries(4);
  await database.sql('CREATE TABLE kept AS SELECT * FROM audit_entries');
  await tamper(sql(ids));
  const seen = await found();
  await tamper('DELETE FROM audit_entries; INSERT INTO audit_entries SELECT * FROM kept');
  await database.sql('DROP TABLE kept');
  const expected = wrong.map((index) => ids[index]);
  expect(seen).toEqual({ server: expected, own: expected });
});

/** Runs SQL without triggers. */
const tamper = (sql: string): Promise<unknown> =>
  database.sql(
    `SET session_replication_role = replica; ${sql}; SET session_replication_role = origin`,
  );

test('an entry that was added by hand is reported, wherever it is', async () => {
  const [first = '', second = ''] = await entries(3);
  const id = newId();
  await database.sql(`INSERT INTO audit_entries (id, at, action) VALUES ('${id}', now(), 'x')`);
  expect(await found()).toEqual({ server: [id], own: [id] });
  // In the middle: the later ones make room.
  const place = `(SELECT seq FROM audit_entries WHERE id = '${second}')`;
  await tamper(`
    CREATE TABLE kept AS SELECT * FROM audit_entries;
    UPDATE audit_entries SET seq = -seq WHERE seq >= ${place};
    UPDATE audit_entries SET seq = 1 - seq WHERE seq < 0;
    UPDATE audit_entries SET seq = (SELECT seq + 1 FROM audit_entries WHERE id = '${first}'), hash = sha256('x')
    WHERE id = '${id}'`);
  const seen = await found();
  await tamper(
    `DELETE FROM audit_entries; INSERT INTO audit_entries SELECT * FROM kept WHERE id <> '${id}'; DROP TABLE kept`,
  );
  expect(seen.server).toEqual(expect.arrayContaining([id, second, 'at the end']));
  expect(seen.own).toEqual(expect.arrayContaining([id, second, 'end']));
  expect(await found()).toEqual({ server: [], own: [] });
});

test('an end that was cut off is reported', async () => {
  const ids = await entries(2);
  const [last] = await database.sql<object>(
    'SELECT id FROM audit_entries ORDER BY seq DESC LIMIT 1',
  );
  expect(last).toEqual({ id: ids[1] });
  await tamper(
    `CREATE TABLE kept AS SELECT * FROM audit_entries; DELETE FROM audit_entries WHERE id = '${ids[1] ?? ''}'`,
  );
  const seen = await found();
  await tamper(
    'DELETE FROM audit_entries; INSERT INTO audit_entries SELECT * FROM kept; DROP TABLE kept',
  );
  expect(seen).toEqual({ server: ['at the end'], own: ['end'] });
});
