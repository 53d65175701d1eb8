import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ask, execute } from '../support/client.js';
import { MID_MONTH } from '../support/cluster.js';
import { holdNarrations, until } from '../support/faults.js';
import {
  BulkGrant,
  CancelAudio,
  DeleteAccount,
  RefundAudio,
  Register,
  Revoke,
  RevokeBulkGrant,
  RunMaintenance,
  SetMonthlyCredits,
  Wallet,
} from '../support/operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  narrate,
  newListener,
  newStory,
  PASSWORD,
  type Person,
  waitForAudio,
} from '../support/people.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

/**
 * Whatever moves points is seen by an operator: each row of credit_transactions is one line `points moved` of one
 * process, with the command that made it, and the counters of all processes come to what the rows say.
 */
const DAY_MS = 86_400_000;

let talebank: Talebank;
let url: string;
let worker: ServerProcess;
let processes: readonly ServerProcess[];
let admin: Person;
let voiceId: string;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api', SEED: 'true' }, { clockAt: MID_MONTH });
  ({ url } = talebank);
  worker = await talebank.join({
    ROLE: 'worker',
    METRICS_PORT: '0',
    SYNTHESIS_RETRIES: '0',
    SYNTHESIS_RETRY_DELAY_SECONDS: '0',
  });
  processes = [talebank.server, worker];
  admin = await administrator(url);
  voiceId = await englishVoice(url);
  // It comes every five minutes, and must not come between two steps of a test.
  await talebank.database.sql(`DELETE FROM pgboss.schedule WHERE name = 'expire-credits'`);
});
afterAll(async () => {
  try {
    await expectAllObserved();
  } finally {
    await talebank.close();
  }
});

interface Movement {
  readonly id: string;
  readonly user_id: string;
  readonly type: string;
  readonly amount: number;
  readonly source: string;
}

const movements = (): Promise<Movement[]> =>
  talebank.database.sql(
    `SELECT t.id, t.user_id, t.type, a.amount, l.source FROM credit_transactions t
     JOIN credit_allocations a USING (user_id, seq)
     JOIN credit_lots l ON l.user_id = a.user_id AND l.id = a.lot_id`,
  );

const lines = (): Record<string, unknown>[] =>
  processes.flatMap((one) => one.logs()).filter(({ msg }) => msg === 'points moved');

/** Sums `talebank_ledger_points_total` of both processes, as `TYPE SOURCE` to points. */
async function countedPoints(): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  const listening = worker.logs().find(({ msg }) => msg === 'listening');
  for (const at of [url, String(listening?.['metricsUrl'])]) {
    // The port of the metrics closes an idle connection after five seconds.
    const headers = { connection: 'close' };
    const text = await (await fetch(`${at}/metrics`, { headers })).text();
    for (const [, type = '', source = '', points] of text.matchAll(
      /^talebank_ledger_points_total\{type="(\w+)",source="(\w+)"\} (\d+)$/gm,
    ))
      sums[`${type} ${source}`] = (sums[`${type} ${source}`] ?? 0) + Number(points);
  }
  return sums;
}

/** A line comes a moment after the answer that it belongs to. */
const untilLogged = (): Promise<void> =>
  until('everything is logged', async () => {
    const booked = new Set((await movements()).map(({ id }) => id));
    return lines().length >= booked.size;
  });

/** The whole ledger, whatever has moved it. */
async function expectAllObserved(): Promise<void> {
  await untilLogged();
  const booked = await movements();
  const logged = lines().map(({ transactionId }) => String(transactionId));
  expect(logged.sort()).toEqual([...new Set(booked.map(({ id }) => id))].sort());
  const sums: Record<string, number> = {};
  for (const { type, source, amount } of booked)
    sums[`${type} ${source}`] = (sums[`${type} ${source}`] ?? 0) + Math.abs(amount);
  expect(await countedPoints()).toEqual(sums);
}

/** The commands and types of what a person's points went through, in the order of the history. */
async function seenOf({ id }: Pick<Person, 'id'>): Promise<string[]> {
  const rows = await talebank.database.sql<{ id: string }>(
    'SELECT id FROM credit_transactions WHERE user_id = $1 ORDER BY seq',
    [id],
  );
  return rows.map((row) => {
    const found = lines().filter(({ transactionId }) => transactionId === row.id);
    return found.map(({ command, type }) => `${String(command)} ${String(type)}`).join(', ');
  });
}

const confirm = ({ id }: Person): Promise<unknown> =>
  talebank.database.sql('UPDATE users SET email_verified_at = now() WHERE id = $1', [id]);

