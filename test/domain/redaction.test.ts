import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import type * as Db from '../../src/infra/db.js';
import type * as Fields from '../../src/infra/logging/fields.js';
import type * as Redact from '../../src/infra/logging/redact.js';
import type * as RedactText from '../../src/infra/logging/redact-text.js';
import type { Logger } from '../../src/infra/log.js';
import { compiled } from '../support/compiled.js';

const { redact, redactMessageOfLine } = await compiled<typeof Redact>('infra/logging/redact.js');
const { FIELDS } = await compiled<typeof Fields>('infra/logging/fields.js');
const { Prisma } = await compiled<typeof Db>('infra/db.js');
const { redactText } = await compiled<typeof RedactText>('infra/logging/redact-text.js');

const written = (line: object): string => JSON.stringify(redact(line, (stack) => stack));
const CANARY = 'canary9c4e';

/** A line without a listed event, with a wrong level, or with a field that the event does not have. Never called. */
export function linesThatDoNotCompile(log: Logger): void {
  // @ts-expect-error -- there is no event
  log.info({ userId: '1' }, 'message');
  // @ts-expect-error -- the event is not in the list
  log.info({ event: 'something-else' }, 'message');
  // @ts-expect-error -- the list says that this is an error
  log.info({ event: 'unexpected-error', requestId: '1', err: 1 }, 'message');
  // @ts-expect-error -- a field is missing
  log.info({ event: 'signed-in', userId: '1' }, 'message');
  // @ts-expect-error -- the event has no such field
  log.info({ event: 'registered', userId: '1', password: '2' }, 'message');
  // @ts-expect-error -- the message is missing
  log.info({ event: 'registered', userId: '1' });
}

test.each([
  'password',
  'newPassword',
  'PASSWORD_HASH',
  'token',
  'refreshToken',
  'access_token',
  'Authorization',
  'PROXY-AUTHORIZATION',
  'Cookie',
  'set-cookie',
  'X-Api-Key',
  'xi-api-key',
  'secretAccessKey',
  'privateJwk',
  'signature',
  'X-Amz-Signature',
  'email',
  'emailAddress',
  'pwd',
  'passwd',
  'pass',
  'smtpPass',
  'passphrase',
])('a value under the key %s is redacted at any depth', (key) => {
  const secret = { [key]: CANARY };
  const nested = { a: { b: [{ c: [secret, { d: { [key]: [CANARY] } }] }] } };
  for (const line of [secret, nested, { err: Object.assign(new Error('x'), secret) }])
    expect(written(line)).not.toContain(CANARY);
  expect(written(nested)).toContain('[redacted]');
});

