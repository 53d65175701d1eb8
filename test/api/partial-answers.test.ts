import { once } from 'node:events';
import { connect } from 'node:net';
import { randomUUID as uuid } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt, decodeProtectedHeader, importJWK, SignJWT, type JWK } from 'jose';
import { ask, send } from '../support/client.js';
import { until } from '../support/faults.js';
import { RevokeOtherSessions, Login } from '../support/operations.js';
import { administrator, newListener, newStory } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
/** A token of each kind, valid or not. */
const tokens: Record<string, string | undefined> = { none: undefined, wrong: 'nonsense' };

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  const { token, email } = await newListener(url);
  tokens['good'] = token;
  tokens['expired'] = await expiredLike(token);
  const input = { email, password: 'a good password' };
  tokens['revoked'] = (await ask(url, Login, { input })).login.accessToken;
  await ask(url, RevokeOtherSessions, {}, token);
  await until('it is revoked', async () => (await post('{ me { id } }', 'revoked')).status === 401);
});
afterAll(() => talebank.close());

/** The same token, signed by the server's own key, of an hour ago. */
async function expiredLike(token: string): Promise<string> {
  const { kid = '', ...header } = decodeProtectedHeader(token);
  const [row] = await talebank.database.sql<{ jwk: JWK }>(
    'SELECT private_jwk AS jwk FROM signing_keys WHERE kid = $1',
    [kid],
  );
  const issuedAt = Math.floor(Date.now() / 1000) - 3_600;
  return new SignJWT({ ...decodeJwt(token), iat: issuedAt, exp: issuedAt + 600 })
    .setProtectedHeader({ ...header, alg: 'EdDSA', kid })
    .sign(await importJWK(row?.jwk ?? {}, 'EdDSA'));
}

interface Answered {
  readonly status: number;
  readonly codes: unknown[];
  readonly data: unknown;
  readonly headers: Headers;
}

const MEDIA_TYPES = ['application/json', 'application/graphql-response+json'];

async function post(
  query: string,
  token: string,
  { accept = 'application/json', ...more }: { accept?: string; operationName?: string } = {},
): Promise<Answered> {
  const authorization = tokens[token];
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      accept,
      'content-type': 'application/json',
      ...(authorization === undefined ? {} : { authorization: `Bearer ${authorization}` }),
    },
    body: JSON.stringify({ query, ...more }),
  });
  return answered(response);
}

async function answered(response: Response): Promise<Answered> {
  const { data, errors = [] } = (await response.json()) as {
    data?: unknown;
    errors?: { extensions: { code: string } }[];
  };
  const codes = errors.map(({ extensions }) => extensions.code);
  return { status: response.status, codes, data, headers: response.headers };
}

test.each(['Basic dXNlcjpwYXNz', 'Bearer', 'Bearer ', 'Token abc', 'eyJhbGciOiJFZERTQSJ9'])(
  'an Authorization header that has no token, such as “%s”, is refused where one is needed',
  async (authorization) => {
    const said = async (query: string): Promise<unknown> =>
      (await send(url, query, {}, { headers: { authorization } })).errors[0];
    expect(await said(`{ ${PUBLIC} }`)).toBeUndefined();
    expect(await said('{ me { id } }')).toMatchObject({
      message: 'The Authorization header must be “Bearer”, a space and an access token.',
      extensions: { code: 'UNAUTHENTICATED' },
    });
  },
);

const PUBLIC = 'stories(first: 1) { nodes { id } }';
const REFUSED = ['none', 'wrong', 'expired', 'revoked'];

describe.each(MEDIA_TYPES)('to a client that accepts %s', (accept) => {
  test.each(REFUSED)('with a token that is %s, an answer with data is 200', async (token) => {
    const only = await post(`{ ${PUBLIC} }`, token, { accept });
    expect([only.status, only.codes]).toEqual([200, []]);
    // Where a field that needs a token may be null, the others are answered.
    const mixed = await post(`{ ${PUBLIC} audio(id: "a") { id } }`, token, { accept });
    expect([mixed.status, mixed.codes]).toEqual([200, ['UNAUTHENTICATED']]);
    expect(mixed.data).toEqual({ stories: { nodes: expect.any(Array) }, audio: null });
    const named = await post('{ __typename audio(id: "a") { id } }', token, { accept });
    expect([named.status, named.codes]).toEqual([200, ['UNAUTHENTICATED']]);
  });

  test.each(REFUSED)('with a token that is %s, an answer without data is 401', async (token) => {
    for (const query of [
      '{ audio(id: "a") { id } }',
      '{ a: audio(id: "a") { id } b: audio(id: "b") { id } }',
      '{ creditLots { nodes { id } } }',
      // A field that may not be null takes all the others with it.
      `{ ${PUBLIC} creditLots { nodes { id } } }`,
      'mutation { resendVerification }',
      'mutation { logout }',
    ]) {
      const { status, codes, data } = await post(query, token, { accept });
      expect([query, status, codes[0]]).toEqual([query, 401, 'UNAUTHENTICATED']);
      expect(Object.values(data ?? {}).every((value) => value === null)).toBe(true);
    }
  });

  test('me beside public fields tells that a token is not good', async () => {
    for (const token of ['wrong', 'expired', 'revoked']) {
      const { status, codes, data } = await post(`{ ${PUBLIC} me { id } }`, token, { accept });
      expect([status, codes]).toEqual([200, ['UNAUTHENTICATED']]);
      expect(data).toEqual({ stories: { nodes: expect.any(Array) }, me: null });
      const alone = await post('{ me { id } }', token, { accept });
      expect([alone.status, alone.codes]).toEqual([401, ['UNAUTHENTICATED']]);
    }
  });

  test('what may be the viewer’s own is not said to be missing because a token is not good', async () => {
    const { id } = await newStory(url, await administrator(url));
    for (const query of [
      `{ node(id: "${uuid()}") { id } }`,
      `{ story(id: "${uuid()}") { id } }`,
      '{ story(slug: "not-published") { id } }',
      `{ story(id: "${id}") { id audio { id } } }`,
    ]) {
      const hidden = query.includes('audio') ? [] : ['NOT_FOUND'];
      expect([query, (await post(query, 'none', { accept })).codes]).toEqual([query, hidden]);
      expect([query, (await post(query, 'good', { accept })).codes]).toEqual([query, hidden]);
      for (const token of ['wrong', 'expired', 'revoked']) {
        const { status, codes } = await post(query, token, { accept });
        expect([query, status, codes]).toEqual([query, 401, ['UNAUTHENTICATED']]);
      }
    }
    const published = await post(`{ story(id: "${id}") { id } }`, 'expired', { accept });
    expect([published.status, published.data]).toEqual([200, { story: { id } }]);
  });

  test('a good token gets everything', async () => {
    const { status, codes } = await post(`{ ${PUBLIC} me { id } }`, 'good', { accept });
    expect([status, codes]).toEqual([200, []]);
  });
});

