import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { ask, execute, send, type Answer } from '../support/client.js';
import { follow, stopFollowing } from '../support/events.js';
import { holdNarrations, until } from '../support/faults.js';
import type {
  ReportListeningMutation,
  SetFavouriteMutation,
  StoryOfMineQuery,
} from '../support/generated/graphql.js';
import { graphql } from '../support/generated/index.js';
import {
  AddBookmark,
  CancelAudio,
  Login,
  ReportListening,
  SetFavourite,
  UpdateStory,
} from '../support/operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  narrate,
  newListener,
  newStory,
  PASSWORD,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const Begun = graphql(`
  query Begun($first: Int) {
    continueListening(first: $first) {
      id
      listening {
        positionMs
      }
    }
  }
`);

const Narrated = graphql(`
  query Narrated($id: ID!) {
    audio(id: $id) {
      content
      outdated
      url
      addressesExpireAt
      failureCode
      durationSeconds
      listening {
        positionMs
        finished
      }
      bookmarks {
        id
        positionMs
        note
        audio {
          id
        }
      }
    }
  }
`);

const RemoveBookmark = graphql(`
  mutation RemoveBookmark($id: ID!) {
    removeBookmark(id: $id)
  }
`);

const StoryOfMine = graphql(`
  query StoryOfMine($id: ID!) {
    story(id: $id) {
      state
      favourite
      currentAudio {
        id
      }
    }
  }
`);

interface WalletAnswer {
  me: {
    credits: {
      lowBelow: number;
      lastTransaction: { type: string; amount: number; reason: string };
      series: { at: string; balance: number }[];
    };
  };
}

let talebank: Talebank;
let url: string;
let admin: Person;
let voiceId: string;
let storyId: string;
/** Has heard the story. */
let listener: Person;
let audioId: string;
let durationMs: number;

/** A listener with a narration of a story that is READY. */
async function newNarration(story: string): Promise<{ person: Person; id: string }> {
  const person = await newListener(url);
  const { audioId: id } = await narrate(url, person, story, voiceId);
  await waitForAudio(url, person, id);
  return { person, id };
}

const codesOf = ({ errors }: Pick<Answer<unknown>, 'errors'>): string[] =>
  errors.map(({ extensions }) => extensions.code);

beforeAll(async () => {
  talebank = await startTalebank();
  url = talebank.url;
  admin = await administrator(url);
  voiceId = await englishVoice(url);
  storyId = (await newStory(url, admin)).id;
  ({ person: listener, id: audioId } = await newNarration(storyId));
  const { audio } = await ask(url, Narrated, { id: audioId }, listener.token);
  durationMs = Math.round((audio?.durationSeconds ?? 0) * 1000);
});
afterEach(stopFollowing);
afterAll(() => talebank.close());

const OTHER_DEVICE = 'Tablet';

/** Another device of the same person. */
async function otherDevice({ email }: Person): Promise<string> {
  const input = { email, password: PASSWORD, deviceName: OTHER_DEVICE };
  return (await ask(url, Login, { input })).login.accessToken;
}

