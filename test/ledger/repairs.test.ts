import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { OpenApp } from '../../src/open-app.js';
import type { LotId, UserId } from '../../src/domain/ids.js';
import type * as Db from '../../src/infra/db.js';
import type * as Credits from '../../src/services/credits/credits.js';
import type * as CreditsSql from '../../src/services/credits/credits.sql.js';
import type * as ExpireCredits from '../../src/services/maintenance/expire-credits.js';
import type * as Reconcile from '../../src/services/reconciliation/reconcile.js';
import type * as RepairAccount from '../../src/services/repairs/repair-account.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, MID_MONTH, type TestDatabase } from '../support/cluster.js';
import { debit, grant, patiently, refund, revoke } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { expectSoundLedger } from '../support/invariants.js';
import { ledgerOn } from '../support/ledger-cli.js';
import { machineClock, V8_FLAGS } from '../support/machine.js';
import { preserved, sealHistory, tamper } from '../support/tampering.js';

const HOUR_MS = 3_600_000;
const LEDGER = fileURLToPath(new URL('../../dist/cli/ledger.js', import.meta.url));

let database: TestDatabase;
let app: OpenApp;
/** The same with RECONCILE_REPAIR=false. */
let reporting: OpenApp;
let reconcile: (full?: boolean, repair?: boolean) => Promise<Reconcile.LedgerHealth>;
let services: typeof Credits &
  typeof CreditsSql &
  typeof Db &
  typeof ExpireCredits &
  typeof Reconcile &
  typeof RepairAccount;

beforeAll(async () => {
  database = await createDatabase({ clockAt: MID_MONTH });
  [app, reporting] = await Promise.all([
    openTestApp(database),
    openTestApp(database, { RECONCILE_REPAIR: 'false' }),
  ]);
  services = {
    ...(await compiled<typeof Credits>('services/credits/credits.js')),
    ...(await compiled<typeof CreditsSql>('services/credits/credits.sql.js')),
    ...(await compiled<typeof Db>('infra/db.js')),
    ...(await compiled<typeof ExpireCredits>('services/maintenance/expire-credits.js')),
    ...(await compiled<typeof Reconcile>('services/reconciliation/reconcile.js')),
    ...(await compiled<typeof RepairAccount>('services/repairs/repair-account.js')),
  };
  reconcile = (full = true, repair = true) => services.reconcileCredits(app, { full, repair });
});
afterAll(async () => {
  await expectSoundLedger(database);
  await Promise.all([app.close(1000), reporting.close(1000)]);
  await database.drop();
});

const newAccount = async (): Promise<UserId> => {
  const [userId] = (await makeAccounts(database, 1)) as [UserId];
  return userId;
};

/** Narrations that were given back are not waited for. */
const settleNarrations = (): Promise<unknown> =>
  database.sql(`UPDATE audios u SET status = 'FAILED', failure_reason = 'A test'
    WHERE EXISTS (SELECT FROM credit_transactions r WHERE r.user_id = u.user_id AND r.debit_seq = u.debit_seq)`);

const damage = (lotId: string, by: number): Promise<unknown> =>
  database.sql('UPDATE credit_lots SET remaining = remaining + $2 WHERE id = $1', [lotId, by]);

const remainingOf = async (lotId: string): Promise<number | undefined> =>
  (
    await database.sql<{ remaining: number }>('SELECT remaining FROM credit_lots WHERE id = $1', [
      lotId,
    ])
  )[0]?.remaining;

const repairsOf = (lotId: string): Promise<Record<string, unknown>[]> =>
  database.sql(
    `SELECT action, actor_id, reason, details FROM audit_entries WHERE target = $1 AND action <> 'revokeCreditLot'`,
    [lotId],
  );

async function metric(name: string, of: OpenApp = app): Promise<number> {
  const { text } = await of.metrics.expose();
  const line = text.split('\n').find((one) => one.startsWith(`talebank_ledger_${name} `));
  return Number(line?.split(' ').at(-1) ?? 0);
}

