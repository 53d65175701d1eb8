import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { compiled } from '../support/compiled.js';
import { expectSoundLedger } from '../support/invariants.js';

/** The allowance where months, years and leap days end. A month is a month in UTC, in every zone of the server. */

let database: TestDatabase;
let app: OpenApp;
let runMaintenance: typeof Maintenance.runMaintenance;

beforeEach(async () => {
  database = await createDatabase();
  app = await openTestApp(database, { MONTHLY_CREDITS: '5' });
  ({ runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  ));
});
afterEach(async () => {
  await expectSoundLedger(database);
  await app.close(1000);
  await database.drop();
});

/** What the account holds, a lot a line. */
async function lotsOf(userId: UserId | undefined): Promise<string[]> {
  const lots = await database.sql<{ period: string; expires_at: Date; remaining: number }>(
    'SELECT period, expires_at, remaining FROM credit_lots WHERE user_id = $1 ORDER BY period',
    [userId],
  );
  return lots.map(
    ({ period, expires_at: end, remaining }) =>
      `${period} until ${end.toISOString()}: ${String(remaining)}`,
  );
}

const MONTH_ENDS = [
  ['2027-12-31T23:50:00Z', '2027-12', '2028-01-01T00:00:00.000Z', '2028-01', '2028-02-01'],
  ['2028-01-31T12:00:00Z', '2028-01', '2028-02-01T00:00:00.000Z', '2028-02', '2028-03-01'],
  ['2028-02-28T23:50:00Z', '2028-02', '2028-03-01T00:00:00.000Z', '2028-03', '2028-04-01'],
  ['2028-02-29T00:00:00Z', '2028-02', '2028-03-01T00:00:00.000Z', '2028-03', '2028-04-01'],
  ['2028-02-29T23:50:00Z', '2028-02', '2028-03-01T00:00:00.000Z', '2028-03', '2028-04-01'],
  ['2029-02-28T10:50:00Z', '2029-02', '2029-03-01T00:00:00.000Z', '2029-03', '2029-04-01'],
  ['2030-11-01T00:00:00Z', '2030-11', '2030-12-01T00:00:00.000Z', '2030-12', '2031-01-01'],
] as const;

test.each(MONTH_ENDS)(
  'the allowance of %s is that of %s, lapses at %s, and is followed by that of %s',
  async (at, period, endsAt, nextPeriod, nextEnd) => {
    await database.startClock(at);
    const [userId] = await makeAccounts(database, 1);
    expect((await runMaintenance(app, 'GRANT_MONTHLY_CREDITS')).changed).toBe(1);
    expect(await lotsOf(userId)).toEqual([`${period} until ${endsAt}: 5`]);
    await database.startClock(new Date(Date.parse(endsAt) - 300_000).toISOString());
    expect((await runMaintenance(app, 'GRANT_MONTHLY_CREDITS')).changed).toBe(0);
    expect((await runMaintenance(app, 'EXPIRE_CREDITS')).changed).toBe(0);
    await database.startClock(endsAt);
    expect((await runMaintenance(app, 'GRANT_MONTHLY_CREDITS')).changed).toBe(1);
    await runMaintenance(app, 'EXPIRE_CREDITS');
    expect(await lotsOf(userId)).toEqual([
      `${period} until ${endsAt}: 0`,
      `${nextPeriod} until ${nextEnd}T00:00:00.000Z: 5`,
    ]);
  },
);
