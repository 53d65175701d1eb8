import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import type { OpenApp } from '../../src/open-app.js';
import type { MaintenanceTask } from '../../src/services/tasks.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { ask, execute } from '../support/client.js';
import { MID_MONTH } from '../support/cluster.js';
import { grant } from '../support/commands.js';
import type { BulkGrantInput } from '../support/generated/graphql.js';
import { until } from '../support/faults.js';
import { BulkGrant, LedgerHealth, RevokeBulkGrant, RunMaintenance } from '../support/operations.js';
import { administrator } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const DAY_MS = 86_400_000;
const USERS = 3_000;
/** The rows of a bulk grant: three batches. */
const RECIPIENTS = 1_100;

let talebank: Talebank;
let app: OpenApp;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api', MONTHLY_CREDITS: '3' }, { clockAt: MID_MONTH });
  app = await openTestApp(talebank.database);
});
afterAll(async () => {
  await app.close(1000);
  await talebank.close();
});

const HELD = `FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`;

/** Ends what is held. @returns whether nothing that books was going on any more */
async function release(): Promise<boolean> {
  await talebank.database.sql(`SELECT pg_terminate_backend(pid) ${HELD}`);
  const released = talebank.database.sql(`
    SET LOCAL lock_timeout = '500ms';
    DROP TRIGGER hold_batch ON credit_transactions;
    DROP FUNCTION hold_batch`);
  return released.then(
    () => true,
    () => false,
  );
}

/** Kills a server in the middle of what it is asked for. @returns how much was done before */
async function killAtHalf(
  work: (url: string, token: string) => Promise<unknown>,
  done: () => Promise<number>,
  all = USERS,
): Promise<number> {
  const doomed = await talebank.join();
  const { token } = await administrator(doomed.url);
  const before = await done();
  // As soon as a batch is committed, all that come after it are held: so the middle lasts until the kill.
  const earlier = await count('FROM credit_transactions')();
  await talebank.database.sql(`
    CREATE FUNCTION hold_batch() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (SELECT count(*) FROM credit_transactions WHERE xmin <> pg_current_xact_id()::xid) > ${String(earlier)}
      THEN PERFORM pg_sleep(600); END IF;
      RETURN NULL;
    END $$;
    CREATE TRIGGER hold_batch BEFORE INSERT ON credit_transactions FOR EACH STATEMENT EXECUTE FUNCTION hold_batch()`);
  work(doomed.url, token).catch(() => undefined);
  await until('it is in the middle', async () => (await count(HELD)()) > 0);
  await doomed.kill();
  await until('nothing of it goes on', release);
  const half = (await done()) - before;
  expect(half).toBeGreaterThan(0);
  expect(half).toBeLessThan(all);
  return before;
}

