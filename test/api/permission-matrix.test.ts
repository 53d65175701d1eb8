import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  buildSchema,
  getNamedType,
  isInterfaceType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
  isUnionType,
  type GraphQLField,
  type GraphQLOutputType,
} from 'graphql';
import { ask, send, type Answer } from '../support/client.js';
import { follow } from '../support/events.js';
import { until } from '../support/faults.js';
import {
  Login,
  RevokeSession,
  SetUserRole,
  SignedInDevices,
  SuspendUser,
  UpdateProfile,
} from '../support/operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  narrate,
  newListener,
  newStory,
  PASSWORD,
  type Person,
} from '../support/people.js';
import { ADMIN, startTalebank, type Talebank } from '../support/talebank.js';

/**
 * What each root field and each id gives to each role, and that a refusal is the same as for an id that never existed.
 * The expectations are written here a second time and not taken from the rules. The fields of objects, by every path,
 * are in permission-paths.test.ts.
 */

const VIEWERS = ['anonymous', 'owner', 'other', 'suspended', 'auditor', 'administrator'] as const;
type Viewer = (typeof VIEWERS)[number];
type SignedInViewer = Exclude<Viewer, 'anonymous'>;

/**
 * `data` or `null` without errors, or the one code with which the field is refused. Anything else is the whole answer,
 * so that the failure shows it.
 */
type Verdict = string;
type Row = Readonly<Record<Viewer, Verdict>>;
type Data = Record<string, unknown>;
type Field = GraphQLField<unknown, unknown>;
type Kind = 'query' | 'mutation' | 'subscription';

const REASON = 'For the matrix';
const NEVER = '00000000-0000-7000-8000-000000000000';

const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));
const FIELDS: Readonly<Record<Kind, Readonly<Record<string, Field>>>> = {
  query: schema.getQueryType()?.getFields() ?? {},
  mutation: schema.getMutationType()?.getFields() ?? {},
  subscription: schema.getSubscriptionType()?.getFields() ?? {},
};
const nodeType = schema.getType('Node');
const NODE_TYPES = isInterfaceType(nodeType)
  ? schema.getPossibleTypes(nodeType).map(({ name }) => name)
  : [];
const userType = schema.getType('User');
const USER_FIELDS: Readonly<Record<string, Field>> = isObjectType(userType)
  ? userType.getFields()
  : {};

let talebank: Talebank;
let url: string;
let people: Record<SignedInViewer, Person>;
let voiceId: string;
/** Everyone who can has had it narrated. */
let storyId: string;
/** A story without narrations. */
let freshStoryId: string;
let draft: { id: string; slug: string };
/** One of each type, all of them the owner's where they are anybody's. */
let things: Record<string, string>;
/** Objects of a user who was suspended later. */
let lostThings: Record<string, string>;

const idOf = async (statement: string, userId: string): Promise<string> =>
  (await talebank.database.sql<{ id: string }>(statement, [userId]))[0]?.id ?? '';

/** Another device of a person, who can lose it. */
async function throwaway({ email }: Person): Promise<Person> {
  const password = email === ADMIN.email ? ADMIN.password : PASSWORD;
  const { login } = await ask(url, Login, { input: { email, password } });
  const { id } = login.user;
  return { id, email, token: login.accessToken, refreshToken: login.refreshToken ?? '' };
}

async function deviceOf({ token }: Pick<Person, 'token'>): Promise<string> {
  const { me } = await ask(url, SignedInDevices, {}, token);
  return me?.sessions.find(({ current }) => current)?.id ?? '';
}

/** What an ordinary person has: points from an administrator, a narration, a device. */
async function thingsOf(person: Person): Promise<Record<string, string>> {
  const CreditLot = await grantTo(url, people.administrator, person);
  const { audioId: Audio } = await narrate(url, person, storyId, voiceId);
  return {
    User: person.id,
    Session: await deviceOf(person),
    Audio,
    CreditLot,
    CreditTransaction: await idOf(
      'SELECT id FROM credit_transactions WHERE user_id = $1 AND actor_id IS NOT NULL',
      person.id,
    ),
  };
}

