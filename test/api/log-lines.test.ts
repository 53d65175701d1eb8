import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { pino } from 'pino';
import type * as Log from '../../src/infra/log.js';
import type * as LogText from '../../src/infra/log-text.js';
import { execute } from '../support/client.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { V8_FLAGS } from '../support/machine.js';
import { UpdateProfile } from '../support/operations.js';
import { newListener } from '../support/people.js';
import { startTalebank } from '../support/talebank.js';

const { createPrettifier } = await compiled<typeof Log>('infra/log.js');
const { escapeJson } = await compiled<typeof LogText>('infra/log-text.js');

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** An event begins with its time; what belongs to it is indented. */
const BEGINNING = /^\[\d{2}:\d{2}:\d{2}\] [A-Z]+: /;
const INDENTED = /^ {4}/;
/** What no line of the log holds: our own line feeds are taken out before. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

const FORGERIES: readonly string[] = [
  'two\n[12:00:00] INFO: forged',
  'a return\r[12:00:00] INFO: forged',
  'like a frame\n    at forged (file.js:1:1)\ncaused by: forged',
  '\u001b[31mred\u001b[0m \u001b]0;title\u0007',
  '\u009b31m in eight bits \u0085[12:00:00] INFO: forged',
  '\u2028[12:00:00] INFO: forged\u2029',
  '\u202edesrever\u202c \u2066isolated\u2069 \u200f \u061c \u200b \ufeff',
  'tab\tvertical\vform\f null\0 delete\u007f',
  '\\n is no line feed, and \\u001b no escape',
  '"}\n{"level":"info","msg":"forged"}',
  '{"stack":"\\u001b"}',
];

/** What pino writes of an event, shaped as it leaves the process. */
function written(shape: (line: string) => string, event: (log: pino.Logger) => void): string {
  let output = '';
  const log = pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime, level: 'trace' },
    { write: (line) => void (output += shape(line)) },
  );
  event(log);
  return output;
}

/** One event: the first line begins it, all others belong to it, and nothing drives a terminal. */
function expectOneEvent(output: string): void {
  const lines = output.split('\n');
  expect(lines.pop()).toBe('');
  expect(lines[0]).toMatch(BEGINNING);
  for (const line of lines.slice(1)) expect(line).toMatch(INDENTED);
  for (const line of lines) expect(line).not.toMatch(UNSAFE);
}

const anyText = fc.oneof(
  fc.constantFrom(...FORGERIES),
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.constantFrom(
        '\n',
        '\r',
        '\t',
        '\u001b',
        '\u0085',
        '\u2028',
        '\u202e',
        '\\',
        '"',
        'a',
        ' ',
        '    at x',
        '\ud800',
      ),
    )
    .map((parts) => parts.join('')),
);
const anyError = fc
  .tuple(anyText, anyText, fc.option(anyText), anyText)
  .map(([message, name, cause, key]) => {
    const error = new Error(message, cause === null ? {} : { cause: new Error(cause) });
    return Object.assign(error, { name, [`x${key}`]: message });
  });
const anyEvent = fc.record({
  about: fc.dictionary(
    anyText,
    fc.oneof(anyText, fc.jsonValue(), fc.dictionary(anyText, anyText)),
    {
      maxKeys: 4,
    },
  ),
  error: fc.option(anyError),
  message: anyText,
});

/** Keys that pino and its prettifier give a meaning of their own are always ours. */
const OURS = [
  'level',
  'time',
  'timestamp',
  'name',
  'caller',
  'msg',
  'pid',
  'hostname',
  'err',
  'error',
  'type',
  'stack',
];
const strangers = (about: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(about).filter(([key]) => !OURS.includes(key)));

test('random values in the pretty format are one event without control characters', () => {
  const prettify = createPrettifier();
  fc.assert(
    fc.property(anyEvent, ({ about, error, message }) => {
      const event = { ...strangers(about), ...(error === null ? {} : { err: error }) };
      expectOneEvent(
        written(prettify, (log) => {
          log.warn(event, message.replaceAll('%', ''));
        }),
      );
    }),
    { numRuns: 500 },
  );
});

test('random values in the JSON format are one line with the same meaning', () => {
  fc.assert(
    fc.property(anyEvent, ({ about, error, message }) => {
      const event = { ...strangers(about), ...(error === null ? {} : { err: error }) };
      const before = written(
        (line) => line,
        (log) => {
          log.warn(event, message.replaceAll('%', ''));
        },
      );
      const after = escapeJson(before);
      expect(after.slice(0, -1)).not.toMatch(UNSAFE);
      expect(after.endsWith('}\n')).toBe(true);
      expect(JSON.parse(after)).toEqual(JSON.parse(before));
    }),
    { numRuns: 500 },
  );
});

test('what was escaped can be read, and the frames of a stack have lines of their own', () => {
  const output = written(createPrettifier(), (log) => {
    log.error({ err: new Error('one\ntwo \u001b[31m'), 'a\nkey': 'a\nvalue' }, 'it\nfailed');
  });
  expect(output).toContain(String.raw`it\nfailed`);
  expect(output).toContain(String.raw`a\nkey`);
  expect(output).toContain(String.raw`a\nvalue`);
  expect(output).toContain(String.raw`Error: one\ntwo \u001b[31m`);
  expect(output.split('\n').filter((line) => /^ {8,}at /.test(line)).length).toBeGreaterThan(2);
});

test('a server with LOG_FORMAT=pretty writes one event for an error with any message', async () => {
  const talebank = await startTalebank({ ROLE: 'api' });
  const child = spawn(process.execPath, [...V8_FLAGS, MAIN], {
    env: {
      PATH: process.env['PATH'] ?? '',
      DATABASE_URL: talebank.database.url,
      DATA_DIR: talebank.dataDir,
      PORT: '0',
      ROLE: 'api',
      SEED: 'false',
      LOG_FORMAT: 'pretty',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  try {
    // What is written at the start, for people, has this as its first address.
    const address = /^ +GraphQL +(\S+)\/graphql$/m;
    await until('it is ready', () => address.test(output));
    const url = address.exec(output)?.[1] ?? '';
    const listener = await newListener(url);
    const beforeLength = output.length;
    for (const forgery of FORGERIES.map((text) => text.replaceAll('\0', ''))) {
      await talebank.database.sql(`
        CREATE OR REPLACE FUNCTION refuse_users() RETURNS trigger LANGUAGE plpgsql AS $f$
        BEGIN RAISE EXCEPTION USING MESSAGE = $forgery$${forgery}$forgery$, HINT = $forgery$${forgery}$forgery$; END $f$;
        CREATE OR REPLACE TRIGGER refuse_users BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION refuse_users();`);
      const { errors } = await execute(
        url,
        UpdateProfile,
        { displayName: 'New' },
        { token: listener.token },
      );
      expect(errors[0]?.extensions.code).toBe('INTERNAL');
    }
    await talebank.database.sql('DROP TRIGGER refuse_users ON users');
    const lines = output.slice(beforeLength).split('\n').slice(0, -1);
    const beginnings = lines.filter((line) => !INDENTED.test(line));
    for (const line of beginnings) expect(line).toMatch(BEGINNING);
    for (const line of lines) expect(line).not.toMatch(UNSAFE);
    expect(beginnings.filter((line) => line.includes('unexpected error')).length).toBe(
      FORGERIES.length,
    );
    expect(lines.filter((line) => /^\s+at forged/.test(line))).toEqual([]);
  } finally {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
    await talebank.close();
  }
});
