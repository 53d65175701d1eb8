import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ask, execute, send } from '../support/client.js';
import { MID_MONTH } from '../support/cluster.js';
import { PATIENCE_MS, pauseSince, until } from '../support/faults.js';
import { mailTo } from '../support/mail.js';
import {
  DeleteAccount,
  Grant,
  Login,
  Narrate,
  Refresh,
  Register,
  RequestPasswordReset,
  ResetPassword,
  SetMonthlyCredits,
  SetUserRole,
  UpdateProfile,
  Users,
  VerifyEmail,
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
import { startSpeechServer } from '../support/speech-server.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

/**
 * How often two users are deleted at the same moment, and how often an erasure is killed. DELETION_ROUNDS=8 in .ci/run.
 */
const ROUNDS = Number(process.env['DELETION_ROUNDS'] ?? 4);
/** The delay of a round, so that all rounds take the same time in total, whatever their number. */
const within = (mostMs: number, round: number): number => (mostMs * round) / (ROUNDS - 1);

let talebank: Talebank;
let url: string;
let admin: Person;
let voiceId: string;

beforeAll(async () => {
  talebank = await startTalebank({ SYNTHESIS_RETRY_DELAY_SECONDS: '1' });
  url = talebank.url;
  admin = await administrator(url);
  voiceId = await englishVoice(url);
});
afterAll(() => talebank.close());

const codeOf = async (
  answer: Promise<{ errors: readonly { extensions: { code: string } }[] }>,
): Promise<string | undefined> => (await answer).errors[0]?.extensions.code;

const remove = (
  { token }: Pick<Person, 'token'>,
  password = PASSWORD,
  at = url,
): Promise<string | undefined> => codeOf(execute(at, DeleteAccount, { password }, { token }));

const rowsOf = async (table: string, column: string, { id }: Person): Promise<number> => {
  const [row] = await talebank.database.sql<{ count: number }>(
    `SELECT count(*)::int FROM ${table} WHERE ${column} = $1`,
    [id],
  );
  return row?.count ?? 0;
};

/** Waits until so many sessions wait for locks that a client has, or for those who wait for it. */
const blocked = (count: number): Promise<void> =>
  until('they wait', async () => {
    const rows = await talebank.database.sql(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows.length >= count;
  });

/** Waits until the job that erases the account is done. */
async function erased(person: Person, { database } = talebank): Promise<void> {
  const startedMs = Date.now();
  for (;;) {
    const jobs = await database.sql<{ state: string }>(
      `SELECT state::text FROM pgboss.job WHERE name = 'erase-account' AND data->>'userId' = $1`,
      [person.id],
    );
    if (jobs.length === 1 && jobs[0]?.state === 'completed') return;
    if (Date.now() > startedMs + PATIENCE_MS)
      throw new Error(`Not erased: ${JSON.stringify(jobs)}`);
    await pauseSince(startedMs);
  }
}

const files = async (): Promise<string[]> =>
  (await readdir(join(talebank.dataDir, 'audio'), { recursive: true }))
    .filter((name) => /\.(?:mp3|vtt)$/.test(name))
    .sort();

const pointsLeft = async ({ id }: Person): Promise<number> => {
  const [row] = await talebank.database.sql<{ sum: number }>(
    'SELECT coalesce(sum(remaining), 0)::int AS sum FROM credit_lots WHERE user_id = $1',
    [id],
  );
  return row?.sum ?? -1;
};

test('deleting an account erases the person, revokes the points and keeps the ledger', async () => {
  const person = await newListener(url);
  await ask(url, UpdateProfile, { displayName: 'Grandma' }, person.token);
  await grantTo(url, admin, person, { amount: 100 });
  const story = await newStory(url, admin, { length: 71 });
  const { audioId } = await narrate(url, person, story.id, voiceId);
  await waitForAudio(url, person, audioId);
  const before = await files();
  const movements = await rowsOf('credit_transactions', 'user_id', person);
  const other = await talebank.join({ ROLE: 'api' });

  expect(await remove(person, 'another password')).toBe('INVALID_CREDENTIALS');
  expect(await pointsLeft(person)).toBe(109);
  expect(await remove(person)).toBeUndefined();
  const { email, refreshToken, token } = person;
  expect(await codeOf(execute(url, Login, { input: { email, password: PASSWORD } }))).toBe(
    'INVALID_CREDENTIALS',
  );
  expect(await codeOf(execute(url, Refresh, { refreshToken }))).toBe('REFRESH_TOKEN_INVALID');
  for (const at of [url, other.url]) {
    const standing = (): Promise<string | undefined> =>
      codeOf(send(at, '{ me { id } }', {}, { token }));
    await until('it is refused', async () => (await standing()) === 'UNAUTHENTICATED');
  }

  await erased(person);
  expect(await pointsLeft(person)).toBe(0);
  for (const table of ['sessions', 'refresh_tokens', 'email_tokens', 'audios', 'audio_requests'])
    expect([table, await rowsOf(table, 'user_id', person)]).toEqual([table, 0]);
  expect(await rowsOf('credit_transactions', 'user_id', person)).toBe(movements + 2);
  const after = new Set(await files());
  const gone = before.filter((name) => !after.has(name));
  expect(gone.map((name) => name.slice(-4)).sort()).toEqual(['.mp3', '.vtt']);
  const [row] = await talebank.database.sql(
    'SELECT email, display_name, password_hash FROM users WHERE id = $1',
    [person.id],
  );
  expect(row).toEqual({
    email: `deleted-${person.id}@deleted.invalid`,
    display_name: null,
    password_hash: '',
  });
});

test('a shared recording stays for its other owners, and is deleted with the last of them', async () => {
  const [one, two] = await Promise.all([newListener(url), newListener(url)]);
  const story = await newStory(url, admin, { length: 72 });
  const first = await narrate(url, one, story.id, voiceId);
  await waitForAudio(url, one, first.audioId);
  const second = await narrate(url, two, story.id, voiceId);
  const audio = await waitForAudio(url, two, second.audioId);
  const before = await files();
  await remove(one);
  await erased(one);
  expect(await files()).toEqual(before);
  expect((await fetch(audio.url ?? '')).status).toBe(200);
  await remove(two);
  await erased(two);
  expect(await files()).toHaveLength(before.length - 2);
  expect((await fetch(audio.url ?? '')).status).toBe(404);
});

describe('with a second worker', () => {
  let other: ServerProcess;
  beforeAll(async () => {
    other = await talebank.join({ ROLE: 'worker' });
  });
  afterAll(() => other.stop());

  test('two users with the same recording who are deleted at the same time leave no data', async () => {
    const before = await files();
    const rounds = await Promise.all(
      Array.from({ length: ROUNDS }, async (_, round) => {
        const people = await Promise.all([newListener(url), newListener(url), newListener(url)]);
        const story = await newStory(url, admin, { length: 80 + round });
        for (const person of people) {
          const { audioId } = await narrate(url, person, story.id, voiceId);
          await waitForAudio(url, person, audioId);
        }
        return people;
      }),
    );
    for (const [round, people] of rounds.entries()) {
      expect(await files()).toHaveLength(before.length + 2 * (rounds.length - round));
      await Promise.all(people.map((person) => remove(person)));
      await Promise.all(people.map((person) => erased(person)));
    }
    expect(await files()).toEqual(before);
  });

  test('a user who requests a recording while it is being deleted gets one that plays', async () => {
    const rounds = await Promise.all(
      Array.from({ length: ROUNDS }, async (_, round) => {
        const [leaver, stayer] = await Promise.all([newListener(url), newListener(url)]);
        const story = await newStory(url, admin, { length: 100 + round });
        const { audioId } = await narrate(url, leaver, story.id, voiceId);
        await waitForAudio(url, leaver, audioId);
        return { leaver, stayer, story };
      }),
    );
    for (const [round, { leaver, stayer, story }] of rounds.entries()) {
      const [asked] = await Promise.all([
        sleep(within(70, round)).then(() => narrate(url, stayer, story.id, voiceId)),
        remove(leaver),
      ]);
      const audio = await waitForAudio(url, stayer, asked.audioId);
      await erased(leaver);
      expect(audio.status).toBe('READY');
      expect((await fetch(audio.url ?? '')).status).toBe(200);
      expect((await fetch(audio.captionsUrl ?? '')).status).toBe(200);
    }
  });
});

test('narrations that are being made are stopped and refunded before the points are revoked', async () => {
  // It stays in the making, because the provider does not answer.
  const provider = await startSpeechServer({ kind: 'openai' });
  provider.behave('hang before headers');
  const apart = await startTalebank({
    SPEECH_PROVIDER: 'openai',
    OPENAI_BASE_URL: provider.url,
  });
  try {
    const person = await newListener(apart.url);
    const reader = await administrator(apart.url);
    const story = await newStory(apart.url, reader, { length: 6000 });
    const { audioId } = await narrate(apart.url, person, story.id, await englishVoice(apart.url));
    await until('it is in the making', () => provider.inHand() > 0);
    expect(await remove(person, PASSWORD, apart.url)).toBeUndefined();
    await erased(person, apart);
    const movements = await apart.database.sql<{ type: string; amount: number }>(
      'SELECT type::text, amount FROM credit_transactions WHERE user_id = $1 ORDER BY seq',
      [person.id],
    );
    expect(movements).toEqual([
      { type: 'GRANT', amount: 10 },
      { type: 'DEBIT', amount: -6 },
      { type: 'REFUND', amount: 6 },
      { type: 'REVOCATION', amount: -10 },
    ]);
    expect(await apart.database.sql('SELECT FROM audios WHERE id = $1', [audioId])).toEqual([]);
  } finally {
    await provider.close();
    await apart.close();
  }
});

test('a worker that puts a recording together while its account is erased leaves no files', async () => {
  const [giver, leaver] = await Promise.all([newListener(url), newListener(url)]);
  const contents = ['The owl sleeps. The fox wakes.', 'The fox wakes. The owl sleeps.'];
  const [spoken, turned] = await Promise.all(
    contents.map((content) => newStory(url, admin, { content })),
  );
  const first = await narrate(url, giver, spoken?.id ?? '', voiceId);
  await waitForAudio(url, giver, first.audioId);
  const before = await files();
  const client = new pg.Client({ connectionString: talebank.database.url });
  await client.connect();
  let audioId: string;
  try {
    await client.query('BEGIN');
    // All sentences are spoken, so the worker reads them, and waits before its files get their names.
    await client.query('LOCK TABLE spoken_sentences IN SHARE MODE');
    ({ audioId } = await narrate(url, leaver, turned?.id ?? '', voiceId));
    await blocked(1);
    expect(await remove(leaver)).toBeUndefined();
    await erased(leaver);
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
  await until('the worker has given up', () =>
    talebank.server
      .logs()
      .some((line) => line['event'] === 'narration-stopped' && line['audioId'] === audioId),
  );
  expect(await files()).toEqual(before);
  expect(await rowsOf('audios', 'user_id', leaver)).toBe(0);
});

test('a narration in the making whose points have lapsed does not prevent the deletion', async () => {
  const apart = await startTalebank({ ROLE: 'api' }, { clockAt: MID_MONTH });
  try {
    const person = await newListener(apart.url);
    const reader = await administrator(apart.url);
    const expiresAt = apart.database.ledgerTime(86_400_000).toISOString();
    await grantTo(apart.url, reader, person, { amount: 3, source: 'MONTHLY', expiresAt });
    const story = await newStory(apart.url, reader, { length: 3000 });
    await narrate(apart.url, person, story.id, voiceId);
    await apart.database.moveClock(2 * 86_400_000);
    expect(await remove(person, PASSWORD, apart.url)).toBeUndefined();
    await apart.join({ ROLE: 'worker', PUBLIC_URL: apart.url });
    await erased(person, apart);
    const movements = await apart.database.sql<{ type: string; amount: number }>(
      'SELECT type::text, amount FROM credit_transactions WHERE user_id = $1 ORDER BY seq',
      [person.id],
    );
    expect(movements).toEqual([
      { type: 'GRANT', amount: 10 },
      { type: 'GRANT', amount: 3 },
      { type: 'DEBIT', amount: -3 },
      { type: 'REFUND', amount: 3 },
      { type: 'EXPIRY', amount: -3 },
      { type: 'REVOCATION', amount: -10 },
    ]);
  } finally {
    await apart.close();
  }
});

test('no points reach an account that is being deleted, also in a race', async () => {
  for (let round = 0; round < 10; round += 1) {
    const person = await newListener(url);
    const input = {
      userId: person.id,
      amount: 5,
      source: 'ADD_ON' as const,
      reason: 'A race',
      idempotencyKey: `leaving-${String(round)}`,
    };
    const story = await newStory(url, admin, { length: 60 });
    const [granted] = await Promise.all([
      codeOf(execute(url, Grant, { input }, { token: admin.token })),
      remove(person),
      execute(url, Narrate, { input: { storyId: story.id, voiceId } }, { token: person.token }),
    ]);
    expect([undefined, 'NOT_FOUND']).toContain(granted);
    await erased(person);
    expect(await pointsLeft(person)).toBe(0);
    const late = { ...input, idempotencyKey: `left-${String(round)}` };
    const refused = execute(url, Grant, { input: late }, { token: admin.token });
    expect(await codeOf(refused)).toBe('NOT_FOUND');
  }
});

test('a deletion waits for running movements of points, and delays no other account', async () => {
  const person = await newListener(url);
  const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%credit_accounts%'`;
  const client = new pg.Client({ connectionString: talebank.database.url });
  await client.connect();
  try {
    await client.query(`BEGIN; SET LOCAL lock_timeout = '1s'`);
    await client.query('SELECT FROM credit_accounts WHERE user_id = $1 FOR UPDATE', [person.id]);
    const leaving = remove(person);
    await until('it waits', async () => (await talebank.database.sql(waiting)).length > 0);
    // As a narration does that refers to its owner: the other way round, each would wait for the other.
    await client.query('SELECT FROM users WHERE id = $1 FOR KEY SHARE', [person.id]);
    await client.query('COMMIT');
    expect(await leaving).toBeUndefined();
  } finally {
    await client.end();
  }
  await erased(person);
});

test('a command that waited for an account while it was closed finds no account', async () => {
  const person = await newListener(url);
  const story = await newStory(url, admin, { length: 60 });
  const client = new pg.Client({ connectionString: talebank.database.url });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query('UPDATE credit_accounts SET closed_at = now() WHERE user_id = $1', [
      person.id,
    ]);
    const grant = {
      amount: 5,
      source: 'ADD_ON' as const,
      reason: 'A race',
      idempotencyKey: 'late',
    };
    const waiting = [
      execute(url, Grant, { input: { ...grant, userId: person.id } }, { token: admin.token }),
      execute(url, Narrate, { input: { storyId: story.id, voiceId } }, { token: person.token }),
    ].map(codeOf);
    await sleep(500);
    await client.query('COMMIT');
    expect(await Promise.all(waiting)).toEqual(['NOT_FOUND', 'NOT_FOUND']);
    expect(await pointsLeft(person)).toBe(10);
    // Closed by hand, it would keep its points, which no account that is closed may.
    await client.query('UPDATE credit_accounts SET closed_at = NULL WHERE user_id = $1', [
      person.id,
    ]);
  } finally {
    await client.end();
  }
});

test('a request that waited for a user who was deleted meanwhile finds no user', async () => {
  const person = await newListener(url);
  const { email, token, id: userId } = person;
  await ask(url, RequestPasswordReset, { email });
  const verify = await mailTo(url, email, /^Confirm/);
  const reset = await mailTo(url, email, /^Choose a new/);
  const client = new pg.Client({ connectionString: talebank.database.url });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query('UPDATE users SET deleted_at = now() WHERE id = $1', [userId]);
    const reason = 'A race';
    const administering = { token: admin.token };
    const waiting = [
      execute(url, UpdateProfile, { displayName: 'Grandma' }, { token }),
      execute(url, SetMonthlyCredits, { userId, amount: 5, reason }, administering),
      execute(url, SetUserRole, { userId, role: 'ADMIN', reason }, administering),
      execute(url, VerifyEmail, { token: verify.token }),
      execute(url, ResetPassword, { token: reset.token, newPassword: 'quite another one' }),
    ].map(codeOf);
    await blocked(waiting.length);
    await client.query('COMMIT');
    expect(await Promise.all(waiting)).toEqual([
      'NOT_FOUND',
      'NOT_FOUND',
      'NOT_FOUND',
      'TOKEN_INVALID',
      'TOKEN_INVALID',
    ]);
  } finally {
    await client.end();
  }
  const [row] = await talebank.database.sql(
    `SELECT display_name, monthly_credits, role::text, email_verified_at, password_changed_at
     FROM users WHERE id = $1`,
    [userId],
  );
  expect(row).toEqual({
    display_name: null,
    monthly_credits: null,
    role: 'USER',
    email_verified_at: null,
    password_changed_at: null,
  });
});

test('the address is free again, and its next user is another account', async () => {
  const person = await newListener(url);
  await remove(person);
  const { register } = await ask(url, Register, {
    input: { email: person.email, password: PASSWORD },
  });
  expect(register.user.id).not.toBe(person.id);
  const { users } = await ask(url, Users, { search: person.email }, admin.token);
  expect(users.nodes.map(({ id }) => id)).toEqual([register.user.id]);
  // The books of who left can still be audited.
  const { data } = await send<{ user: { creditHistory: { nodes: { type: string }[] } } }>(
    url,
    'query ($id: ID!) { user(id: $id) { creditHistory { nodes { type } } } }',
    { id: person.id },
    { token: admin.token },
  );
  expect(data?.user.creditHistory.nodes.map(({ type }) => type)).toContain('GRANT');
});

test('the placeholder addresses of deleted accounts cannot be registered', async () => {
  const person = await newListener(url);
  const email = `Deleted-${person.id}@deleted.invalid`;
  const { errors } = await execute(url, Register, { input: { email, password: PASSWORD } });
  expect(errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'email' });
  await remove(person);
});

