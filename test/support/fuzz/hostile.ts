import fc from 'fast-check';

/** One request, as it is sent. */
export interface HostileRequest {
  readonly door: Door;
  readonly query: string;
  readonly operationName: string | null;
  readonly variables: unknown;
}

export const DOORS = ['query', 'events', 'stream', 'get', 'get-stream'] as const;
export type Door = (typeof DOORS)[number];

/** Sends a request by its door. A GET request is cut to what Node reads of an address. */
export function sendHostile(
  url: string,
  { door, query, operationName, variables }: HostileRequest,
  signal: AbortSignal,
): Promise<Response> {
  const path = door === 'stream' || door === 'get-stream' ? '/graphql/stream' : '/graphql';
  const accept = door === 'query' || door === 'get' ? 'application/json' : 'text/event-stream';
  if (door === 'get' || door === 'get-stream') {
    const address = new URL(path, url);
    address.searchParams.set('query', query.slice(0, 4000));
    if (operationName !== null)
      address.searchParams.set('operationName', operationName.slice(0, 200));
    address.searchParams.set('variables', JSON.stringify(variables).slice(0, 1000));
    return fetch(address, { headers: { accept, 'apollo-require-preflight': 'yes' }, signal });
  }
  return fetch(url + path, {
    method: 'POST',
    headers: { accept, 'content-type': 'application/json' },
    body: JSON.stringify({ query, operationName, variables }),
    signal,
  });
}

const FIELDS = [
  'me',
  'stories',
  'story',
  'node',
  'nodes',
  'edges',
  'id',
  'title',
  'audio',
  'credits',
  'lot',
  'parent',
  'creditHistory',
  'creditLots',
  'allocations',
  'transactions',
  'creditsUpdated',
  'audioUpdated',
  'balance',
  '__typename',
  '__schema',
  '__type',
  'types',
  'fields',
  'login',
  'nothing',
];
const TYPES = [
  'Query',
  'Mutation',
  'Subscription',
  'User',
  'Story',
  'CreditLot',
  'Audio',
  'Node',
  'Nothing',
];
const INPUT_TYPES = [
  'Int',
  'ID!',
  '[CreditLotStatus!]',
  'LoginInput!',
  'BulkGrantInput!',
  'DateTime',
  'Nothing',
];
const VARIABLES = ['a', 'b', 'c', 'd'];
const FRAGMENTS = ['F', 'G', 'H', 'I', 'J', 'K'];

const name = fc.constantFrom(...FIELDS);
const value = fc.oneof(
  fc.constantFrom('1', 'null', 'true', 'ACTIVE', '[]', '{}', '""', '"""\n x"""', '1e9'),
  fc.constantFrom(...VARIABLES).map((variable) => `$${variable}`),
  fc.string({ maxLength: 30 }).map((text) => JSON.stringify(text)),
  fc
    .array(fc.constantFrom('ACTIVE', '1', '"x"', '[1]', '{a: 1}'), { maxLength: 20 })
    .map((items) => `[${items.join(' ')}]`),
);
const args = fc
  .array(fc.tuple(fc.constantFrom('first', 'last', 'id', 'status', 'input', 'if', 'x'), value), {
    maxLength: 3,
  })
  .map((pairs) =>
    pairs.length === 0 ? '' : `(${pairs.map(([key, one]) => `${key}: ${one}`).join(' ')})`,
  );
const directives = fc
  .array(fc.constantFrom('@skip(if: true)', '@include(if: $a)', '@deprecated', '@nothing(a: 1)'), {
    maxLength: 2,
  })
  .map((all) => all.join(' '));

/** A selection set of any shape, most of them invalid. */
const { selections } = fc.letrec<{ selections: string; selection: string }>((tie) => ({
  selections: fc
    .array(tie('selection'), { minLength: 1, maxLength: 6, depthIdentifier: 'document' })
    .map((all) => `{ ${all.join(' ')} }`),
  selection: fc.oneof(
    { depthIdentifier: 'document', maxDepth: 7, depthSize: 'medium' },
    name,
    fc
      .tuple(fc.constantFrom('', 'a: ', 'b: '), name, args, directives)
      .map((parts) => parts.join(' ')),
    fc.constantFrom(...FRAGMENTS).map((fragment) => `...${fragment}`),
    fc.tuple(name, args, directives, tie('selections')).map((parts) => parts.join(' ')),
    fc
      .tuple(
        fc.constantFrom('...', ...TYPES.map((type) => `... on ${type}`)),
        directives,
        tie('selections'),
      )
      .map((parts) => parts.join(' ')),
  ),
}));

const definitions = fc
  .array(
    fc.tuple(
      fc.constantFrom(...VARIABLES),
      fc.constantFrom(...INPUT_TYPES),
      fc.constantFrom('', ' = 1', ' = [ACTIVE]', ' = {a: 1}'),
    ),
    { maxLength: 4 },
  )
  .map((all) =>
    all.length === 0
      ? ''
      : `(${all.map(([variable, type, preset]) => `$${variable}: ${type}${preset}`).join(' ')})`,
  );
