import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { graph, model, node, tensor, value } from './onnx.js';

/** The characters that the test's own models read. */
export const LETTERS = ' abcdefghijklmnopqrstuvwxyz.,!?';
const TOKENS = Array.from(LETTERS, (letter, index) => `${letter} ${String(index + 1)}\n`).join('');

export interface VoiceModel {
  readonly speakers?: number;
  readonly sampleRateHz?: number;
  /** How many samples a letter has. */
  readonly samplesPerLetter?: number;
  /** How many turns a loop makes before the model answers. */
  readonly turns?: number;
  /** Metadata that are added, or left out when they are null. */
  readonly metadata?: Readonly<Record<string, string | number | null>>;
}

/** The tone of a token, in Hz. */
export const toneOf = (token: number, speaker: number): number => 10 * (token + 20 + 30 * speaker);

/** The tone of a letter, in Hz. */
export const frequencyOf = (letter: string, speaker: number): number =>
  toneOf(LETTERS.indexOf(letter) + 1, speaker);

/**
 * The part of a model that sounds: each token is a sine tone, whose frequency depends on the token and on the speaker.
 * Its inputs are `letters` (float, [1, n]), `speaker` (float, [1]) and `scale` (float, []); its output is `y`.
 */
export const tones = (
  sampleRateHz: number,
  samplesPerLetter: number,
): { readonly constants: Uint8Array[]; readonly nodes: Uint8Array[] } => ({
  constants: [
    tensor('zero', 'float', [], [0]),
    tensor('one', 'float', [], [1]),
    tensor('letter', 'float', [], [samplesPerLetter]),
    tensor('step', 'float', [], [(2 * Math.PI * 10) / sampleRateHz]),
    tensor('base', 'float', [], [20]),
    tensor('apart', 'float', [], [30]),
    tensor('loudness', 'float', [], [0.3]),
    tensor('column', 'int64', [3], [1, -1, 1]),
    tensor('flat', 'int64', [3], [1, 1, -1]),
    tensor('axis', 'int64', [1], [0]),
  ],
  nodes: [
    node('Mul', ['letter', 'scale'], ['limit']),
    node('Range', ['zero', 'limit', 'one'], ['times']),
    node('Mul', ['times', 'step'], ['angles']),
    node('Mul', ['speaker', 'apart'], ['higher']),
    node('Add', ['letters', 'base'], ['low']),
    node('Add', ['low', 'higher'], ['tones']),
    node('Reshape', ['tones', 'column'], ['rows']),
    node('Mul', ['rows', 'angles'], ['phases']),
    node('Sin', ['phases'], ['waves']),
    node('Mul', ['waves', 'loudness'], ['sound']),
    node('Reshape', ['sound', 'flat'], ['y']),
  ],
});

/** A loop that only counts. */
const SPIN = graph({
  nodes: [node('Identity', ['goes'], ['on']), node('Add', ['turned', 'one'], ['more'])],
  inputs: [value('turn', 'int64', []), value('goes', 'bool', []), value('turned', 'float', [])],
  outputs: [value('on', 'bool', []), value('more', 'float', [])],
});

/**
 * A model that the engine takes for VITS. The engine turns letters into numbers by itself, because the metadata say so.
 */
export function vitsModel({
  speakers = 1,
  sampleRateHz = 16_000,
  samplesPerLetter = 1200,
  turns = 0,
  metadata = {},
}: VoiceModel = {}): Uint8Array {
  const { constants, nodes } = tones(sampleRateHz, samplesPerLetter);
  const made = graph({
    inputs: [
      value('x', 'int64', [1, 'letters']),
      value('x_length', 'int64', [1]),
      value('noise_scale', 'float', [1]),
      value('length_scale', 'float', [1]),
      value('noise_scale_w', 'float', [1]),
      value('sid', 'int64', [1]),
    ],
    outputs: [value('y', 'float', [1, 1, 'samples'])],
    constants: [
      ...constants,
      tensor('turns', 'int64', [], [turns]),
      tensor('goesOn', 'bool', [], [1]),
    ],
    nodes: [
      node('Loop', ['turns', 'goesOn', 'zero'], ['spun'], { body: SPIN }),
      node('Mul', ['spun', 'zero'], ['nothing']),
      node('Squeeze', ['length_scale', 'axis'], ['scale']),
      node('Cast', ['x'], ['numbers'], { to: 1 }),
      node('Add', ['numbers', 'nothing'], ['letters']),
      node('Cast', ['sid'], ['speaker'], { to: 1 }),
      ...nodes,
    ],
  });
  const entries: Readonly<Record<string, string | number | null>> = {
    sample_rate: sampleRateHz,
    n_speakers: speakers,
    language: 'English',
    model_type: 'vits',
    comment: 'tones',
    frontend: 'characters',
    add_blank: 0,
    use_eos_bos: 0,
    ...metadata,
  };
  return model(
    made,
    Object.fromEntries(
      Object.entries(entries).filter(
        (entry): entry is [string, string | number] => entry[1] !== null,
      ),
    ),
  );
}

/** A file with metadata and an empty graph, for tests that only recognise it. */
export const emptyModel = (metadata: Readonly<Record<string, string | number>>): Uint8Array =>
  model(graph({ nodes: [], inputs: [], outputs: [] }), metadata);

/** Puts files into a folder, by their paths there. */
export async function putFiles(
  folder: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

/** The files of a model that speaks. */
export const filesOf = (made: VoiceModel = {}): Readonly<Record<string, string | Uint8Array>> => ({
  'model.onnx': vitsModel(made),
  'tokens.txt': TOKENS,
});

/** Puts a model that speaks among those of DATA_DIR. */
export const putModel = (voices: string, name: string, made: VoiceModel = {}): Promise<void> =>
  putFiles(join(voices, name), filesOf(made));