/** Inserts a pending proposal for a user. */
const proposalFor = ({ id }: Person): Promise<string> =>
  idOf(
    `INSERT INTO grant_proposals (id, command, natural_key, idempotency_key, request, request_hash, points, above,
       recipients, source, reason, user_id, proposer_id, proposed_at, lapses_at)
     SELECT gen_random_uuid(), 'GRANT_CREDITS', 'proposed', 'proposed', '{}', sha256('proposed'), 2000, 1000, 1, 'ADD_ON',
       'A great present', u.id, u.id, now, now + interval '7 days'
     FROM users u, (SELECT ledger_now() AS now) clock WHERE u.id = $1 RETURNING id`,
    id,
  );

beforeAll(async () => {
  // Without a worker nothing moves between two questions.
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  const [admin, owner, other, suspended, auditor] = [
    await administrator(url),
    await newListener(url),
    await newListener(url),
    await newListener(url),
    await newListener(url),
  ];
  people = { administrator: admin, owner, other, suspended, auditor };
  voiceId = await englishVoice(url);
  storyId = (await newStory(url, admin)).id;
  freshStoryId = (await newStory(url, admin, { title: 'The Other Moon' })).id;
  const slug = 'a-draft';
  draft = { slug, id: (await newStory(url, admin, { slug, published: false })).id };
  // What an owner did is an audit entry about themselves, and still not theirs to read.
  await ask(url, RevokeSession, { id: await deviceOf(await throwaway(owner)) }, owner.token);
  things = {
    ...(await thingsOf(owner)),
    Story: storyId,
    Voice: voiceId,
    AuditEntry: await idOf('SELECT id FROM audit_entries WHERE actor_id = $1', owner.id),
    GrantProposal: await proposalFor(owner),
  };
  lostThings = await thingsOf(suspended);
  await thingsOf(other);
  await thingsOf(auditor);
  await grantTo(url, admin, admin);
  await ask(url, UpdateProfile, { displayName: 'The Librarian' }, admin.token);
  await ask(url, SetUserRole, { userId: auditor.id, role: 'AUDITOR', reason: REASON }, admin.token);
  await ask(url, SuspendUser, { userId: suspended.id, reason: REASON }, admin.token);
  await until(
    'the suspension is known',
    async () => (await standing('suspended')) === 'ACCOUNT_SUSPENDED',
  );
  await until(
    'the role is known',
    async () =>
      (await send(url, '{ jobQueues { name } }', {}, { token: auditor.token })).errors.length === 0,
  );
});
afterAll(() => talebank.close());

const tokenOf = (viewer: Viewer): string | undefined =>
  viewer === 'anonymous' ? undefined : people[viewer].token;

const standing = async (viewer: Viewer): Promise<Verdict> =>
  verdictOf(await send<Data>(url, '{ me { id } }', {}, { token: tokenOf(viewer) }), 'me');

/** What a field gives without being told more: its leaves, or theirs. */
function selectionOf(type: GraphQLOutputType): string {
  const named = getNamedType(type);
  if (isUnionType(named)) return '{ __typename }';
  if (!isObjectType(named) && !isInterfaceType(named)) return '';
  const fields = Object.values(named.getFields()).filter(
    // A page of whole texts is more than an answer may have.
    ({ args, name }) => !args.some(isRequiredArgument) && name !== 'content',
  );
  const leaves = fields.filter((field) => isLeafType(getNamedType(field.type)));
  const chosen = leaves.length > 0 ? leaves : fields;
  return `{ __typename ${chosen.map((field) => field.name + selectionOf(field.type)).join(' ')} }`;
}

/** A document with every argument of a field as a variable. */
function documentOf(kind: Kind, name: string): string {
  const field = FIELDS[kind][name];
  if (field === undefined) throw new Error(`The schema has no ${kind} ${name}.`);
  const variables = field.args.map((arg) => `$${arg.name}: ${String(arg.type)}`).join(', ');
  const given = field.args.map((arg) => `${arg.name}: $${arg.name}`).join(', ');
  const [declared, passed] = given === '' ? ['', ''] : [`(${variables})`, `(${given})`];
  return `${kind}${declared} { ${name}${passed} ${selectionOf(field.type)} }`;
}

