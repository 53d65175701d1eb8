import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { buildSchema, isObjectType, type GraphQLSchema } from 'graphql';
import type * as Errors from '../../src/domain/errors.js';
import { sendAllowance, sendBulk, sendGrant } from '../support/approvals.js';
import { ask, send } from '../support/client.js';
import { compiled } from '../support/compiled.js';
import { filledIn, operationsOf, type Asker, type Operation } from '../support/fuzz/operations.js';
import { PASSWORD, type Known } from '../support/fuzz/values.js';
import { readMail } from '../support/mail.js';
import { scrape } from '../support/metrics.js';
import { Login } from '../support/operations.js';
import { administrator, grantTo, newListener, newStory, type Person } from '../support/people.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

/**
 * Random operations made of the schema: whatever they are, the server says what is wrong with them, gives
 * nothing away and goes on. A failure prints its seed and path, made as small as can be: run it again with
 * FUZZ_SEED and FUZZ_PATH, and longer with FUZZ_RUNS, which is how many operations (.ci/run: 5,000). FUZZ_SHRINK=false ends
 * with the first failure as it is.
 */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 300);
const REPLAY = process.env['FUZZ_SEED'];
const PATH = process.env['FUZZ_PATH'];

/** Sent at once: up to 31, 16 on average, and a few batches more for those that come out short. */
const AT_ONCE_MAX = 31;
const BATCHES = Math.ceil(RUNS / 14);
/** With every operation, code and queue that the server knows, there are fewer. */
const SERIES_MAX = 3_000;
const MISSING_MAX = Math.ceil(200_000 / RUNS);
const SHRINKING_MS = 240_000;
const TIMEOUT_MS = 600_000 + RUNS * 200 + SHRINKING_MS;
/** What is known is looked up again after so many batches. */
const REFRESH_EVERY = 8;

let talebank: Talebank;
let url: string;
/** A process where every grant needs an approval. It makes proposals, and gets no random operations. */
let strict: ServerProcess;
let schema: GraphQLSchema;
let codes: ReadonlySet<string>;
/** Gives the others back what they lost; no operation knows them. */
let keeper: Person;
let known: Record<Known, readonly string[]>;
/** Cursors of earlier answers, the newest last. */
const cursors = new Set<string>();
const people: Record<Exclude<Asker, 'nobody'>, Person[]> = { user: [], administrator: [] };
let batches = 0;
let sent = 0;
/** `Type.field` that someone was told without an error. */
const answered = new Set<string>();

beforeAll(async () => {
  // Tokens outlive the run.
  talebank = await startTalebank({ ROLE: 'all', ACCESS_TOKEN_TTL: '86400' });
  url = talebank.url;
  strict = await talebank.join({ ROLE: 'api', APPROVAL_ABOVE: '0' });
  schema = buildSchema(await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8'));
  const { ERROR_CODES } = await compiled<typeof Errors>('domain/errors.js');
  codes = new Set(Object.keys(ERROR_CODES).filter((code) => code !== 'INTERNAL'));
  keeper = await administrator(url);
  for (const kind of ['user', 'administrator', 'user', 'administrator', 'user'] as const)
    people[kind].push(await newPerson(kind));
  await lookUp();
});
afterAll(() => talebank.close());

async function newPerson(kind: Exclude<Asker, 'nobody'>): Promise<Person> {
  const person = await newListener(url);
  await grantTo(url, keeper, person, { amount: 500 });
  if (kind === 'user') return person;
  const promote = `mutation ($userId: ID!) { setUserRole(userId: $userId, role: ADMIN, reason: "A test") { id } }`;
  await send(url, promote, { userId: person.id }, { token: keeper.token });
  const input = { email: person.email, password: PASSWORD };
  const { login } = await ask(url, Login, { input });
  return { ...person, token: login.accessToken, refreshToken: login.refreshToken ?? '' };
}

/** Replaces people who were signed out, suspended, erased or given another role. */
async function replaceTheLost(): Promise<void> {
  const replaced = (['user', 'administrator'] as const).flatMap((kind) =>
    people[kind].map(async ({ token }, at) => {
      const { data } = await send<{ me: { role: string } | null }>(
        url,
        '{ me { role } }',
        {},
        { token },
      );
      if (data?.me?.role !== (kind === 'user' ? 'USER' : 'ADMIN'))
        people[kind][at] = await newPerson(kind);
    }),
  );
  await Promise.all(replaced);
}

/** The newest of everything, and a library that is never empty. */
async function lookUp(): Promise<void> {
  const column = async (query: string): Promise<string[]> =>
    (await talebank.database.sql<{ value: string }>(query)).map(({ value }) => value);
  const live = await column(
    'SELECT id AS value FROM stories WHERE published AND deleted_at IS NULL',
  );
  for (let count = live.length; count < 4; count += 1) await newStory(url, keeper);
  const newest = (table: string, where = 'true'): Promise<string[]> =>
    column(`SELECT id AS value FROM ${table} WHERE ${where} ORDER BY id DESC LIMIT 24`);
  const askers = [...people.user, ...people.administrator];
  for (const { id: userId } of askers.slice(0, 2)) {
    await sendGrant(strict.url, keeper, { userId, amount: 10 });
    await sendBulk(strict.url, keeper, { rows: [{ userId, amount: 10 }] });
    await sendAllowance(strict.url, keeper, userId, 10);
  }
  known = {
    user: [
      ...askers.map(({ id }) => id),
      ...(await newest('users', `id <> '${keeper.id}'`)).slice(0, 4),
    ],
    story: [
      ...(await newest('stories', 'published AND deleted_at IS NULL')),
      ...(await newest('stories', 'NOT published OR deleted_at IS NOT NULL')).slice(0, 2),
    ],
    voice: (await column('SELECT id AS value FROM voices ORDER BY position, id')).slice(0, 8),
    audio: await newest('audios'),
    lot: await newest('credit_lots'),
    transaction: await newest('credit_transactions'),
    session: await newest('sessions', `user_id <> '${keeper.id}'`),
    auditEntry: await newest('audit_entries'),
    proposal: await newest('grant_proposals'),
    notice: await newest('notices'),
    email: askers.map(({ email }) => email),
    slug: await column('SELECT slug AS value FROM stories ORDER BY id DESC LIMIT 24'),
    queue: await column('SELECT name AS value FROM pgboss.queue ORDER BY name'),
    cursor: [...cursors].slice(-60),
    refreshToken: [...askers.map(({ refreshToken }) => refreshToken)],
    mailedToken: (await readMail(url)).map(({ token }) => token).filter((token) => token !== ''),
    // Ends of a period that includes the newest movements, and of one that is not over.
    end: [new Date().toISOString(), '2040-01-01T00:00:00Z'],
  };
}

/** Parts of stack traces, of errors of the database and of paths of this machine. */
const INSIDES =
  /prisma|postgres|pgboss|SELECT |INSERT INTO|node_modules|file:\/\/|\.[jt]s:\d+|\n? {4}at |\\n {4}at |\/(?:home|usr|tmp|var|root|work|dist|src)\/|(?<![\w-])P20\d\d(?![\w-])|\[object Object\]/i;

interface Body {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { readonly extensions?: { readonly code?: string } }[];
}

/** What is wrong with the answer; null when it is as every answer must be. */
async function wrongWith({ asker, query, variables, fields }: Operation): Promise<string | null> {
  const document = filledIn(query, known);
  const values = filledIn(variables, known);
  const person = asker === 'nobody' ? undefined : pickFor(asker, query.length);
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(person === undefined ? {} : { authorization: `Bearer ${person.token}` }),
    },
    body: `{"query":${JSON.stringify(document)},"variables":${values}}`,
  });
  const answer = await response.text();
  const fault = faultOf(response.status, answer, fields);
  if (fault === null) return null;
  return [
    `${fault}, asked by ${asker}:`,
    document,
    `with ${values.slice(0, 2000)}`,
    `→ ${String(response.status)} ${answer.slice(0, 2000)}`,
  ].join('\n');
}

