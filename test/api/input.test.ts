import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execute, send } from '../support/client.js';
import {
  CreateStory,
  Grant,
  Login,
  Narrate,
  Register,
  UpdateProfile,
} from '../support/operations.js';
import {
  administrator,
  englishVoice,
  narrate,
  newListener,
  newStory,
  type Person,
} from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';
import { expectBelow, timeOf } from '../support/measure.js';

let talebank: Talebank;
let url: string;
let admin: Person;
let listener: Person;
let voiceId: string;
let storyId: string;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  admin = await administrator(url);
  listener = await newListener(url);
  voiceId = await englishVoice(url);
  storyId = (await newStory(url, admin)).id;
});
afterAll(() => talebank.close());

/** Everything that a refused request must leave as it was. */
async function contents(): Promise<unknown> {
  const tables = [
    'users',
    'sessions',
    'stories',
    'story_texts',
    'audios',
    'audio_requests',
    'credit_accounts',
    'credit_lots',
    'credit_transactions',
    'credit_allocations',
    'pgboss.job',
  ];
  return Promise.all(
    tables.map(async (table) => [
      table,
      await talebank.database.sql(
        `SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM ${table} t`,
      ),
    ]),
  );
}

/** The refusal, after checking that nothing was written. */
async function refusal(
  answer: () => Promise<{ errors: readonly { extensions: object }[] }>,
): Promise<object> {
  const before = await contents();
  const { errors } = await answer();
  expect(await contents()).toEqual(before);
  return errors[0]?.extensions ?? {};
}

const NEVER = '00000000-0000-7000-8000-000000000000';
const LONG = 'x'.repeat(257);

describe('register refuses', () => {
  const good = { email: 'someone@example.com', password: 'a good password' };
  test.each([
    ['email', { ...good, email: '' }],
    ['email', { ...good, email: 'nobody' }],
    ['email', { ...good, email: 'no\0body@example.com' }],
    ['email', { ...good, email: `${'x'.repeat(250)}@example.com` }],
    ['password', { ...good, password: 'short' }],
    ['password', { ...good, password: LONG }],
    ['password', { ...good, password: 'with a NUL \0 inside' }],
    ['displayName', { ...good, displayName: 'x'.repeat(101) }],
    ['displayName', { ...good, displayName: 'two\nlines' }],
    ['deviceName', { ...good, deviceName: 'bell \u0007' }],
  ])('a wrong %s', async (field, input) => {
    const found = await refusal(() => execute(url, Register, { input }));
    expect(found).toEqual({ code: 'BAD_USER_INPUT', field });
  });

  test('an address that is taken, in upper or lower case', async () => {
    const input = { ...good, email: listener.email.toUpperCase() };
    expect(await refusal(() => execute(url, Register, { input }))).toEqual({ code: 'EMAIL_TAKEN' });
  });
});

test('what would take long to normalise is refused at once', async () => {
  const stacked = 'a' + '\u0301\u0323'.repeat(40_000);
  const email = 'stack@example.com';
  const refuseAll = async (text: string): Promise<void> => {
    for (const variables of [
      { email, password: text },
      { email, password: 'a good password', displayName: text },
    ]) {
      const { errors } = await execute(url, Register, { input: variables });
      expect(errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
    }
    const query = 'query ($search: String) { stories(search: $search) { nodes { id } } }';
    const { errors } = await send(url, query, { search: text });
    expect(errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'search' });
  };
  await expectBelow(500, async () => {
    const stackedMs = await timeOf(() => refuseAll(stacked));
    // A slow machine needs long for what is plain, too.
    const plainMs = await timeOf(() => refuseAll('x'.repeat(stacked.length)));
    return stackedMs / Math.max(1, plainMs / 50);
  });
  // As long as a word may be, and no longer than that.
  const { data } = await execute(
    url,
    UpdateProfile,
    { displayName: 'Z' + '\u0301'.repeat(30) },
    { token: listener.token },
  );
  expect(data?.updateProfile.displayName).toHaveLength(30);
});

