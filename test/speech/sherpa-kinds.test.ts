import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import pino from 'pino';
import type { BareProvider } from '../../src/infra/speech/guard.js';
import type { SpokenSentence } from '../../src/infra/speech/provider.js';
import type * as Catalog from '../../src/infra/speech/sherpa/catalog.js';
import type * as Sherpa from '../../src/infra/speech/sherpa/sherpa.js';
import { wavFileOf } from '../../src/infra/speech/sherpa/store/wav-file.js';
import { compiled } from '../support/compiled.js';
import {
  KIND_LETTER_SAMPLES,
  KIND_RATE_HZ,
  kittenFiles,
  kokoroFiles,
  matchaChineseFiles,
  matchaFiles,
  POCKET_FRAME_SAMPLES,
  POCKET_FRAMES_AFTER,
  POCKET_RATE_HZ,
  pocketFiles,
  pocketToneOf,
  SUPERTONIC_MARKS,
  supertonicFiles,
  vocosToneOf,
} from '../support/voice-models/kinds.js';
import { emptyModel, putFiles, toneOf } from '../support/voice-models/models.js';
import { espeakData } from '../support/voice-models/phonemes.js';

const { createSherpaProvider } = await compiled<typeof Sherpa>('infra/speech/sherpa/sherpa.js');
const { readCatalog } = await compiled<typeof Catalog>('infra/speech/sherpa/catalog.js');
const never = new AbortController().signal;

/** The sounds that the models of this file have, each with the number of its place. */
const SOUNDS = ' ^$_abcdefghijklmnopqrstuvwxyzɪʊəɑɔɛæʌɜɹʃʒθðŋɡɾˈˌː.,!?';
const numberOf = (sound: string): number => SOUNDS.indexOf(sound) + 1;

let folder: string;
let phonemes: Readonly<Record<string, Uint8Array>>;
const opened: BareProvider[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'talebank-kinds-'));
  phonemes = await espeakData(['gmw/en', 'gmw/en-US', 'roa/es']);
});
afterEach(async () => {
  for (const provider of opened.splice(0)) await provider.close();
});
afterAll(() => rm(folder, { recursive: true }));

type Models = Readonly<Record<string, Readonly<Record<string, string | Uint8Array>>>>;

async function open(models: Models, speed = 1): Promise<BareProvider> {
  const voices = await mkdtemp(join(folder, 'voices-'));
  for (const [name, files] of Object.entries(models)) await putFiles(join(voices, name), files);
  const provider = createSherpaProvider({
    folder: voices,
    concurrency: 1,
    modelsKept: 1,
    threads: 1,
    speed,
    memoryBytes: 1024 * 1024 * 1024,
    timeoutMs: 120_000,
    log: pino({ level: 'silent' }),
  });
  opened.push(provider);
  await provider.listVoices();
  return provider;
}

const hear = (
  provider: BareProvider,
  voice: string,
  text: string,
  language = 'en-US',
): Promise<SpokenSentence> => provider.speak({ text, voice, language }, never);

/** The frequency of a stretch of sound in Hz, by its zero crossings. */
function toneIn({ pcm, sampleRateHz }: SpokenSentence, start: number, samples: number): number {
  let [crossings, first, last] = [0, 0, 0];
  for (let at = start + 1; at < start + samples; at += 1) {
    if ((pcm[at - 1] ?? 0) >= 0 || (pcm[at] ?? 0) < 0) continue;
    crossings += 1;
    first ||= at;
    last = at;
  }
  return ((crossings - 1) * sampleRateHz) / (last - first);
}

/** Expects the tone of a sound in the place of a letter. */
function expectSound(
  spoken: SpokenSentence,
  { at, sound, speaker = 0 }: { at: number; sound: string; speaker?: number },
): void {
  const heard = toneIn(spoken, at * KIND_LETTER_SAMPLES, KIND_LETTER_SAMPLES);
  expect(Math.abs(heard - toneOf(numberOf(sound), speaker))).toBeLessThan(4);
}

const SPEAKERS = ['af_heart', 'ef_dora', 'zf_xiaobei'];

