import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import type { OpenApp } from '../../src/open-app.js';
import { asUserId, type UserId } from '../../src/domain/ids.js';
import type * as Credits from '../../src/services/credits/credits.js';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import type * as Narrations from '../../src/services/narrations/request-narration.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { ask, send } from '../support/client.js';
import { outcome, patiently } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { follow, stopFollowing } from '../support/events.js';
import { until } from '../support/faults.js';
import { expectSoundLedger } from '../support/invariants.js';
import { mailTo } from '../support/mail.js';
import { expectBelow, timeOf } from '../support/measure.js';
import { SetMonthlyCredits, SuspendUser, VerifyEmail } from '../support/operations.js';
import {
  administrator,
  englishVoice,
  narrate,
  newListener,
  newStory,
  type Person,
} from '../support/people.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

/** The allowance of a month is granted on the first read or debit, before the job has run. */

const MONTHLY = 5;
/** One second after midnight on the 1st, in UTC. */
const FIRST = '2031-06-01T00:00:01.000Z';
/** A read that a slow machine kept for this long may have gone on without the grant. */
const WAITED_MS = 900;
const LOT = { period: '2031-06', granted: MONTHLY, expires_at: new Date('2031-07-01T00:00:00Z') };

let talebank: Talebank;
/** Where MONTHLY_CREDITS is 0. */
let off: ServerProcess;
let apps: [OpenApp, OpenApp];
let url: string;
let admin: Person;
let storyId: string;
let voiceId: string;
let credits: typeof Credits;
let synthesizeAudio: typeof Narrations.synthesizeAudio;
let runMaintenance: typeof Maintenance.runMaintenance;

/** What is narrated is short, because a stop waits for it. */
const CREDITS = { MONTHLY_CREDITS: String(MONTHLY), CREDITS_UNIT_SIZE: '100' };

beforeAll(async () => {
  // A worker sends the mail that confirms an address; nothing that it does by the clock is due by the machine's clock.
  talebank = await startTalebank({ ROLE: 'all', ...CREDITS }, { clockAt: FIRST });
  await talebank.database.sql(`DELETE FROM pgboss.schedule WHERE name = 'grant-monthly-credits'`);
  off = await talebank.join({ ROLE: 'api', ...CREDITS, MONTHLY_CREDITS: '0' });
  url = talebank.url;
  admin = await administrator(url);
  storyId = (await newStory(url, admin, { length: 250 })).id;
  voiceId = await englishVoice(url);
  apps = [
    await openTestApp(talebank.database, CREDITS),
    await openTestApp(talebank.database, CREDITS),
  ];
  credits = await compiled<typeof Credits>('services/credits/credits.js');
  ({ synthesizeAudio } = await compiled<typeof Narrations>(
    'services/narrations/request-narration.js',
  ));
  ({ runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  ));
});
beforeEach(() => talebank.database.startClock(FIRST));
afterEach(async () => {
  stopFollowing();
  await expectSoundLedger(talebank.database);
});
afterAll(async () => {
  for (const app of apps) await app.close(1000);
  await talebank.close();
});

async function confirm(person: Person): Promise<Person> {
  await talebank.database.sql('UPDATE users SET email_verified_at = now() WHERE id = $1', [
    person.id,
  ]);
  return person;
}

const verified = async (): Promise<Person> => confirm(await newListener(url));

const allowancesOf = (userId: string | undefined): Promise<object[]> =>
  talebank.database.sql(
    `SELECT period, granted, expires_at FROM credit_lots
     WHERE user_id = $1 AND source = 'MONTHLY' ORDER BY period`,
    [userId],
  );

const movementsOf = async (userId: string | undefined): Promise<string[]> => {
  const rows = await talebank.database.sql<{ movement: string }>(
    `SELECT t.type || ' ' || string_agg(l.source || ' ' || a.amount, ', ' ORDER BY a.ordinal) AS movement
     FROM credit_transactions t JOIN credit_allocations a USING (user_id, seq)
     JOIN credit_lots l ON l.user_id = a.user_id AND l.id = a.lot_id
     WHERE t.user_id = $1 GROUP BY t.user_id, t.seq, t.type ORDER BY t.seq`,
    [userId],
  );
  return rows.map(({ movement }) => movement);
};