describe('an operation name that is empty is no name', () => {
  const both = 'query A { __typename } query B { voices { id } }';

  test('in a body', async () => {
    const one = await post('query A { __typename }', 'none', { operationName: '' });
    expect([one.status, one.data]).toEqual([200, { __typename: 'Query' }]);
    const unclear = await post(both, 'none', { operationName: '', accept: MEDIA_TYPES[1] ?? '' });
    expect([unclear.status, unclear.codes]).toEqual([400, ['BAD_USER_INPUT']]);
  });

  test('in an address, and so are empty variables and extensions', async () => {
    const get = async (search: string): Promise<Answered> =>
      answered(
        await fetch(`${url}/graphql?${search}`, { headers: { 'apollo-require-preflight': '1' } }),
      );
    const query = `query=${encodeURIComponent('query A { __typename }')}`;
    for (const search of [
      `${query}&operationName=`,
      `operationName=&${query}&variables=&extensions=`,
      `${query}&variables`,
    ]) {
      const { status, data } = await get(search);
      expect([search, status, data]).toEqual([search, 200, { __typename: 'Query' }]);
    }
    const named = `query=${encodeURIComponent(both)}&variables=&operationName=`;
    expect((await get(`${named}A`)).data).toEqual({ __typename: 'Query' });
    expect((await get(named)).codes).toEqual(['BAD_USER_INPUT']);
  });

  test('for a subscription', async () => {
    const response = await fetch(`${url}/graphql/stream`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${tokens['good'] ?? ''}`,
      },
      body: JSON.stringify({
        query: 'subscription A { creditsUpdated { balance } }',
        operationName: '',
      }),
    });
    expect(response.status).toBe(200);
    await response.body?.cancel();
  });
});

test('every BUSY answer has Retry-After', async () => {
  const node = 'node(id: "00000000-0000-7000-8000-000000000000") { id }';
  await talebank.database.setReachable(false);
  try {
    for (const [query, status] of [
      [`{ ${node} }`, 503],
      [`{ __typename ${node} }`, 200],
      ['mutation { logout }', 503],
    ] as const) {
      const answer = await post(query, 'good');
      expect([answer.status, answer.codes]).toEqual([status, ['BUSY']]);
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    const subscription = await fetch(`${url}/graphql/stream`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${tokens['good'] ?? ''}`,
      },
      body: '{"query":"subscription { creditsUpdated { balance } }"}',
    });
    expect([subscription.status, subscription.headers.get('retry-after')]).toEqual([503, '1']);
    await subscription.body?.cancel();
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, ready.headers.get('retry-after')]).toEqual([503, '1']);
  } finally {
    await talebank.database.setReachable(true);
  }
  await until('it is back', async () => (await fetch(`${url}/readyz`)).ok);
});

test('a request that comes while the server stops is BUSY, and says when to come back', async () => {
  const other = await talebank.join({ ROLE: 'api' });
  const { hostname, port } = new URL(other.url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  // One that has begun keeps its connection while idle ones are closed. With the answer to the first it has been read.
  const begun = 'GET /healthz HTTP/1.1\r\nhost: x\r\n';
  socket.write(`${begun}\r\n${begun}`);
  await until('the first is answered', () => answer.includes('200 OK') && answer.endsWith('}'));
  answer = '';
  const stopped = other.stop();
  await until('it takes no more connections', () => isRefused(hostname, Number(port)));
  socket.write('\r\n');
  await once(socket, 'close');
  await stopped;
  expect(answer).toMatch(/^HTTP\/1.1 503 /);
  expect(answer).toMatch(/retry-after: 1\r\n/i);
  expect(answer).toContain('"code":"BUSY"');
});

async function isRefused(host: string, port: number): Promise<boolean> {
  const socket = connect(port, host);
  try {
    await once(socket, 'connect');
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}
