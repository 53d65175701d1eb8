import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { send, type GraphqlError } from '../support/client.js';
import { expectBelow, processorTimeOf, timeOf } from '../support/measure.js';
import { administrator, newListener, newStory, type Person } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let admin: Person;
let listener: Person;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api', LOG_LEVEL: 'trace' });
  url = talebank.url;
  admin = await administrator(url);
  listener = await newListener(url);
});
afterAll(async () => {
  const logged = talebank.server.output();
  await talebank.close();
  // Nothing that was sent here may be logged, not even at the level of traces.
  for (const sent of [
    'key17',
    'fragment a',
    'cannot represent',
    'Value "',
    'Did you mean',
    'A17',
    'xxxxxxxx',
    'Once upon',
  ])
    expect(logged).not.toContain(sent);
});

interface Said {
  readonly status: number;
  readonly text: string;
  readonly errors: readonly GraphqlError[];
}

/** Errors of an answer as JSON, or of the first event. */
async function said(response: Response): Promise<Said> {
  const text = await response.text();
  const json = /^(?::\n\n)?event: next\ndata: (.*)$/m.exec(text)?.[1] ?? text;
  const { errors = [] } = JSON.parse(json) as { errors?: GraphqlError[] };
  return { status: response.status, text, errors };
}

const post = async (path: string, body: object, headers: object = {}): Promise<Said> =>
  said(
    await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    }),
  );

const get = async (path: string, query: string, headers: Record<string, string>): Promise<Said> =>
  said(await fetch(`${url}${path}?query=${encodeURIComponent(query)}`, { headers }));

const EVENTS = { accept: 'text/event-stream' };
const PREFLIGHTED = { 'apollo-require-preflight': 'yes' };

/** Every way in which a document reaches the server. */
const DOORS: readonly [door: string, ask: (query: string) => Promise<Said>][] = [
  ['a query', (query) => post('/graphql', { query })],
  ['a query that takes events as well', (query) => post('/graphql', { query }, EVENTS)],
  ['a subscription', (query) => post('/graphql/stream', { query })],
  ['a query by GET', (query) => get('/graphql', query, PREFLIGHTED)],
  ['a subscription by GET', (query) => get('/graphql/stream', query, PREFLIGHTED)],
];

/** Fragments that each spread the next one as many times: `times`ⁿ fields in a text of n lines. */
function spreading(root: string, type: string, times: number, levels: number): string {
  const fragments = Array.from(
    { length: levels },
    (_, at) => `fragment a${String(at)} on ${type}{${`...a${String(at + 1)} `.repeat(times)}}`,
  );
  return `${root}{...a0} ${fragments.join(' ')} fragment a${String(levels)} on ${type}{x: __typename}`;
}

describe.each(DOORS)('by the door of %s', (_door, ask) => {
  test.each([
    ['subscription', spreading('subscription', 'Subscription', 2, 60)],
    ['query', spreading('query', 'Query', 2, 60)],
    ['mutation', spreading('mutation', 'Mutation', 3, 60)],
    [
      'subscription with a condition at its end',
      spreading('subscription', 'Subscription', 2, 60).replace(
        'x:',
        'x: __typename @skip(if: true) y:',
      ),
    ],
    [
      'subscription in a circle',
      'subscription{...a} fragment a on Subscription{...b ...b} fragment b on Subscription{...a ...a}',
    ],
  ])('fragments that double in a %s are refused at once', async (_kind, query) => {
    await expectBelow(50, () =>
      processorTimeOf(url, async () => {
        const { status, errors } = await ask(query);
        expect(status).toBe(400);
        expect(['QUERY_TOO_COMPLEX', 'BAD_USER_INPUT']).toContain(errors[0]?.extensions.code);
      }),
    );
  });
});

