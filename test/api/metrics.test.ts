import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { ask, execute } from '../support/client.js';
import { MID_MONTH } from '../support/cluster.js';
import { until } from '../support/faults.js';
import { scrape, valueOf } from '../support/metrics.js';
import {
  BulkGrant,
  Login,
  Narrate,
  RefundAudio,
  Revoke,
  RevokeBulkGrant,
  RunMaintenance,
  SetMonthlyCredits,
} from '../support/operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  narrate,
  newListener,
  newStory,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { loggedBy, type ServerProcess, startTalebank, type Talebank } from '../support/talebank.js';

const DAY_MS = 86_400_000;
const TOKEN = 'a-token-of-some-length';

let talebank: Talebank;
let worker: ServerProcess;
let url: string;
let admin: Person;
let voiceId: string;
let metricsUrl: string;

beforeAll(async () => {
  talebank = await startTalebank(
    // Without repairs, a violation stays until the test ends it.
    { ROLE: 'api', METRICS_TOKEN: TOKEN, RECONCILE_REPAIR: 'false' },
    { clockAt: MID_MONTH },
  );
  worker = await talebank.join({
    ROLE: 'worker',
    METRICS_PORT: '0',
    SYNTHESIS_RETRIES: '0',
    SYNTHESIS_RETRY_DELAY_SECONDS: '0',
  });
  // A sweep of the schedule at the wrong moment would take the points that a test counts.
  await talebank.database.sql('DELETE FROM pgboss.schedule');
  const listening = worker.logs().find(({ msg }) => msg === 'listening');
  metricsUrl = String(listening?.['metricsUrl']);
  url = talebank.url;
  admin = await administrator(url);
  voiceId = await englishVoice(url);
});
afterEach(() => talebank.database.moveClock(0));
afterAll(() => talebank.close());

const inDays = (days: number): string => talebank.database.ledgerTime(days * DAY_MS).toISOString();

/** The value of a sample, 0 when it has not been seen: `name{label="value"}`, labels in their order. */
async function metric(sample: string, at = url): Promise<number> {
  return valueOf(await scrape(at, TOKEN), sample);
}

/** By how much each sample grows while `work` goes on. */
async function growth(
  samples: readonly string[],
  work: () => Promise<unknown>,
  at = url,
): Promise<number[]> {
  const before = await Promise.all(samples.map((sample) => metric(sample, at)));
  await work();
  const after = await Promise.all(samples.map((sample) => metric(sample, at)));
  return after.map((value, index) => value - (before[index] ?? 0));
}

const command = (name: string, source: string, result = 'ok'): string =>
  `ledger_commands_total{command="${name}",source="${source}",result="${result}"}`;
const points = (type: string, source: string): string =>
  `ledger_points_total{type="${type}",source="${source}"}`;

test('grants and their points are counted by source, and refusals by code', async () => {
  const listener = await newListener(url);
  expect(
    await growth(
      [
        command('grant', 'ADD_ON'),
        points('GRANT', 'ADD_ON'),
        'ledger_command_duration_seconds_count{command="grant"}',
      ],
      () => grantTo(url, admin, listener, { amount: 7 }),
    ),
  ).toEqual([1, 7, 1]);
  expect(
    await growth(
      [command('grant', 'FREE', 'unchanged'), command('grant', 'FREE', 'IDEMPOTENCY_KEY_REUSED')],
      async () => {
        const again = { source: 'FREE' as const, idempotencyKey: 'again' };
        await grantTo(url, admin, listener, again);
        await grantTo(url, admin, listener, again);
        await grantTo(url, admin, listener, { ...again, amount: 3 }).catch(() => undefined);
      },
    ),
  ).toEqual([1, 1]);
});

test('devices that sign in, and wrong passwords, are counted and logged without the password', async () => {
  const { id, email } = await newListener(url);
  const signIn = (password: string, as = email): Promise<unknown> =>
    execute(url, Login, { input: { email: as, password } });
  const events = ['created', 'refused'].map((event) => `sessions_total{event="${event}"}`);
  const grown = await growth(events, async () => {
    await signIn('a good password');
    await signIn('a wrong guess');
    await signIn('a wrong guess', 'nobody@example.com');
  });
  expect(grown).toEqual([1, 2]);
  await loggedBy(talebank.server, ({ msg, userId }) => msg === 'wrong password' && userId === id);
  const logged = talebank.server.logs().filter(({ msg }) => msg === 'wrong password');
  expect(logged).toMatchObject([{ userId: id }]);
  expect(talebank.server.output()).not.toContain('a wrong guess');
});

