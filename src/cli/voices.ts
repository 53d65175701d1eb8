/**
 * The models of natural voices in DATA_DIR/voices, which SPEECH_PROVIDER=sherpa speaks with:
 *   npm run voices
 *   npm run voices -- add URL-OR-FILE [--sha256 HEX] [--name NAME] [--language TAGS]
 *   npm run voices -- language NAME TAGS
 *   npm run voices -- try VOICE [--text TEXT] [--out FILE]
 *   npm run voices -- remove NAME
 */
import '../environment.js';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../domain/errors.js';
import { readConfig } from '../config.js';
import { canonicalTag } from '../domain/text.js';
import { createLogger } from '../infra/log.js';
import type { BareProvider } from '../infra/speech/guard.js';
import { SpeechError, type ProviderVoice, type SpokenSentence } from '../infra/speech/provider.js';
import { readCatalog, type Model } from '../infra/speech/sherpa/catalog.js';
import { UnusableModel } from '../infra/speech/sherpa/kinds.js';
import { createSherpaProvider, type SherpaOptions } from '../infra/speech/sherpa/sherpa.js';
import { RefusedArchive } from '../infra/speech/sherpa/store/archive.js';
import { addModel, removeModel, stateLanguages } from '../infra/speech/sherpa/store/install.js';
import { wavFileOf } from '../infra/speech/sherpa/store/wav-file.js';
import { StartError } from '../infra/start-error.js';
import { openDataDir } from '../installation.js';
import { sampleTextOf } from '../services/narrations/samples/texts.js';
import { runCommand } from './database.js';

const USAGE = `Usage:
  npm run voices                          lists the models and their voices
  npm run voices -- add URL-OR-FILE       adds the model in a .tar.bz2 or .tar.gz file
         [--sha256 HEX]                   refuses another file
         [--name NAME]                    the name of its folder
         [--language TAGS]                for a model that does not tell, for example en,pl
  npm run voices -- language NAME TAGS    states the languages of a model
  npm run voices -- try VOICE             speaks a sentence
         [--text TEXT] [--out FILE]       into a new WAV file; VOICE.wav without --out
  npm run voices -- remove NAME           removes a model`;

const RESTART = 'Restart every process of Talebank, so that it reads the models again.\n';

interface Options {
  readonly sha256?: string | undefined;
  readonly name?: string | undefined;
  readonly language?: string | undefined;
  readonly text?: string | undefined;
  readonly out?: string | undefined;
}

const print = (text: string): void => {
  process.stdout.write(text);
};

type Settings = Omit<SherpaOptions, 'folder' | 'concurrency' | 'modelsKept'>;

/** The settings of the server, or the defaults where it has another provider. */
function settingsOf(config: ReturnType<typeof readConfig>): Settings {
  const read =
    config.speech.provider === 'sherpa' ? config : readConfig({ SPEECH_PROVIDER: 'sherpa' });
  if (read.speech.provider !== 'sherpa') throw new Error('SPEECH_PROVIDER must be sherpa here.');
  const { threads, speed, memoryBytes, timeoutMs } = read.speech;
  return { threads, speed, memoryBytes, timeoutMs };
}

/** Calls a function with the voices of a folder. The messages of the engine are shown. */
async function withVoices<Result>(
  folder: string,
  settings: Settings,
  work: (provider: BareProvider, voices: readonly ProviderVoice[]) => Promise<Result>,
): Promise<Result> {
  const log = createLogger({ level: 'silent', format: 'pretty', toStderr: true });
  const provider = createSherpaProvider({
    ...settings,
    folder,
    concurrency: 1,
    modelsKept: 1,
    showsErrors: true,
    log,
  });
  try {
    return await work(provider, await provider.listVoices());
  } finally {
    await provider.close();
  }
}

interface Tried {
  readonly spoken: SpokenSentence;
  readonly tookSeconds: number;
}

/** Speaks twice, and measures the second time, because the model is loaded the first time. */
async function speak(provider: BareProvider, voice: ProviderVoice, text?: string): Promise<Tried> {
  const language = voice.languages[0] ?? 'en';
  const request = {
    text: text ?? sampleTextOf(language) ?? '1, 2, 3.',
    voice: voice.id,
    language,
  };
  const { signal } = new AbortController();
  await provider.speak(request, signal);
  const startedAt = performance.now();
  const spoken = await provider.speak(request, signal);
  return { spoken, tookSeconds: (performance.now() - startedAt) / 1000 };
}

const secondsOf = ({ pcm, sampleRateHz }: SpokenSentence): number => pcm.length / sampleRateHz;