test('an unknown address and a wrong password are the same answer', async () => {
  const wrong = await execute(url, Login, {
    input: { email: listener.email, password: 'not the password' },
  });
  const unknown = await execute(url, Login, {
    input: { email: 'nobody@example.com', password: 'a good password' },
  });
  expect(wrong.errors[0]).toEqual(unknown.errors[0]);
  expect(wrong.errors[0]?.extensions).toEqual({ code: 'INVALID_CREDENTIALS' });
});

describe('grantCredits refuses', () => {
  const good = { amount: 1, source: 'FREE' as const, reason: 'A gift', idempotencyKey: 'key' };
  const later = '2190-01-01T00:00:00Z';
  test.each([
    ['amount', { amount: 0 }],
    ['amount', { amount: -1 }],
    ['amount', { amount: 1_000_001 }],
    ['amount', { amount: 1.5 }],
    ['amount', { amount: '1' }],
    ['amount', { amount: 2 ** 31 }],
    ['source', { source: 'GIFT' }],
    ['expiresAt', { source: 'EVENT' }],
    ['expiresAt', { source: 'MONTHLY', expiresAt: null }],
    ['expiresAt', { expiresAt: '2020-01-01T00:00:00Z' }],
    ['expiresAt', { expiresAt: '2190-01-01T00:00:00' }],
    ['expiresAt', { expiresAt: '2190-02-30T00:00:00Z' }],
    ['expiresAt', { expiresAt: '9999-12-31T00:00:00Z' }],
    ['expiresAt', { expiresAt: '0000-01-01T00:00:00Z' }],
    ['expiresAt', { expiresAt: 6_942_585_600 }],
    ['reason', { reason: '' }],
    ['reason', { reason: '   ' }],
    ['reason', { reason: 'x'.repeat(501) }],
    ['reason', { reason: 'half a pair \ud800' }],
    ['idempotencyKey', { idempotencyKey: '' }],
    ['idempotencyKey', { idempotencyKey: 'x'.repeat(256) }],
    ['idempotencyKey', { idempotencyKey: 'klucz-ż' }],
    ['idempotencyKey', { idempotencyKey: 'with space' }],
    ['gift', { gift: true }],
    ['userId', { userId: undefined }],
  ])('a wrong %s: %j', async (field, wrong) => {
    const input = { userId: listener.id, ...good, ...wrong };
    const found = await refusal(() =>
      send(url, Grant.toString(), { input }, { token: admin.token }),
    );
    expect(found).toEqual({ code: 'BAD_USER_INPUT', field });
  });

  test('a user that is not there', async () => {
    const input = { ...good, userId: storyId };
    const found = await refusal(() => execute(url, Grant, { input }, { token: admin.token }));
    expect(found).toEqual({ code: 'NOT_FOUND' });
  });

  test('anyone but an administrator', async () => {
    const input = { ...good, userId: listener.id, expiresAt: later };
    expect(await refusal(() => execute(url, Grant, { input }, { token: listener.token }))).toEqual({
      code: 'FORBIDDEN',
    });
    const anonymous = await execute(url, Grant, { input });
    expect(anonymous.status).toBe(401);
    expect(anonymous.errors[0]?.extensions).toEqual({ code: 'UNAUTHENTICATED' });
  });
});

describe('createStory refuses', () => {
  const good = { title: 'A title', author: 'Talebank', language: 'en', content: 'Words.' };
  test.each([
    ['title', { title: '' }],
    ['title', { title: 'x'.repeat(201) }],
    ['author', { author: 'two\nlines' }],
    ['language', { language: 'not a language' }],
    ['language', { language: 'english' }],
    ['language', { language: 'Polski-PL' }],
    ['language', { language: 'en_GB' }],
    ['content', { content: '' }],
    ['content', { content: ' \n ' }],
    ['content', { content: 'NUL \0' }],
    ['content', { content: 'x'.repeat(200_001) }],
    ['slug', { slug: 'Not A Slug' }],
    ['coverUrl', { coverUrl: 'javascript:alert(1)' }],
  ])('a wrong %s', async (field, wrong) => {
    const input = { ...good, ...wrong };
    const found = await refusal(() => execute(url, CreateStory, { input }, { token: admin.token }));
    expect(found).toEqual({ code: 'BAD_USER_INPUT', field });
  });

  test('a slug that another story has', async () => {
    await newStory(url, admin, { slug: 'taken' });
    const input = { ...good, slug: 'taken' };
    const found = await refusal(() => execute(url, CreateStory, { input }, { token: admin.token }));
    expect(found).toEqual({ code: 'BAD_USER_INPUT', field: 'slug' });
  });
});

