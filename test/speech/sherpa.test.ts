import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import pino from 'pino';
import type { BareProvider } from '../../src/infra/speech/guard.js';
import type { SpokenSentence } from '../../src/infra/speech/provider.js';
import type * as Catalog from '../../src/infra/speech/sherpa/catalog.js';
import type * as Sherpa from '../../src/infra/speech/sherpa/sherpa.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import {
  emptyModel,
  filesOf,
  frequencyOf,
  putFiles,
  putModel,
} from '../support/voice-models/models.js';

const { createSherpaProvider } = await compiled<typeof Sherpa>('infra/speech/sherpa/sherpa.js');
const { readCatalog } = await compiled<typeof Catalog>('infra/speech/sherpa/catalog.js');
const run = promisify(execFile);
const never = new AbortController().signal;
const MEGABYTE = 1024 * 1024;

let folder: string;
const opened: BareProvider[] = [];
const warnings: Record<string, unknown>[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'talebank-voices-'));
});
afterEach(async () => {
  for (const provider of opened.splice(0)) await provider.close();
  warnings.length = 0;
});
afterAll(() => rm(folder, { recursive: true }));

const log = pino(
  { level: 'warn' },
  { write: (line: string) => warnings.push(JSON.parse(line) as Record<string, unknown>) },
);

/** A provider for some models alone. */
async function open(
  models: Readonly<Record<string, Readonly<Record<string, string | Uint8Array>>>>,
  options: Partial<Sherpa.SherpaOptions> = {},
): Promise<BareProvider> {
  const voices = await mkdtemp(join(folder, 'voices-'));
  for (const [name, files] of Object.entries(models)) await putFiles(join(voices, name), files);
  const provider = createSherpaProvider({
    folder: voices,
    concurrency: 1,
    modelsKept: 2,
    threads: 1,
    speed: 1,
    memoryBytes: 1024 * MEGABYTE,
    timeoutMs: 120_000,
    log,
    ...options,
  });
  opened.push(provider);
  await provider.listVoices();
  return provider;
}

const hear = (provider: BareProvider, voice: string, text = 'a.'): Promise<SpokenSentence> =>
  provider.speak({ text, voice, language: 'en' }, never);

/** The frequency of the first tone, in Hz, by its zero crossings. */
function firstTone({ pcm, sampleRateHz }: SpokenSentence, samples = 1200): number {
  let [crossings, first, last] = [0, 0, 0];
  for (let at = 1; at < samples; at += 1) {
    if ((pcm[at - 1] ?? 0) >= 0 || (pcm[at] ?? 0) < 0) continue;
    crossings += 1;
    first ||= at;
    last = at;
  }
  return ((crossings - 1) * sampleRateHz) / (last - first);
}

/** The speaking processes of this process that run. */
async function children(): Promise<number[]> {
  const { stdout } = await run('ps', ['-o', 'pid=,stat=,args=', '--ppid', String(process.pid)]);
  return stdout
    .split('\n')
    .filter((line) => line.includes('sherpa/process.js') && !/^\s*\d+\s+Z/u.test(line))
    .map((line) => Number.parseInt(line, 10));
}

test('the engine speaks each letter in the tone, the rate and the length of the model', async () => {
  const provider = await open({
    'vits-piper-en_GB-tones-low': filesOf({ speakers: 2 }),
    slow: filesOf({ sampleRateHz: 22_050 }),
  });
  expect(await provider.listVoices()).toEqual([
    { id: 'slow', name: 'Slow', languages: ['en'], gender: null },
    ...['speaker 1', 'speaker 2'].map((which, number) => ({
      id: `vits-piper-en_GB-tones-low:${String(number)}`,
      name: `Tones low, ${which}`,
      languages: ['en'],
      gender: null,
    })),
  ]);
  for (const speaker of [0, 1]) {
    const spoken = await hear(provider, `vits-piper-en_GB-tones-low:${String(speaker)}`, 'Hi you.');
    expect([spoken.sampleRateHz, spoken.pcm.length]).toEqual([16_000, 7 * 1200]);
    expect(Math.abs(firstTone(spoken) - frequencyOf('h', speaker))).toBeLessThan(4);
  }
  const slow = await hear(provider, 'slow', 'a.');
  expect([slow.sampleRateHz, slow.pcm.length]).toEqual([22_050, 2 * 1200]);
  // The engine is native code, which must not be loaded where it could end the server.
  const maps = await readFile('/proc/self/maps', 'utf8');
  expect(maps.split('\n').filter((line) => /libonnxruntime|sherpa-onnx\.node/.test(line))).toEqual(
    [],
  );
});

