import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { ask, send } from '../support/client.js';
import { follow, stopFollowing } from '../support/events.js';
import { until } from '../support/faults.js';
import { expectSoundLedger } from '../support/invariants.js';
import { mailTo, readMail } from '../support/mail.js';
import {
  CancelAudio,
  DeleteAccount,
  RequestPasswordReset,
  RunMaintenance,
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
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let admin: Person;
let voiceId: string;

beforeAll(async () => {
  talebank = await startTalebank();
  url = talebank.url;
  admin = await administrator(url);
  voiceId = await englishVoice(url);
});
afterEach(stopFollowing);
afterAll(async () => {
  await expectSoundLedger(talebank.database);
  await talebank.close();
});

const DAY_MS = 86_400_000;

interface Notice {
  readonly id: string;
  readonly kind: string;
  readonly points: number | null;
  readonly lapsesAt: string | null;
  readonly readAt: string | null;
  readonly audio: { readonly id: string } | null;
  readonly transaction: { readonly type: string; readonly amount: number } | null;
}
interface Notices {
  readonly unread: number;
  readonly nodes: readonly Notice[];
}
const FIELDS = 'id kind points lapsesAt readAt audio { id } transaction { type amount }';

/** A run by the schedule may be under way, and then a second run does nothing. */
const make = (): Promise<unknown> =>
  ask(url, RunMaintenance, { task: 'MAKE_NOTICES' }, admin.token);

async function noticesOf({ token }: Pick<Person, 'token'>): Promise<Notices> {
  const { data, errors } = await send<{ me: { notices: Notices } }>(
    url,
    `{ me { notices(first: 100) { unread nodes { ${FIELDS} } } } }`,
    {},
    { token },
  );
  expect(errors).toEqual([]);
  return data?.me.notices ?? { unread: -1, nodes: [] };
}

async function wait(person: Person, kind: string, count = 1): Promise<readonly Notice[]> {
  let found: readonly Notice[] = [];
  await until(`there are notices ${kind}`, async () => {
    await make();
    found = (await noticesOf(person)).nodes.filter((notice) => notice.kind === kind);
    return found.length >= count;
  });
  return found;
}

const change = (person: Person, mutation: string): ReturnType<typeof send> =>
  send(url, `mutation { ${mutation} }`, {}, { token: person.token });

test('a grant is told once, with its points and their lapse, and is read when it is marked', async () => {
  const [person, other] = [await newListener(url), await newListener(url)];
  const expiresAt = talebank.database.ledgerTime(30 * DAY_MS).toISOString();
  await grantTo(url, admin, person, { amount: 7, source: 'EVENT', expiresAt });
  const [granted] = await wait(person, 'POINTS_GRANTED');
  expect(granted).toMatchObject({
    points: 7,
    lapsesAt: expiresAt,
    readAt: null,
    audio: null,
    transaction: { type: 'GRANT', amount: 7 },
  });
  await grantTo(url, admin, person, { amount: 8 });
  const both = await wait(person, 'POINTS_GRANTED', 2);
  await make();
  // The points for signing up are not told.
  expect(await noticesOf(person)).toMatchObject({
    unread: 2,
    nodes: [{ points: 8 }, { points: 7 }],
  });
  const upTo = both[1]?.id ?? '';
  expect((await change(other, `markNoticesRead(upTo: "${upTo}")`)).errors[0]?.extensions.code).toBe(
    'NOT_FOUND',
  );
  expect((await change(person, `markNoticesRead(upTo: "${upTo}")`)).data).toEqual({
    markNoticesRead: 1,
  });
  expect((await change(person, `markNoticesRead(upTo: "${upTo}")`)).data).toEqual({
    markNoticesRead: 0,
  });
  const after = await noticesOf(person);
  expect([after.unread, after.nodes.map(({ readAt }) => readAt === null)]).toEqual([
    1,
    [true, false],
  ]);
});

test('points that run low are told once a day', async () => {
  const person = await newListener(url);
  const story = await newStory(url, admin, { length: 8_000 });
  expect(story.requiredCredits).toBe(8);
  for (let time = 0; time < 2; time += 1) {
    const { audioId } = await narrate(url, person, story.id, voiceId);
    await ask(url, CancelAudio, { id: audioId }, person.token).catch(() => undefined);
  }
  const [low] = await wait(person, 'POINTS_LOW');
  expect(low).toMatchObject({ points: 2, transaction: { type: 'DEBIT', amount: -8 } });
  await make();
  const { nodes } = await noticesOf(person);
  expect(nodes.filter(({ kind }) => kind === 'POINTS_LOW')).toHaveLength(1);
});

test('points are told a week before they lapse, once for all that lapse together', async () => {
  const person = await newListener(url);
  const expiresAt = talebank.database.ledgerTime(8 * DAY_MS).toISOString();
  await grantTo(url, admin, person, { amount: 3, source: 'EVENT', expiresAt });
  await grantTo(url, admin, person, { amount: 4, source: 'ADD_ON', expiresAt });
  await make();
  expect((await noticesOf(person)).nodes.map(({ kind }) => kind)).not.toContain('POINTS_LAPSE');
  await talebank.database.moveClock(2 * DAY_MS);
  const lapses = await wait(person, 'POINTS_LAPSE');
  expect(lapses).toEqual([
    expect.objectContaining({ points: 7, lapsesAt: expiresAt, transaction: null }),
  ]);
  await talebank.database.moveClock(3 * DAY_MS);
  await make();
  await make();
  const { nodes } = await noticesOf(person);
  expect(nodes.filter(({ kind }) => kind === 'POINTS_LAPSE')).toHaveLength(1);
});

test('points of many users that lapse at the same instant are told in several transactions', async () => {
  const users = 5_001;
  const { database } = talebank;
  const told = (): Promise<{ writer: string }[]> =>
    database.sql(
      `SELECT n.xmin::text AS writer FROM notices n JOIN users u ON u.id = n.user_id
       WHERE n.kind = 'POINTS_LAPSE' AND u.email LIKE 'many-%'`,
    );
  await database.sql(
    `WITH people AS (
       INSERT INTO users (id, email, password_hash)
       SELECT gen_random_uuid(), 'many-' || n || '@example.com', '' FROM generate_series(1, $1::int) n RETURNING id
     ), accounts AS (INSERT INTO credit_accounts (user_id) SELECT id FROM people RETURNING user_id)
     INSERT INTO credit_lots (user_id, id, source, priority, granted, remaining, granted_at, expires_at)
     SELECT user_id, gen_random_uuid(), 'EVENT', 10, 1, 1, now.at, now.at + interval '167 hours'
     FROM accounts, (SELECT ledger_now() AS at OFFSET 0) now`,
    [users],
  );
  try {
    await database.sql(`UPDATE notice_marks SET read_until = ledger_now() - interval '2 hours'`);
    await until('all are told', async () => {
      await make();
      return (await told()).length === users;
    });
    expect(new Set((await told()).map(({ writer }) => writer)).size).toBe(2);
  } finally {
    // These points are in no transaction of the ledger.
    await database.sql(`BEGIN; SET LOCAL session_replication_role = replica;
      CREATE TEMPORARY TABLE many ON COMMIT DROP AS SELECT id FROM users WHERE email LIKE 'many-%';
      DELETE FROM notices WHERE user_id IN (SELECT id FROM many);
      DELETE FROM credit_lots WHERE user_id IN (SELECT id FROM many);
      DELETE FROM credit_accounts WHERE user_id IN (SELECT id FROM many);
      DELETE FROM users WHERE id IN (SELECT id FROM many);
      COMMIT`);
  }
});

/** A session of its own, in a transaction that is rolled back at the end if `work` has not ended it. */
async function inTransaction(work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: talebank.database.url });
  await client.connect();
  try {
    await client.query('BEGIN');
    await work(client);
  } finally {
    await client.end();
  }
}
/** Runs `work` while no notices about points are made. */
const whileNoneAreMade = (work: () => Promise<void>): Promise<void> =>
  inTransaction(async (client) => {
    await client.query('SELECT FROM notice_marks FOR UPDATE');
    await work();
  });

