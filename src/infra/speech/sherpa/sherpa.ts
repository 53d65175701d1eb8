import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mostSecondsOf, speakableParts } from '../../../domain/speakable.js';
import type { Logger } from '../../log.js';
import { StartError } from '../../start-error.js';
import type { BareProvider } from '../guard.js';
import { createProcessPool } from '../process-pool.js';
import {
  SpeechError,
  type SpeechErrorKind,
  type SpeechRequest,
  type SpokenSentence,
} from '../provider.js';
import { definitionOf, readCatalog, type Catalog, type Model } from './catalog.js';
import { looksOf } from './checksum.js';
import type { EngineConfig, SherpaAnswer, SherpaFailure, SherpaQuestion } from './messages.js';
import type { ModelSpeaker } from './speakers.js';

export interface SherpaOptions {
  /** The folder that has a folder for each model. */
  readonly folder: string;
  /** Sentences at once. */
  readonly concurrency: number;
  /** Processes that keep a model loaded, also while it is not used. */
  readonly modelsKept: number;
  /** Threads of each process. */
  readonly threads: number;
  /** 1 is the model's own. */
  readonly speed: number;
  /** The memory that each process may use. */
  readonly memoryBytes: number;
  readonly timeoutMs: number;
  /** Whether what the engine writes is shown. It may have the text, so that a server must not. */
  readonly showsErrors?: boolean;
}

const PACKAGE = 'sherpa-onnx-node';
/** The version of the engine, and the version of how texts are prepared for it. */
const SETTINGS = 'sherpa-onnx 1.13.8, text 1';

/** The engine ends the process with this code when it cannot use a model. On Windows the code is unsigned. */
const REFUSED_CODES: ReadonlySet<number | null> = new Set([255, 0xffff_ffff]);
/** How long a narration waits when the files of its model were changed. */
const AFTER_CHANGE_MS = 10_000;

type Failed = Readonly<{ kind: SpeechErrorKind; permanent: boolean; why: string }>;

const BROKEN: Failed = {
  kind: 'unknown-voice',
  permanent: true,
  why: 'The engine cannot use the model of this voice.',
};
const FAILURES: Readonly<Record<SherpaFailure, Failed>> = {
  NOT_INSTALLED: {
    kind: 'unreachable',
    permanent: false,
    why: `The package ${PACKAGE} is not installed, or cannot be loaded on this machine.`,
  },
  BROKEN_MODEL: BROKEN,
  SILENT: { kind: 'silent', permanent: true, why: 'The voice has no sounds for this sentence.' },
  TOO_LONG: {
    kind: 'too-long',
    permanent: true,
    why: 'The speech is longer than the text can take.',
  },
};

const failed = ({ why, kind, permanent }: Failed): SpeechError =>
  new SpeechError(why, { kind, permanent });

/** A voice, with the state of its model when the models were read. */
interface Voice {
  readonly model: Model;
  readonly speaker: ModelSpeaker;
  readonly definition: string;
  /** The files that the engine loads, and what they looked like. */
  readonly files: readonly string[];
  readonly looks: string;
}

/**
 * sherpa-onnx in a pool of processes: natural voices on this machine, without a network, from models that the operator
 * has put into a folder. A process loads one model, speaks one sentence at a time within a time limit, and is replaced
 * when it hangs, dies or grows.
 * @throws StartError where the engine's package is not installed
 */