test('the speed is that of the setting, and part of what determines the sound', async () => {
  const models = { tones: filesOf() };
  const [usual, slow] = [await open(models), await open(models, { speed: 0.5 })];
  const lengths = await Promise.all([usual, slow].map((one) => hear(one, 'tones', 'ab.')));
  expect(lengths.map(({ pcm }) => pcm.length)).toEqual([3600, 7200]);
  expect([usual.settings, slow.settings]).toEqual([
    'sherpa-onnx 1.13.8, text 1',
    'sherpa-onnx 1.13.8, text 1 speed=0.5',
  ]);
});

test('unusable models are refused permanently with a reason, and other voices are not affected', async () => {
  const noRate = filesOf({ metadata: { sample_rate: null } });
  const provider = await open({
    good: filesOf(),
    'bad-metadata': noRate,
    'bad-tokens': { ...filesOf(), 'tokens.txt': 'abc 1\n' },
    'no-model': { ...filesOf(), 'model.onnx': 'no model at all' },
    'half-a-model': {
      ...filesOf(),
      'model.onnx': (filesOf()['model.onnx'] as Uint8Array).slice(0, 900),
    },
    'no-tokens': { 'model.onnx': filesOf()['model.onnx'] ?? '' },
    languageless: filesOf({ metadata: { language: 'unknown to us' } }),
    empty: { 'README.md': 'nothing' },
  });
  // A process of an earlier test may have ended meanwhile.
  const refusals = warnings.filter(({ event }) => event === 'voice-model-refused');
  expect(refusals.map(({ model, reason }) => [model, reason])).toEqual([
    ['empty', 'there is no file that ends with .onnx'],
    ['half-a-model', 'model.onnx cannot be used: it is incomplete'],
    [
      'languageless',
      'its language is not known: state it with npm run voices -- language, for example en',
    ],
    ['no-model', 'model.onnx cannot be used: it is not an ONNX model'],
    ['no-tokens', 'the file tokens.txt is missing'],
  ]);
  for (const voice of ['bad-metadata', 'bad-tokens'])
    await expect(hear(provider, voice)).rejects.toMatchObject({
      kind: 'unknown-voice',
      permanent: true,
      message: 'The engine cannot use the model of this voice.',
    });
  await expect(hear(provider, 'nothing-of-that-name')).rejects.toMatchObject({
    kind: 'unknown-voice',
    permanent: true,
  });
  await expect(hear(provider, 'good', 'ελληνικά')).rejects.toMatchObject({
    kind: 'silent',
    permanent: true,
  });
  expect((await hear(provider, 'good')).pcm.length).toBe(2400);
});

test('a process that hangs is ended and replaced', async () => {
  const models = { good: filesOf(), hanging: filesOf({ turns: 1e12 }) };
  const provider = await open(models, { timeoutMs: 3_000 });
  await expect(hear(provider, 'hanging')).rejects.toMatchObject({
    kind: 'timeout',
    permanent: false,
  });
  // On a slow machine the limit may be too short for a voice that speaks.
  await until('the other voice speaks', () =>
    hear(provider, 'good').then(
      ({ pcm }) => pcm.length === 2400,
      () => false,
    ),
  );
});