describe('synthesizeAudio refuses', () => {
  test.each([
    ['NOT_FOUND', undefined, { storyId: 'nonsense' }],
    ['NOT_FOUND', undefined, { storyId: '01a20913-a983-7170-9b82-b7c210f5dbba' }],
    ['NOT_FOUND', undefined, { voiceId: 'nobody' }],
    ['NOT_FOUND', undefined, { voiceId: 'a NUL \0' }],
    ['BAD_USER_INPUT', 'maxCredits', { maxCredits: -1 }],
    ['BAD_USER_INPUT', 'idempotencyKey', { idempotencyKey: 'ź' }],
    ['BAD_USER_INPUT', 'storyId', { storyId: null }],
  ])('with %s %s: %j', async (code, field, wrong) => {
    const input = { storyId, voiceId, ...wrong };
    const found = await refusal(() =>
      send(url, Narrate.toString(), { input }, { token: listener.token }),
    );
    expect(found).toEqual(field === undefined ? { code } : { code, field });
  });
});

describe('lists refuse', () => {
  test.each([
    ['first', 'stories(first: 0)'],
    ['first', 'stories(first: 101)'],
    ['first', 'stories(first: "ten")'],
    ['last', 'stories(last: -1)'],
    ['last', 'stories(first: 1, last: 1)'],
    ['after', 'stories(after: "nonsense")'],
    ['language', 'stories(language: "??")'],
    ['search', `stories(search: "${'x'.repeat(201)}")`],
    ['before', 'creditHistory(before: "")'],
    ['from', 'creditHistory(from: "yesterday")'],
    ['from', 'creditHistory(from: "2026-01-02T00:00:00Z", to: "2026-01-01T00:00:00Z")'],
    ['from', 'creditHistory(from: "0000-01-01T00:00:00Z")'],
    ['to', 'creditHistory(to: "9999-12-31T23:59:59-00:01")'],
    ['from', 'creditHistory(from: "0001-01-01T00:00:00+00:01")'],
    ['type', 'creditHistory(type: [GIFT])'],
    ['source', 'creditHistory(source: [GIFT])'],
    ['audioId', 'creditHistory(audioId: "no id")'],
    ['audioId', 'creditHistory(audioId: "")'],
    ['status', 'creditLots(status: [GONE])'],
    ['colour', 'creditLots(colour: 1)'],
  ])('a wrong %s: %s', async (field, list) => {
    const { errors } = await send(
      url,
      `{ ${list} { nodes { id } } }`,
      {},
      { token: listener.token },
    );
    expect(errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field });
  });

  test.each(['', '2026-13', '2026-1', '26-10', '0000-01', '9999-12', '2026-10-01', '+02026-10'])(
    'a wrong month: %j',
    async (month) => {
      const document = 'query ($month: String!) { creditStatement(month: $month) { opening } }';
      const { errors } = await send(url, document, { month }, { token: listener.token });
      expect(errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'month' });
    },
  );

  test('more mistakes than anybody reads, as mistakes', async () => {
    const list =
      'query ($status: [CreditLotStatus!]) { creditLots(status: $status) { nodes { id } } }';
    const variables = { status: Array<string>(1000).fill('GONE') };
    const { status, errors } = await send(url, list, variables, { token: listener.token });
    expect(status).toBe(400);
    expect(new Set(errors.map(({ extensions }) => extensions.code))).toEqual(
      new Set(['BAD_USER_INPUT']),
    );
  });

  test('a cursor of another list, and one that was tampered with', async () => {
    const { data } = await send<{ stories: { pageInfo: { endCursor: string } } }>(
      url,
      '{ stories(first: 1) { pageInfo { endCursor } } }',
    );
    const cursor = data?.stories.pageInfo.endCursor ?? '';
    for (const wrong of [cursor, `${cursor}x`, cursor.slice(2)]) {
      const { errors } = await send(
        url,
        'query ($cursor: String) { creditHistory(after: $cursor) { nodes { id } } }',
        { cursor: wrong },
        { token: listener.token },
      );
      expect(errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'after' });
    }
  });

  test.each([0, 1.5, 2 ** 31, Number.MAX_SAFE_INTEGER])(
    'a cursor at movement %d, which there cannot be',
    async (seq) => {
      const cursor = (list: string): string =>
        Buffer.from(JSON.stringify([list, seq])).toString('base64url');
      for (const query of [
        'query ($history: String) { creditHistory(after: $history) { nodes { id } } }',
        'query ($lot: String) { creditLots { nodes { transactions(after: $lot) { nodes { id } } } } }',
      ]) {
        const variables = { history: cursor('creditHistory'), lot: cursor('lotTransactions') };
        const { errors } = await send(url, query, variables, { token: listener.token });
        expect(errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'after' });
      }
    },
  );

  test.each([
    ['creditLots', ['0000-01-01T00:00:00.000Z', NEVER]],
    ['creditLots', ['2026-02-30T00:00:00.000Z', NEVER]],
    ['creditLots', ['infinity', NEVER]],
    ['creditHistory', -1],
    ['creditHistory', 1.5],
    ['creditHistory', 1e300],
    ['creditHistory', [1]],
    ['audio', 'x'],
  ])('a forged cursor of %s: %j', async (list, key) => {
    const after = Buffer.from(JSON.stringify([list, key])).toString('base64url');
    const { errors } = await send(
      url,
      `query ($after: String) { me { ${list}(after: $after) { nodes { id } } } }`,
      { after },
      { token: listener.token },
    );
    expect(errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'after' });
  });

  test('an expiry outlook and a past that cannot be', async () => {
    const query = (field: string): string => `{ me { credits { ${field} } } }`;
    for (const [field, list] of [
      ['days', 'expiring(days: 0) { at }'],
      ['at', 'balanceAt(at: "2150-01-01T00:00:00Z")'],
    ] as const) {
      const { errors } = await send(url, query(list), {}, { token: listener.token });
      expect(errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field });
    }
  });
});