describe('what another site can send', () => {
  const DEEP = spreading('subscription', 'Subscription', 2, 200);

  test.each([
    ['/graphql', 'GET', {}],
    ['/graphql/stream', 'GET', {}],
    ['/graphql/stream', 'GET', EVENTS],
    ['/graphql', 'GET', EVENTS],
    ['/graphql', 'POST', { 'content-type': 'text/plain' }],
    ['/graphql', 'POST', { 'content-type': 'TEXT/plain; charset=utf-8' }],
    ['/graphql/stream', 'POST', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['/graphql/stream', 'POST', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['/graphql', 'GET', { 'apollo-require-preflight': '' }],
  ])(
    'to %s by %s with %o is refused before its document is parsed',
    async (path, method, headers) => {
      const body = method === 'POST' ? JSON.stringify({ query: DEEP }) : null;
      const query = method === 'GET' ? `?query=${encodeURIComponent(DEEP)}` : '';
      await expectBelow(50, () =>
        processorTimeOf(url, async () => {
          const answer = await said(await fetch(url + path + query, { method, headers, body }));
          expect(answer.status).toBe(400);
          // A parsed document would have been refused for its size.
          expect(answer.errors[0]?.extensions).toEqual({
            code: 'BAD_USER_INPUT',
            field: 'content-type',
          });
        }),
      );
    },
  );

  test('is refused the same when it is no GraphQL at all', async () => {
    const answer = await said(await fetch(`${url}/graphql?query=%7B%7B%7B`));
    expect(answer.errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'content-type' });
  });

  test('cannot be a subscription with a token, which may be asked for by GET', async () => {
    const address = `${url}/graphql/stream?query=${encodeURIComponent('subscription { creditsUpdated { balance } }')}`;
    const over = new AbortController();
    const headers = { authorization: `Bearer ${listener.token}` };
    const response = await fetch(address, { headers, signal: over.signal });
    expect(response.status).toBe(200);
    over.abort();
  });
});

test.each([
  ['no document', ''],
  ['variables that are no JSON', '?query=subscription%7Bx%7D&variables=%7B'],
  ['variables that are a list', '?query=subscription%7Bx%7D&variables=%5B%5D'],
  ['extensions that are no object', '?query=subscription%7Bx%7D&extensions=1'],
  ['a mutation', '?query=mutation%7Blogout%7D'],
  ['a field that is not there', '?query=subscription%7Bx%7D'],
  [
    'a name that no operation has',
    '?query=subscription%20a%7BcreditsUpdated%7Bbalance%7D%7D&operationName=b',
  ],
])('a subscription by GET with %s is refused with a code', async (_what, query) => {
  const answer = await said(await fetch(`${url}/graphql/stream${query}`, { headers: PREFLIGHTED }));
  expect(answer.status).toBe(400);
  expect(answer.errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
});

/** Almost a megabyte of a text, which is refused in the place of a value. */
const filled = (text: string): string =>
  text.repeat(Math.floor(900_000 / JSON.stringify(text).length));

const LOTS = 'query ($s: [CreditLotStatus!]) { creditLots(status: $s) { nodes { id } } }';
const LOGIN = 'mutation ($i: LoginInput!) { login(input: $i) { accessToken } }';
const BULK = 'mutation ($i: BulkGrantInput!) { bulkGrantCredits(input: $i) { granted } }';
const FOLLOW = 'subscription ($i: ID!) { audioUpdated(id: $i) { status } }';
const keys = (count: number): object =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`key${String(at)}`, at]));
const nested = (levels: number): unknown =>
  Array.from({ length: levels }).reduce<unknown>((inner) => [inner], 1);

const WRONG_VARIABLES: readonly [what: string, query: string, variables: object][] = [
  ...[
    'cannot represent ',
    'Value "',
    ' Did you mean ',
    ' got invalid value ',
    '; ',
    ' at "a"; ',
    ', found ',
    'String "',
  ].flatMap((text): [string, string, object][] => [
    [`“${text}” as an enum`, LOTS, { s: filled(text) }],
    [`“${text}” as a key`, LOGIN, { i: { [filled(text)]: 1 } }],
    [
      `“${text}” as a number`,
      'query ($n: Int) { stories(first: $n) { nodes { id } } }',
      { n: filled(text) },
    ],
    [
      `“${text}” as a date`,
      'mutation ($i: GrantCreditsInput!) { grantCredits(input: $i) { replayed } }',
      { i: { expiresAt: filled(text) } },
    ],
  ]),
  ['ninety unknown keys', LOGIN, { i: keys(90) }],
  ['thousands of objects with unknown keys', BULK, { i: { rows: Array(3000).fill(keys(20)) } }],
  ['lists in lists of a long body', BULK, { i: { key: filled('x'), rows: nested(2000) } }],
  ['thirty thousand rows', BULK, { i: { rows: Array(30_000).fill({ amount: 1 }) } }],
  ['thirty thousand rows of nothing', BULK, { i: { rows: Array(30_000).fill(null) } }],
  [
    'different names of an enum',
    LOTS,
    { s: Array.from({ length: 60_000 }, (_, at) => `A${String(at)}`) },
  ],
  ['lists in lists', LOTS, { s: nested(2000) }],
  ['an undeclared variable with lists in lists', '{ __typename }', { z: nested(2000) }],
  ['a megabyte of numbers', LOTS, { s: Array(99_000).fill(7) }],
  ['an object as a text', LOGIN, { i: { email: keys(90), password: nested(5) } }],
];