/** The status of the whole answer, where it is not 200. */
const STATUS: Readonly<Record<string, number>> = {
  UNAUTHENTICATED: 401,
  REFRESH_TOKEN_INVALID: 401,
};

/** As texts: what `fetch` reads has other prototypes than what is made here. */
const isSame = (one: unknown, other: unknown): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

const bodyOf = ({ status, data, errors }: Answer<Data>): object => ({ status, data, errors });

function verdictOf(answer: Answer<Data>, name: string): Verdict {
  const { status, data, errors } = answer;
  const value = data?.[name] ?? null;
  const [error] = errors;
  if (error === undefined && status === 200) return value === null ? 'null' : 'data';
  const code = error?.extensions.code ?? '';
  const isRefusal =
    errors.length === 1 &&
    isSame(error?.path, [name]) &&
    value === null &&
    status === (STATUS[code] ?? 200);
  return isRefusal ? code : JSON.stringify(bodyOf(answer));
}

interface Question {
  readonly kind: Kind;
  readonly name: string;
  readonly token: string | undefined;
  readonly variables: object;
  /** The same for an unknown id: a viewer who may not read an object must not be able to tell the two apart. */
  readonly never?: object | undefined;
  /** What it must be, where any data will not do. */
  readonly value?: object;
}

async function answerTo(question: Question): Promise<Verdict> {
  const { kind, name, token, variables, never, value } = question;
  const document = documentOf(kind, name);
  const ask = kind === 'subscription' ? firstEvent : send<Data>;
  const answer = await ask(url, document, variables, { token });
  const verdict = verdictOf(answer, name);
  if (verdict === 'data' && value !== undefined)
    return isSame(answer.data?.[name], value) ? verdict : JSON.stringify(bodyOf(answer));
  if (verdict !== 'NOT_FOUND' || never === undefined) return verdict;
  const nothing = await ask(url, document, never, { token });
  const bodies = [bodyOf(answer), bodyOf(nothing)] as const;
  return isSame(...bodies) ? verdict : JSON.stringify(bodies);
}

/** What a subscription begins with. */
async function firstEvent(...asked: Parameters<typeof follow>): Promise<Answer<Data>> {
  const following = await follow<Data>(...asked);
  await until('something is told', () => following.events.length > 0);
  following.close();
  const { status, headers, events } = following;
  return { status, headers, data: events[0]?.data ?? null, errors: events[0]?.errors ?? [] };
}

/** One after the other: what a viewer does must not be disturbed by what another does. */
async function rowOf(judge: (viewer: Viewer) => Promise<Verdict>): Promise<Row> {
  const row: Partial<Record<Viewer, Verdict>> = {};
  for (const viewer of VIEWERS) row[viewer] = await judge(viewer);
  return row as Row;
}

async function matrixOf(
  names: readonly string[],
  judge: (name: string, viewer: Viewer) => Promise<Verdict>,
): Promise<Record<string, Row>> {
  const matrix: Record<string, Row> = {};
  for (const name of names) matrix[name] = await rowOf((viewer) => judge(name, viewer));
  return matrix;
}

const mapped = <In, Out>(
  table: Readonly<Record<string, In>>,
  change: (value: In) => Out,
): Record<string, Out> =>
  Object.fromEntries(Object.entries(table).map(([name, value]) => [name, change(value)]));

const everyone = (verdict: Verdict, exceptions: Partial<Row> = {}): Row => ({
  anonymous: verdict,
  owner: verdict,
  other: verdict,
  suspended: verdict,
  auditor: verdict,
  administrator: verdict,
  ...exceptions,
});

const signedIn = (verdict: Verdict, exceptions: Partial<Row> = {}): Row =>
  everyone(verdict, {
    anonymous: 'UNAUTHENTICATED',
    suspended: 'ACCOUNT_SUSPENDED',
    ...exceptions,
  });

/** Only the owner finds it; all others do not, the administrator included. */
const ownerOnly = (verdict: Verdict): Row => signedIn('NOT_FOUND', { owner: verdict });

