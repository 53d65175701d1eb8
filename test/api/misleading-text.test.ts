import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execute, send, type Answer } from '../support/client.js';
import { CreateStory, Register, SuspendUser, UpdateProfile } from '../support/operations.js';
import type { CreateStoryMutation } from '../support/generated/graphql.js';
import { administrator, newListener, type Person } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let admin: Person;
let listener: Person;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  admin = await administrator(url);
  listener = await newListener(url);
});
afterAll(() => talebank.close());

const STORY = { title: 'The Moon', author: 'Talebank', language: 'en', content: 'Once.' };
const register = (more: object): Promise<Answer<unknown>> => {
  const email = `n${crypto.randomUUID()}@example.com`;
  return execute(url, Register, { input: { email, password: 'a good password', ...more } });
};
const createStory = (more: object): Promise<Answer<CreateStoryMutation>> =>
  execute(url, CreateStory, { input: { ...STORY, ...more } }, { token: admin.token });

const MISLEADING: readonly [string, RegExp][] = [
  ['right to left \u202egnp.elat', /bidirectional/],
  ['isolated \u2067x\u2069', /bidirectional/],
  ['two\u2028lines', /one line/],
  ['two\u2029paragraphs', /one line/],
  ['next\u0085line', /one line/],
  ['tagged \u{E0041}', /tag characters/],
  ['private \uE000', /private-use/],
  ['\u200b\u3164', /at least one character/],
];

describe.each(MISLEADING)('%j is refused', (text, message) => {
  test.each<[string, string, () => Promise<Answer<unknown>>]>([
    ['a name', 'displayName', () => register({ displayName: text })],
    ['a device', 'deviceName', () => register({ deviceName: text })],
    [
      'a new name',
      'displayName',
      () => execute(url, UpdateProfile, { displayName: text }, { token: listener.token }),
    ],
    ['a title', 'title', () => createStory({ title: text })],
    ['an author', 'author', () => createStory({ author: text })],
    [
      'a reason',
      'reason',
      () =>
        execute(url, SuspendUser, { userId: listener.id, reason: text }, { token: admin.token }),
    ],
  ])('as %s', async (_what, field, answer) => {
    const [error] = (await answer()).errors;
    expect(error?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
    expect(error?.message).toMatch(message);
  });
});

test('a description has lines, and none of them misleads', async () => {
  expect((await createStory({ description: 'One.\n\tTwo.\r\n' })).errors).toEqual([]);
  for (const description of ['One.\n\u202eTwo.', 'One.\u2028Two.', 'bell \u0007', '\u{E0041}']) {
    const { errors } = await createStory({ description });
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'description' });
  }
});

test('the words of a story may be in two directions', async () => {
  expect((await createStory({ content: 'He said \u2067שלום\u2069.' })).errors).toEqual([]);
});

test('what a browser says of itself is kept as one line', async () => {
  const { email } = await newListener(url);
  const input = { email, password: 'a good password' };
  const login = `mutation ($input: LoginInput!) { login(input: $input) { session { userAgent } } }`;
  const { data } = await send<{ login: { session: { userAgent: string } } }>(
    url,
    login,
    { input },
    { headers: { 'user-agent': 'Browser\u0085 of\u009b31m lines' } },
  );
  expect(data?.login.session.userAgent).toBe('Browser  of 31m lines');
});

describe('coverUrl', () => {
  const coverOf = async (coverUrl: string): Promise<unknown> => {
    const { data, errors } = await createStory({ coverUrl });
    if (errors.length > 0) return errors[0]?.extensions;
    const id = data?.createStory.id ?? '';
    const [row] = await talebank.database.sql<{ cover_url: string }>(
      'SELECT cover_url FROM stories WHERE id = $1',
      [id],
    );
    return row?.cover_url;
  };

  test.each([
    ['https://example.com/a.png', 'https://example.com/a.png'],
    ['HTTPS://EXAMPLE.com:443/a b.png', 'https://example.com/a%20b.png'],
    ['https://müller.example/ä', 'https://xn--mller-kva.example/%C3%A4'],
    [' https:\\\\example.com\\x\n', 'https://example.com/x'],
    ['https://exam\nple.com/"><script>', 'https://example.com/%22%3E%3Cscript%3E'],
    ['https://example.com/\u202egnp', 'https://example.com/%E2%80%AEgnp'],
    ['http://0x7f.1/', 'http://127.0.0.1/'],
  ])('%j is kept as it is parsed', async (given, kept) => {
    expect(await coverOf(given)).toBe(kept);
  });

  test.each([
    'javascript:alert(1)',
    'data:image/png;base64,AAAA',
    'ftp://example.com/a.png',
    'https://user@example.com/a.png',
    'https://user:secret@example.com/a.png',
    'https://example.com@evil.example/',
    '//example.com/a.png',
    'https://',
    'https://ex ample.com/',
    `https://example.com/${'ä'.repeat(400)}`,
    `https://example.com/${'x'.repeat(2000)}`,
    'https://example.com/\0',
    'https://example.com/\ud800',
  ])('%j is refused', async (given) => {
    expect(await coverOf(given)).toEqual({ code: 'BAD_USER_INPUT', field: 'coverUrl' });
  });
});