const BALANCE = '{ me { credits { balance } } }';

/** A read goes on without the grant after a second, which a process may stand still for. Then the next one counts. */
async function readInTime<Result>(read: () => Promise<Result>): Promise<Result> {
  for (;;) {
    const startedAt = performance.now();
    const result = await read();
    if (performance.now() - startedAt < WAITED_MS) return result;
  }
}

async function balanceOf(person: Person, at = url): Promise<unknown> {
  const { data, errors } = await readInTime(() =>
    send<{ me: { credits: { balance: number } } }>(at, BALANCE, {}, person),
  );
  expect(errors).toEqual([]);
  return data?.me.credits.balance;
}

const READS: readonly (readonly [name: string, query: string, answer: object])[] = [
  ['the balance', BALANCE, { me: { credits: { balance: 15 } } }],
  [
    'the balance by source',
    '{ me { credits { bySource { source balance } } } }',
    {
      me: {
        credits: {
          bySource: [
            { source: 'MONTHLY', balance: 5 },
            { source: 'FREE', balance: 10 },
          ],
        },
      },
    },
  ],
  [
    'what lapses next',
    '{ me { credits { expiring { at points } } } }',
    { me: { credits: { expiring: [{ at: '2031-07-01T00:00:00.000Z', points: 5 }] } } },
  ],
  [
    'the lots',
    '{ creditLots(source: [MONTHLY]) { nodes { source remaining } } }',
    { creditLots: { nodes: [{ source: 'MONTHLY', remaining: 5 }] } },
  ],
  [
    'the person’s lots',
    '{ me { creditLots { nodes { source } } } }',
    { me: { creditLots: { nodes: [{ source: 'MONTHLY' }, { source: 'FREE' }] } } },
  ],
  [
    'the history',
    '{ creditHistory { nodes { seq type amount reason } } }',
    {
      creditHistory: {
        nodes: [
          { seq: 2, type: 'GRANT', amount: 5, reason: 'Allowance for 2031-06' },
          { seq: 1, type: 'GRANT', amount: 10, reason: 'Welcome' },
        ],
      },
    },
  ],
  [
    'the person’s history of one type',
    '{ me { creditHistory(type: [GRANT], first: 1) { nodes { seq } } } }',
    { me: { creditHistory: { nodes: [{ seq: 2 }] } } },
  ],
];

test.each(READS)(
  'the first read of a month grants the allowance: %s',
  async (_name, query, answer) => {
    const person = await verified();
    const { data, errors } = await readInTime(() => send(url, query, {}, person));
    expect(errors).toEqual([]);
    expect(data).toEqual(answer);
    expect(await allowancesOf(person.id)).toEqual([LOT]);
  },
);

test('the other ways to look at points grant it, too: a quote, an instant, an administrator’s look', async () => {
  const [quoting, looking, seen] = await Promise.all([verified(), verified(), verified()]);
  const quote = `{ quoteAudio(storyId: "${storyId}", voiceId: "${voiceId}") { balance allocations { lot { source } amount } } }`;
  expect((await send(url, quote, {}, quoting)).data).toEqual({
    quoteAudio: { balance: 15, allocations: [{ lot: { source: 'MONTHLY' }, amount: 3 }] },
  });
  const at = '2031-05-31T23:59:59.000Z';
  const past = `{ me { credits { balanceAt(at: "${at}") } } }`;
  // A moment ago it was another month.
  expect((await send(url, past, {}, looking)).data).toEqual({ me: { credits: { balanceAt: 0 } } });
  expect(await allowancesOf(looking.id)).toEqual([LOT]);
  const user = `{ user(id: "${seen.id}") { credits { balance } } }`;
  expect((await send(url, user, {}, admin)).data).toEqual({ user: { credits: { balance: 15 } } });
});