test('debits, refunds and refusals for want of points are counted', async () => {
  const listener = await newListener(url);
  const story = await newStory(url, admin, { length: 2500 });
  const dear = await newStory(url, admin, { length: 50_000 });
  let audioId = '';
  expect(
    await growth(
      [
        command('debit', 'any'),
        points('DEBIT', 'FREE'),
        command('debit', 'any', 'INSUFFICIENT_CREDITS'),
      ],
      async () => {
        ({ audioId } = await narrate(url, listener, story.id, voiceId));
        await execute(
          url,
          Narrate,
          { input: { storyId: dear.id, voiceId } },
          { token: listener.token },
        );
      },
    ),
  ).toEqual([1, 3, 1]);
  expect(
    await growth([command('refund', 'FREE'), points('REFUND', 'FREE')], () =>
      ask(url, RefundAudio, { input: { audioId, reason: 'Sorry' } }, admin.token),
    ),
  ).toEqual([1, 3]);
});

test('revocations, grants to many and allowances are counted', async () => {
  const listener = await newListener(url);
  const lotId = await grantTo(url, admin, listener, { amount: 4, source: 'REFERRAL' });
  expect(
    await growth([command('revoke', 'REFERRAL'), points('REVOCATION', 'REFERRAL')], () =>
      ask(url, Revoke, { input: { lotId, reason: 'Over' } }, admin.token),
    ),
  ).toEqual([1, 4]);
  const rows = [{ userId: listener.id, amount: 6 }];
  const input = { source: 'FREE' as const, reason: 'All', idempotencyKey: 'metrics', rows };
  expect(
    await growth([command('bulk-grant', 'FREE'), points('GRANT', 'FREE')], () =>
      ask(url, BulkGrant, { input }, admin.token),
    ),
  ).toEqual([1, 6]);
  const order = { idempotencyKey: 'metrics', reason: 'Over' };
  expect(
    await growth([command('bulk-revoke', 'FREE'), points('REVOCATION', 'FREE')], () =>
      ask(url, RevokeBulkGrant, order, admin.token),
    ),
  ).toEqual([1, 6]);
  const allowance = { userId: listener.id, amount: 9, reason: 'A test' };
  expect(
    await growth([command('allowance', 'MONTHLY')], () =>
      ask(url, SetMonthlyCredits, allowance, admin.token),
    ),
  ).toEqual([1]);
  await talebank.database.sql('UPDATE users SET email_verified_at = now() WHERE id = $1', [
    listener.id,
  ]);
  expect(
    await growth(
      [
        command('monthly-grant', 'MONTHLY'),
        points('GRANT', 'MONTHLY'),
        'maintenance_runs_total{task="GRANT_MONTHLY_CREDITS",result="ok"}',
        'maintenance_changed_total{task="GRANT_MONTHLY_CREDITS"}',
      ],
      () => ask(url, RunMaintenance, { task: 'GRANT_MONTHLY_CREDITS' }, admin.token),
    ),
  ).toEqual([1, 9, 1, 1]);
});

test('lapsed points show until they are swept', async () => {
  const listener = await newListener(url);
  await ask(url, RunMaintenance, { task: 'EXPIRE_CREDITS' }, admin.token);
  await grantTo(url, admin, listener, { amount: 5, source: 'EVENT', expiresAt: inDays(1) });
  expect(await metric('ledger_lapsed_points_unswept')).toBe(0);
  await talebank.database.moveClock(2 * DAY_MS);
  expect(await metric('ledger_lapsed_points_unswept')).toBe(5);
  expect(
    await growth(
      [command('expire', 'EVENT'), points('EXPIRY', 'EVENT'), 'ledger_lapsed_points_unswept'],
      () => ask(url, RunMaintenance, { task: 'EXPIRE_CREDITS' }, admin.token),
    ),
  ).toEqual([1, 5, -5]);
});