export function createSherpaProvider(
  options: SherpaOptions & { readonly log: Logger },
): BareProvider {
  requireEngine();
  const voices = new Map<string, Voice>();
  const pool = createProcessPool<SherpaQuestion, SherpaAnswer>({
    script: fileURLToPath(new URL('process.js', import.meta.url)),
    size: options.concurrency,
    kept: Math.max(options.concurrency, options.modelsKept),
    timeoutMs: options.timeoutMs,
    heapMegabytes: 128,
    log: options.log,
    showsErrors: options.showsErrors === true,
    whyEnded: (code) => (REFUSED_CODES.has(code) ? failed(BROKEN) : null),
  });

  async function speak(request: SpeechRequest, signal: AbortSignal): Promise<SpokenSentence> {
    const voice = voices.get(request.voice);
    if (voice === undefined)
      throw new SpeechError('There is no such voice.', { permanent: true, kind: 'unknown-voice' });
    const text = speakableParts(request.text, request.language)
      .map((part) => part.text)
      .join(' ');
    if (text === '')
      throw new SpeechError('There is nothing to speak.', { permanent: true, kind: 'silent' });
    await requireUnchanged(voice);
    const question = questionFor(voice, text, options);
    // A process that has loaded the model before it was changed is not asked again.
    const use = JSON.stringify([voice.model.checksum, question.config]);
    const answer = await pool.ask(question, signal, use);
    // It is checked again, because the engine may have loaded the model after the change.
    await requireUnchanged(voice);
    if ('failure' in answer) throw failed(FAILURES[answer.failure]);
    return { pcm: answer.pcm, sampleRateHz: answer.sampleRateHz };
  }

  return {
    name: 'sherpa',
    settings: [SETTINGS, ...(options.speed === 1 ? [] : [`speed=${String(options.speed)}`])].join(
      ' ',
    ),
    definitionOf: (id) => voices.get(id)?.definition,
    listVoices: async () => {
      const catalog = await readCatalog(options.folder);
      for (const { folder, why } of catalog.refused)
        options.log.warn(
          { event: 'voice-model-refused', model: folder, reason: why },
          'voice model refused',
        );
      voices.clear();
      for (const [id, voice] of await voicesOf(catalog)) voices.set(id, voice);
      return [...voices.values()].map(({ speaker: { id, name, languages, gender } }) => ({
        id,
        name,
        languages,
        gender,
      }));
    },
    speak,
    close: () => {
      pool.close();
      return Promise.resolve();
    },
  };
}

/** Nothing is loaded here, because the engine is native code that can end the process. */
function requireEngine(): void {
  try {
    createRequire(import.meta.url).resolve(PACKAGE);
  } catch {
    throw new StartError(
      `SPEECH_PROVIDER is sherpa, but the package ${PACKAGE} is not installed: install the dependencies without --omit=optional.`,
    );
  }
}

/** More voices than this are not offered. */
const VOICES_MAX = 2000;

async function voicesOf({ models }: Catalog): Promise<readonly [string, Voice][]> {
  const voices: [string, Voice][] = [];
  for (const model of models) {
    const files = loadedFiles(model);
    const looks = await looksOf(files);
    for (const speaker of model.speakers)
      voices.push([
        speaker.id,
        { model, speaker, definition: definitionOf(model, speaker), files, looks },
      ]);
  }
  return voices.slice(0, VOICES_MAX);
}

/** The files that the engine loads. One of the folder of phonemes stands for all of them. */
const loadedFiles = ({ path, parts, rules, speakers }: Model): string[] => [
  ...Object.entries(parts.parts).flatMap(([part, names]) =>
    part === 'dataDir'
      ? [join(path, names, 'phontab')]
      : names.split(',').map((name) => join(path, name)),
  ),
  ...rules.map((name) => join(path, name)),
  ...speakers.flatMap(({ reference }) => (reference === null ? [] : [join(path, reference)])),
];

/**
 * The speech of a model that was changed while the server runs would be stored as that of the old model. So its
 * narrations wait until the processes are restarted and read the models again.
 */
async function requireUnchanged({ model, files, looks }: Voice): Promise<void> {
  if (looks === (await looksOf(files))) return;
  throw new SpeechError(
    `The files of the model ${model.folder} have changed since the start: restart Talebank.`,
    { permanent: false, kind: 'unreachable', retryAfterMs: AFTER_CHANGE_MS },
  );
}

/** The question about a sentence, for the provider and for the command that tries a voice. */
function questionFor(
  { model, speaker }: Pick<Voice, 'model' | 'speaker'>,
  text: string,
  options: Pick<SherpaOptions, 'threads' | 'speed' | 'memoryBytes'>,
): SherpaQuestion {
  return {
    config: configOf(model, speaker, options.threads),
    text,
    speaker: speaker.number,
    speed: options.speed,
    reference: speaker.reference === null ? null : join(model.path, speaker.reference),
    extra: speaker.extra,
    mostSeconds: mostSecondsOf(text) / options.speed,
    mostBytes: options.memoryBytes,
  };
}

function configOf(
  { path, parts: { kind, parts }, rules }: Model,
  speaker: ModelSpeaker,
  threads: number,
): EngineConfig {
  const inFolder = (names: string): string =>
    names
      .split(',')
      .map((name) => join(path, name))
      .join(',');
  const located = Object.fromEntries(
    Object.entries(parts).map(([part, names]) => [part, inFolder(names)]),
  );
  // Kokoro's rules are those of Chinese, and its other voices would read numbers in it.
  const isRuled = kind !== 'kokoro' || speaker.languages.includes('zh');
  return {
    kind,
    parts: { ...located, ...speaker.parts },
    ruleFsts: isRuled && rules.length > 0 ? inFolder(rules.join(',')) : '',
    threads,
  };
}