test('everything that one query asks for sees the same allowance, and each month brings one', async () => {
  const person = await verified();
  const query = `{ a: creditLots { nodes { source } } b: creditHistory { nodes { seq } }
    me { credits { balance expiring { points } } creditLots { nodes { source } } } }`;
  const { data } = await send<{ a: { nodes: unknown[] }; b: { nodes: unknown[] } }>(
    url,
    query,
    {},
    person,
  );
  expect([data?.a.nodes.length, data?.b.nodes.length]).toEqual([2, 2]);
  expect(data).toMatchObject({ me: { credits: { balance: 15, expiring: [{ points: 5 }] } } });
  await talebank.database.startClock('2031-06-30T23:59:00.000Z');
  expect(await balanceOf(person)).toBe(15);
  expect(await allowancesOf(person.id)).toEqual([LOT]);
  await talebank.database.startClock('2031-07-01T00:00:00.000Z');
  expect(await balanceOf(person)).toBe(15);
  expect((await allowancesOf(person.id)).length).toBe(2);
  await runMaintenance(apps[0], 'EXPIRE_CREDITS');
  expect(await movementsOf(person.id)).toEqual([
    'GRANT FREE 10',
    'GRANT MONTHLY 5',
    'GRANT MONTHLY 5',
    'EXPIRY MONTHLY -5',
  ]);
});

test('a narration spends the allowance before points that never lapse, also without an earlier read', async () => {
  const person = await verified();
  expect(await narrate(url, person, storyId, voiceId)).toMatchObject({
    charged: true,
    balance: 12,
  });
  expect(await movementsOf(person.id)).toEqual([
    'GRANT FREE 10',
    'GRANT MONTHLY 5',
    'DEBIT MONTHLY -3',
  ]);
});

test('a user who verifies the address has the allowance at once', async () => {
  const person = await newListener(url);
  expect(await balanceOf(person)).toBe(10);
  expect(await allowancesOf(person.id)).toEqual([]);
  const { token } = await mailTo(url, person.email, /./);
  await ask(url, VerifyEmail, { token });
  expect(await balanceOf(person)).toBe(15);
});

test('users without an allowance get none, also when others read them', async () => {
  const [unverified, none, suspended, spared] = await Promise.all([
    newListener(url),
    verified(),
    verified(),
    verified(),
  ]);
  const set = (person: Person, amount: number): Promise<unknown> =>
    ask(url, SetMonthlyCredits, { userId: person.id, amount, reason: 'A test' }, admin.token);
  await set(none, 0);
  await ask(url, SuspendUser, { userId: suspended.id, reason: 'A test' }, admin.token);
  expect(await balanceOf(unverified)).toBe(10);
  expect(await balanceOf(none)).toBe(10);
  const user = `{ user(id: "${suspended.id}") { credits { balance } } }`;
  expect((await send(url, user, {}, admin)).data).toEqual({ user: { credits: { balance: 10 } } });
  await talebank.database.sql('UPDATE users SET deleted_at = now() WHERE id = $1', [spared.id]);
  await credits.balancesBySource(apps[0], [spared.id]);
  await talebank.database.sql('UPDATE users SET deleted_at = NULL WHERE id = $1', [spared.id]);
  // Where the allowance is off, only those with one of their own get theirs.
  expect(await balanceOf(spared, off.url)).toBe(10);
  for (const person of [unverified, none, suspended, spared])
    expect(await allowancesOf(person.id)).toEqual([]);
  await set(spared, 9);
  expect(await balanceOf(spared, off.url)).toBe(19);
});

test('reads, debits and the job at once make one grant, and all of them see it', async () => {
  const users = await makeAccounts(talebank.database, 30);
  const viewer = (userId: UserId): Parameters<typeof synthesizeAudio>[1] => ({
    userId,
    sessionId: userId,
    role: 'USER',
  });
  const inTime = async <Result>(read: () => Promise<Result>): Promise<Result | null> => {
    const startedAt = performance.now();
    const result = await patiently(read);
    return performance.now() - startedAt < WAITED_MS ? result : null;
  };
  const race = async (userId: UserId): Promise<void> => {
    const [first, second] = apps;
    const [before, lots, , after] = await Promise.all([
      inTime(() => credits.balancesBySource(first, [userId])),
      inTime(() => credits.listLots(second, userId, {})),
      patiently(() => synthesizeAudio(first, viewer(userId), { storyId, voiceId })),
      inTime(() => credits.listHistory(second, userId, { first: 1 })),
    ]);
    if (before !== null)
      expect([MONTHLY, MONTHLY - 3]).toContain(credits.spendablePoints(before.get(userId) ?? []));
    if (lots !== null) expect(lots.edges.map(({ node }) => node.period)).toEqual(['2031-06']);
    if (after !== null) expect(after.edges.length).toBe(1);
  };
  const jobs = [0, 1].map((index) =>
    runMaintenance(apps[index] ?? apps[0], 'GRANT_MONTHLY_CREDITS'),
  );
  await Promise.all([...users.map(race), ...jobs]);
  for (const userId of users)
    expect(await movementsOf(userId)).toEqual(['GRANT MONTHLY 5', 'DEBIT MONTHLY -3']);
});