describe('the position of a listener', () => {
  test('the newest report of a device holds, in any order of arrival', async () => {
    const { person, id } = await newNarration(storyId);
    const tablet = await otherDevice(person);
    const send = async (
      token: string,
      positionMs: number,
      second: number,
      rate?: number,
    ): Promise<ReportListeningMutation['reportListening']> => {
      const at = new Date(Date.UTC(2026, 0, 1, 10, 0, second));
      const input = { audioId: id, positionMs, at: at.toISOString(), rate };
      return (await ask(url, ReportListening, { input }, token)).reportListening;
    };
    expect(await send(person.token, 500, 0, 1.5)).toMatchObject({ positionMs: 500, rate: 1.5 });
    const newest = {
      positionMs: 900,
      finished: false,
      // It was not reported again, so it stays.
      rate: 1.5,
      updatedAt: '2026-01-01T10:00:20.000Z',
      device: { deviceName: OTHER_DEVICE },
    };
    expect(await send(tablet, 900, 20)).toEqual(newest);
    expect(await send(person.token, 700, 10)).toEqual(newest);
    // A repeated report changes nothing.
    expect(await send(person.token, 800, 20)).toEqual(newest);
    expect(await send(person.token, 100, 21, 1)).toMatchObject({ positionMs: 100, rate: 1 });
  });

  test('of many reports at once is the newest', async () => {
    const { person, id } = await newNarration(storyId);
    const positions = Array.from({ length: 20 }, (_, index) => index + 1);
    const shuffled = positions.map((position) => (position * 8) % 21);
    await Promise.all(
      shuffled.map((positionMs) => {
        const at = new Date(Date.UTC(2026, 0, 1, 10, 0, positionMs)).toISOString();
        return ask(url, ReportListening, { input: { audioId: id, positionMs, at } }, person.token);
      }),
    );
    const { audio } = await ask(url, Narrated, { id }, person.token);
    expect(audio?.listening?.positionMs).toBe(20);
  });

  test('is not held by a device whose clock is ahead', async () => {
    const { person, id } = await newNarration(storyId);
    const input = { audioId: id, positionMs: 700 };
    await ask(
      url,
      ReportListening,
      { input: { ...input, at: '2199-01-01T00:00:00Z' } },
      person.token,
    );
    const at = talebank.database.ledgerTime(1000).toISOString();
    const { reportListening } = await ask(
      url,
      ReportListening,
      { input: { ...input, positionMs: 800, at } },
      person.token,
    );
    expect(reportListening.positionMs).toBe(800);
  });

  test('is at most the end of the recording, where it is finished', async () => {
    const at = '2026-01-01T10:00:00Z';
    const input = { audioId, positionMs: durationMs + 60_000, at };
    const { reportListening } = await ask(url, ReportListening, { input }, listener.token);
    expect(reportListening).toMatchObject({ positionMs: durationMs, finished: true });
  });

  test.each([
    ['a negative position', { positionMs: -1 }, 'BAD_USER_INPUT'],
    ['a position after 48 hours', { positionMs: 172_800_001 }, 'BAD_USER_INPUT'],
    ['a rate that is too low', { rate: 0.2 }, 'BAD_USER_INPUT'],
    ['a rate that is too high', { rate: 4.1 }, 'BAD_USER_INPUT'],
    ['an id that is none', { audioId: 'x' }, 'NOT_FOUND'],
    ['the narration of another listener', {}, 'NOT_FOUND'],
  ])('is not changed by %s', async (_title, wrong, code) => {
    const { person, id } = await newNarration(storyId);
    const other = await newListener(url);
    const token = code === 'NOT_FOUND' ? other.token : person.token;
    const input = { audioId: id, positionMs: 1, at: '2026-01-01T10:00:00Z', ...wrong };
    expect(codesOf(await execute(url, ReportListening, { input }, { token }))).toEqual([code]);
    expect(
      await talebank.database.sql('SELECT 1 FROM listenings WHERE audio_id = $1', [id]),
    ).toEqual([]);
  });

  test('can be reported with the cookie of a browser alone, and only by one that is signed in', async () => {
    const { person, id } = await newNarration(storyId);
    const login = await send<{ login: { session: { id: string } } }>(
      url,
      'mutation ($input: LoginInput!) { login(input: $input) { session { id } } }',
      { input: { email: person.email, password: PASSWORD, transport: 'COOKIE' } },
    );
    const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
    const input = { audioId: id, positionMs: 300, at: '2026-01-01T10:00:00Z' };
    const report = (headers: Record<string, string>): Promise<Answer<ReportListeningMutation>> =>
      execute(url, ReportListening, { input }, { headers });
    expect(codesOf(await report({}))).toEqual(['UNAUTHENTICATED']);
    expect(codesOf(await report({ cookie: 'talebank_refresh=nonsense' }))).toEqual([
      'UNAUTHENTICATED',
    ]);
    expect(codesOf(await report({ cookie }))).toEqual([]);
    // The token is not used up.
    expect(codesOf(await report({ cookie }))).toEqual([]);
    await talebank.database.sql('UPDATE sessions SET revoked_at = now() WHERE id = $1', [
      login.data?.login.session.id,
    ]);
    expect(codesOf(await report({ cookie }))).toEqual(['UNAUTHENTICATED']);
  });
});

