import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { getIntrospectionQuery } from 'graphql';
import { send, type Answer } from '../support/client.js';
import { administrator } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';
import { expectBelow, processorTimeOf } from '../support/measure.js';

let talebank: Talebank;
let url: string;
let token: string;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  ({ token } = await administrator(url));
});
afterAll(() => talebank.close());

const ask = (query: string, variables: object = {}): Promise<Answer<unknown>> =>
  send(url, query, variables, { token });

/** `me { creditHistory { edges { node { …` with so many fields within fields, the last of them a leaf. */
function nested(depth: number): string {
  const cycle = ['allocations', 'lot', 'transactions(first: 1)', 'nodes'];
  const rest = Array.from({ length: depth - 5 }, (_, at) => cycle[at % cycle.length] ?? '');
  const fields = ['me', 'creditHistory(first: 1)', 'edges', 'node', ...rest, '__typename'];
  return `{ ${fields.join(' { ')} ${'}'.repeat(fields.length)}`;
}

const aliased = (count: number, field: string): string =>
  `{ ${Array.from({ length: count }, (_, at) => `a${String(at)}: ${field}`).join(' ')} }`;

/** Fragments that each contain the next one twice: 2ⁿ fields in a text of n lines. */
function exponential(levels: number): string {
  const fragments = Array.from(
    { length: levels },
    (_, at) => `fragment F${String(at)} on User { ...F${String(at + 1)} ...F${String(at + 1)} }`,
  );
  return `{ me { ...F0 } } ${fragments.join(' ')} fragment F${String(levels)} on User { a: id }`;
}

const REFUSED: readonly [name: string, what: string, query: string][] = [
  ['eleven fields within each other', 'depth', nested(11)],
  ['four hundred fields within each other', 'depth', nested(400)],
  ['fifty-one aliases', 'aliases', aliased(51, 'me { id }')],
  ['aliases of __typename', 'aliases', aliased(51, '__typename')],
  [
    'the types of the schema under 51 names',
    'aliases',
    aliased(1, '__schema ' + aliased(50, 'types { name }')),
  ],
  ['the schema, three times', 'cost', aliased(3, '__schema { types { fields { name } } }')],
  [
    'the fields of the schema under three names',
    'cost',
    `{ __schema ${aliased(3, 'types { fields { name } }')} }`,
  ],
  [
    'a hundred sign-ins in one document',
    'aliases',
    `mutation ${aliased(100, 'login(input: { email: "a@b.example", password: "guess" }) { accessToken }')}`,
  ],
  [
    'a thousand sign-ins',
    'tokens',
    `mutation ${aliased(1000, 'login(input: {}) { accessToken }')}`,
  ],
  ['more than two thousand words', 'tokens', `{ ${'me { id } '.repeat(600)} }`],
  ['fragments that double a hundred times', 'aliases', exponential(100)],
  ['hundreds of thousands of lines', 'lines', `${'\n'.repeat(400_000)}{ nothing }`],
  ['a megabyte, almost', 'tokens', `{ ${'__typename '.repeat(90_000)} }`],
  [
    'the words of more than a page of stories',
    'cost',
    `{ ${['a', 'b'].map((name) => `${name}: stories(first: 60) { nodes { content } }`).join(' ')} }`,
  ],
  [
    'pages within pages',
    'cost',
    '{ users(first: 100) { nodes { creditLots(first: 100) { nodes { transactions(first: 2) { nodes { id } } } } } } }',
  ],
];

test.each(REFUSED)('%s are refused quickly, for their %s', async (_name, what, query) => {
  await expectBelow(50, () =>
    processorTimeOf(url, async () => {
      const { status, data, errors } = await ask(query);
      expect({ status, data }).toEqual({ status: 400, data: null });
      expect(errors[0]?.extensions).toMatchObject({ code: 'QUERY_TOO_COMPLEX', what });
    }),
  );
});

test('refusing documents keeps no memory, however many and however large they are', async () => {
  const residentBytes = async (): Promise<number> => {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    return Number(/^talebank_process_resident_memory_bytes (\S+)$/m.exec(metrics)?.[1]);
  };
  let asked = 0;
  const refuse = async (rounds: number): Promise<void> => {
    for (let round = 0; round < rounds; round += 1)
      for (const [, , query] of REFUSED) {
        // No two of them are the same, so that what is remembered of documents is of no use.
        const answer = await ask(`${query} #${String((asked += 1))}`);
        expect(answer.status).toBe(400);
      }
  };
  // The heap grows at first until it is as large as the largest of them needs; what is kept grows each time.
  await expectBelow(32 * 1024 * 1024, async () => {
    const before = await residentBytes();
    expect(before).toBeGreaterThan(0);
    await refuse(80);
    return (await residentBytes()) - before;
  });
});

