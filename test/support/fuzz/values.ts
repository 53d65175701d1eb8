/** What random operations are given: what people send, and what they send by mistake or to do harm. */

/** What only a running server knows, and makes anew each time. */
export const KNOWN = [
  'user',
  'story',
  'voice',
  'audio',
  'lot',
  'transaction',
  'session',
  'auditEntry',
  'proposal',
  'email',
  'notice',
  'slug',
  'queue',
  'cursor',
  'refreshToken',
  'mailedToken',
  'end',
] as const;
export type Known = (typeof KNOWN)[number];

/** Written by us, so that it can be sent: what a person signs up and in with. */
export const PASSWORD = 'a good password';

export type Value =
  | { readonly is: 'text'; readonly text: string }
  /** A number, true, false or null. */
  | { readonly is: 'bare'; readonly text: string }
  | { readonly is: 'name'; readonly text: string }
  | { readonly is: 'list'; readonly of: readonly Value[] }
  | { readonly is: 'object'; readonly of: readonly (readonly [string, Value])[] };

export const text = (value: string): Value => ({ is: 'text', text: value });
export const bare = (value: string | number): Value => ({ is: 'bare', text: String(value) });
export const list = (...of: readonly Value[]): Value => ({ is: 'list', of });
export const object = (...of: readonly (readonly [string, Value])[]): Value => ({
  is: 'object',
  of,
});

export function asLiteral(value: Value): string {
  if (value.is === 'text') return JSON.stringify(value.text);
  if (value.is === 'list') return `[${value.of.map(asLiteral).join(', ')}]`;
  if (value.is === 'object')
    return `{${value.of.map(([name, one]) => `${name}: ${asLiteral(one)}`).join(', ')}}`;
  return value.text;
}

export function asJson(value: Value): string {
  if (value.is === 'text' || value.is === 'name') return JSON.stringify(value.text);
  if (value.is === 'list') return `[${value.of.map(asJson).join(',')}]`;
  if (value.is === 'object')
    return `{${value.of.map(([name, one]) => `${JSON.stringify(name)}:${asJson(one)}`).join(',')}}`;
  return value.text;
}

export const HOSTILE_TEXTS: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'half \udfff of a pair',
  '\n',
  '\u0007\u001b[31m',
  "'; DROP TABLE users; --",
  '" OR 1=1 --',
  '\\',
  '%',
  '_',
  '%00',
  '%s%n',
  '${7*7}{{7*7}}',
  '__proto__',
  'constructor',
  'toString',
  'null',
  '<script>alert(1)</script>',
  '../../../../etc/shadow',
  'javascript:alert(1)',
  'http://[::1',
  '\u202egnp.exe\u202c',
  'שלום مرحبا',
  '👩‍👩‍👧‍👦🏳️‍🌈',
  'e\u0301'.repeat(300),
  'İıßﬁ',
  '\ufeff\u200b\u2028',
  '\u{10ffff}',
  'x'.repeat(101),
  'x'.repeat(256),
  'x'.repeat(501),
  'x'.repeat(5_000),
  '🐉'.repeat(20_000),
  'x'.repeat(200_001),
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  '01a20913-a983-7170-9b82-b7c210f5dbba',
  '{01a20913-a983-7170-9b82-b7c210f5dbba}',
  '01a20913a98371709b82b7c210f5dbba',
  'espeak:en\0',
  'a@b.example\r\nBcc: c@d.example',
  `${'x'.repeat(250)}@example.com`,
  'zażółć@example.com',
  'Someone <someone@example.com>',
];

const cursor = (...parts: readonly unknown[]): string =>
  Buffer.from(JSON.stringify(parts)).toString('base64url');

const ID = '01a20913-a983-7170-9b82-b7c210f5dbba';
const INSTANTS_OF_CURSORS = [
  '2026-11-22T14:00:00.000Z',
  '0000-01-01T00:00:00Z',
  '0001-01-01T00:00:00.000Z',
  '9999-12-31T23:59:59.999999999Z',
  '2026-02-30T00:00:00Z',
  'infinity',
];
/** In the form of the server's own, with what it never put in. */
export const FORGED_CURSORS: readonly string[] = [
  ...[
    'stories',
    'stories:NEWEST',
    'stories:TITLE',
    'stories:LONGEST',
    'users',
    'auditLog',
    'proposals',
    'audio',
    'allStories',
    'narrations',
    'notices',
  ].flatMap((kind) => [
    cursor(kind, ID.toUpperCase()),
    cursor(kind, "' OR 1=1"),
    cursor(kind, null),
    ...INSTANTS_OF_CURSORS.map((at) => cursor(kind, [at, ID])),
  ]),
  ...['creditHistory', 'lotTransactions'].flatMap((kind) =>
    [0, -1, 1, 1.5, 1e300, 2 ** 31, 2 ** 31 - 1, Number.MAX_SAFE_INTEGER, '1', [1]].map((seq) =>
      cursor(kind, seq),
    ),
  ),
  ...INSTANTS_OF_CURSORS.map((at) => cursor('creditLots', [at, ID])),
  cursor('creditLots', ['2026-11-22T14:00:00.000Z', 'x']),
  ...[0, -1, 1.5, 1e300, Number.MAX_SAFE_INTEGER].map((at) => cursor('failedJobs', [at, ID])),
  'W10',
  'bnVsbA',
  '====',
  Buffer.from('["stories","\0"]').toString('base64'),
];