test('narrations that were begun are listed, the latest first, without those that are finished or cancelled', async () => {
  const person = await newListener(url);
  await grantTo(url, admin, person, { amount: 20 });
  const ids: string[] = [];
  for (let index = 0; index < 4; index += 1) {
    const story = await newStory(url, admin);
    const { audioId: id } = await narrate(url, person, story.id, voiceId);
    await waitForAudio(url, person, id);
    ids.push(id);
    const at = new Date(Date.UTC(2026, 0, 1, 10, 0, index)).toISOString();
    if (index > 0)
      await ask(url, ReportListening, { input: { audioId: id, positionMs: 1, at } }, person.token);
  }
  const at = '2026-01-01T11:00:00Z';
  const done = { audioId: ids[2] ?? '', positionMs: 2, finished: true, at };
  await ask(url, ReportListening, { input: done }, person.token);
  // This one is cancelled while it is heard.
  const begin = await holdNarrations(talebank.database);
  const { audioId: id } = await narrate(url, person, (await newStory(url, admin)).id, voiceId);
  await ask(url, ReportListening, { input: { audioId: id, positionMs: 1, at } }, person.token);
  expect((await ask(url, Begun, { first: 1 }, person.token)).continueListening).toMatchObject([
    { id },
  ]);
  await ask(url, CancelAudio, { id }, person.token);
  await begin();
  const begun = async (first: number | null): Promise<string[]> =>
    (await ask(url, Begun, { first }, person.token)).continueListening.map(({ id }) => id);
  for (const first of [10, null]) expect(await begun(first)).toEqual([ids[3], ids[1]]);
  expect(await begun(1)).toEqual([ids[3]]);
  for (const first of [0, 51])
    expect(codesOf(await execute(url, Begun, { first }, { token: person.token }))).toEqual([
      'BAD_USER_INPUT',
    ]);
});

test('a narration keeps its text when the story is edited, and is outdated then', async () => {
  const story = await newStory(url, admin, { content: 'The owl sat still.' });
  const { person, id } = await newNarration(story.id);
  const before = await ask(url, Narrated, { id }, person.token);
  expect(before.audio).toMatchObject({
    content: 'The owl sat still.',
    outdated: false,
    failureCode: null,
  });
  const expires = new URL(before.audio?.url ?? '').searchParams.get('expires');
  const until = Date.parse(before.audio?.addressesExpireAt ?? '') / 1000;
  // They are signed one after the other, so that a second may pass in between.
  expect(Number(expires) - until).toBeGreaterThanOrEqual(0);
  const input = { title: 'The Owl', author: 'Talebank', language: 'en', content: 'The owl flew.' };
  await ask(url, UpdateStory, { id: story.id, input: { ...input, published: true } }, admin.token);
  const after = await ask(url, Narrated, { id }, person.token);
  expect(after.audio).toMatchObject({ content: 'The owl sat still.', outdated: true });
});

describe('a bookmark', () => {
  test('is kept with its narration, in the order of the places, and can be removed', async () => {
    const { person, id } = await newNarration(storyId);
    const add = async (positionMs: number, note?: string): Promise<string> =>
      (await ask(url, AddBookmark, { audioId: id, positionMs, note }, person.token)).addBookmark.id;
    const [late, early] = [await add(900, 'Here the moon goes.'), await add(100)];
    const other = await newListener(url);
    const steal = await execute(url, RemoveBookmark, { id: late }, { token: other.token });
    expect(codesOf(steal)).toEqual(['NOT_FOUND']);
    const { audio } = await ask(url, Narrated, { id }, person.token);
    expect(audio?.bookmarks).toEqual([
      { id: early, positionMs: 100, note: null, audio: { id } },
      { id: late, positionMs: 900, note: 'Here the moon goes.', audio: { id } },
    ]);
    expect(await ask(url, RemoveBookmark, { id: late }, person.token)).toEqual({
      removeBookmark: true,
    });
    const again = await execute(url, RemoveBookmark, { id: late }, { token: person.token });
    expect(codesOf(again)).toEqual(['NOT_FOUND']);
  });

  test('is refused when a narration has a hundred, also when they are added at once', async () => {
    const { person, id } = await newNarration(storyId);
    await talebank.database.sql(
      `INSERT INTO bookmarks (user_id, id, audio_id, position_ms, created_at)
       SELECT $1, gen_random_uuid(), $2, n, now() FROM generate_series(1, 98) n`,
      [person.id, id],
    );
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, positionMs) =>
        execute(url, AddBookmark, { audioId: id, positionMs }, { token: person.token }),
      ),
    );
    expect(answers.flatMap(codesOf)).toEqual(Array.from({ length: 4 }, () => 'CONFLICT'));
  });

  test.each([
    ['another listener’s narration', { note: 'x' }, 'NOT_FOUND'],
    ['a negative position', { positionMs: -1 }, 'BAD_USER_INPUT'],
    ['a note that is too long', { note: 'x'.repeat(501) }, 'BAD_USER_INPUT'],
  ])('is refused for %s', async (_title, wrong, code) => {
    const other = await newListener(url);
    const { token } = code === 'NOT_FOUND' ? other : listener;
    const given = { audioId, positionMs: 1, ...wrong };
    expect(codesOf(await execute(url, AddBookmark, given, { token }))).toEqual([code]);
  });
});