test('Kokoro speaks each voice in its own language, with its own style', async () => {
  const kokoro = { ...phonemes, ...kokoroFiles(SOUNDS, { version: 2, speakers: SPEAKERS }) };
  const provider = await open({
    // The lexicon would make a word of English sound otherwise: the rules of eSpeak NG are used for it.
    kokoro: { ...kokoro, 'lexicon-us-en.txt': 'ja b b\n', 'lexicon-zh.txt': '你 n i\n好 h a o\n' },
    'kokoro-en-v0_19': { ...phonemes, ...kokoroFiles(SOUNDS, { version: 1, speakers: ['af'] }) },
  });
  // The engine adds a sound of the number 0 before and after the text.
  const english = await hear(provider, 'kokoro:0', 'ja');
  expect([english.sampleRateHz, english.pcm.length]).toEqual([
    KIND_RATE_HZ,
    6 * KIND_LETTER_SAMPLES,
  ]);
  expectSound(english, { at: 1, sound: 'j' });
  const spanish = await hear(provider, 'kokoro:1', 'ja', 'es');
  expectSound(spanish, { at: 1, sound: 'x', speaker: 1 });
  const chinese = await hear(provider, 'kokoro:2', '你好', 'zh');
  for (const [at, sound] of [...'nihao'].entries())
    expectSound(chinese, { at: at + 1, sound, speaker: 2 });
  expectSound(await hear(provider, 'kokoro-en-v0_19', 'ja'), { at: 1, sound: 'j' });
});

test('Kitten speaks with the style of each voice', async () => {
  const speakers = ['expr-voice-2-m', 'expr-voice-2-f'];
  const provider = await open({ kitten: { ...phonemes, ...kittenFiles(SOUNDS, speakers) } });
  for (const speaker of speakers.keys())
    expectSound(await hear(provider, `kitten:${String(speaker)}`, 'ja'), {
      at: 1,
      sound: 'j',
      speaker,
    });
});

test('Matcha speaks through both kinds of vocoders, and reads Chinese by its lexicon', async () => {
  const provider = await open({
    en_US: { ...phonemes, ...matchaFiles(SOUNDS, 'hifigan') },
    'en_US-vocos': { ...phonemes, ...matchaFiles(SOUNDS, 'vocos') },
    chinese: matchaChineseFiles(SOUNDS, '你 n i\n好 h a o\n'),
  });
  // The engine puts an empty sound around each sound of Matcha.
  expectSound(await hear(provider, 'en_US', 'ja'), { at: 1, sound: 'j' });
  const vocos = await hear(provider, 'en_US-vocos', 'ja');
  const heard = toneIn(vocos, KIND_LETTER_SAMPLES, KIND_LETTER_SAMPLES);
  expect(Math.abs(heard - vocosToneOf(numberOf('j')))).toBeLessThan(40);
  const chinese = await hear(provider, 'chinese', '你好', 'zh');
  for (const [index, sound] of [...'nihao'].entries())
    expectSound(chinese, { at: 2 * index + 1, sound });
});

/** A recording with one tone. */
const recording = (peak: number): Uint8Array =>
  wavFileOf(
    Int16Array.from({ length: POCKET_RATE_HZ }, (_, at) => 32_767 * peak * Math.sin(at / 10)),
    POCKET_RATE_HZ,
  );

test('Pocket imitates each recording in its folder, for as long as the text takes', async () => {
  const files = pocketFiles('abcdefghijklmnopqrstuvwxyz.');
  const provider = await open({
    pocket: { ...files, 'loud.wav': recording(0.5), 'test_wavs/soft.wav': recording(0.3) },
  });
  for (const [voice, peak] of [
    ['pocket:loud', 0.5],
    ['pocket:soft', 0.3],
  ] as const) {
    const spoken = await hear(provider, voice, 'ten');
    const letters = '▁ten'.length + POCKET_FRAMES_AFTER;
    expect([spoken.sampleRateHz, spoken.pcm.length]).toEqual([
      POCKET_RATE_HZ,
      letters * POCKET_FRAME_SAMPLES,
    ]);
    expect(Math.abs(toneIn(spoken, 0, POCKET_FRAME_SAMPLES) - pocketToneOf(peak))).toBeLessThan(4);
  }
});