const wrongIn = ({ checks }: Reconcile.LedgerHealth): (string | number)[][] =>
  checks
    .filter(({ violations }) => violations > 0)
    .map(({ invariant, violations }) => [invariant, violations]);

describe('a reconciliation', () => {
  test.each([
    ['too little', -4, false],
    ['too much', 2, true],
  ])('sets a lot right that holds %s, and says so', async (_what, by, full) => {
    const userId = await newAccount();
    await grant(app, userId, { amount: 3 });
    const { lotId } = await grant(app, userId, { amount: 10 });
    await debit(app, userId, 6);
    const right = (await remainingOf(lotId)) ?? 0;
    await reconcile();
    const repairs = await metric('repairs_total{source="reconciliation"}');
    const mismatches = await metric('mismatches_total{source="reconciliation"}');
    await damage(lotId, by);
    const health = await reconcile(full);
    expect(wrongIn(health)).toEqual([]);
    expect(health).toMatchObject({ ok: true, violationsFound: 1, repairedLots: 1 });
    expect(await remainingOf(lotId)).toBe(right);
    expect(await repairsOf(lotId)).toEqual([
      {
        action: 'repairLot',
        actor_id: null,
        reason: `remaining was ${String(right + by)}, its allocations say ${String(right)}`,
        details: { userId, source: 'reconciliation', remaining: { from: right + by, to: right } },
      },
    ]);
    expect(await metric('repairs_total{source="reconciliation"}')).toBe(repairs + 1);
    expect(await metric('mismatches_total{source="reconciliation"}')).toBe(mismatches + 1);
    // Others may lie in the future, because a test had moved the clock.
    const [row] = await database.sql(
      'SELECT violations_found, repaired_lots FROM reconciliations ORDER BY id DESC LIMIT 1',
    );
    expect(row).toEqual({ violations_found: 1, repaired_lots: 1 });
    expect(await reconcile(false)).toMatchObject({ ok: true, violationsFound: 0, repairedLots: 0 });
  });

  test('repairs both lots when their errors cancel each other out', async () => {
    const userId = await newAccount();
    const one = await grant(app, userId, { amount: 10 });
    const other = await grant(app, userId, { amount: 10, source: 'ADD_ON' });
    await debit(app, userId, 5);
    await reconcile();
    await damage(one.lotId, -2);
    await damage(other.lotId, 2);
    expect(await reconcile(false)).toMatchObject({ ok: true, repairedLots: 2 });
    expect([await remainingOf(one.lotId), await remainingOf(other.lotId)]).toEqual([10, 5]);
  });

  test('tells subscribers that the points have changed', async () => {
    const userId = await newAccount();
    const one = await grant(app, userId, { amount: 10 });
    const other = await grant(app, userId, { amount: 10, source: 'ADD_ON' });
    await damage(one.lotId, -2);
    await damage(other.lotId, -1);
    const before = await services.readCreditsVersion(app.points, userId);
    // The process that sends notices deletes their rows.
    await database.sql(`
      CREATE TABLE kept_topics (topic text);
      CREATE FUNCTION keep_topic() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO public.kept_topics VALUES (NEW.topic); RETURN NULL; END $$;
      CREATE TRIGGER keep_topic AFTER INSERT ON live_changes FOR EACH ROW EXECUTE FUNCTION keep_topic()`);
    expect(await reconcile()).toMatchObject({ ok: true, repairedLots: 2 });
    const told = await database.sql('SELECT topic FROM kept_topics');
    await database.sql(
      'DROP TRIGGER keep_topic ON live_changes; DROP FUNCTION keep_topic; DROP TABLE kept_topics',
    );
    expect(told).toEqual([{ topic: `credits ${userId}` }]);
    const after = await services.readCreditsVersion(app.points, userId);
    expect(after.version).not.toBe(before.version);
  });

  test('counts the lots of the pages before the one that a lock refuses', async () => {
    const userId = await newAccount();
    // Fewer at once, so that no transaction is long.
    for (let batch = 0; batch < 13; batch += 1)
      await Promise.all(Array.from({ length: 40 }, () => grant(app, userId, { amount: 5 })));
    await database.sql('UPDATE credit_lots SET remaining = 2 WHERE user_id = $1', [userId]);
    await database.sql(`
      CREATE FUNCTION refuse_repair() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF EXISTS (SELECT FROM credit_lots WHERE user_id = '${userId}' AND remaining = 5)
        THEN RAISE EXCEPTION 'A test' USING ERRCODE = '55P03'; END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER refuse_repair BEFORE UPDATE ON credit_lots FOR EACH STATEMENT EXECUTE FUNCTION refuse_repair()`);
    const health = await reconcile();
    await database.sql('DROP TRIGGER refuse_repair ON credit_lots; DROP FUNCTION refuse_repair');
    expect(health.repairedLots).toBe(500);
    expect(wrongIn(health)).toContainEqual(['1', 20]);
    expect(await reconcile()).toMatchObject({ ok: true, repairedLots: 20 });
  });

  test('only reports without the repair', async () => {
    const userId = await newAccount();
    const { lotId } = await grant(app, userId, { amount: 10 });
    await damage(lotId, -1);
    const health = await reconcile(true, false);
    expect(wrongIn(health)).toEqual([
      ['1', 1],
      ['11', 1],
    ]);
    expect(health.repairedLots).toBe(0);
    expect([await remainingOf(lotId), await repairsOf(lotId)]).toEqual([9, []]);
    expect(await reconcile()).toMatchObject({ ok: true, repairedLots: 1 });
  });
});