const operation = fc
  .tuple(
    fc.constantFrom('query', 'mutation', 'subscription'),
    fc.constantFrom('', 'one', 'two'),
    definitions,
    directives,
    selections,
  )
  .map((parts) => parts.join(' '));
const fragment = fc
  .tuple(fc.constantFrom(...FRAGMENTS), fc.constantFrom(...TYPES), directives, selections)
  .map(([called, type, all, set]) => `fragment ${called} on ${type} ${all} ${set}`);
/** Every fragment spreads the next one a few times, and the last one may spread the first. */
const ladder = fc
  .tuple(
    fc.integer({ min: 1, max: 120 }),
    fc.integer({ min: 1, max: 5 }),
    fc.constantFrom(...TYPES),
    fc.boolean(),
  )
  .map(([levels, times, type, isCircle]) =>
    Array.from({ length: levels }, (_, at) => {
      const next = at + 1 < levels ? `L${String(at + 1)}` : isCircle ? 'F' : 'K';
      return `fragment ${at === 0 ? 'F' : `L${String(at)}`} on ${type} { x ${`...${next} `.repeat(times)}}`;
    }).join(' '),
  );

const json = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.array(fc.constantFrom('ACTIVE', 'x', 1, null), { maxLength: 300 }),
  fc.dictionary(fc.string({ maxLength: 12 }), fc.constantFrom(1, null, 'x', '__proto__'), {
    maxKeys: 200,
  }),
);

/** Documents of any shape: fragments, circles, aliases, directives, names, variables and defaults. */
export const hostileRequest: fc.Arbitrary<HostileRequest> = fc.record({
  door: fc.constantFrom(...DOORS),
  query: fc
    .tuple(
      fc.array(operation, { minLength: 1, maxLength: 4 }),
      fc.array(fragment, { maxLength: 6 }),
      fc.option(ladder, { nil: '' }),
    )
    .map(([operations, fragments, steps]) => [...operations, ...fragments, steps].join('\n')),
  operationName: fc.constantFrom(null, '', 'one', 'two', 'three'),
  variables: fc.oneof(fc.dictionary(fc.constantFrom(...VARIABLES), json, { maxKeys: 4 }), json),
});

/** Parts of a document and of its variables that grow with two numbers, from which the optimiser builds requests. */
const PARTS: Readonly<
  Record<string, (n: number, m: number) => { in?: string; after?: string; variables?: object }>
