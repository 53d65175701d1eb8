import { connect } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execute, type Answer } from '../support/client.js';
import { Login, Register } from '../support/operations.js';
import { newListener, type Person } from '../support/people.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

const ORIGIN = 'https://stories.example.com';

let talebank: Talebank;
let url: string;
let listener: Person;
/** Behind TLS, at a host of the same site as the page. */
let sameSite: ServerProcess;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api', CORS_ORIGINS: `${ORIGIN}, http://localhost:5173` });
  url = talebank.url;
  listener = await newListener(url);
  sameSite = await talebank.join({ PUBLIC_URL: 'https://api.example.com' });
});
afterAll(() => talebank.close());

const namesIn = (headers: Headers, name: string): string[] =>
  (headers.get(name) ?? '')
    .toLowerCase()
    .split(',')
    .map((one) => one.trim());

const preflight = (path: string, asked: string, origin = ORIGIN): Promise<Response> =>
  fetch(`${url}${path}`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': asked,
    },
  });

/** What clients of GraphQL, tracing and error reporting send. */
const HEADERS = [
  'content-type',
  'authorization',
  'accept',
  'accept-language',
  'apollographql-client-name',
  'apollographql-client-version',
  'apollo-require-preflight',
  'x-apollo-operation-name',
  'x-apollo-operation-id',
  'x-apollo-cache-do-not-store',
  'graphql-preflight',
  'graphql-client-name',
  'graphql-client-version',
  'x-request-id',
  'x-correlation-id',
  'traceparent',
  'tracestate',
  'baggage',
  'sentry-trace',
  'b3',
  'x-b3-traceid',
  'x-datadog-trace-id',
  'x-requested-with',
  'last-event-id',
  'cache-control',
];

