import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
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

test('a few items are written one by one, and a burst together and in order', () => {
  const writes: (readonly number[])[] = [];
  const bursts = inBursts<number>((items) => void writes.push(items));
  for (const n of [0, 1, 2]) bursts.add(n);
  expect(writes).toEqual([[0], [1], [2]]);
  for (let n = 3; n < 1_000; n += 1) bursts.add(n);
  bursts.flush();
  bursts.flush();
  expect(writes.length).toBeLessThan(30);
  expect(writes.flat()).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
});

test('while a burst goes on, nothing is written at once; after a pause, again', async () => {
  const writes: (readonly string[])[] = [];
  const bursts = inBursts<string>((items) => void writes.push(items));
  const written = (item: string): boolean => writes.flat().includes(item);
  for (let n = 0; n < 6; n += 1) bursts.add('burst');
  bursts.add('last of the first window');
  await until('the first window has ended', () => written('last of the first window'));
  // Written in the same turn of the event loop as the end of that window, or soon after it.
  const before = writes.length;
  for (let n = 0; n < 6; n += 1) bursts.add('goes on');
  expect(writes.length).toBe(before);
  await until('the second window has ended', () => written('goes on'));
  await until('a line alone is written at once again', () => {
    bursts.add('alone');
    const [newest = []] = writes.slice(-1);
    return newest.length === 1 && newest[0] === 'alone';
  });
});

test('a field that throws does not lose the others', async () => {
  const seen = run(`
    const throwing = { event: 'mail-sent', get userId() { throw new Error('unreadable'); }, mail: 'RESET' };
    log.info(throwing, 'mail sent');
    log.info({ event: 'stopping' }, 'stopping');
    process.exit(0);
  `);
  await once(seen.child, 'close');
  expect(seen.seen().slice(-3)).toEqual([LINES - 1, undefined, 'stopping']);
});

test('a line that is made later has the time and the ids of its event', async () => {
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `
      import { createLogger } from ${JSON.stringify(LOG)};
      let current = 0;
      const log = createLogger({
        level: 'info',
        format: 'json',
        about: () => ({ jobId: current }),
        atExit: (flush) => process.on('exit', flush),
      });
      for (current = 0; current < 30; current += 1)
        log.info({ event: 'mail-sent', userId: current, mail: 'RESET' }, 'mail sent');
      const after = Date.now();
      while (Date.now() < after + 50);
      log.info({ event: 'stopping', durationMs: after }, 'stopping');
      `,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  children.push(child);
  const output = await text(child.stdout);
  const lines = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { time: string; jobId: number; userId: number } & object);
  const stopping = lines.pop() as unknown as { durationMs: number };
  expect(lines).toHaveLength(30);
  expect(lines.filter(({ jobId, userId }) => jobId !== userId)).toEqual([]);
  expect(lines.filter(({ time }) => Date.parse(time) > stopping.durationMs)).toEqual([]);
});
