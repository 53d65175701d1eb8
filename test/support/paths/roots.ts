import { randomBytes } from 'node:crypto';
import {
  credentialsOf,
  EMPTY_GRANT_KEY,
  MAIL_PART,
  NARRATION_KEY,
  PASSWORD,
  type Listener,
} from './world.js';
import type { Things, Viewer, World } from './world.js';

/** `value`, `null`, or the code with which a root field is refused. */
export type Verdict = string;
export type Row = Readonly<Record<Viewer, Verdict>>;

/** Whose the object is that a root field gives, where the object has no id that says it. */
export type Whose = 'public' | 'viewer' | 'admin';

/** A root field with its arguments. */
export interface Root {
  /** `Type.field` of the root. */
  readonly field: string;
  /** What tells it from the same field with other arguments. */
  readonly label: string;
  readonly expected: Row;
  readonly whose: Whose;
  /** The type whose fields are asked for, where the field gives an interface. */
  readonly type?: string;
  readonly argumentsFor: (viewer: Viewer) => string;
  readonly hopsMax?: number;
}

const everyone = (verdict: Verdict, exceptions: Partial<Row> = {}): Row => ({
  stranger: verdict,
  ann: verdict,
  ben: verdict,
  sue: verdict,
  auditor: verdict,
  administrator: verdict,
  ...exceptions,
});
const signedIn = (verdict: Verdict, exceptions: Partial<Row> = {}): Row =>
  everyone(verdict, { stranger: 'UNAUTHENTICATED', sue: 'ACCOUNT_SUSPENDED', ...exceptions });
const administrators = signedIn('FORBIDDEN', { administrator: 'value' });
const overseers = signedIn('FORBIDDEN', { auditor: 'value', administrator: 'value' });
const ownerAlone = (owner: Listener): Row => signedIn('NOT_FOUND', { [owner]: 'value' });
/** What all may ask for hides what is not for them. */
const hiddenExcept = (...viewers: readonly Viewer[]): Row =>
  everyone('NOT_FOUND', Object.fromEntries(viewers.map((viewer) => [viewer, 'value'])));

/** The value of an argument as GraphQL writes it; names in capitals are the values of enums. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((one: unknown) => literal(one)).join(', ')}]`;
  if (typeof value === 'object' && value !== null) return `{ ${listed(value)} }`;
  return typeof value === 'string' && /^[A-Z]+(?:_[A-Z]+)*$/.test(value)
    ? value
    : JSON.stringify(value);
}
const listed = (given: object): string =>
  Object.entries(given)
    .map(([name, value]) => `${name}: ${literal(value)}`)
    .join(', ');
const call = (given: object): string =>
  Object.keys(given).length === 0 ? '' : `(${listed(given)})`;

type Given = Readonly<Record<string, unknown>>;

const root = (
  field: string,
  whose: Whose,
  expected: Row,
  given: Given | ((viewer: Viewer) => Given) = {},
  more: Partial<Root> = {},
): Root => ({
  field,
  label: field,
  whose,
  expected,
  argumentsFor: (viewer) => call(typeof given === 'function' ? given(viewer) : given),
  ...more,
});

/** Only the owner finds objects of these types by their id. Administrators and auditors do not. */
const OWNED = ['Session', 'Audio', 'CreditLot'] as const;
const OVERSEEN = ['User', 'CreditTransaction'] as const;

function nodesOf(owner: Listener, things: Things): Root[] {
  const node = (type: keyof Things, expected: Row, whose: Whose): Root =>
    root(
      'Query.node',
      whose,
      expected,
      { id: things[type] },
      { type, label: `Query.node of ${owner}’s ${type}` },
    );
  return [
    ...OWNED.map((type) => node(type, hiddenExcept(owner), 'viewer')),
    ...OVERSEEN.map((type) =>
      node(type, hiddenExcept(owner, 'auditor', 'administrator'), 'viewer'),
    ),
    node('AuditEntry', hiddenExcept('auditor', 'administrator'), 'admin'),
  ];
}

const ofBoth = (make: (owner: Listener) => readonly Root[]): Root[] =>
  (['ann', 'ben'] as const).flatMap((owner) =>
    make(owner).map((one) => ({
      ...one,
      label: one.label.includes(owner) ? one.label : `${one.label} of ${owner}’s`,
    })),
  );