test('what belongs to someone else is not found, the same as what never was', async () => {
  const owner = await newListener(url);
  const { audioId } = await narrate(url, owner, storyId, voiceId);
  const { data } = await send<{
    creditLots: { nodes: { id: string }[] };
    creditHistory: { nodes: { id: string }[] };
    me: { sessions: { id: string }[] };
  }>(
    url,
    '{ creditLots { nodes { id } } creditHistory { nodes { id } } me { sessions { id } } }',
    {},
    { token: owner.token },
  );
  const ids = [
    audioId,
    data?.creditLots.nodes[0]?.id,
    data?.creditHistory.nodes[0]?.id,
    data?.me.sessions[0]?.id,
    owner.id,
  ];
  const never = await send(
    url,
    'query ($id: ID!) { node(id: $id) { id } }',
    { id: '01a20913-a983-7170-9b82-b7c210f5dbba' },
    { token: listener.token },
  );
  for (const id of ids) {
    const mine = await send<{ node: { id: string } }>(
      url,
      'query ($id: ID!) { node(id: $id) { id } }',
      { id },
      { token: owner.token },
    );
    expect(mine.data?.node.id).toBe(id);
    const theirs = await send(
      url,
      'query ($id: ID!) { node(id: $id) { id } }',
      { id },
      { token: listener.token },
    );
    expect(theirs.errors).toEqual(never.errors);
  }
  const audio = await send(
    url,
    'query ($id: ID!) { audio(id: $id) { id } }',
    { id: audioId },
    { token: listener.token },
  );
  expect(audio.errors[0]?.extensions).toEqual({ code: 'NOT_FOUND' });
});

