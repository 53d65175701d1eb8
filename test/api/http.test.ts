import { connect } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { serverAudits } from 'graphql-http';
import { execute, send } from '../support/client.js';
import { expectBelow, timeOf } from '../support/measure.js';
import { Login } from '../support/operations.js';
import { newListener } from '../support/people.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
/** As it stands behind TLS, with a web app on another host. */
let secure: ServerProcess;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  secure = await talebank.join({
    PUBLIC_URL: 'https://api.tales.example.com',
    CORS_ORIGINS: 'https://tales.example.com, http://localhost:5173',
    SECURITY_CONTACT: 'https://tales.example.com/security',
    TRUST_PROXY: 'loopback',
  });
});
afterAll(() => talebank.close());

/**
 * What GraphQL over HTTP allows and is refused on purpose: GET without the header that no page of another site
 * can send, for it would be a way around the same-origin policy.
 */
const ON_PURPOSE: readonly string[] = ['5A70', '6A70', 'D6D5'];

describe('GraphQL over HTTP, as graphql-http audits it', () => {
  const audits = serverAudits({ url: () => `${url}/graphql` });

  test.each(audits.map((audit) => [audit.id, audit.name, audit] as const))(
    '%s: %s',
    async (id, _name, audit) => {
      const result = await audit.fn();
      if (ON_PURPOSE.includes(id)) expect(result.status).toBe('notice');
      else if (result.status !== 'ok') throw new Error(`${result.status}: ${result.reason}`);
    },
  );
});

const post = (at: string, headers: Record<string, string>, body: string): Promise<Response> =>
  fetch(`${at}/graphql`, { method: 'POST', headers, body });

test('what changes something is asked as JSON, or with a header that no form can send', async () => {
  const query = '{"query":"mutation { logout }"}';
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
  ])
    expect((await post(url, { 'content-type': type }, query)).status).toBeGreaterThanOrEqual(400);
  const get = await fetch(`${url}/graphql?query=${encodeURIComponent('mutation { logout }')}`, {
    headers: { 'apollo-require-preflight': 'yes' },
  });
  expect(get.status).toBe(405);
  const plainGet = await fetch(`${url}/graphql?query=${encodeURIComponent('{ __typename }')}`);
  expect(plainGet.status).toBe(400);
});

test('a body over a megabyte is refused as JSON, and nothing of it is read', async () => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(
    `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2000000000\r\n\r\n{`,
  );
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  expect(chunk.toString()).toMatch(/^HTTP\/1.1 413 /);
  expect(chunk.toString()).toContain('"code":"BAD_USER_INPUT"');
});

test('who sends their headers one by one is not waited for', async () => {
  const { hostname, port } = new URL(url);
  // Fifteen seconds at most, where the whole request would have thirty.
  await expectBelow(28_000, async () => {
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    socket.write('POST /graphql HTTP/1.1\r\nhost: x\r\n');
    const drip = setInterval(() => socket.write('x-slow: 1\r\n'), 500);
    socket.on('error', () => undefined);
    socket.resume();
    const keptMs = await timeOf(() => once(socket, 'close'));
    clearInterval(drip);
    return keptMs;
  });
});

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
};

test.each([
  '/graphql',
  '/healthz',
  '/graphiql/',
  '/dev/mail',
  '/nothing',
  '/.well-known/jwks.json',
])('%s is answered with the headers that keep browsers careful', async (path) => {
  const { headers } = await fetch(`${url}${path}`);
  for (const [name, value] of Object.entries(HEADERS)) expect(headers.get(name)).toBe(value);
  const policy = headers.get('content-security-policy') ?? '';
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/script-src[^;]*unsafe-inline/);
  expect(headers.get('x-powered-by')).toBeNull();
  expect(headers.get('server')).toBeNull();
  expect(headers.get('strict-transport-security')).toBeNull();
});

test('behind TLS browsers are told to stay there, and the cookie is one that only TLS can set', async () => {
  const { headers } = await fetch(`${secure.url}/healthz`);
  expect(headers.get('strict-transport-security')).toBe('max-age=31536000; includeSubDomains');
  const { email } = await newListener(url);
  const input = { email, password: 'a good password', transport: 'COOKIE' as const };
  const login = await execute(secure.url, Login, { input });
  expect(login.headers.get('set-cookie')).toMatch(
    /^__Host-talebank_refresh=[\w-]{64}; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Strict$/,
  );
  expect(login.headers.get('cache-control')).toBe('no-store');
});

test('a trusted proxy can say that the client uses TLS, as PUBLIC_URL can', async () => {
  const behind = await talebank.join({ TRUST_PROXY: 'loopback' });
  const { email } = await newListener(url);
  const input = { email, password: 'a good password', transport: 'COOKIE' as const };
  const cookieOf = async (at: string): Promise<string | null> => {
    const headers = { 'x-forwarded-proto': 'https' };
    return (await execute(at, Login, { input }, { headers })).headers.get('set-cookie');
  };
  expect(await cookieOf(behind.url)).toMatch(/^__Host-talebank_refresh=.*; Secure;/);
  expect(await cookieOf(url)).toMatch(/^talebank_refresh=/);
});

