import { execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, expect, test } from '@jest/globals';
import pino from 'pino';
import type { MemoryLimits } from '../../src/infra/speech/espeak-messages.js';
import type * as Espeak from '../../src/infra/speech/espeak.js';
import type { BareProvider } from '../../src/infra/speech/guard.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { SENTENCES } from '../support/voices.js';

const { createEspeakProvider } = await compiled<typeof Espeak>('infra/speech/espeak.js');
const log = pino({ level: 'silent' });
const never = new AbortController().signal;
const run = promisify(execFile);

const opened: BareProvider[] = [];
afterEach(async () => {
  for (const provider of opened.splice(0)) await provider.close();
});

function open(
  options: { processes?: number; timeoutMs?: number; memory?: MemoryLimits } = {},
): BareProvider {
  const provider = createEspeakProvider({ processes: 1, timeoutMs: 30_000, log, ...options });
  opened.push(provider);
  return provider;
}

interface Heard {
  readonly seconds: number;
  readonly peak: number;
}

async function hear(provider: BareProvider, text: string, voice = 'en-gb'): Promise<Heard> {
  const language = voice.slice(0, 2);
  const { pcm, sampleRateHz } = await provider.speak({ text, voice, language }, never);
  expect(sampleRateHz).toBe(22_050);
  const peak = pcm.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  return { seconds: pcm.length / sampleRateHz, peak };
}

/** The processes that a process has started and that still run. */
async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-o', 'pid=,stat=,args=', '--ppid', String(pid)]);
  return stdout
    .split('\n')
    .filter((line) => line.includes('espeak-process.js') && !/^\s*\d+\s+Z/u.test(line))
    .map((line) => Number.parseInt(line, 10));
}

async function onlyChild(pid = process.pid): Promise<number> {
  const [child, ...others] = await childrenOf(pid);
  if (child === undefined || others.length > 0) throw new Error('There is not one child.');
  return child;
}

async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => null);
  return stat !== null && !/^\d+ \(.*\) [ZX]/u.test(stat);
}

async function expectEnded(pid: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  while ((await isRunning(pid)) && performance.now() < deadline) await sleep(50);
  expect(await isRunning(pid)).toBe(false);
}

/** Letters that a voice reads in a second. One that names or spells them reads fewer, one that skips them reads more. */
const LETTERS_A_SECOND = { least: 5, most: 25 };
/** A letter of these is a syllable. */
const SYLLABLES = new Set(['zh', 'yue', 'ko']);
const SYLLABLES_PER_SECOND_MIN = 3;

test('every voice reads a sentence of its language, and a year, at the speed of a reader', async () => {
  const provider = open({ processes: 2 });
  const voices = await provider.listVoices();
  expect(voices.map(({ id }) => id).sort()).toEqual(Object.keys(SENTENCES).sort());
  expect(voices.length).toBeLessThanOrEqual(100);
  await Promise.all(
    voices.map(async ({ id }) => {
      const text = SENTENCES[id] ?? '';
      const heard = await hear(provider, text, id);
      const speed = (text.match(/\p{L}/gu) ?? []).length / heard.seconds;
      const least = SYLLABLES.has(id) ? SYLLABLES_PER_SECOND_MIN : LETTERS_A_SECOND.least;
      expect([id, speed, speed > least]).toEqual([id, speed, true]);
      expect([id, speed, speed < LETTERS_A_SECOND.most]).toEqual([id, speed, true]);
      expect([id, heard.peak > 3000]).toEqual([id, true]);
      const year = await hear(provider, '1939', id);
      expect([id, year.seconds, year.seconds > 0.7 && year.seconds < 5]).toEqual([
        id,
        year.seconds,
        true,
      ]);
    }),
  );
});

test('the voices for stories of the world are there', async () => {
  const languages = (await open().listVoices()).flatMap((voice) => voice.languages);
  expect(languages).toEqual(
    expect.arrayContaining(
      'en-GB en-US pl bn ta te gu pa kn ml hi ar he fa el uk vi ko ja-Hrkt zh'.split(' '),
    ),
  );
});

