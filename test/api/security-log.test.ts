import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execute, send } from '../support/client.js';
import { until } from '../support/faults.js';
import { Login, SuspendUser } from '../support/operations.js';
import { administrator, newListener, PASSWORD, type Person } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
/** The person whose sign-in is the last line. */
let last: Person;

beforeAll(async () => {
  talebank = await startTalebank({
    ROLE: 'api',
    RATE_LIMIT_FACTOR: '1',
    RATE_LIMIT_LOGIN: '10/600',
    TRUST_PROXY: 'loopback',
  });
  url = talebank.url;
  last = await newListener(url);
});
afterAll(() => talebank.close());

let addresses = 0;
const signIn = (email: string, password: string): ReturnType<typeof execute> => {
  const headers = {
    'x-forwarded-for': `198.51.100.${String((addresses += 1))}`,
    'user-agent': 'A browser of nobody else',
  };
  return execute(url, Login, { input: { email, password } }, { headers });
};

/** Waits for the line of one more sign-in: then every earlier line has been read, because the pipe keeps their order. */
async function untilLogged(): Promise<void> {
  const signIns = (): number =>
    linesAbout('signed in').filter(({ userId }) => userId === last.id).length;
  const before = signIns();
  await signIn(last.email, PASSWORD);
  await until('the sign-in is logged', () => signIns() > before);
}

const linesAbout = (msg: string): Record<string, unknown>[] =>
  talebank.server.logs().filter((line) => line['msg'] === msg);

test('sign-ins are logged with ids, and nothing that a stranger wrote', async () => {
  const admin = await administrator(url);
  const { id, email } = await newListener(url);
  await signIn(email, PASSWORD);
  await signIn(email, 'a wrong password');
  await execute(url, SuspendUser, { userId: id, reason: 'A test' }, { token: admin.token });
  await signIn(email, PASSWORD);
  await untilLogged();
  const [signedIn] = linesAbout('signed in').filter(({ userId }) => userId === id);
  expect(signedIn).toMatchObject({ level: 'info', userId: id, requestId: expect.any(String) });
  expect(signedIn?.['sessionId']).toMatch(/^[0-9a-f-]{36}$/);
  expect(linesAbout('wrong password')).toContainEqual(expect.objectContaining({ userId: id }));
  expect(linesAbout('sign-in refused: the account is suspended')).toContainEqual(
    expect.objectContaining({ userId: id }),
  );
  for (const secret of [email, '198.51.100.', 'A browser of nobody else', 'a wrong password'])
    expect(talebank.server.output()).not.toContain(secret);
});

test('what strangers can make the server log is bounded, however often they try', async () => {
  const { id, email } = await newListener(url);
  for (const address of [email, 'nobody@example.com'])
    // A few at a time, because a slow machine answers BUSY to many at once, and BUSY is not counted.
    for (let times = 0; times < 12; times += 1)
      await Promise.all(Array.from({ length: 5 }, () => signIn(address, 'a wrong password')));
  await untilLogged();
  expect(linesAbout('wrong password').filter(({ userId }) => userId === id)).toHaveLength(10);
  const limits = linesAbout('rate limit exceeded');
  expect(limits).toHaveLength(1);
  expect(limits[0]).toMatchObject({ level: 'warn', limit: 'login', by: 'account', refused: 1 });
});

test('what a client may not do is logged with its person and its request, once a minute for each kind', async () => {
  const { id, token } = await newListener(url);
  for (let times = 0; times < 5; times += 1) {
    await send(url, '{ users { nodes { id } } }', {}, { token });
    await send(url, '{ creditLots { nodes { id } } }', {}, { token: 'a forged token' });
    await send(url, `{ ${'__typename '.repeat(1000)} secret }`, {});
  }
  await untilLogged();
  const refused = linesAbout('request refused');
  expect(refused.map(({ code }) => code).sort()).toEqual([
    'FORBIDDEN',
    'QUERY_TOO_COMPLEX',
    'UNAUTHENTICATED',
  ]);
  expect(refused.find(({ code }) => code === 'FORBIDDEN')).toMatchObject({
    viewerId: id,
    requestId: expect.any(String),
    refused: 1,
  });
  // A line has only its own fields.
  for (const line of linesAbout('signed in')) expect(line).not.toHaveProperty('limit');
  expect(talebank.server.output()).not.toContain('forged');
});