test('what is no address at all is refused as carefully as anything else', async () => {
  for (const path of ['/%E0%A4%A', `/files/${'a'.repeat(300)}`]) {
    const { status, headers, text } = await fetch(`${secure.url}${path}`).then(
      async (response) => ({
        status: response.status,
        headers: response.headers,
        text: await response.text(),
      }),
    );
    expect([400, 414]).toContain(status);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('strict-transport-security')).not.toBeNull();
    expect(text).toBe('{"error":"This is not an address."}');
  }
});

const preflight = (at: string, origin: string): Promise<Response> =>
  fetch(`${at}/graphql`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,authorization',
    },
  });

test('pages of the origins that are listed may use the API, to the letter, and no others', async () => {
  const allowed = await preflight(secure.url, 'https://tales.example.com');
  expect(allowed.status).toBe(204);
  expect(allowed.headers.get('access-control-allow-origin')).toBe('https://tales.example.com');
  expect(allowed.headers.get('access-control-allow-credentials')).toBe('true');
  expect(allowed.headers.get('access-control-allow-headers')).toContain('authorization');
  const answer = await post(
    secure.url,
    { origin: 'http://localhost:5173', 'content-type': 'application/json' },
    '{"query":"{ __typename }"}',
  );
  expect(answer.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
  expect(answer.headers.get('vary')).toMatch(/origin/i);
  for (const origin of [
    'https://evil.example',
    'https://tales.example.com.evil.example',
    'http://tales.example.com',
    'https://tales.example.com:8443',
    'https://sub.tales.example.com',
    'null',
  ]) {
    const refused = await preflight(secure.url, origin);
    expect(refused.headers.get('access-control-allow-origin')).toBeNull();
  }
  const nowhere = await preflight(url, 'https://tales.example.com');
  expect(nowhere.headers.get('access-control-allow-origin')).toBeNull();
});

test('a host that cannot be one is refused, and is no failure of ours', async () => {
  const { port } = new URL(url);
  for (const host of ['a b', '<', '%'])
    for (const path of ['/graphql?query={__typename}', '/graphql']) {
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = connect(Number(port), '127.0.0.1', () => {
          socket.write(
            `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nApollo-Require-Preflight: 1\r\nConnection: close\r\n\r\n`,
          );
        });
        let text = '';
        socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
        socket.on('end', () => {
          resolve(text);
        });
        socket.on('error', reject);
      });
      expect(answer).toMatch(/^HTTP\/1.1 400 /);
      if (answer.includes('errors'))
        expect(answer).toMatch(/"code":"BAD_USER_INPUT","field":"host"/);
    }
});

test('security.txt says where to report a vulnerability', async () => {
  const response = await fetch(`${secure.url}/.well-known/security.txt`);
  expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  const lines = (await response.text()).split('\n');
  expect(lines).toContain('Contact: https://tales.example.com/security');
  expect(lines).toContain('Canonical: https://api.tales.example.com/.well-known/security.txt');
  const expires = new Date(
    lines.find((line) => line.startsWith('Expires: '))?.slice('Expires: '.length) ?? '',
  );
  const days = (expires.getTime() - Date.now()) / 86_400_000;
  expect(days).toBeGreaterThan(30);
  expect(days).toBeLessThan(365);
});

test('without introspection the schema is not told, in no suggestion either', async () => {
  const closed = await talebank.join({ INTROSPECTION: 'false', GRAPHIQL: 'false' });
  const asked = await send(closed.url, '{ __schema { types { name } } }');
  expect(asked.status).toBe(400);
  expect(asked.errors[0]?.message).toBe('Introspection is switched off.');
  const slip = await send(closed.url, '{ storie { nodes { id } } }');
  expect(slip.errors[0]?.message).not.toContain('stories');
  expect((await fetch(`${closed.url}/graphiql/`)).status).toBe(404);
  const open = await send(url, '{ storie { nodes { id } } }');
  expect(open.errors[0]?.message).toContain('stories');
  const login = 'mutation ($input: LoginInput!) { login(input: $input) { accessToken } }';
  const whole = { email: 'someone@example.com', password: 'a good password' };
  for (const [wrong, right] of [
    [{ ...whole, transprt: 'BODY' }, 'transport'],
    [{ ...whole, transport: 'BODI' }, 'BODY'],
  ] as const) {
    const told = await send(url, login, { input: wrong });
    expect(told.errors[0]?.message).toMatch(new RegExp(`Did you mean .*"${right}"\\?$`));
    const untold = await send(closed.url, login, { input: wrong });
    expect(untold.errors[0]?.message).not.toContain(right);
    expect(untold.errors[0]?.extensions).toEqual(told.errors[0]?.extensions);
  }
});