test.each(WRONG_VARIABLES)(
  'wrong variables are refused at little cost: %s',
  async (_what, query, variables) => {
    for (const [path, headers] of [
      ['/graphql', {}],
      ['/graphql/stream', EVENTS],
    ] as const)
      await expectBelow(500, () =>
        processorTimeOf(url, async () => {
          const { status, text, errors } = await post(path, { query, variables }, headers);
          expect(status).toBe(400);
          expect(errors.length).toBeGreaterThan(0);
          expect(errors.length).toBeLessThanOrEqual(10);
          expect(errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
          expect(text.length).toBeLessThan(6000);
        }),
      );
  },
);

const inRows = (count: number): object => ({
  rows: Array.from({ length: count / 10 }, (_row, row) =>
    Object.fromEntries(Array.from({ length: 10 }, (_key, at) => [`k${String(row * 10 + at)}`, 1])),
  ),
});

test.each([
  ['of one object', LOGIN, 'i', { i: keys(60_000) }],
  ['of many', BULK, 'rows', { i: inRows(60_000) }],
])(
  'sixty thousand different keys %s are refused before they are parsed, because that takes long',
  async (_where, query, field, variables) => {
    await expectBelow(50, () =>
      processorTimeOf(url, async () => {
        const { status, errors } = await post('/graphql', { query, variables });
        expect([status, errors[0]?.extensions]).toEqual([400, { code: 'BAD_USER_INPUT', field }]);
      }),
    );
  },
);

test.each([
  ['an enum', `{ creditLots(status: [${JSON.stringify(filled('EXHAUSTED '))}]) { nodes { id } } }`],
  ['a number', `{ stories(first: ${JSON.stringify(filled('1 '))}) { nodes { id } } }`],
  ['a date', `{ balanceAt(at: ${JSON.stringify(filled('2026-01-01 '))}) }`],
])('a text of a megabyte in a document costs little in the place of %s', async (_what, query) => {
  await expectBelow(100, () =>
    processorTimeOf(url, async () => {
      const { status, text } = await post('/graphql', { query });
      expect(status).toBe(400);
      expect(text.length).toBeLessThan(6000);
    }),
  );
});

test('a key may have 200 characters, and an enum refuses longer names', async () => {
  const errorOf = async (query: string, variables: object): Promise<string | undefined> =>
    (await post('/graphql', { query, variables })).errors[0]?.message;
  expect(await errorOf(LOGIN, { i: { ['k'.repeat(200)]: 1 } })).toContain('email');
  expect(await errorOf(LOGIN, { i: { ['k'.repeat(201)]: 1 } })).toBe(
    'i: must have keys of at most 200 characters, got 201',
  );
  expect(await errorOf(LOTS, { s: 'ACTIVF' })).toContain('Did you mean');
  expect(await errorOf(LOTS, { s: 'A'.repeat(201) })).toContain('does not exist');
});

test.each([
  ['a text', { i: 'secret-7f3a' }, 200],
  // So long that no time or duration in the log has the same digits.
  ['a number', { i: 7_361_544_902_618.5 }, 400],
  ['a list', { i: ['secret-7f3a'] }, 400],
  ['an object', { i: { 'secret-7f3a': 'secret-7f3a' } }, 400],
  ['null', { i: null }, 400],
  ['nothing', {}, 400],
])(
  '%s as the variable of a subscription is answered with its status, and is in no log',
  async (_what, variables, status) => {
    const answer = await post(
      '/graphql/stream',
      { query: FOLLOW, variables },
      { ...EVENTS, authorization: `Bearer ${listener.token}` },
    );
    expect(answer.status).toBe(status);
    expect(answer.text).not.toContain('secret-7f3a');
    expect(answer.text).not.toContain('7361544902618');
    expect(talebank.server.output()).not.toContain('secret-7f3a');
    expect(talebank.server.output()).not.toContain('7361544902618');
  },
);

test('a value with the marks of GraphQL’s messages in it is repeated nowhere', async () => {
  const value =
    'a"; secret-9c1; Secret-9c1. found "secret-9c1" at "x"; cannot represent: secret-9c1';
  for (const [query, variables] of [
    [LOTS, { s: [value] }],
    [LOTS, { s: value }],
    ['query ($n: Int) { stories(first: $n) { nodes { id } } }', { n: value }],
    [`{ stories(first: ${JSON.stringify(value)}) { nodes { id } } }`, {}],
    [`{ creditLots(status: [${JSON.stringify(value)}]) { nodes { id } } }`, {}],
    [`mutation { grantCredits(input: { expiresAt: ${JSON.stringify(value)} }) { replayed } }`, {}],
    [`{ story(id: ${JSON.stringify(value)} ${JSON.stringify(value)}) { id } }`, {}],
    [`{ me { credits { balanceAt(at: ${JSON.stringify(value)}) } } }`, {}],
  ] as const) {
    const { text, errors } = await post('/graphql', { query, variables });
    expect(errors.length).toBeGreaterThan(0);
    expect(text).not.toMatch(/secret-9c1/i);
  }
  expect(talebank.server.output()).not.toMatch(/secret-9c1/i);
});

test.each([
  ['a name', `{ ${'x'.repeat(900_000)} }`, 'QUERY_TOO_COMPLEX'],
  ['a number', `{ stories(first: ${'1'.repeat(900_000)}) { nodes { id } } }`, 'QUERY_TOO_COMPLEX'],
  ['a text', `{ stories(first: "${'x'.repeat(900_000)}") { nodes { id } } }`, 'BAD_USER_INPUT'],
  [
    'a text of many lines',
    `{ stories(first: """${' \\n'.repeat(1900)}""") { nodes { id } } }`,
    'BAD_USER_INPUT',
  ],
  ['a text that breaks off', `{ story(id: "${'x'.repeat(900_000)}`, 'BAD_USER_INPUT'],
  ['one field, hundreds of times', `{ ${'me { id } '.repeat(490)} }`, 'QUERY_TOO_COMPLEX'],
  [
    'one leaf, thousands of times',
    `{ stories { nodes { ${'id '.repeat(1900)} } } }`,
    'QUERY_TOO_COMPLEX',
  ],
  [
    'one field in many fragments',
    `{ ${Array.from({ length: 120 }, (_, at) => `...f${String(at)}`).join(' ')} } ${Array.from({ length: 120 }, (_, at) => `fragment f${String(at)} on Query { stories { nodes { id } } }`).join(' ')}`,
    'QUERY_TOO_COMPLEX',
  ],
  [
    'one field in inline fragments',
    `{ ${'... on Query { me { id } } '.repeat(180)} }`,
    'QUERY_TOO_COMPLEX',
  ],
  [
    'pages in a page of none',
    '{ users(first: 0) { nodes { creditLots(first: 100) { nodes { transactions(first: 100) { nodes { id } } } } } } }',
    'QUERY_TOO_COMPLEX',
  ],
])('%s that is too long is refused at once', async (_what, query, code) => {
  await expectBelow(100, () =>
    processorTimeOf(url, async () => {
      const { status, text, errors } = await post('/graphql', { query });
      expect(status).toBe(400);
      expect(errors[0]?.extensions.code).toBe(code);
      expect(text.length).toBeLessThan(3000);
    }),
  );
});

test('extensions are bounded like variables', async () => {
  const { status, errors } = await post('/graphql', {
    query: '{ __typename }',
    extensions: { deep: nested(2000) },
  });
  expect(status).toBe(400);
  expect(errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'deep' });
});