function queries(world: World): Root[] {
  const { talebank, things, storyId, freshStoryId, draftId, voiceId, people, proposals } = world;
  const now = talebank.database.ledgerTime().toISOString();
  const node = (type: string, id: string): Root =>
    root(
      'Query.node',
      'public',
      everyone('value'),
      { id },
      { type, label: `Query.node of a ${type}` },
    );
  return [
    root(
      'Query.me',
      'viewer',
      everyone('value', { stranger: 'null', sue: 'ACCOUNT_SUSPENDED' }),
      {},
      // One hop more than elsewhere, because the actors of a lot's movements are five hops away.
      { hopsMax: 5 },
    ),
    root(
      'Query.user',
      'admin',
      overseers,
      { email: people.ann.email },
      { label: 'Query.user by address', hopsMax: 1 },
    ),
    root('Query.stories', 'public', everyone('value'), { first: 6 }),
    root('Query.story', 'public', everyone('value'), { id: storyId }),
    root('Query.voices', 'public', everyone('value')),
    root('Query.quoteAudio', 'viewer', signedIn('value'), { storyId, voiceId }),
    root(
      'Query.quoteAudio',
      'viewer',
      signedIn('value'),
      { storyId: freshStoryId, voiceId },
      { label: 'Query.quoteAudio of a story that was never narrated' },
    ),
    root('Query.continueListening', 'viewer', signedIn('value'), { first: 6 }, { hopsMax: 2 }),
    root('Query.settings', 'public', everyone('value')),
    root('Query.creditLots', 'viewer', signedIn('value'), { first: 6 }),
    root('Query.creditHistory', 'viewer', signedIn('value'), { first: 6 }),
    root('Query.creditStatement', 'viewer', signedIn('value'), { month: now.slice(0, 7) }),
    root('Query.statement', 'viewer', signedIn('value'), { from: '2020-01-01T00:00:00Z', to: now }),
    root('Query.creditReport', 'admin', overseers, { from: '2020-01-01T00:00:00Z', to: now }),
    root(
      'Query.creditSeries',
      'admin',
      overseers,
      { from: '2026-01-01T00:00:00Z', to: now, bucket: 'MONTH' },
      { hopsMax: 2 },
    ),
    root('Query.allStories', 'admin', overseers, { first: 3 }, { hopsMax: 2 }),
    root('Query.narrations', 'admin', overseers, { first: 3 }, { hopsMax: 2 }),
    root('Query.failedJobs', 'admin', overseers, { first: 3, queue: 'fail-audio' }, { hopsMax: 2 }),
    root('Query.creditLiability', 'admin', overseers, { from: '2020-01-01T00:00:00Z', to: now }),
    root('Query.ledgerHealth', 'admin', overseers),
    root('Query.users', 'admin', overseers, { first: 6, search: MAIL_PART }),
    root('Query.jobQueues', 'admin', overseers),
    root('Query.auditLog', 'admin', overseers, { first: 6 }),
    root('Query.proposals', 'admin', overseers, { first: 6 }, { hopsMax: 3 }),
    root('Query.proposal', 'admin', overseers, { id: proposals.pending }, { hopsMax: 2 }),
    root(
      'Query.node',
      'admin',
      hiddenExcept('auditor', 'administrator'),
      { id: proposals.pending },
      { type: 'GrantProposal', label: 'Query.node of a proposal', hopsMax: 2 },
    ),
    node('Story', storyId),
    node('Voice', voiceId),
    root(
      'Query.story',
      'admin',
      hiddenExcept('auditor', 'administrator'),
      { id: draftId },
      { label: 'Query.story of a draft' },
    ),
    root(
      'Query.node',
      'admin',
      hiddenExcept('auditor', 'administrator'),
      { id: draftId },
      { type: 'Story', label: 'Query.node of a draft' },
    ),
    ...ofBoth((owner) => [
      ...nodesOf(owner, things[owner]),
      root('Query.audio', 'viewer', ownerAlone(owner), { id: things[owner].Audio }),
      root(
        'Query.transaction',
        'viewer',
        signedIn('NOT_FOUND', { [owner]: 'value', auditor: 'value', administrator: 'value' }),
        { id: things[owner].CreditTransaction },
      ),
      root('Query.user', 'admin', overseers, { id: people[owner].id }),
    ]),
  ];
}

function subscriptions({ things }: World): Root[] {
  return [
    root('Subscription.creditsUpdated', 'viewer', signedIn('value')),
    ...ofBoth((owner) => [
      root('Subscription.audioUpdated', 'viewer', ownerAlone(owner), { id: things[owner].Audio }),
    ]),
  ];
}

const story = (title: string): object => ({
  title,
  author: 'Unknown',
  language: 'en',
  content: 'The sun rose.',
  published: true,
});

