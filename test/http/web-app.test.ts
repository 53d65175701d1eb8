import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { get, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { buildSchema, isObjectType } from 'graphql';
import { send } from '../support/client.js';
import { until } from '../support/faults.js';
import { ADMIN, startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

const PUBLIC_URL = 'https://stories.example.com';
const BROWSER = {
  accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8',
};

let talebank: Talebank;
let url: string;
/** In production, behind PUBLIC_URL. */
let live: ServerProcess;
let without: ServerProcess;

beforeAll(async () => {
  talebank = await startTalebank({ SEED: 'true' });
  url = talebank.url;
  [live, without] = await Promise.all([
    talebank.join({
      NODE_ENV: 'production',
      PUBLIC_URL,
      ROLE: 'api',
      ADMIN_PASSWORD: 'a rare administrator',
    }),
    talebank.join({ WEB: 'false', ROLE: 'api' }),
  ]);
});
afterAll(() => talebank.close());

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Sends a request without the headers that `fetch` adds, and leaves the answer as it came. */
async function ask(
  path: string,
  headers: OutgoingHttpHeaders = BROWSER,
  { at = url, method = 'GET' }: { at?: string; method?: string } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(at);
  return new Promise((resolve, reject) => {
    const request = get({ hostname, port, path, headers, method }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const { statusCode = 0 } = response;
        resolve({ status: statusCode, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    request.on('error', reject);
  });
}

/** The first line of the answer to a path that no client would write. */
async function statusOf(path: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nConnection: close\r\n\r\n`);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  await once(socket, 'close');
  return text.slice(0, text.indexOf('\r\n'));
}

/** The script that the page loads. */
async function entry(): Promise<string> {
  const { body } = await ask('/');
  return /src="?(\/assets\/[^" >]+\.js)/.exec(body.toString())?.[1] ?? '';
}

function directivesOf({ headers }: Answer): Record<string, string[]> {
  const policy = headers['content-security-policy'];
  const pairs = String(policy)
    .split('; ')
    .map((directive) => directive.split(' '))
    .map(([name = '', ...values]) => [name, values] as const);
  return Object.fromEntries(pairs);
}

const PAGES = [
  '/',
  '/stories/the-lamplighters-cat',
  '/stories/caf%C3%A9',
  '/wallet',
  '/wallet?type=DEBIT&month=2026-11',
  '/account',
  '/account/',
  '/sign-in',
  '/sign-up',
  '/forgotten',
  '/verify?token=abc.def',
  '/reset?token=abc.def',
];

test.each(PAGES)('a browser that opens %s gets the page, which is never kept', async (path) => {
  const page = await ask(path);
  expect(page.status).toBe(200);
  expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
  expect(page.headers['cache-control']).toBe('no-cache');
  expect(page.headers.vary).toBe('accept, accept-encoding');
  expect(page.headers['x-content-type-options']).toBe('nosniff');
  expect(page.headers['referrer-policy']).toBe('no-referrer');
  expect(page.body.toString()).toMatch(/^<!doctype html>/i);
  const head = await ask(path, BROWSER, { method: 'HEAD' });
  expect([head.status, head.body.length]).toEqual([200, 0]);
  expect(head.headers['content-length']).toBe(page.headers['content-length']);
  const again = await ask(path, { ...BROWSER, 'if-none-match': page.headers.etag });
  expect([again.status, again.body.length]).toEqual([304, 0]);
  expect(again.headers['content-security-policy']).toContain('require-trusted-types-for');
});

test('the policy of the page allows no inline script, no strings as script, and no other sites', async () => {
  const policy = directivesOf(await ask('/wallet'));
  expect(JSON.stringify(policy)).not.toMatch(/unsafe|nonce|\*/);
  expect(policy).toMatchObject({
    'default-src': ["'self'"],
    'object-src': ["'none'"],
    'base-uri': ["'none'"],
    'frame-ancestors': ["'none'"],
    'require-trusted-types-for': ["'script'"],
    'trusted-types': ['talebank'],
  });
  expect(policy['script-src']).toBeUndefined();
  expect(policy['style-src']).toBeUndefined();
});

test('the page may load from PUBLIC_URL and from the sites of covers, and from no others', async () => {
  const { data } = await send<{ login: { accessToken: string } }>(
    url,
    'mutation ($input: LoginInput!) { login(input: $input) { accessToken } }',
    { input: ADMIN },
  );
  const create = 'mutation ($input: StoryInput!) { createStory(input: $input) { id } }';
  for (const coverUrl of [
    'https://covers.example.org/a;b.png',
    'https://covers.example.org/second.png?x=;script-src',
    'https://pictures.example.net:8443/x.png',
  ]) {
    const story = {
      title: 'Covered',
      author: 'A',
      language: 'en',
      content: 'One.',
      published: true,
    };
    const input = { ...story, coverUrl };
    const { errors } = await send(url, create, { input }, { token: data?.login.accessToken });
    expect(errors).toEqual([]);
  }
  const covers = ['https://covers.example.org', 'https://pictures.example.net:8443'];
  await until('the covers are read', async () =>
    String((await ask('/', BROWSER, { at: live.url })).headers['content-security-policy']).includes(
      'pictures',
    ),
  );
  const page = directivesOf(await ask('/', BROWSER, { at: live.url }));
  expect(page['img-src']).toEqual(["'self'", 'data:', 'blob:', PUBLIC_URL, ...covers]);
  expect(page['media-src']).toEqual(["'self'", 'blob:', PUBLIC_URL]);
  expect(page['connect-src']).toEqual(["'self'", PUBLIC_URL]);
  expect(Object.keys(page)).not.toContain('script-src');
});

test('the service worker has a policy of its own, without Trusted Types', async () => {
  const worker = await ask('/sw.js', { accept: '*/*' });
  expect(worker.status).toBe(200);
  expect(worker.headers['content-type']).toMatch(/^(?:text|application)\/javascript/);
  expect(worker.headers['cache-control']).toBe('no-cache');
  const policy = directivesOf(worker);
  expect(policy['default-src']).toEqual(["'self'"]);
  expect(Object.keys(policy)).not.toContain('require-trusted-types-for');
  expect(JSON.stringify(policy)).not.toContain('unsafe');
});

describe('clients that are no browsers', () => {
  test.each([
    ['/wallet', '*/*'],
    ['/wallet', 'application/json'],
    ['/wallet', 'text/html;q=0, application/json'],
    ['/wallet', 'text/*'],
    ['/stories/1', 'application/json, text/plain, */*'],
    ['/', 'application/json'],
    ['/', 'application/graphql-response+json'],
  ])('%s with Accept: %s is a JSON 404', async (path, accept) => {
    const { status, headers, body } = await ask(path, { accept });
    expect(status).toBe(404);
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect(body.toString()).toBe('{"error":"There is nothing here."}');
  });

  test.each([{ accept: '*/*' }, {}])('the root is the page for %j', async (headers) => {
    expect((await ask('/', headers)).headers['content-type']).toBe('text/html; charset=utf-8');
  });
});

test.each([
  '/nothing.js',
  '/stories/picture.png',
  '/assets/nothing',
  '/assets/nothing-12345678.js',
  '/dev/nothing',
  '/.well-known/nothing',
  '/graphiql/nothing',
  '/graphql/nothing',
  '/healthz/nothing',
  '/metrics/nothing',
  '/files/nothing/more',
  '/streams/nothing/more',
  '/statements/nothing',
])('%s is no page for a browser either', async (path) => {
  const { status, headers } = await ask(path);
  expect(status).toBe(404);
  expect(headers['content-type']).toBe('application/json; charset=utf-8');
});

test('only GET and HEAD open a page', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
    expect([method, (await ask('/wallet', BROWSER, { method })).status]).toEqual([method, 404]);
});

test.each([
  '/../package.json',
  '/..%2fpackage.json',
  '/..%5cpackage.json',
  '/%2e%2e/package.json',
  '/%252e%252e/package.json',
  '/%2e%2e%2fpackage.json',
  '/assets/../index.html',
  '/assets/../../package.json',
  '/assets/..%2f..%2f..%2fpackage.json',
  '/assets/%2e%2e/%2e%2e/%2e%2e/package.json',
  '/assets/',
  '/assets',
  '/assets//',
  '//package.json',
  '//example.com/wallet',
  '/wallet//deep',
  '/wallet%00',
  '/index.html%00',
  '/index.html/',
  '/INDEX.HTML',
  '/index.html.br',
  '/index.html.gz',
  '/.env',
  '/stories/%2e%2e',
  '/stories/a%2fb',
  '/stories/%0d%0aset-cookie:x',
  `/${'a'.repeat(600)}`,
])('%s opens nothing', async (path) => {
  expect(await statusOf(path)).toMatch(/^HTTP\/1\.1 (?:400|403|404|414) /);
});

test('a file with a hash in its name is kept for a year, and is sent in the form that the client takes', async () => {
  const path = await entry();
  const plain = await ask(path, {});
  expect(plain.status).toBe(200);
  expect(plain.headers['content-encoding']).toBeUndefined();
  const forms = [
    ['br', (body: Buffer) => brotliDecompressSync(body)],
    ['gzip', (body: Buffer) => gunzipSync(body)],
  ] as const;
  for (const [encoding, decompress] of forms) {
    const answer = await ask(path, { 'accept-encoding': encoding });
    expect(answer.headers['content-encoding']).toBe(encoding);
    expect(answer.headers['content-type']).toBe(plain.headers['content-type']);
    expect(answer.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(answer.headers.vary).toBe('accept-encoding');
    expect(answer.headers.etag).not.toBe(plain.headers.etag);
    expect(answer.body.length).toBeLessThan(plain.body.length);
    expect(decompress(answer.body).equals(plain.body)).toBe(true);
  }
  const best = await ask(path, { 'accept-encoding': 'gzip, deflate, br, zstd' });
  expect(best.headers['content-encoding']).toBe('br');
  const refused = await ask(path, { 'accept-encoding': 'br;q=0, gzip;q=0' });
  expect(refused.headers['content-encoding']).toBeUndefined();
});

describe('the accounts that the sign-in page offers', () => {
  const DEMO = { email: 'listener@talebank.local', password: 'once upon a time' };
  const accountsOf = async (headers: OutgoingHttpHeaders, at = url): Promise<unknown> => {
    const answer = await ask('/demo-accounts.json', headers, { at });
    expect(answer.status).toBe(200);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect(answer.body.toString()).not.toContain(ADMIN.password);
    return JSON.parse(answer.body.toString());
  };

  test('are the demo listener in development, who can sign in', async () => {
    expect(await accountsOf({})).toEqual({ accounts: [DEMO] });
    const login = 'mutation ($input: LoginInput!) { login(input: $input) { user { email } } }';
    expect((await send(url, login, { input: DEMO })).errors).toEqual([]);
  });

  test.each([{ 'x-forwarded-for': '192.0.2.1' }, { host: 'stories.example.com' }])(
    'are none for %j',
    async (headers) => {
      expect(await accountsOf(headers)).toEqual({ accounts: [] });
    },
  );

  test('are none in production', async () => {
    expect(await accountsOf({}, live.url)).toEqual({ accounts: [] });
  });
});

describe('with WEB=false', () => {
  test.each(['/', '/wallet', '/index.html', '/demo-accounts.json'])(
    '%s is a JSON 404',
    async (path) => {
      const { status, headers } = await ask(path, BROWSER, { at: without.url });
      expect([status, headers['content-type']]).toEqual([404, 'application/json; charset=utf-8']);
    },
  );

  test('GraphiQL and GraphQL answer as before', async () => {
    expect((await ask('/graphiql/', BROWSER, { at: without.url })).status).toBe(200);
    expect((await send(without.url, '{ __typename }')).errors).toEqual([]);
  });
});

test('the links in mails lead to pages of the app at PUBLIC_URL', async () => {
  const register = 'mutation ($input: RegisterInput!) { register(input: $input) { user { id } } }';
  const input = { email: 'newcomer@example.com', password: 'a good password' };
  expect((await send(url, register, { input })).errors).toEqual([]);
  const forgotten = 'mutation ($email: String!) { requestPasswordReset(email: $email) }';
  expect((await send(url, forgotten, { email: input.email })).errors).toEqual([]);
  let links: string[] = [];
  await until('both mails are there', async () => {
    const { body } = await ask('/dev/mail');
    links = [...body.toString().matchAll(/href="(http[^"]+)"/g)].map(([, link = '']) => link);
    return links.length >= 2;
  });
  const paths = links.map((link) => new URL(link).pathname).sort();
  expect(paths).toEqual(['/reset', '/verify']);
  for (const link of links) {
    const { pathname, search, origin } = new URL(link);
    expect(origin).toBe(url);
    expect((await ask(pathname + search)).headers['content-type']).toMatch(/^text\/html/);
  }
});

/** The operations that only administrators and auditors may use, by their descriptions, without names of other fields. */
async function operationsOfTheDesk(): Promise<string[]> {
  const schema = buildSchema(await readFile('schema.graphql', 'utf8'));
  const roots = [schema.getQueryType(), schema.getMutationType()];
  const others = Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type) && !roots.includes(type))
    .flatMap((type) => (isObjectType(type) ? Object.keys(type.getFields()) : []));
  return roots
    .flatMap((root) => Object.values(root?.getFields() ?? {}))
    .filter(
      ({ description }) =>
        description?.includes('Administrators') && description.includes(' only.'),
    )
    .map(({ name }) => name)
    .filter((name) => !others.includes(name));
}

test('the files of the app for listeners have no operation for administrators or auditors', async () => {
  const names = await readdir('web/dist', { recursive: true });
  const scripts = names.filter((name) => name.endsWith('.js'));
  const texts = await Promise.all(scripts.map((name) => readFile(`web/dist/${name}`, 'utf8')));
  const code = texts.join('\n');
  const has = (name: string): boolean =>
    ['`', "'", '"'].some((quote) => code.includes(`${quote}${name}${quote}`));
  expect(has('continueListening')).toBe(true);
  const operations = await operationsOfTheDesk();
  expect(operations).toEqual(
    expect.arrayContaining([
      'allStories',
      'auditLog',
      'bulkGrantCredits',
      'grantCredits',
      'suspendUser',
    ]),
  );
  expect(operations.filter(has)).toEqual([]);
});