test('the points of Hebrew and Arabic are read as vowels, and not by their names', async () => {
  const provider = open();
  const bare = await hear(provider, 'השמש מחממת את הבית', 'he');
  const pointed = await hear(provider, 'הַשֶּׁמֶשׁ מְחַמֶּמֶת אֶת הַבַּיִת', 'he');
  expect(pointed.seconds).toBeGreaterThan(bare.seconds);
  expect(pointed.seconds).toBeLessThan(2 * bare.seconds);
  const written = await hear(provider, 'تدفئ', 'ar');
  expect((await hear(provider, 'تُدْفِئُ', 'ar')).seconds).toBeGreaterThan(written.seconds);
});

test('a voice reads its own script, and leaves others to theirs', async () => {
  const provider = open();
  const text = 'Сонце гріє хату, а діти сплять.';
  const speak = async (voice: string): Promise<number> =>
    (await hear(provider, text, voice)).seconds;
  const [ukrainian, russian, english] = [
    await speak('uk'),
    await speak('ru'),
    await speak('en-gb'),
  ];
  // The Russian voice reads Cyrillic words for the English one.
  expect(Math.abs(english - russian)).toBeLessThan(0.05);
  expect(Math.abs(ukrainian - russian)).toBeGreaterThan(0.1);
});

test('the language of the voice is spoken, also after another', async () => {
  const provider = open();
  const request = { text: 'Szczęśliwy żółw idzie przez las.', language: 'pl' };
  const speak = async (voice: string): Promise<Int16Array> =>
    (await provider.speak({ ...request, voice }, never)).pcm;
  const polish = await speak('pl');
  const english = await speak('en-gb');
  const polishAgain = await speak('pl');
  // The engine's breaths differ a little from one time to the next; its languages differ a lot.
  expect(Math.abs(polishAgain.length - polish.length)).toBeLessThan(500);
  expect(Math.abs(english.length - polish.length)).toBeGreaterThan(2000);
});

test.each(['nobody', '', 'gmw/en', 'constructor', '__proto__'])(
  'a voice that is not listed is a permanent error: %j',
  async (voice) => {
    const spoken = open().speak({ text: 'Hello.', voice, language: 'en' }, never);
    await expect(spoken).rejects.toMatchObject({ name: 'SpeechError', permanent: true });
  },
);

test.each([
  '<break time="3000000ms"/> Hello.',
  '<speak><prosody rate="x-slow">Hello.</prosody></speak>',
  '&lt;break time="3000000ms"/&gt; Hello.',
  '&#60;break time="3000000ms"/&#62; Hello.',
  '<<break time="3000000ms"/>> Hello.',
  "[[h@l'oU_:_:_:_:_:]] Hello.",
  '[<[h@_:_:_:]>] Hello.',
  '<audio src="/etc/passwd"/> Hello.',
])('markup is not obeyed: %s', async (text) => {
  const heard = await hear(open(), text);
  expect(heard.seconds).toBeLessThan(8);
  expect(heard.peak).toBeGreaterThan(3000);
});

test('an ampersand is read aloud', async () => {
  const provider = open();
  const both = await hear(provider, 'Tom & Anna');
  const listed = await hear(provider, 'Tom Anna');
  expect(both.seconds).toBeGreaterThan(listed.seconds);
});

test('when its process dies, the sentence in hand fails for now and the next is spoken', async () => {
  const provider = open();
  await hear(provider, 'Hello.');
  const child = await onlyChild();
  // A process that is stopped has the sentence in hand until it dies, however fast the machine is.
  process.kill(child, 'SIGSTOP');
  const request = { text: 'Hello.', voice: 'en-gb', language: 'en' };
  const failed = expect(provider.speak(request, never)).rejects.toMatchObject({
    name: 'SpeechError',
    permanent: false,
    kind: 'died',
  });
  process.kill(child, 'SIGKILL');
  await failed;
  expect((await hear(provider, 'Hello again.')).peak).toBeGreaterThan(3000);
});

test('a sentence that takes too long fails for now, and the next is spoken', async () => {
  // The limit is long, because the start of a process counts too, and a slow machine takes seconds for it.
  const provider = open({ timeoutMs: 15_000 });
  await hear(provider, 'Hello.');
  const child = await onlyChild();
  process.kill(child, 'SIGSTOP');
  const request = { text: 'Hello.', voice: 'en-gb', language: 'en' };
  await expect(provider.speak(request, never)).rejects.toMatchObject({
    permanent: false,
    kind: 'timeout',
  });
  await expectEnded(child);
  expect((await hear(provider, 'Hello again.')).peak).toBeGreaterThan(3000);
});

