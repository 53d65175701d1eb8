/**
 * Models of the other kinds that the engine loads. They have the inputs, outputs and metadata that the engine asks for,
 * and sound as tones, so that a test can hear which token, speaker and speed the engine was given.
 */
import { graph, model, node, tensor, value } from './onnx.js';
import { tones } from './models.js';

type Metadata = Readonly<Record<string, string | number>>;
type Files = Readonly<Record<string, string | Uint8Array>>;

export const KIND_RATE_HZ = 16_000;
export const KIND_LETTER_SAMPLES = 1200;

/** `tokens.txt` with the number of each sound. The number 0 is the engine's own. */
const tokensOf = (sounds: string): string =>
  Array.from(sounds, (sound, index) => `${sound} ${String(index + 1)}\n`).join('');

const floats = (numbers: readonly number[]): Uint8Array =>
  new Uint8Array(Float32Array.from(numbers).buffer);

/** A model of Kokoro or Kitten: tokens, a style and a speed become sound. The style is the number of the speaker. */
function styledModel(metadata: Metadata): Uint8Array {
  const { constants, nodes } = tones(KIND_RATE_HZ, KIND_LETTER_SAMPLES);
  return model(
    graph({
      inputs: [
        value('tokens', 'int64', [1, 'letters']),
        value('style', 'float', [1, 2]),
        value('speed', 'float', [1]),
      ],
      outputs: [value('y', 'float', [1, 1, 'samples'])],
      constants: [...constants, tensor('first', 'int64', [1], [0])],
      nodes: [
        node('Cast', ['tokens'], ['letters'], { to: 1 }),
        node('Gather', ['style', 'first'], ['speaker'], { axis: 1 }),
        node('Squeeze', ['speed', 'axis'], ['rate']),
        node('Div', ['one', 'rate'], ['scale']),
        ...nodes,
      ],
    }),
    { sample_rate: KIND_RATE_HZ, has_espeak: 1, voice: 'en-us', ...metadata },
  );
}

/** The styles of all speakers, with `rows` of two numbers for each. */
const stylesOf = (speakers: number, rows: number): Uint8Array =>
  floats(
    Array.from({ length: speakers }, (_, speaker) =>
      Array.from({ length: rows }, () => [speaker, 0]),
    ).flat(2),
  );

/** The most sounds in one call, as the maker of Kokoro has it. */
const KOKORO_ROWS = 510;

/** @param version 1 reads English alone, and 2 many languages */
export const kokoroFiles = (
  sounds: string,
  { version, speakers }: { readonly version: number; readonly speakers: readonly string[] },
): Files => ({
  'model.onnx': styledModel({
    model_type: 'kokoro',
    version,
    n_speakers: speakers.length,
    speaker_names: speakers.join(','),
    style_dim: `${String(KOKORO_ROWS)},1,2`,
  }),
  'voices.bin': stylesOf(speakers.length, KOKORO_ROWS),
  'tokens.txt': tokensOf(sounds),
});

export const kittenFiles = (sounds: string, speakers: readonly string[]): Files => ({
  'model.fp16.onnx': styledModel({
    model_type: 'kitten-tts',
    n_speakers: speakers.length,
    speaker_names: speakers.join(','),
    style_dim: '1,2',
  }),
  'voices.bin': stylesOf(speakers.length, 1),
  'tokens.txt': tokensOf(sounds),
});

/** The sound of Matcha before its vocoder: the tokens in the first row, and the scale of their length in the second. */
function matchaModel(metadata: Metadata): Uint8Array {
  return model(
    graph({
      inputs: [
        value('x', 'int64', [1, 'letters']),
        value('x_length', 'int64', [1]),
        value('noise_scale', 'float', [1]),
        value('length_scale', 'float', [1]),
      ],
      outputs: [value('mel', 'float', [1, 2, 'letters'])],
      constants: [
        tensor('zero', 'float', [], [0]),
        tensor('flat', 'int64', [3], [1, 1, -1]),
        tensor('nothing', 'float', [1], [0]),
      ],
      nodes: [
        node('Cast', ['x'], ['numbers'], { to: 1 }),
        node('Reshape', ['numbers', 'flat'], ['row']),
        node('Mul', ['row', 'zero'], ['empty']),
        node('Add', ['empty', 'length_scale'], ['scales']),
        node('Concat', ['row', 'scales'], ['mel'], { axis: 1 }),
      ],
    }),
    {
      model_type: 'matcha-tts',
      sample_rate: KIND_RATE_HZ,
      n_speakers: 1,
      has_espeak: 1,
      use_eos_bos: 0,
      pad_id: 0,
      voice: 'en-us',
      ...metadata,
    },
  );
}