interface Left {
  readonly userId: UserId;
  readonly lotId: string;
}

/** Makes a damaged account. @returns its damaged lot */
const LEFT: readonly [string, string, () => Promise<Left>][] = [
  [
    'an account with a broken hash',
    'history',
    async () => {
      const userId = await newAccount();
      const { lotId } = await grant(app, userId, { amount: 10 });
      await damage(lotId, -1);
      await tamper(
        database,
        `UPDATE credit_transactions SET reason = 'Other' WHERE user_id = '${userId}'`,
      );
      return { userId, lotId };
    },
  ],
  [
    'a lot with changed terms',
    'history',
    async () => {
      const userId = await newAccount();
      const { lotId } = await grant(app, userId, { amount: 10 });
      await damage(lotId, -1);
      await tamper(database, `UPDATE credit_lots SET granted = 50 WHERE id = '${lotId}'`);
      return { userId, lotId };
    },
  ],
  [
    'a history that was computed again with a debit of more than the lot had',
    'history',
    async () => {
      const userId = await newAccount();
      const { lotId } = await grant(app, userId, { amount: 10 });
      await debit(app, userId, 4);
      await tamper(
        database,
        `UPDATE credit_allocations SET amount = -14 WHERE user_id = '${userId}' AND seq = 2;
         UPDATE credit_transactions SET amount = -14, balance_after = 0 WHERE user_id = '${userId}' AND seq = 2`,
      );
      await sealHistory(database, userId);
      return { userId, lotId };
    },
  ],
  [
    'a lot with more points than were granted',
    'history',
    async () => {
      const userId = await newAccount();
      const { lotId } = await grant(app, userId, { amount: 10 });
      await tamper(
        database,
        `UPDATE credit_allocations SET amount = 14 WHERE user_id = '${userId}'`,
      );
      await sealHistory(database, userId);
      return { userId, lotId };
    },
  ],
  [
    'a lot that has lapsed',
    'lapsed-or-revoked',
    async () => {
      const userId = await newAccount();
      const expiresAt = database.ledgerTime(60_000);
      const { lotId } = await grant(app, userId, { amount: 10, source: 'EVENT', expiresAt });
      await damage(lotId, -1);
      await database.moveClock(120_000);
      return { userId, lotId };
    },
  ],
  [
    'a lot that was revoked',
    'lapsed-or-revoked',
    async () => {
      const userId = await newAccount();
      const { lotId } = await grant(app, userId, { amount: 10 });
      await revoke(app, userId, lotId, await newAccount());
      await damage(lotId, 3);
      return { userId, lotId };
    },
  ],
  [
    'an account that is closed',
    'closed',
    async () => {
      const userId = await newAccount();
      const { lotId } = await grant(app, userId, { amount: 10 });
      await database.sql('UPDATE credit_accounts SET closed_at = ledger_now() WHERE user_id = $1', [
        userId,
      ]);
      await damage(lotId, -3);
      return { userId, lotId };
    },
  ],
];