const administrators = (verdict: Verdict): Row => signedIn('FORBIDDEN', { administrator: verdict });

/** What auditors read as administrators do. */
const overseers = (verdict: Verdict): Row =>
  signedIn('FORBIDDEN', { auditor: verdict, administrator: verdict });

/** How what everyone may ask hides what is not for them. */
const hiddenExcept = (...viewers: readonly Viewer[]): Row =>
  everyone('NOT_FOUND', Object.fromEntries(viewers.map((viewer) => [viewer, 'data'])));

interface Entry {
  readonly expected: Row;
  readonly variables?: (viewer: Viewer) => object | Promise<object>;
  readonly never?: object;
  /** Where it must not be the token that everything else is asked with. */
  readonly token?: (viewer: Viewer) => Promise<string | undefined>;
}

const QUERIES: Readonly<Record<string, Entry>> = {
  me: {
    expected: everyone('data', { anonymous: 'null', suspended: 'ACCOUNT_SUSPENDED' }),
  },
  node: {
    expected: hiddenExcept('owner'),
    variables: () => ({ id: things['Audio'] }),
    never: { id: NEVER },
  },
  stories: { expected: everyone('data') },
  story: { expected: everyone('data'), variables: () => ({ id: storyId }) },
  voices: { expected: everyone('data') },
  audio: {
    expected: ownerOnly('data'),
    variables: () => ({ id: things['Audio'] }),
    never: { id: NEVER },
  },
  settings: { expected: everyone('data') },
  continueListening: { expected: signedIn('data'), variables: () => ({ first: 10 }) },
  quoteAudio: { expected: signedIn('data'), variables: () => ({ storyId, voiceId }) },
  creditLots: { expected: signedIn('data') },
  creditHistory: { expected: signedIn('data') },
  creditStatement: { expected: signedIn('data'), variables: () => ({ month: '2026-01' }) },
  statement: {
    expected: signedIn('data'),
    variables: () => ({ from: '2020-01-01T00:00:00Z', to: '2021-01-01T00:00:00Z' }),
  },
  transaction: {
    expected: signedIn('NOT_FOUND', { owner: 'data', auditor: 'data', administrator: 'data' }),
    variables: () => ({ id: things['CreditTransaction'] }),
    never: { id: NEVER },
  },
  user: { expected: overseers('data'), variables: () => ({ id: people.owner.id }) },
  creditReport: {
    expected: overseers('data'),
    variables: () => ({ from: '2020-01-01T00:00:00Z', to: '2021-01-01T00:00:00Z' }),
  },
  creditLiability: {
    expected: overseers('data'),
    variables: () => ({ from: '2020-01-01T00:00:00Z', to: '2021-01-01T00:00:00Z' }),
  },
  ledgerHealth: { expected: overseers('data') },
  users: { expected: overseers('data') },
  jobQueues: { expected: overseers('data') },
  auditLog: { expected: overseers('data') },
  allStories: { expected: overseers('data') },
  narrations: { expected: overseers('data') },
  failedJobs: { expected: overseers('data'), variables: () => ({ queue: 'send-mail' }) },
  creditSeries: {
    expected: overseers('data'),
    variables: () => ({
      from: '2020-01-01T00:00:00Z',
      to: '2021-01-01T00:00:00Z',
      bucket: 'MONTH',
    }),
  },
  proposals: { expected: overseers('data') },
  proposal: {
    expected: overseers('data'),
    variables: () => ({ id: things['GrantProposal'] }),
  },
};

const credentialsOf = (viewer: Viewer): { email: string; password: string } => {
  if (viewer === 'anonymous') return { email: 'nobody@example.com', password: PASSWORD };
  return viewer === 'administrator' ? ADMIN : { email: people[viewer].email, password: PASSWORD };
};

const newStranger = (): object => ({
  input: { email: `stranger-${randomBytes(6).toString('hex')}@example.com`, password: PASSWORD },
});

const story = { title: 'The Sun', author: 'Nobody', language: 'en', content: 'The sun rose.' };
const grant = { source: 'ADD_ON', reason: REASON, idempotencyKey: 'the-matrix' };
const aboutOwner = (): { userId: string; reason: string } => ({
  userId: people.owner.id,
  reason: REASON,
});