export const HOSTILE_INSTANTS: readonly string[] = [
  '',
  'now',
  '2026-11-22',
  '2026-11-22T14:00:00',
  '2026-11-22 14:00:00Z',
  '2026-02-30T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-11-22T24:00:00Z',
  '2026-11-22T23:59:60Z',
  '2026-11-22T14:00:00+24:00',
  '2026-11-22T14:00:00-23:59',
  '2026-11-22t14:00:00.123456789z',
  '0000-01-01T00:00:00Z',
  '0000-01-01T00:00:00+23:59',
  '0001-01-01T00:00:00Z',
  '0001-01-01T00:00:00+14:00',
  '1582-10-10T00:00:00Z',
  '1969-12-31T23:59:59.999Z',
  '9999-12-31T23:59:59.999Z',
  '9999-12-31T23:59:59.999-23:59',
  '+275760-09-13T00:00:00Z',
  '275760-09-13T00:00:00Z',
  '-000001-01-01T00:00:00Z',
];

export const HOSTILE_NUMBERS: readonly string[] = [
  ...['0', '-0', '-1', '1.5', '1.0', '1e3', '1e-7', '1e400', '-1e400', '101', '3661', '1000001'],
  ...['2147483647', '2147483648', '-2147483648', '-2147483649', '9007199254740993'],
  '123456789012345678901234567890',
];

/** What none of the types is written as. */
export const MISPLACED: readonly Value[] = [
  bare('null'),
  bare('true'),
  bare('0'),
  bare('-1.5e300'),
  text('text'),
  { is: 'name', text: 'NAME' },
  list(),
  list(bare('null')),
  list(list(list(text('deep')))),
  object(),
  object(['__proto__', object(['admin', bare('true')])]),
  object(['constructor', object(['prototype', bare('null')])]),
  object(['id', text('x')], ['id', text('y')]),
];

/** By name, what an argument or input field of it may sensibly be; the names mean the same everywhere. */
export const SENSIBLE: Readonly<Record<string, readonly Value[]>> = {
  password: [text(PASSWORD)],
  currentPassword: [text(PASSWORD)],
  // Mostly the same one, so that those who sign in later still can.
  newPassword: [text(PASSWORD), text(PASSWORD), text(PASSWORD), text('another good password')],
  language: [text('en'), text('en'), text('pl'), text('en-GB')],
  search: [text('moon'), text('a'), text('talebank'), text('listener')],
  idempotencyKey: Array.from({ length: 40 }, (_, at) => text(`key-${String(at)}`)),
  reason: [text('A test')],
  title: [text('The Moon'), text('Księżyc'), text('El Niño 🌙')],
  author: [text('Talebank')],
  content: [
    text('The moon went over the hill and looked into every window.'),
    text('Once upon a time there was a fox. It slept.'),
  ],
  description: [text('A tale.'), bare('null')],
  coverUrl: [text('https://example.com/moon.png')],
  deviceName: [text('A telephone'), bare('null')],
  displayName: [text('Someone'), bare('null')],
  amount: [1, 2, 3, 10, 50].map(bare),
  maxCredits: [0, 1, 1, 5, 100].map(bare),
  priceMinor: [1, 999, 1_000_000_000_000].map(bare),
  currency: [text('EUR'), text('PLN'), text('JPY')],
  expectedRemaining: [0, 1, 2, 10].map(bare),
  first: [1, 2, 3].map(bare),
  last: [1, 2, 3].map(bare),
  days: [1, 30, 366].map(bare),
  expiresAt: [text('2190-01-01T00:00:00Z'), text('2100-06-30T23:59:59.999+02:00'), bare('null')],
  from: [text('2020-01-01T00:00:00Z'), text('2026-01-01T00:00:00+01:00')],
  // Months that have begun, and one that has not.
  month: [text('2020-02'), text('2025-12'), text('2026-01'), text('2199-12')],
  coverColor: [text('#9a4f0f'), bare('null')],
  coverWidth: [bare('300')],
  coverHeight: [bare('400')],
  ageFrom: [0, 3, 5].map(bare),
  ageTo: [5, 8, 99].map(bare),
  age: [0, 6, 99].map(bare),
  tags: [text('bedtime'), text('Animals')],
  announced: [bare('true'), bare('false')],
  locale: [text('en'), text('pl'), bare('null')],
  favourite: [bare('true'), bare('false')],
  note: [text('Here the moon goes.'), bare('null')],
  positionMs: [0, 1, 5000].map(bare),
  finished: [bare('true'), bare('false'), bare('null')],
  rate: [0.75, 1, 2].map(bare),
  at: [text('2020-01-01T00:00:00Z'), text('2026-11-22T14:00:00-05:00')],
};

export const KNOWN_BY_NAME: Readonly<Record<string, Known>> = {
  storyId: 'story',
  voiceId: 'voice',
  audioId: 'audio',
  lotId: 'lot',
  userId: 'user',
  email: 'email',
  slug: 'slug',
  queue: 'queue',
  after: 'cursor',
  before: 'cursor',
  refreshToken: 'refreshToken',
  token: 'mailedToken',
  to: 'end',
  upTo: 'notice',
};

/** Whose `id` it is that a field takes. */
export const KNOWN_BY_FIELD: Readonly<Record<string, Known>> = {
  story: 'story',
  updateStory: 'story',
  deleteStory: 'story',
  user: 'user',
  audio: 'audio',
  deleteAudio: 'audio',
  revokeSession: 'session',
  proposal: 'proposal',
  approveProposal: 'proposal',
  declineProposal: 'proposal',
};
export const NODES: readonly Known[] = KNOWN.slice(0, KNOWN.indexOf('email'));