describe('what is reported and not repaired', () => {
  test.each(LEFT)('%s', async (_what, reason, make) => {
    await preserved(database, async () => {
      const { userId, lotId } = await make();
      const before = await remainingOf(lotId);
      const health = await reconcile();
      expect(health).toMatchObject({ ok: false, repairedLots: 0 });
      expect(wrongIn(health).map(([invariant]) => invariant)).toContain('1');
      expect([await remainingOf(lotId), await repairsOf(lotId)]).toEqual([before, []]);
      // A debit of the account repairs it no more than the reconciliation does.
      if (reason !== 'closed') await debit(app, userId, 1).catch(() => undefined);
      expect(await repairsOf(lotId)).toEqual([]);
      const rest = await ledgerOn(database.url)('verify', '--repair', '--user', userId);
      if (reason === 'history') {
        expect(rest.stdout).toMatch(
          /^0 lots .*\nThe lot .* is not repaired, because the account's history/,
        );
        expect(rest.code).toBe(1);
      }
    });
    await database.moveClock(0);
  });

  test('a person can repair a lot that was revoked, and one that has lapsed is not swept before', async () => {
    const cli = ledgerOn(database.url);
    const userId = await newAccount();
    const expiresAt = database.ledgerTime(60_000);
    const { lotId } = await grant(app, userId, { amount: 10, source: 'EVENT', expiresAt });
    const other = await grant(app, userId, { amount: 5 });
    await revoke(app, userId, other.lotId, await newAccount());
    await damage(other.lotId, 2);
    await damage(lotId, -3);
    await database.moveClock(120_000);
    await services.expireCredits(app);
    expect(await remainingOf(lotId)).toBe(7);
    const dry = await cli('verify', '--repair', '--dry-run', '--user', userId);
    expect([dry.code, dry.stdout]).toEqual([
      1,
      expect.stringMatching(/^0 lots .*\n(?:The lot .* would be repaired\.\n){2}FAIL/),
    ]);
    expect(await remainingOf(lotId)).toBe(7);
    const repaired = await cli('verify', '--repair', '--user', userId);
    expect([repaired.code, repaired.stdout]).toEqual([
      0,
      expect.stringMatching(/^2 lots were set/),
    ]);
    await services.expireCredits(app);
    expect([await remainingOf(lotId), await remainingOf(other.lotId)]).toEqual([0, 0]);
    await expectSoundLedger(database);
    await database.moveClock(0);
  });
});