test.each([
  ['an address', `sent to ${CANARY}@example.com today`],
  ['an address of another script', `für ${CANARY}ü@bücher.example`],
  ['a bearer', `Authorization: Bearer ${CANARY}.abc`],
  ['a bearer in lower case', `got bearer ${CANARY}abc`],
  ['another scheme', `AUTHORIZATION: Token ${CANARY}`],
  ['a cookie', `Cookie: a=b; session=${CANARY}`],
  ['a JSON Web Token', `it was eyJ${CANARY}.eyJzdWIi.c2ln`],
  ['a signed address', `http://x/audio/1?expires=1&signature=${CANARY}`],
  ['a signed address of S3', `https://x/1?X-Amz-Credential=${CANARY}&X-Amz-Signature=${CANARY}`],
  ['a password in an address', `connect postgres://me:${CANARY}@db.example/tales failed`],
  ['a key of a provider', `the key sk-proj-${CANARY}${CANARY} is wrong`],
  ['a password in JSON', `{"password":"${CANARY}"}`],
  ['a unique value', `Key (email)=(${CANARY}) already exists.`],
  ['a unique value of an expression', `Key (lower(email))=(${CANARY}) already exists.`],
  ['a row', `Failing row contains (1, ${CANARY}, null).`],
  ['a token in JSON', `{"refreshToken":"${CANARY}"}`],
  ['a new password in JSON', `{"newPassword":"${CANARY}"}`],
  ['a password in JSON with a space', `{"currentPassword": "${CANARY}"}`],
  ['a token in JSON with an underscore', `{"refresh_token":"${CANARY}"}`],
  ['JSON in JSON', `{\\"password\\":\\"${CANARY}\\"}`],
  ['JSON in JSON with two words', `{\\"password\\":\\"two ${CANARY}\\"}`],
  ['a quotation mark in JSON in JSON', JSON.stringify({ a: `{"password":"a\\"b ${CANARY}"}` })],
  ['JSON in JSON in JSON', JSON.stringify({ a: JSON.stringify({ a: `{"token":"a ${CANARY}"}` }) })],
  ['a cookie in JSON in JSON', `{\\"cookie\\":\\"a=${CANARY}\\"}`],
  ['the secure cookie', `__Host-talebank_refresh=${CANARY}; Path=/`],
  ['the cookie of development', `talebank_refresh=${CANARY}`],
  ['a bearer after two spaces', `Bearer  ${CANARY}`],
  ['a bearer after a colon', `Bearer: ${CANARY}`],
  ['a secret', `secret: ${CANARY}`],
  ['a secret of a client', `client_secret=${CANARY}`],
  ['a key with an underscore', `api_key=${CANARY}`],
  ['a key in one word', `apiKey: ${CANARY}`],
  ['a short password', `pwd=${CANARY}`],
  ['another short password', `passwd=${CANARY}`],
  ['an option of mail', `{ user: 'me', pass: 'a ${CANARY}' }`],
  ['a password of two words', `password: "two ${CANARY}"`],
  ['a password with a quotation mark', String.raw`password: "two\" ${CANARY}"`],
  ['a password of two lines', `password: "two\n${CANARY}"`],
  ['a password in single quotation marks', `password='a "b" ${CANARY}'`],
  ['a bare password with a quotation mark', `password=a"${CANARY}`],
  ['an encoded address', `email=${CANARY}%40example.com&x=1`],
  ['an address that is encoded twice', `email=${CANARY}%2540example.com`],
  ['the domain of an encoded address', `user%40${CANARY}.com`],
  ['an address with a wide sign', `${CANARY}＠example.com`],
  ['the domain behind a small sign', `a﹫${CANARY}.com`],
  ['a password with a quotation mark in an address', `postgres://me:${CANARY}"pa@db`],
  ['a password with a slash in an address', `postgres://me:${CANARY}/pa@db`],
  ['a password like a port in an address', `postgres://me:12/${CANARY}/pa@db`],
  ['a password with an @ in an address', `postgres://me:p@${CANARY}/a@db`],
  ['an address in an address with a port', `http://x:80/?email=me@${CANARY}.com`],
  ['a private key in JSON', `{"kty":"OKP","d":"${CANARY}${CANARY}"}`],
])('%s in a text is redacted', (_what, text) => {
  expect(redactText(text)).not.toContain(CANARY);
  expect(redactText(text)).toContain('[redacted]');
});

test.each([
  ['a path of a module', 'at f (/srv/node_modules/@prisma/client/runtime/client.js:1:2)'],
  ['an id', '01a22d2a-05a2-7098-999a-4497744ee25e'],
  ['a sentence', 'The provider answered 503: it is overloaded (try again).'],
  ['an address without secrets', 'http://127.0.0.1:4000/graphql'],
  ['a module with an address', 'at file:///srv/node_modules/@prisma/client/client.js:1:2'],
  ['counts', 'points: 20, tokens: 3, key: audio/1.mp3, compass=north'],
  ['a percentage', 'grew by 50%, 40 of 80'],
])('%s stays as it is', (_what, text) => {
  expect(redactText(text)).toBe(text);
});