const CAUSES: readonly [
  cause: string,
  work: () => Promise<Pick<Person, 'id'>>,
  seen: readonly string[],
][] = [
  ['signing up', () => newListener(url), ['sign-up GRANT']],
  ['the start, for the first administrator', () => Promise.resolve(admin), ['sign-up GRANT']],
  [
    'the start, for the demo listener',
    async () => {
      const [demo] = await talebank.database.sql<{ id: string }>(
        `SELECT id FROM users WHERE email = 'listener@talebank.local'`,
      );
      return { id: demo?.id ?? '' };
    },
    ['sign-up GRANT'],
  ],
  [
    'an administrator who grants and revokes',
    async () => {
      const person = await newListener(url);
      const lotId = await grantTo(url, admin, person);
      await ask(url, Revoke, { input: { lotId, reason: 'Over' } }, admin.token);
      return person;
    },
    ['sign-up GRANT', 'grant GRANT', 'revoke REVOCATION'],
  ],
  [
    'a grant to many, and its revocation',
    async () => {
      const person = await newListener(url);
      const rows = [{ userId: person.id, amount: 6 }];
      const input = { source: 'FREE' as const, reason: 'All', idempotencyKey: 'seen', rows };
      await ask(url, BulkGrant, { input }, admin.token);
      const order = { idempotencyKey: 'seen', reason: 'Over' };
      await ask(url, RevokeBulkGrant, order, admin.token);
      return person;
    },
    ['sign-up GRANT', 'bulk-grant GRANT', 'bulk-revoke REVOCATION'],
  ],
  [
    'the allowance, by the first read',
    async () => {
      const person = await newListener(url);
      const allowance = { userId: person.id, amount: 9, reason: 'A test' };
      await ask(url, SetMonthlyCredits, allowance, admin.token);
      await confirm(person);
      await ask(url, Wallet, {}, person.token);
      return person;
    },
    ['sign-up GRANT', 'monthly-grant GRANT'],
  ],
  [
    'the allowance, by the task',
    async () => {
      const person = await newListener(url);
      const allowance = { userId: person.id, amount: 9, reason: 'A test' };
      await ask(url, SetMonthlyCredits, allowance, admin.token);
      await confirm(person);
      await ask(url, RunMaintenance, { task: 'GRANT_MONTHLY_CREDITS' }, admin.token);
      return person;
    },
    ['sign-up GRANT', 'monthly-grant GRANT'],
  ],
  [
    'a narration that its listener stops, or an administrator gives back',
    async () => {
      const person = await newListener(url);
      const story = await newStory(url, admin, { length: 9000 });
      const letGo = await holdNarrations(talebank.database);
      const { audioId } = await narrate(url, person, story.id, voiceId);
      await ask(url, CancelAudio, { id: audioId }, person.token);
      await letGo();
      await ask(url, RefundAudio, { input: { audioId, reason: 'Sorry' } }, admin.token);
      const other = await narrate(url, person, (await newStory(url, admin)).id, voiceId);
      const input = { audioId: other.audioId, reason: 'Sorry' };
      await ask(url, RefundAudio, { input }, admin.token);
      return person;
    },
    ['sign-up GRANT', 'debit DEBIT', 'refund REFUND', 'debit DEBIT', 'refund REFUND'],
  ],
  [
    'a narration that a worker gives up',
    async () => {
      const person = await newListener(url);
      const story = await newStory(url, admin, { content: '… — …' });
      const { audioId } = await narrate(url, person, story.id, voiceId);
      await waitForAudio(url, person, audioId, ['FAILED']);
      return person;
    },
    ['sign-up GRANT', 'debit DEBIT', 'refund REFUND'],
  ],
  [
    'an account that is erased',
    async () => {
      const person = await newListener(url);
      await execute(url, DeleteAccount, { password: PASSWORD }, { token: person.token });
      await until('its points are revoked', async () => (await seenOf(person)).length === 2);
      return person;
    },
    ['sign-up GRANT', 'revoke REVOCATION'],
  ],
];

test.each(CAUSES)('%s is counted and logged', async (_cause, work, seen) => {
  const person = await work();
  // A line may come a moment after the answer to another process.
  await until('it is logged', async () => !(await seenOf(person)).includes(''));
  expect(await seenOf(person)).toEqual(seen);
});

test('a registration that is rolled back after its grant is neither counted nor logged', async () => {
  await untilLogged();
  const before = [lines().length, await countedPoints()];
  await talebank.database.sql(
    `ALTER TABLE pgboss.job ADD CONSTRAINT no_mail CHECK (name <> 'send-mail') NOT VALID`,
  );
  try {
    const input = { email: 'unlucky@example.com', password: PASSWORD };
    const { errors } = await execute(url, Register, { input });
    expect(errors).toHaveLength(1);
  } finally {
    await talebank.database.sql('ALTER TABLE pgboss.job DROP CONSTRAINT no_mail');
  }
  expect([lines().length, await countedPoints()]).toEqual(before);
});

test('the sweep, and a refund with its grace lot, are counted and logged', async () => {
  const person = await newListener(url);
  const expiresAt = talebank.database.ledgerTime(DAY_MS).toISOString();
  await grantTo(url, admin, person, { amount: 3, source: 'EVENT', expiresAt });
  const story = await newStory(url, admin, { length: 1500 });
  const { audioId } = await narrate(url, person, story.id, voiceId);
  await talebank.database.moveClock(2 * DAY_MS);
  await ask(url, RefundAudio, { input: { audioId, reason: 'Sorry' } }, admin.token);
  await ask(url, RunMaintenance, { task: 'EXPIRE_CREDITS' }, admin.token);
  await until('it is logged', async () => !(await seenOf(person)).includes(''));
  expect((await seenOf(person)).slice(3, 6)).toEqual([
    'refund REFUND',
    'refund EXPIRY',
    'refund GRANT',
  ]);
  expect((await seenOf(person)).slice(6)).toEqual(['expire EXPIRY']);
});