describe('a mismatch that is met between two checks', () => {
  const jobsOf = (userId: string): Promise<{ id: string }[]> =>
    database.sql(
      `SELECT id FROM pgboss.job WHERE name = 'repair-account' AND data->>'userId' = $1`,
      [userId],
    );

  test('by a read is counted, and repaired by one job', async () => {
    const userId = await newAccount();
    const { lotId } = await grant(app, userId, { amount: 10 });
    const read = (of: OpenApp): Promise<unknown> => services.balancesBySource(of, [userId]);
    await read(app);
    const mismatches = await metric('mismatches_total{source="read"}');
    await damage(lotId, -10);
    await Promise.all([read(app), read(app), read(reporting)]);
    await until('the job is there', async () => (await jobsOf(userId)).length > 0);
    await read(app);
    expect(await metric('mismatches_total{source="read"}')).toBe(mismatches + 1);
    expect(await metric('mismatches_total{source="read"}', reporting)).toBe(1);
    expect((await jobsOf(userId)).length).toBe(1);
    await services.repairAccount(reporting, { userId });
    expect(await remainingOf(lotId)).toBe(0);
    await services.repairAccount(app, { userId });
    expect(await remainingOf(lotId)).toBe(10);
    expect((await repairsOf(lotId))[0]).toMatchObject({ details: { source: 'read' } });
  });

  test.each([
    ['too much', 3],
    ['too little', -3],
    ['nothing', -6],
  ])('by a debit is repaired before it pays, from a lot that holds %s', async (_what, by) => {
    const userId = await newAccount();
    const first = await grant(app, userId, {
      amount: 10,
      source: 'EVENT',
      expiresAt: database.ledgerTime(HOUR_MS),
    });
    const second = await grant(app, userId, { amount: 10 });
    await debit(app, userId, 4);
    await damage(first.lotId, by);
    const { balance } = await debit(app, userId, 8);
    expect([balance, await remainingOf(first.lotId), await remainingOf(second.lotId)]).toEqual([
      8, 0, 8,
    ]);
    expect((await repairsOf(first.lotId)).length).toBe(1);
    // At once again, because the next mismatch is another one.
    await damage(second.lotId, -1);
    expect((await debit(app, userId, 1)).balance).toBe(7);
    await expectSoundLedger(database);
  });

  test('by a command is left to the job when the histories are too long together', async () => {
    const users = (await makeAccounts(database, 3)) as [UserId, UserId, UserId];
    const lots = await Promise.all(users.map((userId) => grant(app, userId, { amount: 5 })));
    for (const { lotId } of lots) await damage(lotId, -1);
    // Each is short enough by itself. No such movements are made, because only the number of the last one is looked at.
    const [longest, long, short] = users;
    const pretend = (userId: UserId, lastSeq: number): Promise<unknown> =>
      database.sql('UPDATE credit_accounts SET last_seq = $2 WHERE user_id = $1', [
        userId,
        lastSeq,
      ]);
    await pretend(longest, 1_600);
    await pretend(long, 1_500);
    const mend = (): Promise<ReadonlySet<UserId>> =>
      services.transact(app.db, (tx) => app.mender.mend(tx, users));
    expect(await mend()).toEqual(new Set([short]));
    await until('the job is there', async () => (await jobsOf(longest)).length > 0);
    // It was read, and is not repaired because of the movements that it has not.
    expect(await jobsOf(long)).toEqual([]);
    await Promise.all([pretend(longest, 1), pretend(long, 1)]);
    // Both are remembered.
    expect(await mend()).toEqual(new Set());
    for (const userId of [longest, long]) await services.repairAccount(app, { userId });
    expect(await Promise.all(lots.map(({ lotId }) => remainingOf(lotId)))).toEqual([5, 5, 5]);
  });

  test('by a sweep is repaired before it books', async () => {
    const userId = await newAccount();
    const expiresAt = database.ledgerTime(60_000);
    const lapsing = await grant(app, userId, { amount: 10, source: 'EVENT', expiresAt });
    const other = await grant(app, userId, { amount: 10 });
    await damage(other.lotId, -1);
    await database.moveClock(120_000);
    await services.expireCredits(app);
    expect([await remainingOf(lapsing.lotId), await remainingOf(other.lotId)]).toEqual([0, 10]);
    await database.moveClock(0);
  });
});

