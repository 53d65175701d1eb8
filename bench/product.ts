import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Observed } from './observer.ts';

/** A process of the server. */
export interface Product {
  readonly url: string;
  readonly pid: number;
  readonly folder: string;
  readonly startMs: number;
  /** Has it throw away what it does not need any more, and tell what was since it was asked last. */
  observe(): Promise<Observed>;
  /** Sends a message to a module that it has loaded besides, and returns the answer. */
  tell(message: string): Promise<unknown>;
  stop(): Promise<void>;
}

const OPTIONS = ['--expose-gc', '--disable-warning=ExperimentalWarning'];
const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
/** The same program in single files, so that modules that are loaded besides share its packages. */
export const UNBUNDLED = fileURLToPath(new URL('../dist/main.unbundled.js', import.meta.url));
/** What the process loads besides, so that it can be measured from within. */
const OBSERVER = new URL('./observer.ts', import.meta.url).href;

/** The whole product, as `npm start` runs it, on an empty folder unless `environment` says otherwise. */
export async function startProduct(
  environment: Readonly<Record<string, string>> = {},
  loaded: readonly string[] = [],
  program = MAIN,
): Promise<Product> {
  const folder = await mkdtemp(join(tmpdir(), 'talebank-bench-'));
  const startedAt = performance.now();
  const child = spawn(
    process.execPath,
    [...OPTIONS, ...[OBSERVER, ...loaded].flatMap((module) => ['--import', module]), program],
    {
      env: {
        PATH: process.env['PATH'],
        PORT: '0',
        LOG_FORMAT: 'json',
        DATA_DIR: folder,
        RATE_LIMIT_FACTOR: '1000000',
        CONNECTIONS_MAX: '100000',
        CONNECTIONS_PER_ADDRESS_MAX: '100000',
        // Longer than any run.
        ACCESS_TOKEN_TTL: '86400',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    },
  );
  const url = await urlInLog(child);
  await ask(url, '{ stories(first: 1) { nodes { title } } }');
  return {
    url,
    pid: child.pid ?? 0,
    folder,
    startMs: performance.now() - startedAt,
    observe: async () => (await tell(child, 'observe')) as Observed,
    tell: (message) => tell(child, message),
    stop: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The address that a server writes to its log when it listens. */
async function urlInLog(child: ChildProcess): Promise<string> {
  let output = '';
  return new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => {
      reject(new Error(`The server ended with ${String(code)}.`));
    });
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const ready = output.split('\n').find((line) => line.includes('"msg":"listening"')) ?? '';
      const found = /"url":"([^"]+)"/.exec(ready)?.[1];
      if (found === undefined) return;
      child.stdout?.off('data', read).resume();
      resolve(found);
    };
    child.stdout?.on('data', read);
  });
}

async function tell(child: ChildProcess, message: string): Promise<unknown> {
  const answered = once(child, 'message');
  child.send(message);
  return ((await answered) as [unknown])[0];
}

export async function ask<Data>(
  url: string,
  query: string,
  variables: object = {},
  token = '',
): Promise<Data> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: Data; errors?: unknown };
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

export interface Person {
  readonly id: string;
  readonly token: string;
}

interface SignedIn {
  readonly accessToken: string;
  readonly user: { readonly id: string };
}

const asPerson = ({ accessToken, user }: SignedIn): Person => ({ id: user.id, token: accessToken });

/** The administrator of `product`, who may also have given it an address and a password. */
export async function administrator(
  { url, folder }: Product,
  given?: { email: string; password: string },
): Promise<Person> {
  const input = given ?? {
    email: 'admin@talebank.local',
    password: (await readFile(join(folder, 'administrator-password'), 'utf8')).trim(),
  };
  const { login } = await ask<{ login: SignedIn }>(
    url,
    'mutation ($input: LoginInput!) { login(input: $input) { accessToken user { id } } }',
    { input },
  );
  return asPerson(login);
}

let people = 0;

/** Someone who has just signed up, with the ten points for that. */
export async function newListener(url: string): Promise<Person> {
  people += 1;
  const input = { email: `bench-${String(people)}@example.com`, password: 'a good password' };
  const { register } = await ask<{ register: SignedIn }>(
    url,
    'mutation ($input: RegisterInput!) { register(input: $input) { accessToken user { id } } }',
    { input },
  );
  return asPerson(register);
}

let grants = 0;

export async function grant(
  url: string,
  admin: Person,
  { id }: Person,
  amount: number,
): Promise<void> {
  grants += 1;
  const input = {
    userId: id,
    amount,
    source: 'ADD_ON',
    reason: 'bench',
    idempotencyKey: `bench-${String(grants)}`,
  };
  await ask(
    url,
    'mutation ($input: GrantCreditsInput!) { grantCredits(input: $input) { replayed } }',
    { input },
    admin.token,
  );
}

/** How busy the machine is, for figures that are not ratios. */
export async function loadOfMachine(): Promise<string> {
  const load = await readFile('/proc/loadavg', 'utf8').catch(() => 'unknown');
  return load.split(' ').slice(0, 2).join(', ').trim();
}