/** A vocoder whose output is the sound. */
function hifiganModel(): Uint8Array {
  const { constants, nodes } = tones(KIND_RATE_HZ, KIND_LETTER_SAMPLES);
  return model(
    graph({
      inputs: [value('mel', 'float', [1, 2, 'letters'])],
      outputs: [value('y', 'float', [1, 1, 'samples'])],
      constants: [
        ...constants,
        tensor('speaker', 'float', [1], [0]),
        tensor('firstRow', 'int64', [], [0]),
        tensor('secondRow', 'int64', [], [1]),
      ],
      nodes: [
        node('Gather', ['mel', 'firstRow'], ['letters'], { axis: 1 }),
        node('Gather', ['mel', 'secondRow'], ['scales'], { axis: 1 }),
        node('Gather', ['scales', 'firstRow'], ['one scale'], { axis: 1 }),
        node('Squeeze', ['one scale', 'axis'], ['scale']),
        ...nodes,
      ],
    }),
    { model_type: 'hifigan' },
  );
}

/** Samples of the transform of the vocoder below, and from one frame to the next. */
const BINS = 64;
const HOP = 16;
const FRAMES_PER_LETTER = KIND_LETTER_SAMPLES / HOP;

/** The tone of a token with the vocoder below, in Hz. */
export const vocosToneOf = (token: number): number => (token % 8) * (KIND_RATE_HZ / HOP);

/** A vocoder whose output are magnitudes and phases, from which the engine makes the sound. */
function vocosModel(): Uint8Array {
  return model(
    graph({
      inputs: [value('mel', 'float', [1, 2, 'letters'])],
      outputs: ['magnitude', 'x', 'y'].map((name) =>
        value(name, 'float', [1, BINS / 2 + 1, 'frames']),
      ),
      constants: [
        tensor('firstRow', 'int64', [], [0]),
        tensor('column', 'int64', [2], [-1, 1]),
        tensor('flat', 'int64', [3], [1, 1, -1]),
        tensor('long', 'float', [1, FRAMES_PER_LETTER], new Array(FRAMES_PER_LETTER).fill(0)),
        tensor('eight', 'float', [], [8]),
        tensor('four', 'float', [], [4]),
        tensor('bins', 'float', [1, BINS / 2 + 1, 1], [...Array(BINS / 2 + 1).keys()]),
        tensor('loudness', 'float', [], [10]),
        tensor('zero', 'float', [], [0]),
        tensor('one', 'float', [], [1]),
      ],
      nodes: [
        node('Gather', ['mel', 'firstRow'], ['letters'], { axis: 1 }),
        node('Reshape', ['letters', 'column'], ['rows']),
        node('Add', ['rows', 'long'], ['repeated']),
        node('Reshape', ['repeated', 'flat'], ['frames']),
        node('Mod', ['frames', 'eight'], ['rest'], { fmod: 1 }),
        node('Mul', ['rest', 'four'], ['loud bins']),
        node('Equal', ['loud bins', 'bins'], ['is loud']),
        node('Cast', ['is loud'], ['mask'], { to: 1 }),
        node('Mul', ['mask', 'loudness'], ['magnitude']),
        node('Mul', ['mask', 'zero'], ['y']),
        node('Add', ['y', 'one'], ['x']),
      ],
    }),
    { model_type: 'vocos', n_fft: BINS, hop_length: HOP, win_length: BINS },
  );
}

export const matchaFiles = (sounds: string, vocoder: 'hifigan' | 'vocos'): Files => ({
  'model-steps-3.onnx': matchaModel({}),
  ...(vocoder === 'hifigan'
    ? { 'hifigan_v2.onnx': hifiganModel() }
    : { 'vocos-16khz-univ.onnx': vocosModel() }),
  'tokens.txt': tokensOf(sounds),
});

/** Matcha's models of Chinese have a lexicon instead of the sounds of eSpeak NG. */
export const matchaChineseFiles = (sounds: string, lexicon: string): Files => ({
  'model-steps-3.onnx': matchaModel({ has_espeak: 0, jieba: 1, voice: '', language: 'Chinese' }),
  'hifigan_v2.onnx': hifiganModel(),
  'tokens.txt': tokensOf(sounds),
  'lexicon.txt': lexicon,
});

export const POCKET_RATE_HZ = 24_000;
export const POCKET_FRAME_SAMPLES = 1920;
/** Pocket's engine goes on for so many frames after the end. */
export const POCKET_FRAMES_AFTER = 3;

/** The tone of an imitated recording, in Hz: the louder it is, the higher is the voice. */
export const pocketToneOf = (peak: number): number => 10 * (Math.round(peak * 100) + 20);

const WIDTH = 1024;
const LATENT = 32;

