import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import type * as MaintenanceSql from '../../src/services/maintenance/maintenance.sql.js';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import type * as Task from '../../src/services/maintenance/task.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, MID_MONTH, type TestDatabase } from '../support/cluster.js';
import { grant } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { expectSoundLedger } from '../support/invariants.js';

const HOUR_MS = 3_600_000;
const LOTS_OF_EACH = 40;

let database: TestDatabase;
let app: OpenApp;
let users: UserId[];
beforeAll(async () => {
  database = await createDatabase({ clockAt: MID_MONTH });
  app = await openTestApp(database);
  users = await makeAccounts(database, 60);
});
afterAll(async () => {
  await app.close(1000);
  await database.drop();
});

async function makeLapsedLots(): Promise<void> {
  const expiresAt = database.ledgerTime(HOUR_MS);
  for (let lot = 0; lot < LOTS_OF_EACH; lot += 1)
    await Promise.all(
      users.map((user) => grant(app, user, { amount: 7, source: 'EVENT', expiresAt })),
    );
  await database.moveClock(2 * HOUR_MS);
}

/** Reads all pages of each lane. Each lot must be in one page, and all lots of an account in one lane. */
async function expectLanesToShareTheLots(): Promise<void> {
  const { readLapsedLots } = await compiled<typeof MaintenanceSql>(
    'services/maintenance/maintenance.sql.js',
  );
  const until = database.ledgerTime();
  const laneOf = new Map<string, number>();
  const seen: string[] = [];
  for (let number = 0; number < 3; number += 1) {
    let after: MaintenanceSql.LapsedLot | null = null;
    do {
      const wanted = { after, until, limit: 32, lane: { number, of: 3 } };
      const page: MaintenanceSql.Page<MaintenanceSql.LapsedLot> = await readLapsedLots(
        app.db,
        wanted,
      );
      for (const { userId, lotId } of page.rows) {
        expect(laneOf.get(userId) ?? number).toBe(number);
        laneOf.set(userId, number);
        seen.push(lotId);
      }
      after = page.next;
    } while (after !== null);
  }
  expect(new Set(seen).size).toBe(users.length * LOTS_OF_EACH);
  expect(seen.length).toBe(users.length * LOTS_OF_EACH);
}

test('when a lane fails, the others finish their batches, and the task fails with its error', async () => {
  const { walkInLanes } = await compiled<typeof Task>('services/maintenance/task.js');
  const begun: number[] = [];
  const finished: number[] = [];
  const walk = walkInLanes<number>(app, undefined, {
    read: ({ after, lane }) =>
      Promise.resolve({ rows: [lane.number], next: after === 3 ? null : (after ?? 0) + 1 }),
    settle: async ([lane = -1]) => {
      begun.push(lane);
      if (lane === 1) throw new Error('the lane has failed');
      await app.db.$executeRaw`SELECT pg_sleep(0.05)`;
      finished.push(lane);
      return 1;
    },
  });
  await expect(walk).rejects.toThrow('the lane has failed');
  // The lane that failed has begun one batch. The others have begun one each, and finished it.
  expect(begun.sort()).toEqual([0, 1, 2]);
  expect(finished.sort()).toEqual([0, 2]);
});

test('one sweep books all lots of accounts that have many, because an account is in one transaction at a time', async () => {
  await makeLapsedLots();
  await expectLanesToShareTheLots();
  const { runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  );
  expect(await runMaintenance(app, 'EXPIRE_CREDITS')).toMatchObject({
    processed: users.length * LOTS_OF_EACH,
    changed: users.length * LOTS_OF_EACH,
  });
  await expectSoundLedger(database);
});

test('any text is stored as it is given, because the arrays of a batch are quoted', async () => {
  const [userId] = users as [UserId];
  const reasons = [
    '"',
    '\\',
    '\\"',
    '{a,b}',
    ',',
    'NULL',
    '',
    ' a ',
    "'",
    'a\nb\tc',
    '\\n',
    'ö😀',
    '$1',
  ];
  const made = await Promise.all(
    reasons.map((reason, index) =>
      app.ledger.grant({
        userId,
        terms: { source: 'FREE', priority: 50, amount: 1, expiresAt: null },
        reason,
        idempotencyKey: `grant:"\\{},${String(index)}`,
        requestHash: new Uint8Array(32).fill(index),
        actorId: null,
        action: null,
      }),
    ),
  );
  const rows = await database.sql<{ seq: number; reason: string; idempotency_key: string }>(
    'SELECT seq, reason, idempotency_key FROM credit_transactions WHERE user_id = $1 AND seq = ANY($2)',
    [userId, made.map(({ seq }) => seq)],
  );
  const bySeq = new Map(rows.map((row) => [row.seq, row]));
  made.forEach(({ seq }, index) => {
    const reason = reasons[index] ?? '';
    expect(bySeq.get(seq)).toMatchObject({
      reason,
      idempotency_key: `grant:"\\{},${String(index)}`,
    });
  });
  await expectSoundLedger(database);
});

test('a statement that moves many accounts notes each of them, and none whose number stays', async () => {
  await database.sql(`DO $$
    DECLARE
      first bigint;
      noted bigint;
    BEGIN
      SELECT coalesce(max(id), 0) INTO first FROM live_changes;
      UPDATE credit_accounts SET last_seq = last_seq + (CASE WHEN user_id = (SELECT min(user_id::text)::uuid FROM credit_accounts) THEN 0 ELSE 1 END);
      SELECT count(DISTINCT topic) INTO noted FROM live_changes WHERE id > first AND topic LIKE 'credits %';
      IF noted <> (SELECT count(*) - 1 FROM credit_accounts) THEN
        RAISE EXCEPTION '% accounts are noted', noted;
      END IF;
      UPDATE credit_accounts SET last_seq = last_seq - 1
      WHERE user_id <> (SELECT min(user_id::text)::uuid FROM credit_accounts);
    END $$`);
  await expectSoundLedger(database);
});