test('a process that dies, fails while it speaks or takes too much memory is replaced', async () => {
  const models = {
    good: filesOf(),
    // The engine takes it for a model with other inputs.
    failing: filesOf({ metadata: { comment: 'coqui' } }),
    hungry: filesOf({ samplesPerLetter: 2e8 }),
  };
  const provider = await open(models, { memoryBytes: 500 * MEGABYTE, modelsKept: 1 });
  for (const voice of ['failing', 'hungry']) {
    await expect(hear(provider, voice)).rejects.toMatchObject({ kind: 'died', permanent: false });
    expect((await hear(provider, 'good')).pcm.length).toBe(2400);
  }
  // Those that were in its place end by themselves.
  await until('one process is left', async () => (await children()).length === 1);
  const [child = 0] = await children();
  process.kill(child, 'SIGKILL');
  await until('it has ended', async () => (await children()).length === 0);
  expect((await hear(provider, 'good')).pcm.length).toBe(2400);
});

test('a model that was changed while the server runs is noticed, and is not spoken as the old one', async () => {
  const voices = await mkdtemp(join(folder, 'voices-'));
  await putModel(voices, 'tones', {});
  const provider = await open({}, { folder: voices });
  const before = provider.definitionOf?.('tones');
  expect(before).toMatch(/^[0-9a-f]{64}$/);
  await hear(provider, 'tones');
  await putModel(voices, 'tones', { samplesPerLetter: 1600 });
  await expect(hear(provider, 'tones')).rejects.toMatchObject({
    permanent: false,
    retryAfterMs: expect.any(Number),
    message: 'The files of the model tones have changed since the start: restart Talebank.',
  });
  // A start reads the models again, and also when they are listed.
  await provider.listVoices();
  expect((await hear(provider, 'tones')).pcm.length).toBe(3200);
  expect(provider.definitionOf?.('tones')).not.toBe(before);
  await unlink(join(voices, 'tones', 'tokens.txt'));
  await expect(hear(provider, 'tones')).rejects.toMatchObject({ permanent: false });
  // Every file counts, also one that this version of the engine does not name.
  await putModel(voices, 'tones', {});
  await provider.listVoices();
  expect(provider.definitionOf?.('tones')).toBe(before);
  await writeFile(join(voices, 'tones', 'more.txt'), 'more');
  await provider.listVoices();
  expect(provider.definitionOf?.('tones')).not.toBe(before);
});

const PHONEMES = { 'espeak-ng-data/phontab': '' };
const SPEAKERS = 'af_heart,bm_george,jf_alpha,zm_yunxi,ff_siwis';