const describe = ({ folder, parts, sizeBytes, speakers, checksum }: Model): string => {
  const megabytes = String(Math.ceil(sizeBytes / 1e6));
  const lines = speakers.map(
    ({ id, name, languages }) => `  sherpa-${id}  ${name}  ${languages.join(',')}\n`,
  );
  const count = `${String(speakers.length)} ${speakers.length === 1 ? 'voice' : 'voices'}`;
  return `${folder}  ${parts.kind}  ${megabytes} MB  ${count}  ${checksum.slice(0, 12)}\n${lines.join('')}`;
};

async function list(voices: string): Promise<number> {
  const { models, refused } = await readCatalog(voices);
  for (const model of models) print(describe(model));
  for (const { folder, why } of refused) print(`${folder}  is not offered, because ${why}\n`);
  if (models.length + refused.length === 0) print(`There is no model in ${voices}.\n`);
  return 0;
}

function languagesOf(text: string): readonly string[] {
  const tags = text.split(',').map((tag) => tag.trim());
  if (tags.some((tag) => canonicalTag(tag) !== tag))
    throw new StartError(`${text} must be BCP 47 language tags, for example en,pl,pt-BR.`);
  return tags;
}

async function add(
  voices: string,
  source: string,
  options: Options,
  settings: Settings,
): Promise<number> {
  const { sha256 = null, name = null, language } = options;
  if (sha256 !== null && !/^[0-9a-f]{64}$/i.test(sha256))
    throw new StartError('--sha256 must have 64 hexadecimal digits.');
  const languages = language === undefined ? null : languagesOf(language);
  const added = await addModel(voices, { source, sha256, name, languages }, (folder) =>
    withVoices(folder, settings, async (provider, [voice]) => {
      if (voice !== undefined) await speak(provider, voice);
    }),
  );
  print(describe(added.model));
  print(`SHA-256 of the archive: ${added.sha256}\n${RESTART}`);
  return 0;
}

async function tryVoice(
  voices: string,
  wanted: string,
  { text, out }: Options,
  settings: Settings,
): Promise<number> {
  const id = wanted.replace(/^sherpa-(?!onnx)/, '');
  return withVoices(voices, settings, async (provider, known) => {
    const voice =
      known.find((one) => one.id === id) ?? known.find((one) => one.id.startsWith(`${id}:`));
    if (voice === undefined)
      throw new StartError(`There is no voice ${wanted} in ${voices}: npm run voices lists them.`);
    const { spoken, tookSeconds } = await speak(provider, voice, text);
    const path = out ?? `${voice.id.replaceAll(':', '-')}.wav`;
    await writeFile(path, wavFileOf(spoken.pcm, spoken.sampleRateHz), { flag: 'wx' }).catch(
      (error: unknown) => {
        throw new StartError(`${path} cannot be written: ${messageOf(error)}`);
      },
    );
    const seconds = secondsOf(spoken);
    const times = (seconds / Math.max(tookSeconds, 0.001)).toFixed(1);
    print(
      `${path}: ${seconds.toFixed(1)} s at ${String(spoken.sampleRateHz)} Hz, spoken ${times} times as fast as it plays\n`,
    );
    return 0;
  });
}

function readOptions(): { positionals: string[]; values: Options } {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      allowPositionals: true,
      options: { sha256: text, name: text, language: text, text, out: text },
    });
  } catch {
    throw new StartError(USAGE);
  }
}

/** Turns an error that the operator can act on into one line. */
const refusal = (error: unknown): unknown => {
  if (error instanceof RefusedArchive) return new StartError(`Refused, because ${error.message}.`);
  if (error instanceof UnusableModel)
    return new StartError(`The model cannot be used, because ${error.message}.`);
  if (error instanceof SpeechError)
    return new StartError(`The model does not speak: ${error.message}`);
  return error;
};

async function run(): Promise<number> {
  const { positionals, values } = readOptions();
  const [command = 'list', first, second, ...rest] = positionals;
  const config = readConfig(process.env);
  const voices = join(config.dataDir, 'voices');
  const given = [first, second, ...rest].filter((one) => one !== undefined).length;
  if (command === 'list' && given === 0) return list(voices);
  if (first === undefined) throw new StartError(USAGE);
  if (command === 'language' && second !== undefined && given === 2) {
    print(describe(await stateLanguages(voices, first, languagesOf(second))) + RESTART);
    return 0;
  }
  if (given !== 1) throw new StartError(USAGE);
  const settings = settingsOf(config);
  if (command === 'try') return tryVoice(voices, first, values, settings);
  if (command !== 'add' && command !== 'remove') throw new StartError(USAGE);
  await openDataDir(config);
  if (command === 'add') return add(voices, first, values, settings);
  await removeModel(voices, first);
  print(`Removed ${first}. ${RESTART}`);
  return 0;
}

await runCommand(() =>
  run().catch((error: unknown) => {
    throw refusal(error);
  }),
);