test('a favourite is one listener’s own, and can be taken back', async () => {
  const other = await newListener(url);
  const set = (favourite: boolean): Promise<SetFavouriteMutation> =>
    ask(url, SetFavourite, { storyId, favourite }, listener.token);
  const seenBy = async ({
    token,
  }: Partial<Pick<Person, 'token'>>): Promise<StoryOfMineQuery['story']> =>
    (await ask(url, StoryOfMine, { id: storyId }, token)).story;
  expect(await set(true)).toEqual({ setFavourite: { favourite: true } });
  await set(true);
  expect(await seenBy(listener)).toEqual({
    state: 'PUBLISHED',
    favourite: true,
    currentAudio: { id: audioId },
  });
  expect(await seenBy(other)).toEqual({ state: 'PUBLISHED', favourite: false, currentAudio: null });
  const stranger = await ask(url, StoryOfMine, { id: storyId });
  expect(stranger.story).toMatchObject({ favourite: false, currentAudio: null });
  expect(await set(false)).toEqual({ setFavourite: { favourite: false } });
  const draft = await newStory(url, admin, { published: false });
  const hidden = await execute(
    url,
    SetFavourite,
    { storyId: draft.id, favourite: true },
    { token: other.token },
  );
  expect(codesOf(hidden)).toEqual(['NOT_FOUND']);
});

test('the narration on a card is the newest that is ready and of the present text, or else the newest', async () => {
  const story = await newStory(url, admin, { content: 'The first text.' });
  const { person, id: first } = await newNarration(story.id);
  const input = { title: 'T', author: 'A', language: 'en', published: true };
  await ask(
    url,
    UpdateStory,
    { id: story.id, input: { ...input, content: 'The second.' } },
    admin.token,
  );
  const current = async (): Promise<string | undefined> =>
    (await ask(url, StoryOfMine, { id: story.id }, person.token)).story?.currentAudio?.id;
  expect(await current()).toBe(first);
  const begin = await holdNarrations(talebank.database);
  const { audioId: second } = await narrate(url, person, story.id, voiceId);
  expect(await current()).toBe(second);
  await begin();
  await waitForAudio(url, person, second);
  await ask(
    url,
    UpdateStory,
    { id: story.id, input: { ...input, content: 'The first text.' } },
    admin.token,
  );
  expect(await current()).toBe(first);
});

test('a client learns without signing in what it must know', async () => {
  const { data } = await send<{ settings: { languages: { language: string; stories: number }[] } }>(
    url,
    '{ settings { unitLabel unitSize welcomePoints passwordMinLength purchases languages { language stories } } }',
  );
  const [expected] = await talebank.database.sql<{ count: number }>(
    `SELECT count(*)::int FROM stories WHERE published AND deleted_at IS NULL AND language = 'en'`,
  );
  expect(data?.settings).toMatchObject({
    unitLabel: 'Story Points',
    unitSize: 1000,
    welcomePoints: 10,
    passwordMinLength: 8,
    purchases: false,
  });
  const { languages = [] } = data?.settings ?? {};
  expect(languages.find(({ language }) => language === 'en')?.stories).toBe(expected?.count);
  const counts = languages.map(({ stories }) => stories);
  expect(counts).toEqual([...counts].sort((a, b) => b - a));
});

test('a wallet has the balance over time, and the newest transaction', async () => {
  const person = await newListener(url);
  await grantTo(url, admin, person, { amount: 5, reason: 'A present' });
  const wallet = (from: string, to: string, bucket: string): Promise<Answer<WalletAnswer>> =>
    send<WalletAnswer>(
      url,
      `query ($from: DateTime!, $to: DateTime!, $bucket: Bucket!) {
        me { credits { lowBelow lastTransaction { type amount reason } series(from: $from, to: $to, bucket: $bucket) { at balance } } }
      }`,
      { from, to, bucket },
      { token: person.token },
    );
  const seriesOf = async (from: string, to: string, bucket: string): Promise<string[]> =>
    (await wallet(from, to, bucket)).data?.me.credits.series.map(({ at }) => at) ?? [];
  // 2026-02-25 was a Wednesday.
  expect(await seriesOf('2026-02-25T12:00:00Z', '2026-03-03T00:00:00Z', 'WEEK')).toEqual([
    '2026-02-25T12:00:00.000Z',
    '2026-03-02T00:00:00.000Z',
    '2026-03-03T00:00:00.000Z',
  ]);
  expect(await seriesOf('2026-02-27T00:00:00Z', '2026-03-01T00:00:00Z', 'DAY')).toEqual([
    '2026-02-27T00:00:00.000Z',
    '2026-02-28T00:00:00.000Z',
    '2026-03-01T00:00:00.000Z',
  ]);
  expect(await seriesOf('2025-11-15T00:00:00Z', '2026-01-15T00:00:00Z', 'MONTH')).toEqual([
    '2025-11-15T00:00:00.000Z',
    '2025-12-01T00:00:00.000Z',
    '2026-01-01T00:00:00.000Z',
    '2026-01-15T00:00:00.000Z',
  ]);
  const now = talebank.database.ledgerTime().toISOString();
  const { data } = await wallet('2020-01-01T00:00:00Z', now, 'MONTH');
  expect(data?.me.credits).toMatchObject({
    lowBelow: 3,
    lastTransaction: { type: 'GRANT', amount: 5, reason: 'A present' },
  });
  const balances = data?.me.credits.series.map(({ balance }) => balance) ?? [];
  expect([balances[0], balances.at(-1)]).toEqual([0, 15]);
  for (const [from, to] of [
    ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z'],
    ['2026-01-01T00:00:00Z', '2027-02-05T00:00:00Z'],
  ] as const)
    expect(codesOf(await wallet(from, to, 'DAY'))).toEqual(['BAD_USER_INPUT']);
});