test('a sentence that is aborted fails for now, and the next is spoken', async () => {
  const provider = open();
  await hear(provider, 'Hello.');
  const abort = new AbortController();
  const request = { text: 'word '.repeat(20_000), voice: 'en-gb', language: 'en' };
  const failed = expect(provider.speak(request, abort.signal)).rejects.toMatchObject({
    permanent: false,
  });
  abort.abort();
  await failed;
  expect((await hear(provider, 'Hello again.')).peak).toBeGreaterThan(3000);
});

test('a process that grows too large while it speaks gives up for now, and is replaced', async () => {
  const memory = { retireBytes: 0, mostBytes: 1 };
  const provider = open({ memory });
  const request = { text: 'Hello.', voice: 'en-gb', language: 'en' };
  await expect(provider.speak(request, never)).rejects.toMatchObject({
    name: 'SpeechError',
    permanent: false,
    kind: 'died',
  });
  await until('it is gone', async () => (await childrenOf(process.pid)).length === 0);
});

test('a process that has grown is asked nothing more', async () => {
  const provider = open({ memory: { retireBytes: 0, mostBytes: Infinity } });
  expect((await hear(provider, 'Hello.')).peak).toBeGreaterThan(3000);
  await until('it is gone', async () => (await childrenOf(process.pid)).length === 0);
  expect((await hear(provider, 'Hello again.')).peak).toBeGreaterThan(3000);
});

test('the settings name the version of the engine that is installed', async () => {
  const { dependencies } = JSON.parse(await readFile('package.json', 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const version = dependencies['@echogarden/espeak-ng-emscripten'] ?? 'none';
  expect(open().settings).toContain(version);
});

test('no more processes run than are allowed, and they are used again', async () => {
  const provider = open({ processes: 2 });
  await Promise.all(Array.from({ length: 8 }, () => hear(provider, 'One of many.')));
  const first = await childrenOf(process.pid);
  expect(first).toHaveLength(2);
  await Promise.all(Array.from({ length: 8 }, () => hear(provider, 'One of many.')));
  expect(await childrenOf(process.pid)).toEqual(first);
});

test('a process inherits none of the secrets of the server, and outlives Ctrl-C', async () => {
  process.env['TALEBANK_TEST_SECRET'] = 'hush';
  try {
    const provider = open();
    await hear(provider, 'Hello.');
    const child = await onlyChild();
    expect(await readFile(`/proc/${String(child)}/environ`, 'utf8')).not.toContain('hush');
    process.kill(child, 'SIGINT');
    await sleep(100);
    await hear(provider, 'Still here.');
    expect(await onlyChild()).toBe(child);
  } finally {
    delete process.env['TALEBANK_TEST_SECRET'];
  }
});

test('closing leaves no process behind', async () => {
  const provider = open();
  await hear(provider, 'Hello.');
  const child = await onlyChild();
  await provider.close();
  await expectEnded(child);
});

const SERVER = `
  const { createEspeakProvider } = await import(process.argv[1]);
  const log = { warn() {} };
  const provider = createEspeakProvider({ processes: 1, timeoutMs: 30_000, log });
  const speak = (text) =>
    provider.speak({ text, voice: 'en-gb', language: 'en' }, new AbortController().signal);
  await speak('Hello.');
  if (process.argv[2] === 'busy') speak('word '.repeat(2000)).catch(() => 0);
  process.stdout.write('ready');
  setInterval(() => 0, 1000);
`;

test.each(['idle', 'busy'])('a server that is killed leaves no process behind: %s', async (how) => {
  const module = new URL('../../dist/infra/speech/espeak.js', import.meta.url).href;
  const server = spawn(process.execPath, ['--input-type=module', '-e', SERVER, module, how], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => server.stdout.once('data', resolve));
  const child = await onlyChild(server.pid);
  server.kill('SIGKILL');
  await expectEnded(child);
});