test('errors keep their kind and stack, and lose what they repeat, also in their causes', () => {
  const inner = Object.assign(new Error(`invalid input syntax for type uuid: "${CANARY}"`), {
    code: '22P02',
    detail: `Key (email)=(${CANARY})`,
    where: CANARY,
    client: { secretKey: CANARY },
  });
  const middle = new Error(`mail to ${CANARY}@example.com failed`, { cause: inner });
  const err = new TypeError('outermost', { cause: middle });
  const line = redact({ err, list: [middle], headers: new Headers({ cookie: CANARY }) }, (s) => s);
  const text = JSON.stringify(line);
  expect(text).not.toContain(CANARY);
  const { type, message, stack } = line['err'] as Record<string, string>;
  expect(type).toBe('TypeError');
  expect(message).toMatch(/^outermost: mail to \[redacted\] failed: invalid input syntax/);
  expect(stack).toMatch(/redaction\.test/);
  expect(stack).toMatch(/caused by: Error: mail to/);
});

test('errors of Prisma lose the values that they carry', () => {
  const validation = new Prisma.PrismaClientValidationError(
    `\nInvalid \`prisma.user.create()\` invocation:\n\n{\n  data: {\n    name: "${CANARY}",\n    story: "${CANARY}\n\n${CANARY}"\n  }\n}\n\nArgument \`email\` is missing.`,
    { clientVersion: '7' },
  );
  const raw = new Prisma.PrismaClientKnownRequestError(
    `Invalid \`prisma.$queryRaw()\` invocation:\n\n\nRaw query failed. Code: \`22P02\`. Message: \`invalid input syntax for type uuid: "${CANARY}"\``,
    {
      code: 'P2010',
      clientVersion: '7',
      meta: {
        driverAdapterError: Object.assign(new Error('UniqueConstraintViolation'), {
          cause: { originalMessage: `Key (email)=(${CANARY}) already exists.`, detail: CANARY },
        }),
      },
    },
  );
  const lines = [{ err: validation }, { err: raw }, { err: new Error('x', { cause: raw }) }];
  for (const line of lines) expect(written(line)).not.toContain(CANARY);
  expect(written({ err: validation })).toContain('Argument `email` is missing.');
  expect(written({ err: raw })).toContain('P2010');
});

test('a cause that is a plain object or a function is read like an error', () => {
  const value = `"first\n\n${CANARY}" and\n"${CANARY}"`;
  const message = `date/time field value out of range: ${value}`;
  const cause = { kind: 'postgres', message, originalMessage: message, stack: `Error: ${message}` };
  const adapter = Object.assign(new Error('postgres'), { name: 'DriverAdapterError', cause });
  const known = new Prisma.PrismaClientKnownRequestError(
    `\nInvalid \`prisma.$queryRaw()\` invocation:\n\n\nRaw query failed. Message: \`${message}\``,
    { code: 'P2010', clientVersion: '7', meta: { driverAdapterError: adapter } },
  );
  const made = Object.assign(new Error('made'), { cause: () => new Error(message) });
  for (const err of [adapter, known, made, new Error('x', { cause: known }), new Error(message)])
    for (const line of [{ err }, { list: [err] }, { err: new Error('y', { cause: err }) }])
      expect(written(line)).not.toContain(CANARY);
  for (const line of [{ a: cause }, { err: Object.assign(new Error('z'), { a: cause }) }])
    expect(written(line)).not.toContain(CANARY);
  expect(written({ err: adapter })).toContain('postgres: date/time field value out of range: ');
  expect(written({ err: known })).toContain('Raw query failed. Message: `date/time field value');
});

test('JSON.parse repeats no value, neither of a short nor of a long text', () => {
  const parsed = (text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch (error) {
      return error;
    }
  };
  for (const text of [CANARY, `{"a":${' '.repeat(60)}${CANARY}${' '.repeat(60)}}`]) {
    const err = parsed(text);
    expect((err as Error).message).toContain('canary');
    expect(written({ err })).not.toContain('canary');
    expect(written({ err })).toContain('Unexpected token');
  }
});

test('what refers to itself, is very deep or very long is bounded', () => {
  const circle: Record<string, unknown> = { a: 1 };
  circle['self'] = circle;
  const error = new Error('round');
  error.cause = error;
  let deep: object = { end: CANARY };
  for (let depth = 0; depth < 10_000; depth += 1) deep = { deep };
  const text = written({ circle, err: error, deep, long: 'a '.repeat(1_000_000) });
  expect(text).not.toContain(CANARY);
  expect(text.length).toBeLessThan(50_000);
});