test('a listener sees who gave points, but nothing private of them', async () => {
  const someone = await newListener(url);
  const input = {
    userId: someone.id,
    amount: 1,
    source: 'FREE' as const,
    reason: 'Hello',
    idempotencyKey: 'hello',
  };
  await execute(url, Grant, { input }, { token: admin.token });
  const query = (field: string): string =>
    `{ creditHistory(first: 1) { nodes { actor { ${field} } } } }`;
  const { data } = await send<{
    creditHistory: { nodes: { actor: { id: string; role: string } }[] };
  }>(url, query('id role'), {}, { token: someone.token });
  expect(data?.creditHistory.nodes[0]?.actor).toEqual({ id: admin.id, role: 'ADMIN' });
  for (const field of [
    'email',
    'suspended',
    'credits { balance }',
    'creditLots { nodes { id } }',
    'sessions { id }',
  ]) {
    const { errors } = await send(url, query(field), {}, { token: someone.token });
    expect(errors[0]?.extensions).toEqual({ code: 'FORBIDDEN' });
  }
});

test.each([
  ['AudioStatus', 'READY', 'me { audio(status: $names) { nodes { id } } }'],
  ['CreditLotStatus', 'ACTIVE', 'creditLots(status: $names) { nodes { id } }'],
  ['CreditSource', 'FREE', 'creditLots(source: $names) { nodes { id } }'],
  ['CreditTransactionType', 'GRANT', 'creditHistory(type: $names) { nodes { id } }'],
  ['CreditSource', 'ADD_ON', 'creditHistory(source: $names) { nodes { id } }'],
])(
  'a list of %s that names one forty thousand times asks for no more',
  async (type, name, list) => {
    const names = Array<string>(40_000).fill(name);
    const query = `query ($names: [${type}!]) { ${list} }`;
    const { errors } = await send(url, query, { names }, { token: listener.token });
    expect(errors).toEqual([]);
  },
);

test('an address with an international domain is one account in each of its spellings', async () => {
  const password = 'a good password';
  const name = `o&m${String(Date.now())}`;
  const register = (email: string): ReturnType<typeof execute> =>
    execute(url, Register, { input: { email, password } });
  expect((await register(`${name}@Пример.рф`)).errors).toEqual([]);
  const ascii = `${name}@xn--e1afmkfd.xn--p1ai`;
  expect((await register(ascii)).errors[0]?.extensions.code).toBe('EMAIL_TAKEN');
  for (const email of [ascii, `${name.toUpperCase()}@ПРИМЕР.рф`]) {
    const query = 'mutation ($input: LoginInput!) { login(input: $input) { user { email } } }';
    const login = await send(url, query, { input: { email, password } });
    expect(login.data).toEqual({ login: { user: { email: ascii } } });
    const user = await send(
      url,
      'query ($email: String) { user(email: $email) { email } }',
      { email },
      {
        token: admin.token,
      },
    );
    expect(user.data).toEqual({ user: { email: ascii } });
  }
});

test('a body that is too large, not JSON, or no query is refused as JSON', async () => {
  const post = (body: string): Promise<Response> =>
    fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
  const large = await post(JSON.stringify({ query: `{ me { id } } #${'x'.repeat(1024 * 1024)}` }));
  expect(large.status).toBe(413);
  expect(await large.json()).toMatchObject({
    errors: [{ extensions: { code: 'BAD_USER_INPUT', field: 'body' } }],
  });
  for (const body of [
    '{',
    '[]',
    '{}',
    '{"query": 1}',
    '{"query": "{"}',
    '{"query": "{ nonsense }"}',
  ]) {
    const answer = await post(body);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      errors: [{ extensions: { code: 'BAD_USER_INPUT' } }],
    });
  }
});