test('a read does not wait for an account that is locked, and a debit does', async () => {
  const [userId = asUserId('')] = await makeAccounts(talebank.database, 1);
  const client = new pg.Client({ connectionString: talebank.database.url });
  await client.connect();
  await client.query('BEGIN');
  await client.query('SELECT FROM credit_accounts WHERE user_id = $1 FOR UPDATE', [userId]);
  const read = (): Promise<unknown> => credits.balancesBySource(apps[0], [userId]);
  // Less than the five seconds for which a lock is waited for.
  await expectBelow(2_500, () => timeOf(read));
  const viewer = { userId, sessionId: '', role: 'USER' } as const;
  const debit = synthesizeAudio(apps[1], viewer, { storyId, voiceId });
  await read();
  expect(await allowancesOf(userId)).toEqual([]);
  await client.query('COMMIT');
  await client.end();
  await debit;
  expect(await movementsOf(userId)).toEqual(['GRANT MONTHLY 5', 'DEBIT MONTHLY -3']);
});

test('a grant that the database refuses does not fail the read, nor the next one that it allows', async () => {
  const person = await verified();
  const { database } = talebank;
  await database.sql(
    `ALTER TABLE credit_lots ADD CONSTRAINT broken CHECK (source <> 'MONTHLY') NOT VALID`,
  );
  try {
    expect(await balanceOf(person)).toBe(10);
  } finally {
    await database.sql('ALTER TABLE credit_lots DROP CONSTRAINT broken');
  }
  expect(await balanceOf(person)).toBe(15);
});

test('a database that takes no writes still answers reads', async () => {
  const { database } = talebank;
  const person = await verified();
  const name = new URL(database.url).pathname.slice(1);
  const setReadOnly = async (setting: string): Promise<void> => {
    await database.sql(`BEGIN READ WRITE; ALTER DATABASE ${name} ${setting}; COMMIT`);
    await database.setReachable(false);
    await database.setReachable(true);
    await until('it answers', () =>
      outcome(apps[1].db.$queryRaw`SELECT 1`).then((answer) => answer !== 'BUSY'),
    );
  };
  await setReadOnly('SET default_transaction_read_only = on');
  try {
    const sources = (await credits.balancesBySource(apps[1], [person.id])).get(person.id) ?? [];
    expect(credits.spendablePoints(sources)).toBe(10);
  } finally {
    await setReadOnly('RESET default_transaction_read_only');
  }
  const sources = (await credits.balancesBySource(apps[1], [person.id])).get(person.id) ?? [];
  expect(credits.spendablePoints(sources)).toBe(15);
  // The servers find their connections cut off, and make new ones.
  for (const at of [url, off.url])
    await until('it answers', async () => (await fetch(`${at}/readyz`)).ok);
});

test('those who follow their points are told of the allowance when the month begins', async () => {
  const person = await verified();
  // Nothing of theirs lapses, so that only the month says that there is something to tell.
  await balanceOf(person);
  const shorter = await newStory(url, admin, { length: 450 });
  await narrate(url, person, shorter.id, voiceId);
  await talebank.database.startClock('2031-06-30T12:00:00.000Z');
  const events = await follow<{ creditsUpdated: { balance: number } }>(
    url,
    'subscription { creditsUpdated { balance } }',
    {},
    person,
  );
  await events.until(({ creditsUpdated }) => creditsUpdated.balance === 10);
  await talebank.database.startClock('2031-06-30T23:59:58.000Z');
  // The server looks at the clock when something may have changed.
  await talebank.database.sql(`SELECT pg_notify('talebank_live', 'credits ' || $1)`, [person.id]);
  await events.until(({ creditsUpdated }) => creditsUpdated.balance === 15);
});