test.each(['/graphql', '/graphql/stream'])(
  'a preflight of %s allows what common clients send, for origins that are listed',
  async (path) => {
    for (const asked of [...HEADERS, HEADERS.join(',')]) {
      const { status, headers } = await preflight(path, asked);
      expect(status).toBe(204);
      expect(headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(namesIn(headers, 'access-control-allow-headers')).toEqual(asked.split(','));
    }
    const other = await preflight(path, 'traceparent', 'https://evil.example');
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
  },
);

test('a page of a listed origin can read refusals that come before GraphQL, and no other page can', async () => {
  const refusals: [number, RequestInit & { path?: string }][] = [
    [413, { body: 'a'.repeat(2_000_000), headers: { 'content-type': 'application/json' } }],
    [400, { body: '{', headers: { 'content-type': 'application/json' } }],
    [400, { body: '{}', headers: { 'content-type': 'text/plain' } }],
    [
      404,
      { path: '/graphql/nothing', body: '{}', headers: { 'content-type': 'application/json' } },
    ],
  ];
  for (const [status, { path = '/graphql', ...init }] of refusals)
    for (const origin of [ORIGIN, 'https://evil.example']) {
      const headers = { ...(init.headers as Record<string, string>), origin };
      const answer = await fetch(`${url}${path}`, { method: 'POST', ...init, headers });
      await answer.text();
      expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([
        status,
        origin === ORIGIN ? ORIGIN : null,
      ]);
      expect(namesIn(answer.headers, 'vary')).toContain('origin');
      if (origin === ORIGIN)
        expect(namesIn(answer.headers, 'access-control-expose-headers')).toContain('retry-after');
    }
});

test('a page of a listed origin can read BUSY, which comes before anything else', async () => {
  const { hostname, port } = new URL(url);
  const open = (body: string): ReturnType<typeof connect> => {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    const head = `POST /graphql HTTP/1.1\r\nhost: x\r\norigin: ${ORIGIN}\r\ncontent-type: application/json\r\n`;
    socket.write(`${head}content-length: 1000000\r\n\r\n${body}`);
    return socket;
  };
  const sockets = Array.from({ length: 14 }, () => open(''));
  const answers = await Promise.race(sockets.map((socket) => once(socket, 'data')));
  for (const socket of sockets) socket.destroy();
  const text = String(answers[0]);
  expect(text).toMatch(/^HTTP\/1.1 503 /);
  expect(text).toContain(`access-control-allow-origin: ${ORIGIN}\r\n`);
  expect(text).toMatch(/retry-after: 1\r\n/);
});

describe('recordings and streams', () => {
  const asked = 'range,if-range,if-none-match,if-modified-since,accept-language,traceparent';

  test.each([`/files/${'a'.repeat(64)}.mp3?expires=1&signature=a`, '/streams/a.mp3'])(
    'answer the preflights of players on any site: %s',
    async (path) => {
      for (const origin of [ORIGIN, 'https://player.example']) {
        const { status, headers } = await preflight(path, asked, origin);
        expect(status).toBe(204);
        expect(headers.get('access-control-allow-origin')).toBe('*');
        expect(headers.get('access-control-allow-credentials')).toBeNull();
        expect(namesIn(headers, 'access-control-allow-methods')).toEqual(['get', 'head']);
        expect(namesIn(headers, 'access-control-allow-headers')).toEqual(asked.split(','));
        const refused = await fetch(`${url}${path}`, { headers: { origin } });
        expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([
          403,
          '*',
        ]);
        expect(namesIn(refused.headers, 'access-control-expose-headers')).toEqual(
          expect.arrayContaining(['content-range', 'accept-ranges', 'retry-after']),
        );
      }
    },
  );
});

describe('transport: COOKIE', () => {
  const login = (
    at: string,
    headers: Record<string, string>,
    transport: 'BODY' | 'COOKIE' = 'COOKIE',
  ): Promise<Answer<unknown>> =>
    execute(
      at,
      Login,
      { input: { email: listener.email, password: 'a good password', transport } },
      { headers },
    );

  test.each<[string, () => string, Record<string, string>]>([
    ['a listed origin of another site', () => url, { origin: ORIGIN }],
    ['another name of this machine', () => url, { origin: 'http://localhost:5173' }],
    ['a browser that says so', () => url, { origin: ORIGIN, 'sec-fetch-site': 'cross-site' }],
    ['an origin that is opaque', () => url, { origin: 'null' }],
    ['another site than PUBLIC_URL', () => sameSite.url, { origin: 'https://example.org' }],
    ['another scheme', () => sameSite.url, { origin: 'http://stories.example.com' }],
  ])('is refused in words for %s, and nothing is stored', async (_name, at, headers) => {
    const count = (): Promise<{ count: number }[]> =>
      talebank.database.sql('SELECT count(*)::int AS count FROM sessions');
    const before = await count();
    const refused = await login(at(), headers);
    expect(refused.errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'transport' });
    expect(refused.errors[0]?.message).toMatch(/must be BODY on a page of another site/);
    expect(refused.headers.get('set-cookie')).toBeNull();
    const input = { email: 'new@example.com', password: 'a good password' } as const;
    const registered = await execute(
      at(),
      Register,
      { input: { ...input, transport: 'COOKIE' } },
      { headers },
    );
    expect(registered.errors[0]?.extensions['field']).toBe('transport');
    expect(await count()).toEqual(before);
    expect((await login(at(), headers, 'BODY')).errors).toEqual([]);
  });

  test.each<[string, () => string, Record<string, string>]>([
    ['a client that is no page', () => url, {}],
    ['a page of the API itself', () => url, { origin: 'SELF' }],
    ['a browser that says so', () => url, { origin: ORIGIN, 'sec-fetch-site': 'same-site' }],
    ['another host of the same site', () => sameSite.url, { origin: ORIGIN }],
    ['PUBLIC_URL', () => sameSite.url, { origin: 'https://api.example.com' }],
  ])('is stored for %s', async (_name, at, headers) => {
    const own = headers['origin'] === 'SELF' ? { origin: url } : headers;
    const { errors, headers: answered } = await login(at(), own);
    expect(errors).toEqual([]);
    expect(answered.get('set-cookie')).toMatch(/SameSite=Strict$/);
  });
});