test('violations show by invariant, on every process, until they are gone', async () => {
  const listener = await newListener(url);
  const lotId = await grantTo(url, admin, listener, { amount: 5 });
  const violated = 'ledger_invariant_violations{invariant="1"}';
  const reconcile = (): Promise<unknown> =>
    ask(url, RunMaintenance, { task: 'RECONCILE_CREDITS' }, admin.token);
  await talebank.database.sql('UPDATE credit_lots SET remaining = 4 WHERE id = $1', [lotId]);
  await reconcile();
  expect(await metric(violated)).toBe(1);
  expect(await metric(violated, metricsUrl)).toBe(1);
  expect(await metric('ledger_invariant_violations{invariant="9"}')).toBe(0);
  const line = await loggedBy(talebank.server, ({ msg }) => msg === 'ledger invariant violated');
  expect(line).toMatchObject({ invariant: '1', userId: listener.id, lotId });
  await talebank.database.sql('UPDATE credit_lots SET remaining = 5 WHERE id = $1', [lotId]);
  await reconcile();
  expect(await metric(violated)).toBe(0);
  const checkedAtMs = (await metric('ledger_checked_timestamp_seconds')) * 1000;
  expect(Math.abs(talebank.database.ledgerTime().getTime() - checkedAtMs)).toBeLessThan(60_000);
  const fullyCheckedAtMs = (await metric('ledger_fully_checked_timestamp_seconds')) * 1000;
  expect(fullyCheckedAtMs).toBeGreaterThan(0);
  expect(fullyCheckedAtMs).toBeLessThanOrEqual(checkedAtMs);
});

test('a monthly grant that is off says so, and one that is on does not', async () => {
  expect(await metric('ledger_monthly_grant_off')).toBe(1);
  const other = await talebank.join({ ROLE: 'api', MONTHLY_CREDITS: '5' });
  expect(await metric('ledger_monthly_grant_off', other.url)).toBe(0);
  await ask(url, RunMaintenance, { task: 'GRANT_MONTHLY_CREDITS' }, admin.token);
  expect(
    talebank.server.logs().some(({ msg }) => String(msg).startsWith('MONTHLY_CREDITS is 0')),
  ).toBe(true);
});

test('a refund that cannot be booked is counted, and counted as done when it is', async () => {
  const listener = await newListener(url);
  // Nothing in it can be spoken, so that it fails at once.
  const story = await newStory(url, admin, { content: '… — …' });
  await talebank.database.sql(
    `ALTER TABLE credit_transactions ADD CONSTRAINT no_refunds CHECK (type <> 'REFUND') NOT VALID`,
  );
  const { audioId } = await narrate(url, listener, story.id, voiceId);
  await until(
    'a refund failed',
    async () => (await metric('ledger_refund_failures_total', metricsUrl)) > 0,
  );
  await talebank.database.sql('ALTER TABLE credit_transactions DROP CONSTRAINT no_refunds');
  const audio = await waitForAudio(url, listener, audioId);
  expect(audio).toMatchObject({ status: 'FAILED', creditsCharged: 0 });
  // It is counted after the commit.
  await until(
    'it is counted as done',
    async () => (await metric(command('refund', 'FREE'), metricsUrl)) > 0,
  );
});

test('every movement is a line of the log with request, user, transaction and lots', async () => {
  const listener = await newListener(url);
  const lotId = await grantTo(url, admin, listener, { amount: 5 });
  const [entry] = await talebank.database.sql<{ id: string }>(
    'SELECT id FROM credit_transactions WHERE user_id = $1 AND seq = 2',
    [listener.id],
  );
  const line = await loggedBy(talebank.server, ({ transactionId }) => transactionId === entry?.id);
  expect(line).toMatchObject({
    level: 'info',
    msg: 'points moved',
    command: 'grant',
    userId: listener.id,
    seq: 2,
    type: 'GRANT',
    amount: 5,
    lotIds: [lotId],
    actorId: admin.id,
    requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
});

test('metrics are served to this machine and to requests with the token', async () => {
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await fetch(`${url}/metrics`, { headers })).status;
  expect(await status({})).toBe(200);
  expect(await status({ 'x-forwarded-for': '203.0.113.9' })).toBe(404);
  expect(await status({ forwarded: 'for=203.0.113.9' })).toBe(404);
  expect(await status({ 'x-forwarded-for': '203.0.113.9', authorization: 'Bearer wrong' })).toBe(
    404,
  );
  expect(await status({ 'x-forwarded-for': '203.0.113.9', authorization: `Bearer ${TOKEN}` })).toBe(
    200,
  );
});

test('no label holds what a user has made up', async () => {
  const text = await (await fetch(`${url}/metrics`)).text();
  expect(text).not.toMatch(/@|[0-9a-f]{8}-[0-9a-f]{4}/);
});

test.each(['the API', 'a worker'])('readyz says which part is missing: %s', async (who) => {
  const at = who === 'the API' ? url : metricsUrl;
  expect(await (await fetch(`${at}/healthz`)).json()).toEqual({ status: 'alive' });
  expect(await (await fetch(`${at}/readyz`)).json()).toEqual({
    status: 'ready',
    database: true,
    queue: true,
    storage: true,
    provider: true,
  });
});