test('Supertonic has the voices of its styles, and speaks a sentence the same way each time', async () => {
  const provider = await open({ supertonic: supertonicFiles(2) });
  const voices = await provider.listVoices();
  expect(voices.map(({ id }) => id)).toEqual(['supertonic:0', 'supertonic:1']);
  const spoken = await hear(provider, 'supertonic:1', 'ten.');
  expect(spoken.pcm.length).toBe(('ten.'.length + SUPERTONIC_MARKS) * KIND_LETTER_SAMPLES);
  // Two standard deviations of the noise are far less than from one speaker to the next.
  const heard = toneIn(spoken, 2 * KIND_LETTER_SAMPLES, KIND_LETTER_SAMPLES);
  expect(Math.abs(heard - toneOf(0, 1))).toBeLessThan(60);
  const again = await hear(provider, 'supertonic:1', 'ten.');
  expect(again.pcm).toEqual(spoken.pcm);
});

test('the speed of the setting reaches the models of each kind', async () => {
  const provider = await open(
    {
      kokoro: { ...phonemes, ...kokoroFiles(SOUNDS, { version: 2, speakers: ['af_heart'] }) },
      kitten: { ...phonemes, ...kittenFiles(SOUNDS, ['expr-voice-2-m']) },
      en_US: { ...phonemes, ...matchaFiles(SOUNDS, 'hifigan') },
      supertonic: supertonicFiles(1),
    },
    2,
  );
  const lengths: Record<string, number> = {};
  for (const { id } of await provider.listVoices())
    lengths[id] = (await hear(provider, id, 'ja')).pcm.length / KIND_LETTER_SAMPLES;
  expect(lengths).toEqual({
    en_US: 9 / 2,
    kitten: 6 / 2,
    kokoro: 6 / 2,
    // The engine adds a full stop.
    supertonic: ('ja.'.length + SUPERTONIC_MARKS) / 2,
  });
});

test('damaged files of each kind are refused, and a voice of another model still speaks', async () => {
  const styles = new Uint8Array(12);
  const provider = await open({
    kokoro: {
      ...phonemes,
      ...kokoroFiles(SOUNDS, { version: 2, speakers: ['af_heart'] }),
      'voices.bin': styles,
    },
    kitten: { ...phonemes, ...kittenFiles(SOUNDS, ['expr-voice-2-m']), 'voices.bin': styles },
    'en_US-vocoder': {
      ...phonemes,
      ...matchaFiles(SOUNDS, 'hifigan'),
      'hifigan_v2.onnx': emptyModel({ model_type: 'hifigan' }),
    },
    'en_US-phonemes': {
      ...matchaFiles(SOUNDS, 'hifigan'),
      'espeak-ng-data/phontab': '',
    },
    supertonic: { ...supertonicFiles(1), 'tts.json': '{}' },
    good: supertonicFiles(1),
  });
  for (const voice of ['kokoro', 'kitten', 'en_US-phonemes', 'supertonic'])
    await expect(hear(provider, voice, 'ja')).rejects.toMatchObject({
      kind: 'unknown-voice',
      permanent: true,
    });
  // The engine meets a file that is no vocoder with an abort, as it does when it has too little memory.
  await expect(hear(provider, 'en_US-vocoder', 'ja')).rejects.toMatchObject({
    kind: 'died',
    permanent: false,
  });
  expect((await hear(provider, 'good', 'ja')).pcm.length).toBeGreaterThan(0);
});

test('the rules of telephone numbers and dates come before those of numbers', async () => {
  const voices = await mkdtemp(join(folder, 'rules-'));
  const rules = ['new_heteronym.fst', 'number-zh.fst', 'phone-zh.fst', 'date-zh.fst'];
  await putFiles(join(voices, 'zh-ruled'), {
    'model.onnx': emptyModel({ n_speakers: 1 }),
    'tokens.txt': '',
    'lexicon.txt': '',
    ...Object.fromEntries(rules.map((name) => [name, ''])),
  });
  const { models } = await readCatalog(voices);
  expect(models[0]?.rules).toEqual([
    'phone-zh.fst',
    'date-zh.fst',
    'number-zh.fst',
    'new_heteronym.fst',
  ]);
});