/** With what changes nothing, or is refused behind the door: running them all leaves everyone as they are. */
const MUTATIONS: Readonly<Record<string, Entry>> = {
  register: { expected: everyone('data'), variables: newStranger },
  login: {
    expected: everyone('data', {
      anonymous: 'INVALID_CREDENTIALS',
      suspended: 'ACCOUNT_SUSPENDED',
    }),
    variables: (viewer) => ({ input: credentialsOf(viewer) }),
  },
  refreshSession: {
    expected: everyone('data', {
      anonymous: 'REFRESH_TOKEN_INVALID',
      suspended: 'ACCOUNT_SUSPENDED',
    }),
    variables: (viewer) => ({
      refreshToken: viewer === 'anonymous' ? 'nonsense' : people[viewer].refreshToken,
    }),
  },
  logout: {
    expected: signedIn('data'),
    // Only who is let in has another device to lose.
    token: async (viewer) =>
      viewer === 'anonymous' || viewer === 'suspended'
        ? tokenOf(viewer)
        : (await throwaway(people[viewer])).token,
  },
  revokeSession: {
    expected: ownerOnly('data'),
    variables: async () => ({ id: await deviceOf(await throwaway(people.owner)) }),
    never: { id: NEVER },
  },
  revokeOtherSessions: { expected: signedIn('data') },
  changePassword: {
    expected: signedIn('INVALID_CREDENTIALS'),
    variables: () => ({ currentPassword: 'a wrong password', newPassword: 'quite another one' }),
  },
  requestPasswordReset: {
    expected: everyone('data'),
    variables: () => ({ email: 'nobody@example.com' }),
  },
  resetPassword: {
    expected: everyone('TOKEN_INVALID'),
    variables: () => ({ token: 'nonsense', newPassword: 'quite another one' }),
  },
  verifyEmail: { expected: everyone('TOKEN_INVALID'), variables: () => ({ token: 'nonsense' }) },
  resendVerification: { expected: signedIn('data') },
  exportMyData: {
    expected: signedIn('INVALID_CREDENTIALS'),
    variables: () => ({ password: 'a wrong password' }),
  },
  changeEmail: {
    expected: signedIn('INVALID_CREDENTIALS'),
    variables: () => ({ newEmail: 'another@example.com', password: 'a wrong password' }),
  },
  updateProfile: { expected: signedIn('data') },
  deleteAccount: {
    expected: signedIn('INVALID_CREDENTIALS'),
    variables: () => ({ password: 'a wrong password' }),
  },
  reportListening: {
    expected: ownerOnly('data'),
    variables: () => ({
      input: { audioId: things['Audio'], positionMs: 0, at: '2020-01-01T00:00:00Z' },
    }),
    never: { input: { audioId: NEVER, positionMs: 0, at: '2020-01-01T00:00:00Z' } },
  },
  addBookmark: {
    expected: ownerOnly('data'),
    variables: () => ({ audioId: things['Audio'], positionMs: 0 }),
    never: { audioId: NEVER, positionMs: 0 },
  },
  removeBookmark: { expected: signedIn('NOT_FOUND'), variables: () => ({ id: NEVER }) },
  setFavourite: {
    expected: signedIn('data'),
    variables: () => ({ storyId, favourite: true }),
  },
  markNoticesRead: { expected: signedIn('NOT_FOUND'), variables: () => ({ upTo: NEVER }) },
  updateSettings: { expected: signedIn('data') },
  deleteAudio: {
    expected: signedIn('NOT_FOUND', { auditor: 'FORBIDDEN' }),
    variables: () => ({ id: NEVER }),
  },
  cancelAudio: {
    expected: signedIn('NOT_FOUND', { auditor: 'FORBIDDEN' }),
    variables: () => ({ id: NEVER }),
  },
  synthesizeAudio: {
    expected: signedIn('PRICE_CHANGED', { auditor: 'FORBIDDEN' }),
    variables: () => ({ input: { storyId: freshStoryId, voiceId, maxCredits: 0 } }),
  },
  grantCredits: {
    expected: administrators('BAD_USER_INPUT'),
    variables: () => ({ input: { ...grant, userId: people.owner.id, amount: 0 } }),
  },
  bulkGrantCredits: {
    expected: administrators('data'),
    variables: () => ({
      input: { ...grant, dryRun: true, rows: [{ userId: people.owner.id, amount: 1 }] },
    }),
  },
  revokeCreditLot: {
    expected: administrators('CONFLICT'),
    variables: () => ({
      input: { lotId: things['CreditLot'], reason: REASON, expectedRemaining: 1_000_000 },
    }),
  },
  revokeBulkGrant: {
    expected: administrators('NOT_FOUND'),
    variables: () => ({ idempotencyKey: 'never', reason: REASON }),
  },
  refundAudio: {
    expected: administrators('BAD_USER_INPUT'),
    variables: () => ({ input: { audioId: things['Audio'], reason: ' ' } }),
  },
  setMonthlyCredits: {
    expected: administrators('data'),
    variables: () => ({ ...aboutOwner(), amount: null }),
  },
  approveProposal: {
    expected: administrators('NOT_FOUND'),
    variables: () => ({ id: NEVER, reason: REASON }),
  },
  declineProposal: {
    expected: administrators('NOT_FOUND'),
    variables: () => ({ id: NEVER, reason: REASON }),
  },
  runMaintenance: {
    expected: administrators('data'),
    variables: () => ({ task: 'RECONCILE_CREDITS' }),
  },
  redriveJobs: {
    expected: administrators('NOT_FOUND'),
    variables: () => ({ queue: 'nonsense' }),
  },
  setUserRole: {
    expected: administrators('data'),
    variables: () => ({ ...aboutOwner(), role: 'USER' }),
  },
  suspendUser: {
    expected: administrators('CONFLICT'),
    // The last administrator keeps the role.
    variables: () => ({ userId: people.administrator.id, reason: REASON }),
  },
  reinstateUser: { expected: administrators('data'), variables: aboutOwner },
  createStory: {
    expected: administrators('BAD_USER_INPUT'),
    variables: () => ({ input: { ...story, title: ' ' } }),
  },
  updateStory: {
    expected: administrators('NOT_FOUND'),
    variables: () => ({ id: NEVER, input: story }),
  },
  deleteStory: { expected: administrators('NOT_FOUND'), variables: () => ({ id: NEVER }) },
};

