import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type * as ConfigModule from '../../src/config.js';
import { send } from '../support/client.js';
import { compiled } from '../support/compiled.js';
import { isAlive, until } from '../support/faults.js';
import { V8_FLAGS } from '../support/machine.js';
import { CAN_BE_A_STRANGER } from '../support/starting.js';
import { startServer, type Environment, type ServerProcess } from '../support/talebank.js';

const { ConfigError, readConfig } = await compiled<typeof ConfigModule>('config.js');
const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const MAIN = join(ROOT, 'dist', 'main.js');

/** The data folder of a single test. */
let dataDir: string;
/** The data folder of tests that may find an earlier start in it, because making a cluster takes seconds. */
let usedDir: string;
const servers: ServerProcess[] = [];

beforeAll(async () => {
  usedDir = await mkdtemp(join(tmpdir(), 'talebank-start-'));
});
afterAll(() => rm(usedDir, { recursive: true, force: true }));
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'talebank-start-'));
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await rm(dataDir, { recursive: true, force: true });
});

async function start(environment: Environment = {}): Promise<ServerProcess> {
  const server = await startServer({ DATA_DIR: dataDir, SEED: 'true', ...environment });
  servers.push(server);
  return server;
}

/** Starts a server that must not start. @returns what it said, and its exit code */
async function refusal(environment: Environment): Promise<{ said: string; code: number | null }> {
  const child = spawn(process.execPath, [...V8_FLAGS, MAIN], {
    env: {
      PATH: process.env['PATH'] ?? '',
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
      PORT: '0',
      DATA_DIR: dataDir,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return { said: said.trim(), code };
}

/** The process id of the Postgres in `usedDir`. */
async function postmaster(): Promise<number> {
  const file = await readFile(join(usedDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8');
  return Number(file.split('\n')[0]);
}

const titles = async (url: string): Promise<string[]> => {
  const { data } = await send<{ stories: { nodes: { title: string }[] } }>(
    url,
    '{ stories(first: 100) { nodes { title } } }',
  );
  return (data?.stories.nodes ?? []).map(({ title }) => title);
};

test('a first start makes everything and answers; a second one finds it as it was', async () => {
  const first = await start();
  const library = await titles(first.url);
  expect(library.length).toBeGreaterThanOrEqual(8);
  const password = await readFile(join(dataDir, 'administrator-password'), 'utf8');
  const { data } = await send<{ login: { user: { role: string } } }>(
    first.url,
    'mutation ($password: String!) { login(input: { email: "admin@talebank.local", password: $password }) { user { role } } }',
    { password: password.trim() },
  );
  expect(data?.login.user.role).toBe('ADMIN');
  const mutation = 'mutation { deleteStory(id: "x") }';
  expect((await send(first.url, mutation)).errors[0]?.extensions.code).toBe('UNAUTHENTICATED');
  await first.stop();
  expect(isAlive(first.child.pid ?? 0)).toBe(false);

  const second = await start();
  expect(await titles(second.url)).toEqual(library);
  expect(await readFile(join(dataDir, 'administrator-password'), 'utf8')).toBe(password);
  expect(second.logs().some((line) => line['msg'] === 'database migrated')).toBe(false);
});

const administrators = async (url: string, email: string, password: string): Promise<string[]> => {
  const document = `mutation ($email: String!, $password: String!) {
    login(input: { email: $email, password: $password }) { accessToken } }`;
  const { data } = await send<{ login: { accessToken: string } }>(url, document, {
    email,
    password,
  });
  const token = data?.login.accessToken;
  const users = '{ users(first: 100) { nodes { email role } } }';
  const list = await send<{ users: { nodes: { email: string; role: string }[] } }>(
    url,
    users,
    {},
    { token },
  );
  return (list.data?.users.nodes ?? [])
    .filter(({ role }) => role === 'ADMIN')
    .map((one) => one.email);
};

test('the configuration makes the first administrator, and never another one', async () => {
  const password = 'keeper of the tales';
  const first = await start({ ADMIN_EMAIL: 'First@example.com', ADMIN_PASSWORD: password });
  expect(await administrators(first.url, 'first@example.com', password)).toEqual([
    'first@example.com',
  ]);
  await first.stop();
  const second = await start({ ADMIN_EMAIL: 'second@example.com', ADMIN_PASSWORD: password });
  expect(await administrators(second.url, 'first@example.com', password)).toEqual([
    'first@example.com',
  ]);
  expect(await administrators(second.url, 'second@example.com', password)).toEqual([]);
});

test('a server that is killed leaves no Postgres behind, and starts again at once', async () => {
  const first = await start({ DATA_DIR: usedDir });
  const library = await titles(first.url);
  const pid = await postmaster();
  expect(isAlive(pid)).toBe(true);
  await first.kill();
  const second = await start({ DATA_DIR: usedDir });
  expect(await titles(second.url)).toEqual(library);
  await until('the first Postgres is gone', () => !isAlive(pid));
});

test('Ctrl-C in the terminal, which every process hears, stops all of them in order', async () => {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env['PATH'] ?? '', PORT: '0', DATA_DIR: usedDir, LOG_FORMAT: 'pretty' },
    stdio: ['ignore', 'pipe', 'inherit'],
    // A group of its own, as a terminal makes one for a command.
    detached: true,
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await until('it is ready', () => said.includes('Stop with Ctrl-C'), 120_000);
  // The address of the web app comes first.
  expect(said).toMatch(/Talebank is ready\.\n\n {2}Talebank {3}http:\/\/127\.0\.0\.1:\d+\n/);
  expect(said).toMatch(/GraphQL {4}http:\/\/127\.0\.0\.1:\d+\/graphql/);
  expect(said).toMatch(/GraphiQL {3}http:/);
  expect(said).toMatch(/listener@talebank\.local +password: once upon a time/);
  const pid = await postmaster();
  const exited = once(child, 'exit');
  process.kill(-(child.pid ?? 0), 'SIGINT');
  expect(await exited).toEqual([0, null]);
  expect(isAlive(pid)).toBe(false);
});

/**
 * Mounts the checkout read-only at $0, for the server alone, and starts it there. The first command shows that nothing
 * can be written.
 */
const FROM_READ_ONLY = `
  mount --bind "${ROOT}" "$0" && mount -o remount,bind,ro "$0" && ! touch "$0/dist/file" 2>/dev/null &&
  umask 077 && exec "\${@/"${ROOT}/dist"/"$0/dist"}"`;

(CAN_BE_A_STRANGER ? test : test.skip)(
  'a read-only checkout whose path has spaces and letters that are not ASCII serves, under the umask 077 (only root can mount)',
  async () => {
    const checkout = await mkdtemp(join(tmpdir(), 'talebank ä '));
    const under = ['unshare', '--mount', 'bash', '-c', FROM_READ_ONLY, checkout];
    const environment = { DATA_DIR: usedDir, SEED: 'true', NODE_COMPILE_CACHE: '' };
    const server = await startServer(environment, { under });
    servers.push(server);
    const { pid } = server.child;
    const started = await readFile(`/proc/${String(pid)}/cmdline`, 'utf8');
    expect(started).toContain(`\0${checkout}/dist/main.js\0`);
    expect((await titles(server.url)).length).toBeGreaterThanOrEqual(8);
    await server.stop();
    await rmdir(checkout);
  },
);

test('two servers on one folder: the second one says so', async () => {
  await start({ DATA_DIR: usedDir });
  const { said, code } = await refusal({ DATA_DIR: usedDir });
  expect(said).toMatch(
    /^Talebank cannot start\. Another Talebank is running on .*: stop it, or set another DATA_DIR\.$/,
  );
  expect(code).toBe(1);
});

const WRONG: readonly (readonly [environment: Environment, line: string])[] = [
  [{ PORT: 'eighty' }, 'PORT is "eighty", but must be a whole number.'],
  [{ PORT: '70000' }, 'PORT is "70000", but must be 0 to 65535.'],
  [{ ROLE: 'king' }, 'ROLE is "king", but must be all, api, worker.'],
  [{ CREDITS_UNIT_SIZE: '0' }, 'CREDITS_UNIT_SIZE is "0", but must be 1 to 1000000.'],
  [
    { CREDIT_SOURCE_PRIORITY: 'FREE,FREE' },
    'CREDIT_SOURCE_PRIORITY is "FREE,FREE", but must be each of EVENT, MONTHLY, REFERRAL, ADD_ON, FREE once, first to burn first.',
  ],
  [
    { DATABASE_URL: 'mysql://root:secret@localhost/x' },
    'DATABASE_URL is a value, but must be an address that begins with postgres:// or postgresql://.',
  ],
  [
    { ADMIN_EMAIL: 'admin@example.com' },
    'ADMIN_PASSWORD is not set, but ADMIN_EMAIL is: set both or neither.',
  ],
  [
    { NODE_ENV: 'production' },
    'DATABASE_URL is not set, and production needs one (or EMBEDDED_DATABASE=true for the embedded Postgres).',
  ],
  [
    {
      NODE_ENV: 'production',
      DATABASE_URL: 'postgres://localhost/x',
      SMTP_URL: 'smtp://mail.example',
    },
    'PUBLIC_URL is not set, and in production the links in mail need it where SMTP_URL is.',
  ],
  [{ MAIL_FROM: 'me' }, 'MAIL_FROM is "me", but must be 3 to 300 characters.'],
  [
    { CREDITS_UNIT_LABEL: 'Stars of the seventh and all the other heavens' },
    'CREDITS_UNIT_LABEL is "Stars of the seventh and all the other heavens", but must be 1 to 40 characters.',
  ],
  [{ REFUND_POLICY: 'NONE' }, 'REFUND_POLICY is "NONE", but must be GRACE, FORFEIT.'],
  [{ RECONCILE_REPAIR: 'on' }, 'RECONCILE_REPAIR is "on", but must be true, false, yes, no.'],
  [{ RATE_LIMIT_FACTOR: '0' }, 'RATE_LIMIT_FACTOR is "0", but must be a number above 0.'],
  [
    { RATE_LIMIT_LOGIN: 'often' },
    'RATE_LIMIT_LOGIN is "often", but must be a number of times and of seconds, for example 10/60.',
  ],
  [
    { CORS_ORIGINS: 'https://a.example, https://b.example/app' },
    'CORS_ORIGINS is "https://a.example, https://b.example/app", but must be origins, for example https://stories.example.com.',
  ],
  [
    { TRUST_PROXY: '10.0.0.0/33' },
    'TRUST_PROXY is "10.0.0.0/33", but must be false, a number of proxies, or the addresses and networks of the proxies, for example 1 or loopback,10.0.0.0/8 (true is not accepted because clients would choose their own address).',
  ],
  [
    { TRUST_PROXY: 'true' },
    'TRUST_PROXY is "true", but must be false, a number of proxies, or the addresses and networks of the proxies, for example 1 or loopback,10.0.0.0/8 (true is not accepted because clients would choose their own address).',
  ],
  [
    { TRUST_PROXY: '0.0.0.0/0' },
    'TRUST_PROXY is "0.0.0.0/0", but must be false, a number of proxies, or the addresses and networks of the proxies, for example 1 or loopback,10.0.0.0/8 (true is not accepted because clients would choose their own address).',
  ],
  [
    { TRUST_PROXY: '::/0' },
    'TRUST_PROXY is "::/0", but must be false, a number of proxies, or the addresses and networks of the proxies, for example 1 or loopback,10.0.0.0/8 (true is not accepted because clients would choose their own address).',
  ],
  [
    { TRUST_PROXY: ',' },
    'TRUST_PROXY is ",", but must be false, a number of proxies, or the addresses and networks of the proxies, for example 1 or loopback,10.0.0.0/8 (true is not accepted because clients would choose their own address).',
  ],
  [
    { TRUST_PROXY: 'fe80::1%eth0' },
    'TRUST_PROXY is "fe80::1%eth0", but must be false, a number of proxies, or the addresses and networks of the proxies, for example 1 or loopback,10.0.0.0/8 (true is not accepted because clients would choose their own address).',
  ],
  [
    { TRUST_PROXY: '10.0.0.256' },
    'TRUST_PROXY is "10.0.0.256", but must be false, a number of proxies, or the addresses and networks of the proxies, for example 1 or loopback,10.0.0.0/8 (true is not accepted because clients would choose their own address).',
  ],
  [
    { SMTP_URL: 'http://user:secret@mail.example' },
    'SMTP_URL is a value, but must be an address that begins with smtp:// or smtps://.',
  ],
  [{ JWT_PRIVATE_KEYS: 'secret' }, 'JWT_PRIVATE_KEYS is a value, but must be JSON.'],
  [
    { JWT_PRIVATE_KEYS: '[]' },
    'JWT_PRIVATE_KEYS is a value, but must be at least two private keys.',
  ],
  [
    { SPEECH_PROVIDER: 'parrot' },
    'SPEECH_PROVIDER is "parrot", but must be espeak, openai, elevenlabs, sherpa.',
  ],
  [
    { SPEECH_PROVIDER: 'openai' },
    'OPENAI_API_KEY is not set, but SPEECH_PROVIDER is openai: set it, or OPENAI_BASE_URL for a server that wants no key.',
  ],
  [
    { SPEECH_PROVIDER: 'elevenlabs' },
    'ELEVENLABS_API_KEY is not set, but SPEECH_PROVIDER is elevenlabs, which needs one.',
  ],
  [
    { OPENAI_API_KEY: 'a secret' },
    'OPENAI_API_KEY is a value, but must be a key: letters, digits and signs without spaces.',
  ],
  [
    { OPENAI_BASE_URL: 'https://user:secret@speech.example' },
    'OPENAI_BASE_URL is a value, but must be an address that begins with http:// or https://, without a user, a query or a fragment.',
  ],
  [
    { ELEVENLABS_BASE_URL: 'speech.example' },
    'ELEVENLABS_BASE_URL is a value, but must be an address that begins with http:// or https://, without a user, a query or a fragment.',
  ],
  [
    { OPENAI_TTS_VOICES: ' , ' },
    'OPENAI_TTS_VOICES is " , ", but must be names of voices, for example alloy,nova, or a list in JSON, for example [{"id":"alloy","name":"Alloy","languages":["en"]}].',
  ],
  [
    { OPENAI_TTS_LANGUAGES: 'en,polish_' },
    'OPENAI_TTS_LANGUAGES is "en,polish_", but must be BCP 47 language tags, for example en,pl,pt-BR.',
  ],
  [{ SPEECH_CONCURRENCY: '0' }, 'SPEECH_CONCURRENCY is "0", but must be 1 to 64.'],
  [{ SEED: 'perhaps' }, 'SEED is "perhaps", but must be true, false, yes, no.'],
];

test.each(WRONG)('a wrong variable is refused with one line: %j', (environment, line) => {
  const read = (): unknown => readConfig({ PORT: '0', DATA_DIR: dataDir, ...environment });
  expect(read).toThrow(ConfigError);
  expect(read).toThrow(new Error(line));
});

// One in ten, because each starts a process, and all of them end in the same line of code.
test.each(WRONG.filter((_, index) => index % 10 === 0))(
  'a wrong variable stops the start with that line: %j',
  async (environment, line) => {
    expect(await refusal(environment)).toEqual({
      said: `Talebank cannot start. ${line}`,
      code: 1,
    });
  },
);

test('a port that is taken is said in words', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const { said, code } = await refusal({ DATA_DIR: usedDir, PORT: String(port) });
  expect(said).toBe(
    `Talebank cannot start. PORT is ${String(port)}, but another program listens there: set another PORT.`,
  );
  expect(code).toBe(1);
  server.close();
});

test('a database that cannot be reached is said in words', async () => {
  const { said, code } = await refusal({
    DATABASE_URL: 'postgresql://nobody:secret@127.0.0.1:9/talebank',
  });
  expect(said).toMatch(
    /^Talebank cannot start\. DATABASE_URL: the database at 127\.0\.0\.1:9 cannot be reached: .*ECONNREFUSED/,
  );
  expect(said).not.toContain('secret');
  expect(code).toBe(1);
});

test('a folder that cannot be written is said in words', async () => {
  // Root may write anywhere, but not below a file.
  const file = join(dataDir, 'file');
  await writeFile(file, '');
  const { said, code } = await refusal({ DATA_DIR: join(file, 'data') });
  expect(said).toMatch(/^Talebank cannot start\. DATA_DIR is .*, but cannot be written: /);
  expect(code).toBe(1);
  if (process.getuid?.() !== 0) {
    await chmod(dataDir, 0o500);
    expect((await refusal({ DATA_DIR: join(dataDir, 'data') })).said).toMatch(
      /cannot be written: .*EACCES/,
    );
    await chmod(dataDir, 0o700);
  }
});
