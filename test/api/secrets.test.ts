import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import {
  buildSchema,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isListType,
  type GraphQLInputType,
} from 'graphql';
import { ask, execute, send } from '../support/client.js';
import { Login, Refresh, Register, UpdateProfile } from '../support/operations.js';
import { administrator, newListener, newStory, type Person } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let admin: Person;
let listener: Person;

beforeAll(async () => {
  talebank = await startTalebank({ LOG_LEVEL: 'trace' });
  url = talebank.url;
  admin = await administrator(url);
  listener = await newListener(url);
});
afterAll(() => talebank.close());

let canaries = 0;
const newCanary = (): string => {
  canaries += 1;
  return `canary${String(canaries)}x${crypto.randomUUID().replaceAll('-', '')}`;
};

/** A value of a type with a canary wherever text may stand; twisted, it is of no type at all. */
function valueOf(type: GraphQLInputType, sown: string[], twisted: boolean): unknown {
  const inner = getNullableType(type);
  if (isListType(inner)) return [valueOf(inner.ofType, sown, twisted)];
  const named = getNamedType(inner);
  if (isInputObjectType(named))
    return Object.fromEntries(
      Object.values(named.getFields()).map(({ name, type: of }) => [
        name,
        valueOf(of, sown, twisted),
      ]),
    );
  const canary = newCanary();
  if (!twisted && isEnumType(named)) return named.getValues()[0]?.name;
  const plain: Readonly<Record<string, unknown>> = {
    Int: 1,
    Boolean: false,
    DateTime: '2199-01-01T00:00:00Z',
  };
  if (!twisted && named.name in plain) return plain[named.name];
  sown.push(canary);
  return twisted && (named.name === 'String' || named.name === 'ID') ? { secret: canary } : canary;
}

/** As it is written into a document. */
const literalOf = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(literalOf).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, inner]) => `${name}: ${literalOf(inner)}`);
  return `{ ${fields.join(', ')} }`;
};

test.each([
  ['right', false],
  ['wrong', true],
])(
  'what is put into any input, of the %s type, is in no log, no error and no metric',
  async (_how, twisted) => {
    const schema = buildSchema(await readFile('schema.graphql', 'utf8'));
    const sown: string[] = [];
    const said: unknown[] = [];
    const tell = async (document: string, variables: object): Promise<void> => {
      for (const token of [undefined, listener.token, admin.token])
        said.push((await send(url, document, variables, { token })).errors);
    };
    for (const type of [schema.getQueryType(), schema.getMutationType()]) {
      for (const field of Object.values(type?.getFields() ?? {})) {
        // Only one of the paging arguments may be given, so that the others are left out.
        const args = field.args.filter(({ name }) => !['after', 'before', 'last'].includes(name));
        if (args.length === 0) continue;
        const values = args.map((argument) => valueOf(argument.type, sown, twisted));
        const variables = Object.fromEntries(args.map(({ name }, at) => [name, values[at]]));
        const heads = args.map(({ name, type: of }) => `$${name}: ${of.toString()}`).join(', ');
        const passed = args.map(({ name }) => `${name}: $${name}`).join(', ');
        const written = args.map(({ name }, at) => `${name}: ${literalOf(values[at])}`).join(', ');
        const selection = 'getFields' in getNamedType(field.type) ? '{ __typename }' : '';
        const operation = type === schema.getQueryType() ? 'query' : 'mutation';
        await tell(`${operation} (${heads}) { ${field.name}(${passed}) ${selection} }`, variables);
        await tell(`${operation} { ${field.name}(${written}) ${selection} }`, {});
      }
    }
    const slip = newCanary();
    sown.push(slip);
    await tell(`{ user(email: "${slip}" "${slip}") { id } }`, {});
    await tell(`{ user(email: "${slip}`, {});
    expect(sown.length).toBeGreaterThan(50);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const everything = JSON.stringify([talebank.server.logs(), said]) + metrics;
    expect(sown.filter((canary) => everything.includes(canary))).toEqual([]);
  },
);

test('secrets that are right are no more to be found than wrong ones', async () => {
  const password = newCanary();
  const email = `${newCanary()}@example.com`;
  const displayName = newCanary();
  const userAgent = newCanary();
  const { register } = await ask(url, Register, { input: { email, password, displayName } });
  const { data } = await execute(
    url,
    Login,
    { input: { email, password } },
    { headers: { 'user-agent': userAgent, cookie: `a=${newCanary()}` } },
  );
  const { refreshSession } = await ask(url, Refresh, {
    refreshToken: data?.login.refreshToken ?? '',
  });
  const secrets = [
    password,
    email,
    displayName,
    userAgent,
    register.accessToken,
    register.refreshToken,
    data?.login.accessToken,
    data?.login.refreshToken,
    refreshSession.accessToken,
    refreshSession.refreshToken,
  ].map((secret) => secret ?? 'missing');
  const everything =
    JSON.stringify(talebank.server.logs()) + (await (await fetch(`${url}/metrics`)).text());
  expect(secrets.filter((secret) => everything.includes(secret))).toEqual([]);
});

const FORGERIES = [
  'two\nlines',
  'a return\rand more',
  '\u001b[31mred\u001b[0m',
  '{"level":"info","msg":"forged"}',
  '"}\n{"level":"info","msg":"forged"}',
  '\u2028separated\u2029',
];

test.each(FORGERIES)('%j forges no line of the log, wherever it is put', async (forgery) => {
  const before = talebank.server.logs().length;
  const headers = { 'user-agent': forgery.replace(/[^\x20-\x7e]/g, ' ') };
  await send(url, '{ me { id } }', {}, { token: listener.token, headers });
  await execute(url, UpdateProfile, { displayName: forgery }, { token: listener.token });
  await newStory(url, admin, { title: forgery, content: `A tale. ${forgery} The end.` }).catch(
    () => undefined,
  );
  await execute(url, Login, { input: { email: forgery, password: forgery, deviceName: forgery } });
  const reason = { userId: listener.id, reason: forgery };
  const document =
    'mutation ($userId: ID!, $reason: String!) { reinstateUser(userId: $userId, reason: $reason) { id } }';
  await send(url, document, reason, { token: admin.token });
  await send(url, `query ${JSON.stringify(forgery)} { me { id } }`, {});
  const lines = talebank.server.output().split('\n').slice(0, -1);
  // Each line is one event, and no event is forged by an input.
  for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
  expect(talebank.server.logs().length).toBe(lines.length);
  expect(
    talebank.server
      .logs()
      .slice(before)
      .map(({ msg }) => msg),
  ).not.toContain('forged');
});