describe('races', () => {
  const ROUNDS = 4;

  /** An account with a debit, and a lot that lapses soon. */
  async function racer(): Promise<{ userId: UserId; lotId: string; debitSeq: number }> {
    const userId = await newAccount();
    const { lotId } = await grant(app, userId, { amount: 1_000 });
    const { debitSeq } = await debit(app, userId, 5);
    return { userId, lotId, debitSeq: debitSeq ?? 0 };
  }

  const COMMANDS: Readonly<
    Record<string, (racer: { userId: UserId; lotId: string; debitSeq: number }) => Promise<unknown>>
  > = {
    debits: ({ userId }) =>
      Promise.all([1, 2, 3].map((price) => patiently(() => debit(app, userId, price)))),
    refund: ({ userId, debitSeq }) => patiently(() => refund(app, userId, debitSeq)),
    sweep: () => services.expireCredits(app),
    grant: ({ userId }) => patiently(() => grant(app, userId, { amount: 2 })),
    revocation: async ({ userId, lotId }) => {
      const admin = await newAccount();
      await patiently(() => revoke(app, userId, lotId, admin));
    },
    // As the job that erases an account does after it was closed.
    erasure: async ({ userId, lotId }) => {
      await database.sql('UPDATE credit_accounts SET closed_at = ledger_now() WHERE user_id = $1', [
        userId,
      ]);
      await patiently(() =>
        app.ledger.revoke({
          userId,
          lotId: lotId as LotId,
          expectedRemaining: null,
          reason: 'The account was deleted.',
          actorId: null,
        }),
      );
    },
  };

  test.each(Object.keys(COMMANDS))('a repair with %s, in both orders', async (name) => {
    const command = COMMANDS[name] ?? ((): Promise<unknown> => Promise.resolve());
    for (let round = 0; round < ROUNDS; round += 1) {
      const one = await racer();
      if (name === 'sweep')
        await grant(app, one.userId, {
          amount: 7,
          source: 'EVENT',
          expiresAt: database.ledgerTime(60_000),
        });
      await damage(one.lotId, round % 2 === 0 ? -3 : 3);
      if (name === 'sweep') await database.moveClock(120_000);
      const repair = (): Promise<unknown> => services.repairAccount(app, { userId: one.userId });
      const both = round < ROUNDS / 2 ? [repair, () => command(one)] : [() => command(one), repair];
      await Promise.all(both.map((start) => start()));
      if (name === 'sweep') await database.moveClock(0);
    }
    await settleNarrations();
    expect(wrongIn(await reconcile())).toEqual([]);
    await expectSoundLedger(database);
  });

  test('repairs while lots are damaged and points are spent all the time', async () => {
    const { userId, lotId } = await racer();
    const holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
    const spend = async (): Promise<void> => {
      for (let count = 0; count < 25; count += 1) await patiently(() => debit(app, userId, 1));
    };
    const harm = async (): Promise<void> => {
      for (let count = 0; count < 10; count += 1) {
        // Another transaction holds the account for a moment, so that repairs and debits queue behind it. The lot is damaged
        // under the lock, because a repair ends with an error when a lot moves while it holds the account.
        await holder.query('BEGIN');
        await holder.query('SELECT FROM credit_accounts WHERE user_id = $1 FOR UPDATE', [userId]);
        await holder.query('UPDATE credit_lots SET remaining = remaining + $2 WHERE id = $1', [
          lotId,
          count % 2 === 0 ? -2 : 1,
        ]);
        await holder.query('SELECT pg_sleep(0.02)');
        await holder.query('COMMIT');
      }
    };
    const mend = async (): Promise<void> => {
      for (let count = 0; count < 10; count += 1) await services.repairAccount(app, { userId });
    };
    await Promise.all([spend(), spend(), harm(), mend(), mend()]);
    await holder.end();
    await reconcile();
    await settleNarrations();
    expect(wrongIn(await reconcile())).toEqual([]);
  });
});

/** REPAIRED_LOTS=10000 in .ci/run: so many at once do not fit into the memory that the commands get. */
const LOTS = Number(process.env['REPAIRED_LOTS'] ?? 3_000);