/** Waits until the process knows that the user is an administrator. */
const administers = (token: string): Promise<void> =>
  until(
    'it is known',
    async () => (await codeOf(execute(url, Users, { first: 1 }, { token }))) === undefined,
  );

test('the last administrator cannot delete the account, also when all try at once', async () => {
  const { token } = admin;
  expect(await remove({ token }, 'administrator')).toBe('CONFLICT');
  for (let round = 0; round < 5; round += 1) {
    const deputy = await newListener(url);
    const promote = { userId: deputy.id, role: 'ADMIN' as const, reason: 'A deputy' };
    await ask(url, SetUserRole, promote, token);
    const demote = { userId: admin.id, role: 'USER' as const, reason: 'A race' };
    await administers(deputy.token);
    await Promise.all([remove(deputy), execute(url, SetUserRole, demote, { token: deputy.token })]);
    const [left] = await talebank.database.sql<{ count: number }>(
      `SELECT count(*)::int FROM users WHERE role = 'ADMIN' AND suspended_at IS NULL AND deleted_at IS NULL`,
    );
    expect(left?.count).toBe(1);
    await talebank.database.sql(`UPDATE users SET role = 'ADMIN' WHERE id = $1`, [admin.id]);
    await talebank.database.sql(
      `UPDATE users SET role = 'USER' WHERE id = $1 AND deleted_at IS NULL`,
      [deputy.id],
    );
    await administers(token);
  }
});