describe('one stream', () => {
  const document = `subscription {
    changes { __typename ... on Audio { id status progress } ... on Credits { balance } }
  }`;
  interface Told {
    changes: { __typename: string; id?: string; status?: string; balance?: number };
  }

  test('has the points and the narrations of a listener, and nothing of others', async () => {
    const person = await newListener(url);
    const story = await newStory(url, admin);
    const begin = await holdNarrations(talebank.database);
    const { audioId: running } = await narrate(url, person, story.id, voiceId);
    const following = await follow<Told>(url, document, {}, { token: person.token });
    const seen = (): Told['changes'][] =>
      following.events.flatMap(({ data }) => data?.changes ?? []);
    await until('what is there is told', () => seen().length >= 2);
    expect(seen().slice(0, 2)).toEqual([
      { __typename: 'Credits', balance: 9 },
      { __typename: 'Audio', id: running, status: 'QUEUED', progress: 0 },
    ]);
    // One that is requested later, on another device, and is still waiting for a worker.
    const { audioId: waiting } = await narrate(
      url,
      person,
      (await newStory(url, admin)).id,
      voiceId,
    );
    await until('the request is told', () =>
      seen().some(({ id, status }) => id === waiting && status === 'QUEUED'),
    );
    await begin();
    const { id: foreign } = await newNarration(storyId);
    await until('the end is told', () => seen().some(({ status }) => status === 'READY'));
    await grantTo(url, admin, person, { amount: 5 });
    await until('the grant is told', () => seen().some(({ balance }) => balance === 13));
    // A narration that was not being made when the stream began.
    const { audioId: next } = await narrate(url, person, (await newStory(url, admin)).id, voiceId);
    await until('the next one is told', () =>
      seen().some(({ id, status }) => id === next && status === 'READY'),
    );
    expect(seen().some(({ id }) => id === foreign)).toBe(false);
    // Only the type is asked for of a notice, so that two of them look the same.
    const texts = seen()
      .map((one) => JSON.stringify(one))
      .filter((text) => text !== '{"__typename":"Notice"}');
    expect(texts.filter((text, index) => text === texts[index - 1])).toEqual([]);
  });

  test('ends with the session', async () => {
    const person = await newListener(url);
    const following = await follow<Told>(url, document, {}, { token: person.token });
    await until('it has begun', () => following.events.length > 0);
    await talebank.database.sql('UPDATE sessions SET revoked_at = now() WHERE user_id = $1', [
      person.id,
    ]);
    await until('it has ended', () =>
      following.events.some(({ errors }) => errors[0]?.extensions.code === 'UNAUTHENTICATED'),
    );
  });
});

test('what a listener has done is erased with the account', async () => {
  const { person, id } = await newNarration(storyId);
  await ask(
    url,
    ReportListening,
    { input: { audioId: id, positionMs: 1, at: '2026-01-01T10:00:00Z' } },
    person.token,
  );
  await ask(url, AddBookmark, { audioId: id, positionMs: 1 }, person.token);
  await ask(url, SetFavourite, { storyId, favourite: true }, person.token);
  await send(
    url,
    'mutation ($password: String!) { deleteAccount(password: $password) }',
    { password: PASSWORD },
    { token: person.token },
  );
  await until('everything is erased', async () => {
    const [row] = await talebank.database.sql<{ count: number }>(
      `SELECT ((SELECT count(*) FROM listenings WHERE user_id = $1) + (SELECT count(*) FROM bookmarks WHERE user_id = $1)
         + (SELECT count(*) FROM favourites WHERE user_id = $1))::int AS count`,
      [person.id],
    );
    return row?.count === 0;
  });
});