/** `Type.field` of all that can be asked for; what can be followed is asked for by another door. */
const fieldsOf = (schema: GraphQLSchema): string[] =>
  Object.values(schema.getTypeMap()).flatMap((type) =>
    isObjectType(type) && !type.name.startsWith('__') && type !== schema.getSubscriptionType()
      ? Object.keys(type.getFields()).map((field) => `${type.name}.${field}`)
      : [],
  );

const pickFor = (asker: Exclude<Asker, 'nobody'>, pick: number): Person | undefined =>
  people[asker][pick % people[asker].length];

function faultOf(status: number, answer: string, fields: ReadonlySet<string>): string | null {
  if (status === 500) return 'It failed';
  const body = parsed(answer);
  if (body === null || (body.data === undefined && body.errors === undefined))
    return 'It is no answer of GraphQL';
  const found = (body.errors ?? []).map(({ extensions }) => extensions?.code ?? 'none');
  const unknown = found.find((code) => !codes.has(code));
  if (unknown !== undefined) return `It has the code ${unknown}`;
  if (INSIDES.test(answer) || answer.includes(talebank.dataDir)) return 'It gives something away';
  if (found.length === 0) for (const field of fields) answered.add(field);
  for (const [, cursor = ''] of answer.matchAll(/"(WyJ[\w-]+)"/g)) cursors.add(cursor);
  return null;
}

function parsed(answer: string): Body | null {
  try {
    return JSON.parse(answer) as Body;
  } catch {
    return null;
  }
}

const failuresInLog = (): Record<string, unknown>[] =>
  talebank.server.logs().filter(({ level }) => level === 'error' || level === 'fatal');

test(
  'random operations are answered as the schema says or refused with a code, and nothing fails or leaks',
  async () => {
    // Bias would make most of them alike.
    const batch = fc.noBias(
      fc.array(operationsOf(schema), { minLength: 1, maxLength: AT_ONCE_MAX, size: 'max' }),
    );
    const property = fc.asyncProperty(batch, async (operations) => {
      const faults = await Promise.all(operations.map(wrongWith));
      sent += operations.length;
      batches += 1;
      const found = faults.filter((fault) => fault !== null);
      if (found.length > 0) throw new Error(found.join('\n\n'));
      await replaceTheLost();
      if (batches % REFRESH_EVERY === 0) await lookUp();
    });
    await fc.assert(property, {
      numRuns: BATCHES,
      endOnFailure: process.env['FUZZ_SHRINK'] === 'false',
      interruptAfterTimeLimit: TIMEOUT_MS - 30_000,
      ...(REPLAY === undefined ? {} : { seed: Number(REPLAY) }),
      ...(PATH === undefined ? {} : { path: PATH }),
    });
    if (PATH === undefined) {
      // Their number is random: the mean is about RUNS × 16 / 14, and this is five standard deviations below it.
      expect(sent).toBeGreaterThanOrEqual(RUNS * 0.75);
      // Chance leaves out some that seldom succeed, with all fields of their payloads, and more so in a short run.
      const missing = fieldsOf(schema).filter((field) => !answered.has(field));
      expect(missing.length > MISSING_MAX ? missing : []).toEqual([]);
    }
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    // The number of series depends on the names that the server knows, and not on the requests.
    expect((await scrape(url)).size).toBeLessThan(SERIES_MAX);
    expect(failuresInLog()).toEqual([]);
  },
  TIMEOUT_MS,
);