const SUBSCRIPTIONS: Readonly<Record<string, Entry>> = {
  audioUpdated: {
    expected: ownerOnly('data'),
    variables: () => ({ id: things['Audio'] }),
    never: { id: NEVER },
  },
  creditsUpdated: { expected: signedIn('data') },
  changes: { expected: signedIn('data') },
};

/** What comes of the owner's thing of each type, by `node(id:)`. */
const NODES: Readonly<Record<string, Row>> = {
  Story: everyone('data'),
  Voice: everyone('data'),
  User: hiddenExcept('owner', 'auditor', 'administrator'),
  Session: hiddenExcept('owner'),
  Audio: hiddenExcept('owner'),
  CreditLot: hiddenExcept('owner'),
  CreditTransaction: hiddenExcept('owner', 'auditor', 'administrator'),
  AuditEntry: hiddenExcept('auditor', 'administrator'),
  GrantProposal: hiddenExcept('auditor', 'administrator'),
};

const judgeEntry =
  (kind: Kind, table: Readonly<Record<string, Entry>>) =>
  async (name: string, viewer: Viewer): Promise<Verdict> => {
    const { variables, never, token } = table[name] ?? {};
    return answerTo({
      kind,
      name,
      token: await (token ?? tokenOf)(viewer),
      variables: (await variables?.(viewer)) ?? {},
      never,
    });
  };

const sorted = (table: object): string[] => Object.keys(table).sort();

test('the tables have a row for everything in the schema, and none for what is not there', () => {
  expect(sorted(QUERIES)).toEqual(sorted(FIELDS.query));
  expect(sorted(MUTATIONS)).toEqual(sorted(FIELDS.mutation));
  expect(sorted(SUBSCRIPTIONS)).toEqual(sorted(FIELDS.subscription));
  expect(sorted(NODES)).toEqual([...NODE_TYPES].sort());
  expect(sorted(things)).toEqual([...NODE_TYPES].sort());
});

