import type { ModelKind } from './messages.js';

/** Why a folder is not offered, in words that complete “the model … is not offered, because”. */
export class UnusableModel extends Error {}

/** A folder of a model, as far as its kind shows in it. */
export interface ModelFiles {
  /** Names of the files in the folder itself. */
  readonly names: ReadonlySet<string>;
  /** Names of the folders in it. */
  readonly folders: ReadonlySet<string>;
}

/** The files that the engine loads: names in the folder of the model. */
export interface ModelParts {
  readonly kind: ModelKind;
  /** The file that has the metadata. */
  readonly main: string;
  /** The engine's names of the parts. Several files of one part are separated by commas. */
  readonly parts: Readonly<Record<string, string>>;
}

/** The data of eSpeak NG that some models bring, for the sounds of words. */
const PHONEMES = 'espeak-ng-data';

/**
 * The kind of a model by its files. Two kinds have the same files, and differ in what the metadata call them.
 * @param typeOf reads `model_type` of the metadata of a file
 * @throws UnusableModel
 */
export async function recogniseModel(
  files: ModelFiles,
  typeOf: (file: string) => Promise<string>,
): Promise<ModelParts> {
  if (find(files, 'lm_flow') !== undefined) return pocket(files);
  if (find(files, 'vector_estimator') !== undefined) return supertonic(files);
  if (find(files, 'encoder') !== undefined && find(files, 'decoder') !== undefined)
    throw new UnusableModel(
      'it is a model for recognising speech, or one that needs a recording and its text',
    );
  const main = mainModel(files);
  if (files.names.has('voices.bin'))
    return (await typeOf(main)).includes('kitten') ? kitten(files, main) : kokoro(files, main);
  if (find(files, 'voco') !== undefined || find(files, 'hifigan') !== undefined)
    return matcha(files, main);
  if ((await typeOf(main)).includes('matcha'))
    throw new UnusableModel(
      'its vocoder is missing: put it into the folder, for example vocos-22khz-univ.onnx',
    );
  return vits(files, main);
}

/** The ONNX file whose name begins with `stem`. If there are several, the one that is not quantised. */
function find({ names }: ModelFiles, stem: string): string | undefined {
  const found = [...names].filter((name) => name.startsWith(stem) && name.endsWith('.onnx')).sort();
  return found.find((name) => name === `${stem}.onnx`) ?? found[0];
}

function need(files: ModelFiles, stem: string): string {
  const found = find(files, stem);
  if (found === undefined) throw new UnusableModel(`the file ${stem}.onnx is missing`);
  return found;
}

function needFile({ names }: ModelFiles, name: string): string {
  if (!names.has(name)) throw new UnusableModel(`the file ${name} is missing`);
  return name;
}

function needPhonemes({ folders }: ModelFiles): string {
  if (!folders.has(PHONEMES)) throw new UnusableModel(`the folder ${PHONEMES} is missing`);
  return PHONEMES;
}

/** The model itself, where it is one file. */
function mainModel({ names }: ModelFiles): string {
  const models = [...names].filter(
    (name) => name.endsWith('.onnx') && !/^(?:voco|hifigan)/.test(name),
  );
  const [first] = models;
  if (first === undefined) throw new UnusableModel('there is no file that ends with .onnx');
  if (models.length === 1) return first;
  const usual = ['model.onnx', 'model.fp16.onnx', 'model.int8.onnx'].find((name) =>
    models.includes(name),
  );
  if (usual === undefined) throw new UnusableModel('it has several files that end with .onnx');
  return usual;
}

const withPhonemes = ({ folders }: ModelFiles): Record<string, string> =>
  folders.has(PHONEMES) ? { dataDir: PHONEMES } : {};

/** The words with their sounds: one file, or one for each language. */
function withLexicons({ names }: ModelFiles): Record<string, string> {
  const lexicons = [...names].filter((name) => /^lexicon.*\.txt$/.test(name)).sort();
  return lexicons.length === 0 ? {} : { lexicon: lexicons.join(',') };
}

const vits = (files: ModelFiles, main: string): ModelParts => ({
  kind: 'vits',
  main,
  parts: {
    model: main,
    tokens: needFile(files, 'tokens.txt'),
    ...withLexicons(files),
    ...withPhonemes(files),
  },
});

const matcha = (files: ModelFiles, main: string): ModelParts => ({
  kind: 'matcha',
  main,
  parts: {
    acousticModel: main,
    vocoder: find(files, 'voco') ?? need(files, 'hifigan'),
    tokens: needFile(files, 'tokens.txt'),
    ...withLexicons(files),
    ...withPhonemes(files),
  },
});

const kokoro = (files: ModelFiles, main: string): ModelParts => ({
  kind: 'kokoro',
  main,
  parts: {
    model: main,
    voices: 'voices.bin',
    tokens: needFile(files, 'tokens.txt'),
    dataDir: needPhonemes(files),
    // British words are read by the rules of eSpeak NG, because one model takes one lexicon of English.
    ...withLexicons({
      ...files,
      names: new Set([...files.names].filter((name) => !name.includes('-gb-'))),
    }),
  },
});

const kitten = (files: ModelFiles, main: string): ModelParts => ({
  kind: 'kitten',
  main,
  parts: {
    model: main,
    voices: 'voices.bin',
    tokens: needFile(files, 'tokens.txt'),
    dataDir: needPhonemes(files),
  },
});

const pocket = (files: ModelFiles): ModelParts => ({
  kind: 'pocket',
  main: need(files, 'lm_main'),
  parts: {
    lmFlow: need(files, 'lm_flow'),
    lmMain: need(files, 'lm_main'),
    encoder: need(files, 'encoder'),
    decoder: need(files, 'decoder'),
    textConditioner: need(files, 'text_conditioner'),
    vocabJson: needFile(files, 'vocab.json'),
    tokenScoresJson: needFile(files, 'token_scores.json'),
  },
});

const supertonic = (files: ModelFiles): ModelParts => ({
  kind: 'supertonic',
  main: need(files, 'vector_estimator'),
  parts: {
    durationPredictor: need(files, 'duration_predictor'),
    textEncoder: need(files, 'text_encoder'),
    vectorEstimator: need(files, 'vector_estimator'),
    vocoder: need(files, 'vocoder'),
    ttsJson: needFile(files, 'tts.json'),
    unicodeIndexer: needFile(files, 'unicode_indexer.bin'),
    voiceStyle: needFile(files, 'voice.bin'),
  },
});