test('an erasure that is killed repeatedly is finished by the next attempt', async () => {
  const apart = await startTalebank({ ROLE: 'api' });
  try {
    const person = await newListener(apart.url);
    const chief = await administrator(apart.url);
    const worker = await apart.join({ ROLE: 'worker' });
    const audios: string[] = [];
    await grantTo(apart.url, chief, person, { amount: 500 });
    for (let number = 0; number < 12; number += 1) {
      const story = await newStory(apart.url, chief, { length: 60 + number });
      await grantTo(apart.url, chief, person, { amount: 1 });
      audios.push((await narrate(apart.url, person, story.id, voiceId)).audioId);
    }
    for (const audioId of audios) await waitForAudio(apart.url, person, audioId);
    await worker.stop();
    await ask(apart.url, DeleteAccount, { password: PASSWORD }, person.token);
    let last: ServerProcess | undefined;
    for (let kills = 0; kills < ROUNDS; kills += 1) {
      last = await apart.join({ ROLE: 'worker' });
      await sleep(30 + within(125, kills));
      await last.kill();
      // The missing heartbeat is not waited for.
      await apart.database.sql(
        `UPDATE pgboss.job SET state = 'retry', retry_count = retry_count + 1, start_after = now()
         WHERE name = 'erase-account' AND state = 'active'`,
      );
    }
    await apart.join({ ROLE: 'worker' });
    const done = async (): Promise<boolean> =>
      (
        await apart.database.sql(
          `SELECT 1 FROM pgboss.job WHERE name = 'erase-account' AND state = 'completed'`,
        )
      ).length === 1;
    await until('it is done', done);
    const [left] = await apart.database.sql(
      `SELECT (SELECT count(*) FROM audios)::int AS audios, (SELECT count(*) FROM renditions)::int AS recordings,
         (SELECT count(*) FROM sessions WHERE user_id = $1)::int AS sessions,
         (SELECT sum(remaining) FROM credit_lots WHERE user_id = $1)::int AS points`,
      [person.id],
    );
    expect(left).toEqual({ audios: 0, recordings: 0, sessions: 0, points: 0 });
    const names = await readdir(join(apart.dataDir, 'audio'), { recursive: true });
    expect(names.filter((name) => name.includes('.'))).toEqual([]);
  } finally {
    await apart.close();
  }
});