test('kinds of models are recognised by their files, and their voices by the metadata', async () => {
  const voices = await mkdtemp(join(folder, 'kinds-'));
  const common = { 'tokens.txt': '', ...PHONEMES };
  const kokoro = { model_type: 'kokoro', version: 2, n_speakers: 5, speaker_names: SPEAKERS };
  const models: Readonly<Record<string, Readonly<Record<string, string | Uint8Array>>>> = {
    'kokoro-multi-lang-v1_0': {
      ...common,
      'model.onnx': emptyModel(kokoro),
      'voices.bin': '',
      'lexicon-gb-en.txt': '',
      'lexicon-us-en.txt': '',
      'lexicon-zh.txt': '',
      'date-zh.fst': '',
    },
    'kitten-nano-en-v0_2-fp16': {
      ...common,
      'model.fp16.onnx': emptyModel({
        model_type: 'kitten-tts',
        n_speakers: 2,
        speaker_names: 'expr-voice-2-m,expr-voice-2-f',
      }),
      'voices.bin': '',
    },
    'matcha-icefall-en_US-ljspeech': {
      ...common,
      'model-steps-3.onnx': emptyModel({ model_type: 'matcha-tts', n_speakers: 1, voice: 'en-us' }),
      'vocos-22khz-univ.onnx': emptyModel({}),
    },
    'matcha-without-vocoder': {
      ...common,
      'model-steps-3.onnx': emptyModel({ model_type: 'matcha-tts', n_speakers: 1, voice: 'en-us' }),
    },
    'vits-piper-pl_PL-gosia-medium': {
      ...common,
      'pl_PL-gosia-medium.onnx': emptyModel({ comment: 'piper', n_speakers: 2, voice: 'pl' }),
      'pl_PL-gosia-medium.onnx.json': JSON.stringify({
        language: { code: 'pl_PL' },
        speaker_id_map: { ['\u001b\u202eOla']: 0, Jan: 1 },
      }),
    },
    'vits-melo-tts-zh_en': {
      'model.onnx': emptyModel({ language: 'Chinese + English', n_speakers: 1 }),
      'model.int8.onnx': emptyModel({ language: 'Chinese + English', n_speakers: 1 }),
      'tokens.txt': '',
      'lexicon.txt': '',
    },
    'sherpa-onnx-pocket-tts-int8': {
      ...Object.fromEntries(
        ['lm_flow.int8', 'lm_main.int8', 'encoder', 'decoder.int8', 'text_conditioner'].map(
          (name) => [`${name}.onnx`, emptyModel({})],
        ),
      ),
      'vocab.json': '{}',
      'token_scores.json': '{}',
      'test_wavs/bria.wav': '',
    },
    'sherpa-onnx-zipvoice': {
      'encoder.onnx': emptyModel({}),
      'decoder.onnx': emptyModel({}),
      'tokens.txt': '',
    },
  };
  for (const [name, files] of Object.entries(models)) await putFiles(join(voices, name), files);
  const catalog = await readCatalog(voices);
  expect(
    catalog.models.map(({ folder: name, parts, speakers }) => [
      name,
      parts.kind,
      ...speakers.map((one) => [one.name, one.gender, one.languages.join(), one.parts['lang']]),
    ]),
  ).toEqual([
    [
      'kitten-nano-en-v0_2-fp16',
      'kitten',
      ['Voice 2, male', 'male', 'en', undefined],
      ['Voice 2, female', 'female', 'en', undefined],
    ],
    [
      'kokoro-multi-lang-v1_0',
      'kokoro',
      ['Heart', 'female', 'en-US', 'en-us'],
      ['George', 'male', 'en-GB', 'en-gb'],
      ['Yunxi', 'male', 'zh', undefined],
      ['Siwis', 'female', 'fr', 'fr'],
    ],
    ['matcha-icefall-en_US-ljspeech', 'matcha', ['Ljspeech', null, 'en-US', undefined]],
    ['sherpa-onnx-pocket-tts-int8', 'pocket', ['Bria', null, 'en', undefined]],
    ['vits-melo-tts-zh_en', 'vits', ['Melo', null, 'zh,en', undefined]],
    [
      'vits-piper-pl_PL-gosia-medium',
      'vits',
      ['Gosia medium, Ola', null, 'pl-PL', undefined],
      ['Gosia medium, Jan', null, 'pl-PL', undefined],
    ],
  ]);
  expect(catalog.models.find(({ parts }) => parts.kind === 'kokoro')?.parts.parts).toEqual({
    model: 'model.onnx',
    voices: 'voices.bin',
    tokens: 'tokens.txt',
    dataDir: 'espeak-ng-data',
    lexicon: 'lexicon-us-en.txt,lexicon-zh.txt',
  });
  expect(catalog.refused).toEqual([
    {
      folder: 'matcha-without-vocoder',
      why: 'its vocoder is missing: put it into the folder, for example vocos-22khz-univ.onnx',
    },
    {
      folder: 'sherpa-onnx-zipvoice',
      why: 'it is a model for recognising speech, or one that needs a recording and its text',
    },
  ]);
});
