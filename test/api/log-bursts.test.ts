import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from '@jest/globals';
import { until } from '../support/faults.js';
import { compiled } from '../support/compiled.js';
import type * as Bursts from '../../src/infra/logging/bursts.js';

const { inBursts } = await compiled<typeof Bursts>('infra/logging/bursts.js');

const LOG = new URL('../../dist/infra/log.js', import.meta.url).href;
const LINES = 200;

/** A process that logs a burst of lines as the server does, and then does what the test is about. */
const program = (then: string): string => `
  import { createLogger } from ${JSON.stringify(LOG)};
  const log = createLogger({
    level: 'info',
    format: 'json',
    atExit: (flush) => process.on('exit', flush),
  });
  for (let n = 0; n < ${String(LINES)}; n += 1) log.info({ event: 'mail-sent', userId: n, mail: 'RESET' }, 'mail sent');
  ${then}
`;

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface Run {
  readonly child: ChildProcess;
  /** The numbers of the lines so far, and the events of other lines. */
  readonly seen: () => unknown[];
}

function run(then: string): Run {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program(then)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.push(child);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const seen = (): unknown[] =>
    output
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .map(({ event, userId }) => (event === 'mail-sent' ? userId : event));
  return { child, seen };
}

/** What it has written when it has ended. */
async function ended(then: string): Promise<unknown[]> {
  const { child, seen } = run(then);
  await once(child, 'close');
  return seen();
}

const ALL = Array.from({ length: LINES }, (_, n) => n);
const KILL = `process.kill(process.pid, 'SIGKILL');`;

test.each([
  ['process.exit', 'process.exit(3);'],
  ['the end of its work', ''],
  ['an exception that nothing catches', `throw new Error('planted');`],
  ['a rejection that nothing catches', `await Promise.reject(new Error('planted'));`],
])('no line of a burst is lost by %s', async (_what, then) => {
  expect(await ended(then)).toEqual(ALL);
});

test.each([
  [
    'error',
    `log.error({ event: 'stop-failed', err: new Error('planted') }, 'did not stop in order');`,
  ],
  ['fatal', `log.fatal({ event: 'embedded-database-ended' }, 'the embedded database has ended');`],
])('a line at level %s is written at once, after the lines before it', async (_level, line) => {
  const seen = await ended(`${line} ${KILL}`);
  expect(seen.slice(0, -1)).toEqual(ALL);
  expect(seen.at(-1)).toMatch(/^(stop-failed|embedded-database-ended)$/);
});

test('a burst is written in a moment, although the process goes on', async () => {
  const { seen } = run('setInterval(() => undefined, 1000);');
  await until('all lines are there', () => seen().length === LINES);
  expect(seen()).toEqual(ALL);
});

test('a process that is killed has written the first lines of a burst, and each in one piece', async () => {
  const seen = await ended(KILL);
  expect(seen.length).toBeGreaterThanOrEqual(5);
  expect(seen).toEqual(ALL.slice(0, seen.length));
});

test('a burst is written with few writes, and a few lines each with one', () => {
  const writes: string[] = [];
  const lines = inBursts((text) => void writes.push(text));
  for (let n = 0; n < 3; n += 1) lines.write(`${String(n)}\n`);
  expect(writes).toEqual(['0\n', '1\n', '2\n']);
  const long = 'x'.repeat(300);
  for (let n = 0; n < 1_000; n += 1) lines.write(`${long}${String(n)}\n`);
  lines.flush();
  lines.flush();
  expect(writes.length).toBeLessThan(30);
  expect(writes.slice(3).join('')).toBe(
    Array.from({ length: 1_000 }, (_, n) => `${long}${String(n)}\n`).join(''),
  );
  expect(Math.max(...writes.map(({ length }) => length))).toBeLessThan(17_000);
});