test('what is just within the limits is answered', async () => {
  for (const query of [nested(10), aliased(50, 'me { id }'), getIntrospectionQuery()])
    expect((await ask(query)).errors).toEqual([]);
});

test('the length of a page counts, however it is said', async () => {
  const lots =
    'nodes { creditLots(first: $lots) { nodes { id transactions(last: 3) { nodes { id } } } } }';
  const given = `query ($users: Int!, $lots: Int) { users(first: $users) { ${lots} } }`;
  const preset = `query ($users: Int = 100, $lots: Int = 100) { users(first: $users) { ${lots} } }`;
  const either = `query ($lots: Int) { users(first: 100) { ${lots.replace('first: $lots', 'first: null, last: $lots')} } }`;
  expect((await ask(given, { users: 2, lots: 2 })).errors).toEqual([]);
  for (const [query, variables] of [
    [given, { users: 100, lots: 100 }],
    [preset, {}],
    [either, { lots: 100 }],
  ] as const)
    expect((await ask(query, variables)).errors[0]?.extensions).toMatchObject({
      code: 'QUERY_TOO_COMPLEX',
      what: 'cost',
    });
  expect((await ask(preset, { users: 1, lots: 1 })).errors).toEqual([]);
});

test('many mistakes in one document are told a few at a time, quickly', async () => {
  const mistakes = Array.from({ length: 900 }, (_, at) => `nothing${String(at)}`).join('\n');
  const inputs = Array.from(
    { length: 40 },
    (_, at) => `a${String(at)}: story(id: { a: 1 }) { id }`,
  );
  for (const query of [`{ ${mistakes} }`, `{ ${inputs.join('\n')} }`]) {
    await expectBelow(200, () =>
      processorTimeOf(url, async () => {
        const { status, errors } = await ask(query);
        expect(status).toBe(400);
        expect(errors.length).toBeLessThanOrEqual(11);
        for (const { extensions } of errors) expect(extensions.code).toBe('BAD_USER_INPUT');
      }),
    );
  }
});

test('circles are refused as documents, of fragments as of introspection', async () => {
  const circles = [
    '{ me { ...A } } fragment A on User { id ...B } fragment B on User { ...A }',
    `{ __schema { types { ${'fields { type { '.repeat(6)} name ${'} }'.repeat(6)} } } }`,
  ];
  for (const circle of circles) {
    await expectBelow(200, () =>
      processorTimeOf(url, async () => {
        const { status, errors } = await ask(circle);
        expect(status).toBe(400);
        expect(errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
      }),
    );
  }
});

test('limits hold for GET as well, and neither lists nor hashes of documents go round them', async () => {
  const get = new URL('/graphql', url);
  get.searchParams.set('query', aliased(51, '__typename'));
  const headers = { 'apollo-require-preflight': 'yes' };
  expect((await fetch(get, { headers })).status).toBe(400);
  // What one parser cannot read, another one may.
  for (const broken of [`${get.href}%23%`, `${get.href}&%`, `${get.href}%23%C3%28`]) {
    const answer = (await (await fetch(broken, { headers })).json()) as Answer<null>;
    expect(answer.errors[0]?.extensions.code).toBe('QUERY_TOO_COMPLEX');
  }
  const post = (body: unknown): Promise<Response> =>
    fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  expect((await post([{ query: '{ __typename }' }, { query: '{ __typename }' }])).status).toBe(400);
  const sha256Hash = 'ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38';
  const persisted = await post({ extensions: { persistedQuery: { version: 1, sha256Hash } } });
  expect(await persisted.json()).toMatchObject({ errors: [{ extensions: { field: 'query' } }] });
});

test.each([
  [{ query: '{ __typename }', variables: [] }, 'variables'],
  [{ query: '{ __typename }', variables: '{}' }, 'variables'],
  [{ query: '{ __typename }', extensions: 'none' }, 'extensions'],
  [{ query: '{ __typename }', operationName: 1 }, 'operationName'],
  [{ query: '{ __typename }', operationName: 'Another' }, 'operationName'],
  [{ query: 'query A { __typename } query B { __typename }' }, 'operationName'],
  [{ query: { kind: 'Document' } }, 'query'],
  [{}, 'body'],
])('what is wrong with a request is named: %j', async (body, field) => {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    errors: [{ extensions: { code: 'BAD_USER_INPUT', field } }],
  });
});

test.each([
  ['?query={__typename}&variables=1', 'variables'],
  ['?query={__typename}&variables={', 'variables'],
  ['?query={__typename}&extensions={', 'extensions'],
  ['?query={__typename}&operationName=A&operationName=B', 'operationName'],
])('what is wrong with an address is named: %s', async (search, field) => {
  const response = await fetch(`${url}/graphql${search}`, {
    headers: { 'apollo-require-preflight': 'true' },
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    errors: [{ extensions: { code: 'BAD_USER_INPUT', field } }],
  });
});