/** Counts the frames that are left, and passes the voice on. */
function pocketMain(): Uint8Array {
  return model(
    graph({
      inputs: [
        value('sequence', 'float', [1, 'frames', LATENT]),
        value('text_embeddings', 'float', [1, 'tokens', WIDTH]),
        value('left', 'float', [1]),
        value('voice', 'float', [1]),
      ],
      outputs: [
        value('conditioning', 'float', [1, 1]),
        value('eos_logit', 'float', [1]),
        value('left_out', 'float', [1]),
        value('voice_out', 'float', [1]),
      ],
      constants: [
        tensor('second', 'int64', [], [1]),
        tensor('zero', 'float', [], [0]),
        tensor('square', 'int64', [2], [1, 1]),
        tensor('goes on', 'float', [1], [-10]),
        tensor('ends', 'float', [1], [0]),
      ],
      nodes: [
        node('Shape', ['text_embeddings'], ['text shape']),
        node('Gather', ['text shape', 'second'], ['text length'], { axis: 0 }),
        node('Cast', ['text length'], ['more'], { to: 1 }),
        node('Shape', ['sequence'], ['sequence shape']),
        node('Gather', ['sequence shape', 'second'], ['sequence length'], { axis: 0 }),
        node('Cast', ['sequence length'], ['less'], { to: 1 }),
        node('Add', ['left', 'more'], ['with text']),
        node('Sub', ['with text', 'less'], ['left_out']),
        node('ReduceSum', ['text_embeddings'], ['heard'], { keepdims: 0 }),
        node('Add', ['voice', 'heard'], ['voice_out']),
        node('Reshape', ['voice_out', 'square'], ['conditioning']),
        node('Greater', ['left_out', 'zero'], ['is left']),
        node('Where', ['is left', 'goes on', 'ends'], ['eos_logit']),
      ],
    }),
    {},
  );
}

/** Leads from the noise to the voice in the five steps that the engine makes. */
const pocketFlow = (): Uint8Array =>
  model(
    graph({
      inputs: [
        value('c', 'float', [1, 1]),
        value('s', 'float', [1, 1]),
        value('t', 'float', [1, 1]),
        value('x', 'float', [1, LATENT]),
      ],
      outputs: [value('direction', 'float', [1, LATENT])],
      constants: [tensor('five', 'float', [], [5])],
      nodes: [
        node('Sub', ['c', 'x'], ['difference']),
        node('Mul', ['difference', 'five'], ['direction']),
      ],
    }),
    {},
  );

/** The voice of a recording is its peak. */
const pocketEncoder = (): Uint8Array =>
  model(
    graph({
      inputs: [value('audio', 'float', [1, 1, 'samples'])],
      outputs: [value('embedding', 'float', [1, 1, WIDTH])],
      constants: [
        tensor('hundred', 'float', [], [100]),
        tensor('mask', 'float', [1, 1, WIDTH], [1, ...new Array<number>(WIDTH - 1).fill(0)]),
      ],
      nodes: [
        node('ReduceMax', ['audio'], ['peak'], { keepdims: 0 }),
        node('Mul', ['peak', 'hundred'], ['percent']),
        node('Round', ['percent'], ['voice']),
        node('Mul', ['mask', 'voice'], ['embedding']),
      ],
    }),
    {},
  );

function pocketDecoder(): Uint8Array {
  const { constants, nodes } = tones(POCKET_RATE_HZ, POCKET_FRAME_SAMPLES);
  return model(
    graph({
      inputs: [value('latent', 'float', [1, 'frames', LATENT]), value('state', 'float', [1])],
      outputs: [value('y', 'float', [1, 1, 'samples']), value('state_out', 'float', [1])],
      constants: [
        ...constants,
        tensor('speaker', 'float', [1], [0]),
        tensor('scale', 'float', [], [1]),
        tensor('first', 'int64', [], [0]),
      ],
      nodes: [
        node('Gather', ['latent', 'first'], ['letters'], { axis: 2 }),
        node('Identity', ['state'], ['state_out']),
        ...nodes,
      ],
    }),
    {},
  );
}

const pocketConditioner = (): Uint8Array =>
  model(
    graph({
      inputs: [value('ids', 'int64', [1, 'tokens'])],
      outputs: [value('embeddings', 'float', [1, 'tokens', WIDTH])],
      constants: [
        tensor('zero', 'float', [], [0]),
        tensor('column', 'int64', [3], [1, -1, 1]),
        tensor('wide', 'float', [1, 1, WIDTH], new Array<number>(WIDTH).fill(0)),
      ],
      nodes: [
        node('Cast', ['ids'], ['numbers'], { to: 1 }),
        node('Mul', ['numbers', 'zero'], ['nothing']),
        node('Reshape', ['nothing', 'column'], ['rows']),
        node('Add', ['rows', 'wide'], ['embeddings']),
      ],
    }),
    {},
  );