/** Kills a server in the middle of what it is asked for, and lets another one do the same to its end. */
async function killInTheMiddle(
  work: (url: string, token: string) => Promise<unknown>,
  done: () => Promise<number>,
  all = USERS,
): Promise<void> {
  const before = await killAtHalf(work, done, all);
  await work(talebank.url, (await administrator(talebank.url)).token);
  expect((await done()) - before).toBe(all);
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
  const expiresAt = talebank.database.ledgerTime(DAY_MS);
  await Promise.all(
    users.map((userId) => grant(app, userId, { amount: 5, source: 'EVENT', expiresAt })),
  );
  await talebank.database.moveClock(2 * DAY_MS);
  await killInTheMiddle(
    task('EXPIRE_CREDITS'),
    count(`FROM credit_transactions WHERE type = 'EXPIRY'`),
  );
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

interface Order {
  readonly key: string;
  readonly input: BulkGrantInput;
  readonly done: () => Promise<number>;
  readonly ask: (url: string, token: string) => Promise<unknown>;
}

async function order(key: string): Promise<Order> {
  const users = await makeAccounts(talebank.database, RECIPIENTS, { monthlyCredits: 0 });
  const rows: BulkGrantInput['rows'] = users.map((userId) => ({ userId, amount: 2 }));
  // The last row names a user a second time: the process that finishes the order must report it as well.
  rows.push({ userId: users[0] ?? null, amount: 2 });
  const input = { source: 'REFERRAL' as const, reason: 'Thanks', idempotencyKey: key, rows };
  return {
    key,
    input,
    done: count(`FROM credit_transactions WHERE idempotency_key = 'bulk:${key}'`),
    ask: (url, token) => ask(url, BulkGrant, { input }, token),
  };
}

const outcome = {
  granted: RECIPIENTS,
  points: 2 * RECIPIENTS,
  skipped: [{ row: RECIPIENTS, reason: 'The same user as in row 0.' }],
  dryRun: false,
};
const entries = ({ key }: Order, action = 'bulkGrantCredits'): Promise<number> =>
  count(`FROM audit_entries WHERE action = '${action}' AND target = '${key}'`)();
const jobs = async ({ key }: Order, queue = 'finish-bulk-grant'): Promise<string[]> => {
  const rows = await talebank.database.sql<{ state: string }>(
    `SELECT state::text FROM pgboss.job WHERE name = $2 AND data->>'key' = $1`,
    [key, queue],
  );
  return rows.map(({ state }) => state);
};
/** What was to begin in some seconds begins now. */
const letJobsBegin = (): Promise<unknown> =>
  talebank.database.sql(
    `UPDATE pgboss.job SET start_after = now() WHERE name LIKE 'finish-bulk-%' AND state = 'created'`,
  );
const unfinishedMetric = async (what = 'bulk_grants'): Promise<string | undefined> =>
  new RegExp(`^talebank_ledger_${what}_unfinished (.*)$`, 'm').exec(
    await (await fetch(`${talebank.url}/metrics`)).text(),
  )?.[1];

test('a bulk grant that is killed is finished under its key, and no account is granted twice', async () => {
  const killed = await order('killed');
  await killInTheMiddle(killed.ask, killed.done, RECIPIENTS);
  expect(await entries(killed)).toBe(1);
  // The job has nothing to do any more.
  expect(await jobs(killed)).toEqual(['cancelled']);
});

test('a grant to many that is killed is listed, and finished by a job while the same is asked for', async () => {
  const { id, token } = await administrator(talebank.url);
  const one = await order('listed');
  const unfinished = async (): Promise<unknown> =>
    (await ask(talebank.url, LedgerHealth, {}, token)).ledgerHealth.unfinishedBulkGrants;
  await killAtHalf(one.ask, one.done, RECIPIENTS);
  // The actor and the reason are recorded from the first grant on.
  expect(await entries(one)).toBe(1);
  expect(await jobs(one)).toEqual(['created']);
  expect(await unfinished()).toMatchObject([
    { idempotencyKey: one.key, actorId: id, reason: 'Thanks', recipients: RECIPIENTS },
  ]);
  expect(await unfinishedMetric()).toBe('1');
  const worker = await talebank.join({ ROLE: 'worker' });
  await letJobsBegin();
  const { input } = one;
  const again = await ask(talebank.url, BulkGrant, { input }, token);
  expect(again.bulkGrantCredits).toMatchObject(outcome);
  await worker.stop();
  expect(await unfinished()).toEqual([]);
  expect(await unfinishedMetric()).toBe('0');
  expect(await one.done()).toBe(RECIPIENTS);
  expect(await entries(one)).toBe(1);
  const { bulkGrantCredits } = await ask(talebank.url, BulkGrant, { input }, token);
  expect(bulkGrantCredits).toEqual({ ...outcome, replayed: true });
  const other = { ...input, rows: input.rows.slice(1) };
  const { errors } = await execute(talebank.url, BulkGrant, { input: other }, { token });
  expect(errors[0]?.extensions.code).toBe('IDEMPOTENCY_KEY_REUSED');
  expect(await one.done()).toBe(RECIPIENTS);
});

test('a grant to many reaches every account that no other session holds, and a job grants the rest', async () => {
  const { token } = await administrator(talebank.url);
  const users = await makeAccounts(talebank.database, 600, { monthlyCredits: 0 });
  const rows = users.map((userId) => ({ userId, amount: 2 }));
  const input = { source: 'FREE' as const, reason: 'Thanks', idempotencyKey: 'held', rows };
  const done = count(`FROM credit_transactions WHERE idempotency_key = 'bulk:held'`);
  const client = new pg.Client({ connectionString: talebank.database.url });
  await client.connect();
  await client.query('BEGIN');
  // Some accounts of each batch, because waiting for all of them would take more than three minutes.
  const held = users.filter((_, index) => index % 15 === 0);
  await client.query('SELECT FROM credit_accounts WHERE user_id = ANY($1) FOR UPDATE', [held]);
  try {
    const startedAt = performance.now();
    const { errors } = await execute(talebank.url, BulkGrant, { input }, { token });
    expect(errors[0]?.extensions.code).toBe('BUSY');
    expect(performance.now() - startedAt).toBeLessThan(90_000);
    expect(await done()).toBe(560);
  } finally {
    await client.end();
  }
  const worker = await talebank.join({ ROLE: 'worker' });
  await letJobsBegin();
  await until('it is finished', async () => (await unfinishedMetric()) === '0');
  await worker.stop();
  expect(await done()).toBe(600);
  const { bulkGrantCredits } = await ask(talebank.url, BulkGrant, { input }, token);
  expect(bulkGrantCredits).toMatchObject({ granted: 600, points: 1200, replayed: true });
});

/** A grant to many that is made, and that is to be revoked. */
async function granted(key: string): Promise<Order> {
  const one = await order(key);
  await one.ask(talebank.url, (await administrator(talebank.url)).token);
  const variables = { idempotencyKey: key, reason: 'A mistake' };
  return {
    ...one,
    done: count(
      `FROM credit_transactions r JOIN credit_transactions g USING (user_id)
       WHERE r.type = 'REVOCATION' AND g.idempotency_key = 'bulk:${key}'`,
    ),
    ask: (url, token) => ask(url, RevokeBulkGrant, variables, token),
  };
}

const revoked = {
  accounts: RECIPIENTS,
  granted: 2 * RECIPIENTS,
  revoked: 2 * RECIPIENTS,
  spent: 0,
  lapsed: 0,
  revokedOtherwise: 0,
};

test('a revocation of a grant to many that is killed is finished by the same request, and revokes nothing twice', async () => {
  const killed = await granted('revocation-killed');
  await killInTheMiddle(killed.ask, killed.done, RECIPIENTS);
  expect(await entries(killed, 'revokeBulkGrant')).toBe(1);
  expect(await jobs(killed, 'finish-bulk-revocation')).toEqual(['cancelled']);
  const { token } = await administrator(talebank.url);
  expect(await killed.ask(talebank.url, token)).toEqual({
    revokeBulkGrant: { ...revoked, replayed: true },
  });
});

test('a revocation of a grant to many that is killed is listed, and finished by a job while the same is asked for', async () => {
  const { id, token } = await administrator(talebank.url);
  const one = await granted('revocation-listed');
  const unfinished = async (): Promise<unknown> =>
    (await ask(talebank.url, LedgerHealth, {}, token)).ledgerHealth.unfinishedBulkRevocations;
  await killAtHalf(one.ask, one.done, RECIPIENTS);
  expect(await entries(one, 'revokeBulkGrant')).toBe(1);
  expect(await jobs(one, 'finish-bulk-revocation')).toEqual(['created']);
  expect(await unfinished()).toMatchObject([
    { idempotencyKey: one.key, actorId: id, reason: 'A mistake' },
  ]);
  expect(await unfinishedMetric('revocations')).toBe('1');
  const worker = await talebank.join({ ROLE: 'worker' });
  await letJobsBegin();
  expect(await one.ask(talebank.url, token)).toMatchObject({ revokeBulkGrant: revoked });
  await until('it is finished', async () => (await unfinishedMetric('revocations')) === '0');
  await worker.stop();
  expect(await unfinished()).toEqual([]);
  expect(await one.done()).toBe(RECIPIENTS);
});

test('a revocation of a grant to many reaches every account that no other session holds, and a job revokes the rest', async () => {
  const { token } = await administrator(talebank.url);
  const one = await granted('revocation-held');
  const client = new pg.Client({ connectionString: talebank.database.url });
  await client.connect();
  await client.query('BEGIN');
  await client.query(
    `SELECT FROM credit_accounts WHERE user_id IN (
       SELECT user_id FROM credit_transactions WHERE idempotency_key = $1 ORDER BY user_id LIMIT 3) FOR UPDATE`,
    [`bulk:${one.key}`],
  );
  try {
    const variables = { idempotencyKey: one.key, reason: 'A mistake' };
    const { errors } = await execute(talebank.url, RevokeBulkGrant, variables, { token });
    expect(errors[0]?.extensions.code).toBe('BUSY');
    expect(await one.done()).toBe(RECIPIENTS - 3);
  } finally {
    await client.end();
  }
  const worker = await talebank.join({ ROLE: 'worker' });
  await letJobsBegin();
  await until('it is finished', async () => (await unfinishedMetric('revocations')) === '0');
  await worker.stop();
  expect(await one.done()).toBe(RECIPIENTS);
  expect(await one.ask(talebank.url, token)).toEqual({
    revokeBulkGrant: { ...revoked, replayed: true },
  });
});