/** With what changes nothing that the others look at. */
function mutations(world: World): Root[] {
  const { things, people, proposals, storyId, freshStoryId, voiceId } = world;
  const reason = 'For the paths';
  const about = { userId: people.ann.id, reason };
  const grant = { source: 'ADD_ON', reason, idempotencyKey: 'paths' };
  const stranger = (): Given => ({
    input: { email: `new-${randomBytes(6).toString('hex')}@example.com`, password: PASSWORD },
  });
  // What they lead to is asked for by queries in full; here it is what stands in the payload itself.
  const short = { hopsMax: 3 };
  return [
    root('Mutation.register', 'viewer', everyone('value'), stranger, short),
    root(
      'Mutation.login',
      'viewer',
      everyone('value', { stranger: 'INVALID_CREDENTIALS', sue: 'ACCOUNT_SUSPENDED' }),
      (viewer) => ({ input: credentialsOf(world, viewer) }),
      short,
    ),
    root('Mutation.updateProfile', 'viewer', signedIn('value'), {}, short),
    root('Mutation.updateSettings', 'viewer', signedIn('value'), { locale: 'en' }, { hopsMax: 1 }),
    root(
      'Mutation.exportMyData',
      'viewer',
      signedIn('value'),
      (viewer) => ({ password: credentialsOf(world, viewer).password }),
      { hopsMax: 1 },
    ),
    root(
      'Mutation.synthesizeAudio',
      'viewer',
      signedIn('value', { auditor: 'FORBIDDEN' }),
      { input: { storyId, voiceId, idempotencyKey: `${NARRATION_KEY}-${storyId}` } },
      short,
    ),
    ...ofBoth((owner) => [
      root(
        'Mutation.cancelAudio',
        'viewer',
        { ...ownerAlone(owner), auditor: 'FORBIDDEN' },
        { id: things[owner].cancelledAudio },
        short,
      ),
    ]),
    ...ofBoth((owner) => [
      root(
        'Mutation.reportListening',
        'viewer',
        ownerAlone(owner),
        { input: { audioId: things[owner].Audio, positionMs: 0, at: '2020-01-01T00:00:00Z' } },
        { hopsMax: 1 },
      ),
    ]),
    root(
      'Mutation.setFavourite',
      'viewer',
      signedIn('value'),
      { storyId, favourite: true },
      { hopsMax: 1 },
    ),
    root(
      'Mutation.grantCredits',
      'admin',
      administrators,
      { input: { ...grant, userId: people.sue.id, amount: 1 } },
      short,
    ),
    root('Mutation.bulkGrantCredits', 'admin', administrators, {
      input: {
        ...grant,
        dryRun: true,
        rows: [
          { userId: people.ann.id, amount: 1 },
          { email: 'unknown@example.com', amount: 1 },
        ],
      },
    }),
    root(
      'Mutation.revokeCreditLot',
      'admin',
      administrators,
      { input: { lotId: things.sue.CreditLot, reason } },
      short,
    ),
    root('Mutation.revokeBulkGrant', 'admin', administrators, {
      idempotencyKey: EMPTY_GRANT_KEY,
      reason,
    }),
    root(
      'Mutation.refundAudio',
      'admin',
      administrators,
      { input: { audioId: things.sue.Audio, reason } },
      short,
    ),
    root('Mutation.setMonthlyCredits', 'admin', administrators, { ...about, amount: 0 }, short),
    root(
      'Mutation.approveProposal',
      'admin',
      administrators,
      { id: proposals.approved, reason },
      short,
    ),
    root(
      'Mutation.declineProposal',
      'admin',
      administrators,
      { id: proposals.declined, reason },
      short,
    ),
    root('Mutation.setUserRole', 'admin', administrators, { ...about, role: 'USER' }, short),
    root(
      'Mutation.suspendUser',
      'admin',
      administrators,
      { ...about, userId: people.sue.id },
      short,
    ),
    root('Mutation.reinstateUser', 'admin', administrators, about, short),
    root('Mutation.runMaintenance', 'admin', administrators, { task: 'RECONCILE_CREDITS' }),
    root(
      'Mutation.createStory',
      'public',
      administrators,
      () => ({ input: story(`The Sun ${randomBytes(4).toString('hex')}`) }),
      short,
    ),
    root(
      'Mutation.updateStory',
      'public',
      administrators,
      { id: freshStoryId, input: story('The Sun') },
      short,
    ),
  ];
}

/** Root fields that are not asked for, because another one gives the same payload without harm. */
export const SAME_AS: Readonly<Record<string, string>> = {
  'Mutation.addBookmark': 'Query.audio',
  'Mutation.changePassword': 'Mutation.login',
  'Mutation.refreshSession': 'Mutation.login',
  'Subscription.changes': 'Subscription.audioUpdated',
};

/** Queries and subscriptions first: what they show is not to change while they are asked. */
export const rootsOf = (world: World): Root[] => [
  ...queries(world),
  ...subscriptions(world),
  ...mutations(world),
];