> = {
  leaves: (n) => ({ in: `stories { nodes { ${'id '.repeat(n)} } }` }),
  siblings: (n, m) => ({ in: `me { ${'id '.repeat(m % 40)} } `.repeat(n) }),
  distinct: (n) => ({ in: Array.from({ length: n }, (_, at) => `f${String(at)}`).join(' ') }),
  aliases: (n, m) => ({
    in: Array.from(
      { length: n % 60 },
      (_, at) => `a${String(at)}: stories(first: ${String(m)}) { nodes { id title } }`,
    ).join(' '),
  }),
  nesting: (n) => ({ in: `${'me { '.repeat(n)}id${' }'.repeat(n)}` }),
  inline: (n, m) => ({
    in: '... on Query { '.repeat(n % 300) + 'me { id } '.repeat(m % 100) + '} '.repeat(n % 300),
  }),
  fragments: (n, m) => ({
    in: '...P0',
    after: Array.from(
      { length: n % 250 },
      (_, at) =>
        `fragment P${String(at)} on Query { ${`...P${String(at + 1)} `.repeat((m % 9) + 1)} me { id } }`,
    ).join(' '),
  }),
  crossed: (n, m) => ({
    in: Array.from({ length: n % 150 }, (_, at) => `...Q${String(at)}`).join(' '),
    after: Array.from(
      { length: n % 150 },
      (_, at) => `fragment Q${String(at)} on Query { me { ${'id '.repeat(m % 20)} } }`,
    ).join(' '),
  }),
  operations: (n, m) => ({ after: `query o${String(m)} { __typename } `.repeat(n % 300) }),
  arguments: (n) => ({ in: `stories(${'first: 1 '.repeat(n)}) { nodes { id } }` }),
  fieldsOfInput: (n) => ({ in: `login(input: { ${'email: "a" '.repeat(n)} }) { accessToken }` }),
  listLiteral: (n, m) => ({
    in: `creditLots(status: ${'['.repeat(m % 200)}${'ACTIVE '.repeat(n)}${']'.repeat(m % 200)}) { nodes { id } }`,
  }),
  directives: (n) => ({ in: `me ${'@include(if: true) '.repeat(n)} { id }` }),
  longName: (n, m) => ({ in: 'x'.repeat(n * m) }),
  longText: (n, m) => ({
    in: `story(id: "${'; found "'
      .slice(0, (m % 7) + 1)
      .replaceAll('"', "'")
      .repeat(n * (m % 50))}") { id }`,
  }),
  longBlock: (n, m) => ({ in: `story(id: """${('\n' + ' '.repeat(m)).repeat(n)}x""") { id }` }),
  comments: (n, m) => ({ in: `__typename ${`#${'x'.repeat(m)}\n`.repeat(n)}` }),
  blanks: (n, m) => ({ in: `__typename ${' ,\t'.repeat(n * m)}` }),
  introspection: (n, m) => ({
    in: `__schema { ${'types { fields { type { '.repeat(m % 4)} ${'name '.repeat(n)} ${'} } }'.repeat(m % 4)} }`,
  }),
  status: (n, m) => ({
    variables: {
      s: Array.from({ length: n * 30 }, (_, at) => (m % 2 === 0 ? 'ACTIVE' : `A${String(at)}`)),
    },
  }),
  rows: (n, m) => ({
    variables: {
      i: {
        rows: Array.from({ length: n * 8 }, () =>
          Object.fromEntries(Array.from({ length: m % 90 }, (_, at) => [`k${String(at)}`, at])),
        ),
      },
    },
  }),
  differentKeys: (n, m) => ({
    variables: {
      i: {
        rows: Array.from({ length: n * 8 }, (_row, row) =>
          Object.fromEntries(
            Array.from({ length: m % 20 }, (_key, at) => [`k${String(row)}-${String(at)}`, at]),
          ),
        ),
      },
    },
  }),
  keys: (n, m) => ({
    variables: {
      i: Object.fromEntries(
        Array.from({ length: n * 10 }, (_, at) => [`${'k'.repeat(m % 90)}${String(at)}`, null]),
      ),
    },
  }),
  text: (n, m) => ({
    variables: { n: ' cannot represent "; at "x" Did you mean '.slice(m % 30).repeat(n * 10) },
  }),
  deep: (n) => {
    const levels = Math.min(n, 2000);
    return { variables: { z: JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown } };
  },
};

const HEAD = '($s: [CreditLotStatus!], $i: BulkGrantInput, $n: Int)';
const USES = 'creditLots(status: $s) { nodes { id } } stories(first: $n) { nodes { id } }';

/** What the optimiser changes: a kind of operation, a door, and parts with their two numbers. */
export interface Genes {
  readonly door: Door;
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly parts: readonly { readonly part: string; readonly n: number; readonly m: number }[];
}

const BODY_BYTES_MAX = 1_000_000;

/** @returns null for a request that is larger than the server reads */
export function requestOf({ door, kind, parts }: Genes): HostileRequest | null {
  const made = parts.map(({ part, n, m }) => PARTS[part]?.(n, m) ?? {});
  const inside = made.map((one) => one.in ?? '').join(' ');
  const query = `${kind} one ${HEAD} { ${kind === 'query' ? USES : ''} ${inside} } ${made.map(({ after = '' }) => after).join(' ')}`;
  const variables = Object.assign({}, ...made.map((one) => one.variables ?? {})) as object;
  const length = query.length + JSON.stringify(variables).length;
  return length > BODY_BYTES_MAX ? null : { door, query, operationName: 'one', variables };
}

/** Draws whole numbers below a bound, from a seed. */
export type Draw = (below: number) => number;

const oneOf = <Value>(draw: Draw, values: readonly Value[]): Value =>
  values[draw(values.length)] as Value;
const sizeFrom = (draw: Draw): number => 2 ** draw(11) + draw(8);
const partFrom = (draw: Draw): Genes['parts'][number] => ({
  part: oneOf(draw, Object.keys(PARTS)),
  n: sizeFrom(draw),
  m: sizeFrom(draw),
});

export const randomGenes = (draw: Draw): Genes => ({
  door: oneOf(draw, DOORS),
  kind: oneOf(draw, ['query', 'mutation', 'subscription'] as const),
  parts: Array.from({ length: 1 + draw(3) }, () => partFrom(draw)),
});

/** A request that is a little different from another one. */
export function changed(draw: Draw, genes: Genes): Genes {
  const { parts } = genes;
  const at = draw(parts.length);
  const scaled = (size: number): number =>
    Math.max(1, oneOf(draw, [size * 2, Math.ceil(size / 2), size + 1, size]));
  switch (draw(5)) {
    case 0:
      return { ...genes, door: oneOf(draw, DOORS) };
    case 1:
      return { ...genes, kind: oneOf(draw, ['query', 'mutation', 'subscription'] as const) };
    case 2:
      return parts.length < 4 ? { ...genes, parts: [...parts, partFrom(draw)] } : genes;
    case 3:
      return parts.length > 1
        ? { ...genes, parts: parts.filter((_part, place) => place !== at) }
        : genes;
    default:
      return {
        ...genes,
        parts: parts.map((one, place) =>
          place === at ? { ...one, n: scaled(one.n), m: scaled(one.m) } : one,
        ),
      };
  }
}