test('every query answers everyone as it should', async () => {
  expect(await matrixOf(Object.keys(FIELDS.query), judgeEntry('query', QUERIES))).toEqual(
    mapped(QUERIES, ({ expected }) => expected),
  );
});

test('every subscription answers everyone as it should', async () => {
  const names = Object.keys(FIELDS.subscription);
  expect(await matrixOf(names, judgeEntry('subscription', SUBSCRIPTIONS))).toEqual(
    mapped(SUBSCRIPTIONS, ({ expected }) => expected),
  );
});

/** Who the viewers are and how many movements they have. */
const stateOfPeople = (): Promise<object[]> =>
  talebank.database.sql(
    `SELECT (to_jsonb(u) - 'updated_at')::text AS person, a.last_seq FROM users u JOIN credit_accounts a ON a.user_id = u.id
     WHERE u.id = ANY($1) ORDER BY u.id`,
    [Object.values(people).map(({ id }) => id)],
  );

test('every mutation answers everyone as it should, and leaves them as they were', async () => {
  const before = await stateOfPeople();
  expect(before).toHaveLength(Object.keys(people).length);
  expect(await matrixOf(Object.keys(FIELDS.mutation), judgeEntry('mutation', MUTATIONS))).toEqual(
    mapped(MUTATIONS, ({ expected }) => expected),
  );
  expect(await rowOf(standing)).toEqual(QUERIES['me']?.expected);
  expect(await stateOfPeople()).toEqual(before);
});

/** A thing by its id: `data` only when it is that very thing. */
const judgeNode = (type: string, id: string, viewer: Viewer): Promise<Verdict> =>
  answerTo({
    kind: 'query',
    name: 'node',
    token: tokenOf(viewer),
    variables: { id },
    never: { id: NEVER },
    value: { __typename: type, id },
  });

test('every object with an id is found by those who may read it, and unknown to all others', async () => {
  const judge = (type: string, viewer: Viewer): Promise<Verdict> =>
    judgeNode(type, things[type] ?? '', viewer);
  expect(await matrixOf(NODE_TYPES, judge)).toEqual(NODES);
  expect(await rowOf((viewer) => judgeNode('Node', NEVER, viewer))).toEqual(hiddenExcept());
});

test('a suspended user does not find their own objects; administrators and auditors do', async () => {
  const judge = (type: string, viewer: Viewer): Promise<Verdict> =>
    judgeNode(type, lostThings[type] ?? '', viewer);
  expect(await matrixOf(Object.keys(lostThings), judge)).toEqual({
    ...mapped(lostThings, () => hiddenExcept()),
    User: hiddenExcept('auditor', 'administrator'),
    CreditTransaction: hiddenExcept('auditor', 'administrator'),
  });
});

test('a draft is there for administrators and auditors only, and for everyone else as if it never was', async () => {
  const asked: Readonly<Record<string, Omit<Question, 'token'> & { expected: Row }>> = {
    'story by id': {
      kind: 'query',
      name: 'story',
      variables: { id: draft.id },
      never: { id: NEVER },
      expected: hiddenExcept('auditor', 'administrator'),
    },
    'story by slug': {
      kind: 'query',
      name: 'story',
      variables: { slug: draft.slug },
      never: { slug: 'never-was' },
      expected: hiddenExcept('auditor', 'administrator'),
    },
    node: {
      kind: 'query',
      name: 'node',
      variables: { id: draft.id },
      never: { id: NEVER },
      expected: hiddenExcept('auditor', 'administrator'),
    },
    quoteAudio: {
      kind: 'query',
      name: 'quoteAudio',
      variables: { storyId: draft.id, voiceId },
      never: { storyId: NEVER, voiceId },
      expected: signedIn('NOT_FOUND', { auditor: 'data', administrator: 'data' }),
    },
    synthesizeAudio: {
      kind: 'mutation',
      name: 'synthesizeAudio',
      variables: { input: { storyId: draft.id, voiceId, maxCredits: 0 } },
      never: { input: { storyId: NEVER, voiceId, maxCredits: 0 } },
      expected: signedIn('NOT_FOUND', { auditor: 'FORBIDDEN', administrator: 'PRICE_CHANGED' }),
    },
  };
  const judge = async (name: string, viewer: Viewer): Promise<Verdict> => {
    const question = asked[name];
    return question === undefined ? '' : answerTo({ ...question, token: tokenOf(viewer) });
  };
  expect(await matrixOf(Object.keys(asked), judge)).toEqual(
    mapped(asked, ({ expected }) => expected),
  );
});