async function repairMany(many: TestDatabase, filler: OpenApp): Promise<void> {
  const USERS = LOTS / 50;
  const users = await makeAccounts(many, USERS);
  await Promise.all(
    users.flatMap((userId) =>
      Array.from({ length: LOTS / USERS }, () => grant(filler, userId, { amount: 5 })),
    ),
  );
  const wrong = async (): Promise<number> => {
    const rows = await many.sql(
      'SELECT FROM credit_lots WHERE user_id = ANY($1) AND remaining <> 5',
      [users],
    );
    return rows.length;
  };
  await many.sql('UPDATE credit_lots SET remaining = 2 WHERE user_id = ANY($1)', [users]);
  const environment = { ...machineClock(), DATABASE_URL: many.url };
  // As soon as a batch is committed, the next one is held, so that the process is killed in the middle.
  await many.sql(`
    CREATE FUNCTION hold_repair() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT FROM audit_entries WHERE action = 'repairLot' AND (details->'remaining'->>'from') = '2'
        AND (details->'remaining'->>'to') = '5')
      THEN PERFORM pg_sleep(600); END IF;
      RETURN NULL;
    END $$;
    CREATE TRIGGER hold_repair BEFORE UPDATE ON credit_lots FOR EACH STATEMENT EXECUTE FUNCTION hold_repair()`);
  const doomed = spawn(process.execPath, [...V8_FLAGS, LEDGER, 'reconcile', '--full'], {
    env: environment,
  });
  const HELD = `FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`;
  await until('it is in the middle', async () => (await many.sql(`SELECT ${HELD}`)).length > 0);
  doomed.kill('SIGKILL');
  await once(doomed, 'exit');
  await many.sql(`SELECT pg_terminate_backend(pid) ${HELD}`);
  await until('the trigger is gone', () =>
    many.sql(`DROP TRIGGER hold_repair ON credit_lots; DROP FUNCTION hold_repair`).then(
      () => true,
      () => false,
    ),
  );
  const half = await wrong();
  expect(half).toBeGreaterThan(0);
  expect(half).toBeLessThan(LOTS);
  const ended = await Promise.all(
    [0, 1].map(
      () =>
        new Promise<{ code: number; stdout: string }>((resolve) => {
          execFile(
            process.execPath,
            // The limit is a little more than an idle command needs.
            [...V8_FLAGS, '--max-old-space-size=96', LEDGER, 'reconcile', '--full'],
            { env: environment, maxBuffer: 64 * 1024 * 1024 },
            (error, stdout) => {
              resolve({ code: Number(error?.code ?? 0), stdout });
            },
          );
        }),
    ),
  );
  expect(ended.map(({ code }) => code)).toEqual([0, 0]);
  expect(await wrong()).toBe(0);
  const entries = await many.sql<{ count: number }>(
    `SELECT count(*)::int AS count FROM audit_entries e JOIN credit_lots l ON l.id::text = e.target
     WHERE e.action = 'repairLot' AND l.user_id = ANY($1) GROUP BY e.target`,
    [users],
  );
  expect([entries.length, entries.every(({ count }) => count === 1)]).toEqual([LOTS, true]);
  const [largest] = await many.sql<{ lots: number }>(
    'SELECT count(*)::int AS lots FROM credit_lots WHERE user_id = ANY($1) GROUP BY xmin::text ORDER BY 1 DESC LIMIT 1',
    [users],
  );
  expect(largest?.lots).toBeLessThanOrEqual(500);
}

test('many lots are repaired in batches, once each, through a kill and by two processes at once', async () => {
  // A database of its own, because every full check of another test would read all of it.
  const many = await createDatabase({ clockAt: MID_MONTH });
  const filler = await openTestApp(many);
  try {
    await repairMany(many, filler);
    await expectSoundLedger(many);
  } finally {
    await filler.close(1000);
    await many.drop();
  }
});

describe('npm run ledger -- reconcile', () => {
  test('repairs, or only says what it would repair', async () => {
    const cli = ledgerOn(database.url);
    const userId = await newAccount();
    const { lotId } = await grant(app, userId, { amount: 10 });
    await damage(lotId, -1);
    const dry = await cli('reconcile', '--dry-run');
    expect([dry.code, dry.stdout]).toEqual([
      1,
      expect.stringContaining(
        `The lot ${lotId} of user ${userId} (9 instead of 10) would be repaired.`,
      ),
    ]);
    const off = await cli('reconcile', '--full', '--no-repair');
    expect([off.code, off.stdout]).toEqual([1, expect.stringMatching(/^FAIL {2}1 /m)]);
    expect([await remainingOf(lotId), await repairsOf(lotId)]).toEqual([9, []]);
    const on = await cli('reconcile', '--full', '--repair');
    expect([on.code, on.stdout]).toEqual([0, expect.stringMatching(/^1 lot was set/m)]);
    expect(await remainingOf(lotId)).toBe(10);
  });

  test.each([
    [['reconcile', '--repair', '--no-repair']],
    [['reconcile', '--dry-run', '--no-repair']],
    [['verify', '--dry-run']],
  ])('%j gets the usage', async (args) => {
    const { code, stderr } = await ledgerOn(database.url)(...args);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^Usage:/)]);
  });
});
