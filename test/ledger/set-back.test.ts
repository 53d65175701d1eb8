import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type { LotId, UserId } from '../../src/domain/ids.js';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, MID_MONTH, type TestDatabase } from '../support/cluster.js';
import { debit, grant, refund, revoke } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { violations } from '../support/invariants.js';

const HOUR_MS = 3_600_000;

let database: TestDatabase;
let app: OpenApp;
let sweep: () => Promise<number>;

beforeAll(async () => {
  database = await createDatabase({ clockAt: MID_MONTH });
  app = await openTestApp(database);
  const { runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  );
  sweep = async () => (await runMaintenance(app, 'EXPIRE_CREDITS')).changed;
});
afterEach(async () => {
  const found = Object.keys(await violations(database)).map((name) => name.split(' ')[0]);
  // Only that the clock was set back is reported.
  expect(found.filter((number) => number !== '14')).toEqual([]);
  await database.moveClock(0);
});
afterAll(async () => {
  await app.close(1000);
  await database.drop();
});

/** A lot of 10 points that lapses in an hour and paid 4, the sweep having booked the other 6. */
async function sweptLot(): Promise<{
  userId: UserId;
  admin: UserId;
  lotId: LotId;
  debitSeq: number;
}> {
  const [userId, admin] = (await makeAccounts(database, 2)) as [UserId, UserId];
  const expiresAt = database.ledgerTime(HOUR_MS);
  const lotId = (await grant(app, userId, { amount: 10, expiresAt })).lotId as LotId;
  const { debitSeq } = await debit(app, userId, 4);
  await database.moveClock(2 * HOUR_MS);
  expect(await sweep()).toBe(1);
  return { userId, admin, lotId, debitSeq: debitSeq ?? 0 };
}

const movementsOf = async (userId: string): Promise<string[]> =>
  (
    await database.sql<{ type: string; amount: number }>(
      'SELECT type, amount FROM credit_transactions WHERE user_id = $1 ORDER BY seq',
      [userId],
    )
  ).map(({ type, amount }) => `${type} ${String(amount)}`);

test('what was booked as lapsed stays lapsed when the clock is set back', async () => {
  const { userId, admin, lotId, debitSeq } = await sweptLot();
  await database.moveClock(0);
  await refund(app, userId, debitSeq);
  expect(await movementsOf(userId)).toEqual([
    'GRANT 10',
    'DEBIT -4',
    'EXPIRY -6',
    'REFUND 4',
    'EXPIRY -4',
    'GRANT 4',
  ]);
  await database.moveClock(3 * HOUR_MS);
  expect(await sweep()).toBe(0);
  await revoke(app, userId, lotId, admin);
  expect((await movementsOf(userId)).length).toBe(6);
});

test('a repeated revocation of a lapsed lot gets its first answer, also after a refund has closed a part of it', async () => {
  const [userId, admin] = (await makeAccounts(database, 2)) as [UserId, UserId];
  const expiresAt = database.ledgerTime(HOUR_MS);
  const lotId = (await grant(app, userId, { amount: 10, expiresAt })).lotId as LotId;
  const { debitSeq } = await debit(app, userId, 4);
  await database.moveClock(2 * HOUR_MS);
  await refund(app, userId, debitSeq ?? 0);
  const request = { userId, lotId, expectedRemaining: 6, reason: 'Over', actorId: admin };
  const first = await app.ledger.revoke(request);
  expect(await app.ledger.revoke(request)).toMatchObject({ seq: first.seq });
});

test('what comes back to a closed account is lost in the same commit', async () => {
  const [userId] = (await makeAccounts(database, 1)) as [UserId];
  await grant(app, userId, { amount: 3 });
  await grant(app, userId, { amount: 3 });
  const { debitSeq } = await debit(app, userId, 4);
  await database.sql('UPDATE credit_accounts SET closed_at = ledger_now() WHERE user_id = $1', [
    userId,
  ]);
  await refund(app, userId, debitSeq ?? 0);
  const [held] = await database.sql<{ held: number }>(
    'SELECT sum(remaining)::int AS held FROM credit_lots WHERE user_id = $1',
    [userId],
  );
  expect(held?.held).toBe(0);
  expect(await movementsOf(userId)).toEqual([
    'GRANT 3',
    'GRANT 3',
    'DEBIT -4',
    'REFUND 4',
    'REVOCATION -3',
    'REVOCATION -3',
  ]);
});