const selectionOfPerson = (fields: readonly string[]): string =>
  fields
    .map((name) => {
      const field = USER_FIELDS[name];
      return field === undefined ? '' : `${name} ${selectionOf(field.type)}`;
    })
    .join(' ');

test('a sign-in sees its whole account within the same request, also with the token of another user', async () => {
  const document = `mutation ($input: LoginInput!) {
    login(input: $input) { user { ${selectionOfPerson(Object.keys(USER_FIELDS))} } }
  }`;
  const input = credentialsOf('other');
  for (const viewer of VIEWERS) {
    const { status, data, errors } = await send<{ login: { user: Data } }>(
      url,
      document,
      { input },
      { token: tokenOf(viewer) },
    );
    expect({ status, errors }).toEqual({ status: 200, errors: [] });
    expect(sorted(data?.login.user ?? {})).toEqual(sorted(USER_FIELDS));
    expect(data?.login.user).toMatchObject({ id: people.other.id, email: people.other.email });
  }
});

test('what is asked for without an id is the viewer’s own', async () => {
  const document = `query ($storyId: ID!) {
    me {
      creditLots(first: 100) { nodes { id } }
      creditHistory(first: 100) { nodes { id } }
      audio(first: 100) { nodes { id } }
      sessions { id }
    }
    creditLots(first: 100) { nodes { id } }
    creditHistory(first: 100) { nodes { id } }
    story(id: $storyId) { audio { id } }
  }`;
  type Things = readonly { readonly id: string }[];
  const ids = (found: Things): string[] => found.map(({ id }) => id).sort();
  for (const viewer of ['owner', 'other', 'auditor', 'administrator'] as const) {
    const { id: userId, token } = people[viewer];
    const { data, errors } = await send<{
      me: Record<'creditLots' | 'creditHistory' | 'audio', { nodes: Things }> & {
        sessions: Things;
      };
      creditLots: { nodes: Things };
      creditHistory: { nodes: Things };
      story: { audio: Things };
    }>(url, document, { storyId }, { token });
    expect(errors).toEqual([]);
    const owned = async (table: string): Promise<string[]> =>
      ids(await talebank.database.sql(`SELECT id FROM ${table} WHERE user_id = $1`, [userId]));
    const lots = await owned('credit_lots');
    const movements = await owned('credit_transactions');
    const narrations = await owned('audios');
    expect(lots).not.toEqual([]);
    expect(narrations).toHaveLength(viewer === 'administrator' ? 0 : 1);
    expect(
      data &&
        mapped({ ...data.me, sessions: { nodes: data.me.sessions } }, (list) => ids(list.nodes)),
    ).toEqual({
      creditLots: lots,
      creditHistory: movements,
      audio: narrations,
      sessions: ids(
        await talebank.database.sql(
          'SELECT id FROM sessions WHERE user_id = $1 AND revoked_at IS NULL',
          [userId],
        ),
      ),
    });
    expect(ids(data?.creditLots.nodes ?? [])).toEqual(lots);
    expect(ids(data?.creditHistory.nodes ?? [])).toEqual(movements);
    expect(ids(data?.story.audio ?? [])).toEqual(narrations);
  }
  for (const viewer of ['anonymous', 'suspended'] as const) {
    const { data, errors } = await send<Data>(
      url,
      'query ($storyId: ID!) { story(id: $storyId) { audio { id } } }',
      { storyId },
      { token: tokenOf(viewer) },
    );
    expect({ data, errors }).toEqual({ data: { story: { audio: [] } }, errors: [] });
  }
});