test('a notice that is made late comes after those that were there, and is not read with them', async () => {
  const person = await newListener(url);
  await whileNoneAreMade(async () => {
    for (const amount of [5, 6]) await grantTo(url, admin, person, { amount });
    const { audioId } = await narrate(url, person, (await newStory(url, admin)).id, voiceId);
    await waitForAudio(url, person, audioId);
  });
  await wait(person, 'POINTS_GRANTED', 2);
  const { nodes } = await noticesOf(person);
  expect(nodes).toMatchObject([{ points: 6 }, { points: 5 }, { kind: 'NARRATION_READY' }]);
  const marked = await change(person, `markNoticesRead(upTo: "${nodes[2]?.id ?? ''}")`);
  expect(marked.data).toEqual({ markNoticesRead: 1 });
});

test('an account that is deleted while its notice is made gets none', async () => {
  const person = await newListener(url);
  const { database } = talebank;
  const erase = 'UPDATE users SET email = $2, deleted_at = $3 WHERE id = $1';
  await inTransaction(async (client) => {
    await whileNoneAreMade(async () => {
      await grantTo(url, admin, person, { amount: 5 });
      await client.query(erase, [person.id, 'left@deleted.invalid', new Date()]);
    });
    const grantedBefore = database.ledgerTime();
    // This or a run by the schedule waits for the user.
    const made = make();
    await until('the notice waits for the user', async () => {
      const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%WITH chosen%'
        AND datname = current_database()`;
      return (await database.sql(waiting)).length > 0;
    });
    await client.query('COMMIT');
    await made;
    await until('the grant was considered', async () => {
      await make();
      const past = 'SELECT FROM notice_marks WHERE read_until > $1';
      return (await database.sql(past, [grantedBefore])).length > 0;
    });
  });
  expect(await database.sql('SELECT FROM notices WHERE user_id = $1', [person.id])).toEqual([]);
  await database.sql(erase, [person.id, person.email, null]);
});

test('the end of a narration is told in the stream of changes, and not again when it is followed later', async () => {
  const person = await newListener(url);
  interface Event {
    readonly changes: Partial<Notice> & { __typename: string };
  }
  const document = `subscription { changes { __typename ... on Notice { ${FIELDS} } } }`;
  const stream = await follow<Event>(url, document, {}, { token: person.token });
  await stream.until(({ changes }) => changes.__typename === 'Credits');
  const { audioId } = await narrate(url, person, (await newStory(url, admin)).id, voiceId);
  await waitForAudio(url, person, audioId);
  const { data } = await stream.until(({ changes }) => changes.kind === 'NARRATION_READY');
  expect(data?.changes.audio?.id).toBe(audioId);
  const mute = await newStory(url, admin, { content: '* * *' });
  const { audioId: failed } = await narrate(url, person, mute.id, voiceId);
  const end = await stream.until(({ changes }) => changes.kind === 'NARRATION_FAILED');
  expect(end.data?.changes.audio?.id).toBe(failed);
  const { unread, nodes } = await noticesOf(person);
  expect([unread, nodes.map(({ kind }) => kind)]).toEqual([
    2,
    ['NARRATION_FAILED', 'NARRATION_READY'],
  ]);
  const later = await follow<Event>(url, document, {}, { token: person.token });
  await grantTo(url, admin, person, { amount: 5 });
  await wait(person, 'POINTS_GRANTED');
  await later.until(({ changes }) => changes.kind === 'POINTS_GRANTED');
  const told = later.events.filter(({ data: event }) => event?.changes.__typename === 'Notice');
  expect(told).toHaveLength(1);
});

test('what a listener wants by mail is mailed once, in the language of the settings', async () => {
  const [anna, ben] = [await newListener(url), await newListener(url)];
  for (const person of [anna, ben])
    await ask(url, VerifyEmail, { token: (await mailTo(url, person.email, /^Confirm/)).token });
  const { data } = await change(
    anna,
    'updateSettings(locale: "PL", mailOn: [POINTS_GRANTED, POINTS_GRANTED]) { locale mailOn }',
  );
  expect(data).toEqual({ updateSettings: { locale: 'pl', mailOn: ['POINTS_GRANTED'] } });
  await change(ben, 'updateSettings(mailOn: [NARRATION_READY]) { id }');
  for (const person of [anna, ben]) await grantTo(url, admin, person, { amount: 5 });
  await wait(anna, 'POINTS_GRANTED');
  await wait(ben, 'POINTS_GRANTED');
  const mail = await mailTo(url, anna.email, /^Otrzymujesz punkty$/);
  expect(mail.text).toContain('5 punktów');
  // Every other mail is in that language, too.
  await ask(url, RequestPasswordReset, { email: anna.email });
  const reset = await mailTo(url, anna.email, /^Ustaw nowe hasło$/);
  expect(reset.token).not.toBe('');
  const { audioId } = await narrate(url, ben, (await newStory(url, admin)).id, voiceId);
  await waitForAudio(url, ben, audioId);
  await make();
  await mailTo(url, ben.email, /^Your narration is ready$/);
  await make();
  const mails = await readMail(url);
  const subjectsTo = ({ email }: Person): string[] =>
    mails.filter(({ to }) => to === email).map(({ subject }) => subject);
  expect(subjectsTo(ben)).toEqual(['Your narration is ready', 'Confirm your e-mail address']);
  expect(subjectsTo(anna).filter((subject) => subject === 'Otrzymujesz punkty')).toHaveLength(1);
});

test('settings that are no settings are refused, and null changes nothing', async () => {
  const person = await newListener(url);
  const refused = await change(person, 'updateSettings(locale: "not a language") { id }');
  expect(refused.errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'locale' });
  const { data } = await change(
    person,
    'updateSettings(locale: null, mailOn: null) { locale mailOn }',
  );
  expect(data).toEqual({ updateSettings: { locale: 'en', mailOn: [] } });
});

test('notices go with the account, and after ninety days', async () => {
  const [leaver, stayer] = [await newListener(url), await newListener(url)];
  for (const person of [leaver, stayer]) await grantTo(url, admin, person, { amount: 5 });
  await wait(leaver, 'POINTS_GRANTED');
  await wait(stayer, 'POINTS_GRANTED');
  await ask(url, DeleteAccount, { password: PASSWORD }, leaver.token);
  const countOf = async ({ id }: Person): Promise<number> =>
    (await talebank.database.sql('SELECT FROM notices WHERE user_id = $1', [id])).length;
  await until('the notices are erased', async () => (await countOf(leaver)) === 0);
  await ask(url, RunMaintenance, { task: 'PRUNE_SESSIONS' }, admin.token);
  expect(await countOf(stayer)).toBe(1);
  await talebank.database.sql(
    `UPDATE notices SET at = at - interval '91 days' WHERE user_id = $1`,
    [stayer.id],
  );
  await ask(url, RunMaintenance, { task: 'PRUNE_SESSIONS' }, admin.token);
  expect(await countOf(stayer)).toBe(0);
  // The next run makes none for what is past.
  await make();
  expect(await countOf(leaver)).toBe(0);
});