test('OPTIONS executes nothing', async () => {
  const query = encodeURIComponent('subscription { creditsUpdated { balance } }');
  const response = await fetch(`${url}/graphql?query=${query}`, {
    method: 'OPTIONS',
    headers: { ...EVENTS, authorization: `Bearer ${listener.token}` },
  });
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(await response.text()).not.toContain('balance');
});

test('a name that no operation has is refused, however long it is', async () => {
  for (const operationName of ['b', 'b'.repeat(900_000)]) {
    const { status, errors, text } = await post('/graphql', {
      query: 'query a { __typename }',
      operationName,
    });
    expect(status).toBe(400);
    expect(errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
    expect(text.length).toBeLessThan(1000);
  }
});

describe('an answer', () => {
  let long: string;

  beforeAll(async () => {
    long = (
      await newStory(url, admin, { content: `${'Once upon a time. '.repeat(11_000)}The end.` })
    ).id;
  });

  const contents = (count: number): string =>
    `{ ${Array.from({ length: count }, (_, at) => `a${String(at)}: story(id: "${long}") { content }`).join(' ')} }`;

  test('has at most two million characters', async () => {
    expect((await post('/graphql', { query: contents(5) })).text.length).toBeGreaterThan(900_000);
    await expectBelow(500, () =>
      processorTimeOf(url, async () => {
        const { status, text, errors } = await post('/graphql', { query: contents(50) });
        expect(status).toBe(400);
        expect(errors[0]?.extensions).toMatchObject({
          code: 'QUERY_TOO_COMPLEX',
          what: 'characters',
          limit: 2_000_000,
        });
        expect(text.length).toBeLessThan(50_000);
      }),
    );
  });

  test('of many short texts is bounded as well', async () => {
    const stories = await Promise.all(
      Array.from({ length: 30 }, () => newStory(url, admin, { description: 'd'.repeat(1000) })),
    );
    expect(stories).toHaveLength(30);
    const aliases = (count: number): string =>
      Array.from({ length: count }, (_, at) => `d${String(at)}: description`).join(' ');
    const query = `{ ${['a', 'b'].map((name) => `${name}: stories(first: 100) { nodes { ${aliases(24)} } }`).join(' ')} }`;
    const few = await post('/graphql', { query });
    expect(few.status).toBe(200);
    const more = await Promise.all(
      Array.from({ length: 20 }, () => newStory(url, admin, { description: 'd'.repeat(1000) })),
    );
    expect(more).toHaveLength(20);
    const many = await post('/graphql', { query });
    expect(many.status).toBe(400);
    expect(many.errors).toHaveLength(1);
    expect(many.errors[0]?.extensions).toMatchObject({
      code: 'QUERY_TOO_COMPLEX',
      what: 'characters',
    });
  });

  test('of a mutation is bounded before it is done', async () => {
    const input = {
      title: 'A tale that must not be',
      author: 'A',
      language: 'en',
      content: 'Once.',
    };
    const aliases = Array.from({ length: 11 }, (_, at) => `c${String(at)}: content`).join(' ');
    const query = `mutation ($input: StoryInput!) { createStory(input: $input) { ${aliases} } }`;
    const { status, errors } = await send(url, query, { input }, { token: admin.token });
    expect(status).toBe(400);
    expect(errors[0]?.extensions).toMatchObject({ code: 'QUERY_TOO_COMPLEX', what: 'characters' });
    expect(
      await talebank.database.sql('SELECT FROM stories WHERE title = $1', [input.title]),
    ).toEqual([]);
  });
});

test('a list of names is a set: ninety thousand times one name under fifty aliases costs little', async () => {
  const aliases = Array.from(
    { length: 50 },
    (_, at) => `a${String(at)}: creditLots(status: $s) { nodes { id } }`,
  );
  const query = `query ($s: [CreditLotStatus!]) { ${aliases.join(' ')} }`;
  await expectBelow(1000, () =>
    processorTimeOf(url, async () => {
      const { errors } = await send(
        url,
        query,
        { s: Array(90_000).fill('ACTIVE') },
        { token: listener.token },
      );
      expect(errors).toEqual([]);
    }),
  );
});

test('ten thousand rows of a bulk grant fit, and one more does not', async () => {
  const rows = (count: number): object => ({
    i: {
      source: 'FREE',
      reason: 'A gift',
      idempotencyKey: 'rows',
      dryRun: true,
      rows: Array(count).fill({ email: 'a@b.example', amount: 1 }),
    },
  });
  const most = await send<{ bulkGrantCredits: { granted: number } }>(url, BULK, rows(10_000), {
    token: admin.token,
  });
  expect(most.errors).toEqual([]);
  const more = await send(url, BULK, rows(10_001), { token: admin.token });
  expect(more.errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'rows' });
});

test('a subscription keeps neither its body nor a long text', async () => {
  const query = `subscription { creditsUpdated { balance } } #${'x'.repeat(20_000)}`;
  const { status, errors } = await post('/graphql/stream', { query }, EVENTS);
  expect(status).toBe(400);
  expect(errors[0]?.extensions).toMatchObject({ code: 'QUERY_TOO_COMPLEX', what: 'length' });
});

test('a subscription with a long body keeps its turn only until it is opened or refused', async () => {
  const rows = Array.from({ length: 4_000 }, () => ({ userId: 'x'.repeat(40) }));
  const body = { query: 'subscription ($i: BulkGrantInput) { nothing }', variables: { i: rows } };
  const five = (path: string, headers = {}): Promise<number> =>
    timeOf(async () => {
      for (let times = 0; times < 5; times += 1)
        expect((await post(path, body, headers)).status).toBe(400);
    });
  // A turn that lasts as long as it may, and the pause behind it, take 600 ms each time. What the machine takes for such
  // bodies is in both times.
  await expectBelow(
    1_500,
    async () => (await five('/graphql/stream', EVENTS)) - (await five('/graphql')),
  );
});