/** Pocket's files, without the recordings that it imitates. Each letter is a token, and so is the mark of a blank. */
export function pocketFiles(letters: string): Files {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  );
  const tokens = ['▁', ...letters, ...bytes];
  return {
    'lm_main.int8.onnx': pocketMain(),
    'lm_flow.int8.onnx': pocketFlow(),
    'encoder.onnx': pocketEncoder(),
    'decoder.int8.onnx': pocketDecoder(),
    'text_conditioner.onnx': pocketConditioner(),
    'vocab.json': JSON.stringify(Object.fromEntries(tokens.map((token, id) => [token, id]))),
    'token_scores.json': JSON.stringify(Object.fromEntries(tokens.map((token) => [token, -1]))),
  };
}

const int32s = (numbers: readonly number[]): Uint8Array =>
  new Uint8Array(Int32Array.from(numbers).buffer);
const int64s = (numbers: readonly number[]): Uint8Array =>
  new Uint8Array(BigInt64Array.from(numbers, BigInt).buffer);

const SUPERTONIC_TEXT = [
  value('text_ids', 'int64', [1, 'letters']),
  value('style', 'float', [1, 1, 1]),
  value('text_mask', 'float', [1, 1, 'letters']),
];

/** Each letter takes as long as one of the other kinds. */
const supertonicDurations = (): Uint8Array =>
  model(
    graph({
      inputs: SUPERTONIC_TEXT,
      outputs: [value('seconds', 'float', [])],
      constants: [tensor('letter', 'float', [], [KIND_LETTER_SAMPLES / KIND_RATE_HZ])],
      nodes: [
        node('ReduceSum', ['text_mask'], ['length'], { keepdims: 0 }),
        node('Mul', ['length', 'letter'], ['seconds']),
      ],
    }),
    {},
  );

const supertonicText = (): Uint8Array =>
  model(
    graph({
      inputs: SUPERTONIC_TEXT,
      outputs: [value('embedding', 'float', [1, 'letters'])],
      nodes: [node('Cast', ['text_ids'], ['embedding'], { to: 1 })],
    }),
    {},
  );

/** The first row becomes the number of the speaker, and the second one stays noise. */
const supertonicEstimator = (): Uint8Array =>
  model(
    graph({
      inputs: [
        value('noisy', 'float', [1, 2, 'frames']),
        value('embedding', 'float', [1, 'letters']),
        value('style', 'float', [1, 1, 1]),
        value('latent_mask', 'float', [1, 1, 'frames']),
        value('text_mask', 'float', [1, 1, 'letters']),
        value('step', 'float', [1]),
        value('steps', 'float', [1]),
      ],
      outputs: [value('clear', 'float', [1, 2, 'frames'])],
      constants: [
        tensor('second row', 'float', [1, 2, 1], [0, 1]),
        tensor('first row', 'float', [1, 2, 1], [1, 0]),
      ],
      nodes: [
        node('Mul', ['noisy', 'second row'], ['noise']),
        node('Mul', ['style', 'first row'], ['speaker']),
        node('Add', ['noise', 'speaker'], ['clear']),
      ],
    }),
    {},
  );

function supertonicVocoder(): Uint8Array {
  const { constants, nodes } = tones(KIND_RATE_HZ, KIND_LETTER_SAMPLES);
  return model(
    graph({
      inputs: [value('latent', 'float', [1, 2, 'frames'])],
      outputs: [value('y', 'float', [1, 1, 'samples'])],
      constants: [
        ...constants,
        tensor('scale', 'float', [], [1]),
        tensor('firstRow', 'int64', [], [0]),
        tensor('secondRow', 'int64', [], [1]),
      ],
      nodes: [
        node('Gather', ['latent', 'firstRow'], ['speaker'], { axis: 1 }),
        // The noise is heard: it moves the tone a little.
        node('Gather', ['latent', 'secondRow'], ['letters'], { axis: 1 }),
        ...nodes,
      ],
    }),
    {},
  );
}

/** Letters that the engine of Supertonic puts around a text: the marks of its language. */
export const SUPERTONIC_MARKS = '<en></en>'.length;

export const supertonicFiles = (speakers: number): Files => ({
  'duration_predictor.int8.onnx': supertonicDurations(),
  'text_encoder.int8.onnx': supertonicText(),
  'vector_estimator.int8.onnx': supertonicEstimator(),
  'vocoder.int8.onnx': supertonicVocoder(),
  'tts.json': JSON.stringify({
    ae: { sample_rate: KIND_RATE_HZ, base_chunk_size: KIND_LETTER_SAMPLES },
    ttl: { chunk_compress_factor: 1, latent_dim: 2 },
  }),
  'unicode_indexer.bin': int32s([...Array(128).keys()]),
  'voice.bin': Buffer.concat([
    int64s([speakers, 1, 1, speakers, 1, 1]),
    floats([...Array(speakers).keys(), ...Array(speakers).keys()]),
  ]),
});