test('raw headers, maps, sets, bytes and objects of classes are read too', () => {
  const line = {
    raw: ['Host', 'x', 'AUTHORIZATION', CANARY, 'set-cookie', CANARY, 'x-auth-token', CANARY],
    pairs: [
      ['password', CANARY],
      ['token', { value: [CANARY] }],
    ],
    named: { [`${CANARY}@example.com`]: 1 },
    err: Object.assign(new Error('x'), { [`${CANARY}@example.com`]: 1 }),
    auth: { user: 'me', pass: CANARY },
    jwk: { kty: 'OKP', crv: 'Ed25519', x: 'public', d: CANARY },
    anchor: { statement: `to ${CANARY}@example.com` },
    map: new Map([['password', CANARY]]),
    set: new Set([`${CANARY}@example.com`]),
    bytes: Buffer.from(CANARY),
    url: new URL(`https://x.example/?signature=${CANARY}`),
    date: new Date(0),
  };
  const leaks = Object.entries(line).filter(([key, value]) =>
    written({ [key]: value }).includes(CANARY),
  );
  expect(leaks.map(([key]) => key)).toEqual([]);
  expect(written(line)).toContain('1970-01-01');
  expect(written(line)).toContain('"x":"public"');
});

test('ids, counts, names of migrations and the statement of an anchor are not redacted', () => {
  const line = {
    event: 'password-changed',
    statement: 'signed=ed25519 token=abc',
    migrations: ['20260101_refresh_tokens', '20260102_stories'],
    path: ['login', 'password', 'input'],
    points: 20,
    tokens: 3,
    key: 'audio/01a22d2a.mp3',
    d: 'not a key',
    lotIds: ['01a22d2a-05a2-7098-999a-4497744ee25e'],
  };
  expect(redact(line, (stack) => stack)).toEqual(line);
});

test('the process redacts what it logs, in both formats', async () => {
  const program = (format: string): string => `
    const { createLogger } = await import(${JSON.stringify(new URL('../../dist/infra/log.js', import.meta.url).href)});
    const log = createLogger({ level: 'info', format: '${format}' });
    const cause = Object.assign(new Error('to ${CANARY}@example.com\\nforged'), { token: '${CANARY}' });
    log.error({ event: 'unexpected-error', requestId: '1', err: new Error('it failed', { cause }) }, 'for ${CANARY}@example.com');`;
  for (const format of ['json', 'pretty']) {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '--eval',
      program(format),
    ]);
    expect(stdout).toContain('it failed');
    expect(stdout).not.toContain(CANARY);
  }
});

test('a secret in any field of a line is redacted, except in the two that are public', () => {
  const secret = `Bearer ${CANARY}abc`;
  const shown = Object.keys(FIELDS).filter((field) =>
    [
      secret,
      [secret],
      { password: CANARY },
      new Error(secret),
      Object.assign(new Error('x'), { cause: new Error(secret) }),
    ]
      .map((value) => written({ event: 'listening', [field]: value }))
      .some((line) => line.includes(CANARY)),
  );
  expect(shown).toEqual(['route', 'statement']);
  // Only a text there is public.
  for (const field of shown)
    expect(written({ [field]: { password: CANARY } })).not.toContain(CANARY);
  // Also beside a field that no event has, and in a key that is not a name.
  expect(written({ userId: '1', other: secret, reason: secret })).not.toContain(CANARY);
  expect(written({ userId: '1', [`${CANARY}@example.com`]: 1 })).not.toContain(CANARY);
});

test('a message is redacted each time it is written', () => {
  const message = `${CANARY}@example.com has signed in`;
  for (let time = 0; time < 3; time += 1)
    expect(redactMessageOfLine(message)).toBe('[redacted] has signed in');
  expect(redactMessageOfLine('signed in')).toBe('signed in');
  expect(redactMessageOfLine('signed in')).toBe('signed in');
});
