import { z } from 'zod';
import { canonicalTag } from '../domain/text.js';
import { isVoiceId, type OpenAiVoice } from '../infra/speech/http/openai-voices.js';
import { ConfigError } from './config-error.js';
import { list, wholeNumber, withoutLastSlashes } from './value-types.js';

/** The hosted server's voices; the older models have the first nine. */
const OLDER_VOICES = ['alloy', 'ash', 'coral', 'echo', 'fable', 'nova', 'onyx', 'sage', 'shimmer'];
const NEWER_VOICES = [...OLDER_VOICES, 'ballad', 'verse', 'marin', 'cedar'];
/** The languages of the hosted models. @see https://platform.openai.com/docs/guides/text-to-speech */
const LANGUAGES =
  'en pl de fr es it pt nl cs sv uk ja zh af ar hy az be bs bg ca hr da et fi gl el he hi hu is id kn kk ko lv lt mk ms mr mi ne no fa ro ru sr sk sl sw fil ta th tr ur vi cy'.split(
    ' ',
  );

/** An address to which paths are added. It must not hold credentials, because the API key is a variable of its own. */
const baseUrl = z
  .string()
  .refine((value) => {
    if (!URL.canParse(value)) return false;
    const { protocol, username, password, search, hash } = new URL(value);
    return /^https?:$/.test(protocol) && username + password + search + hash === '';
  }, 'an address that begins with http:// or https://, without a user, a query or a fragment')
  .transform(withoutLastSlashes);

/** An API key that a header can hold. */
const key = z
  .string()
  .max(500, 'at most 500 characters')
  .regex(/^[!-~]+$/, 'a key: letters, digits and signs without spaces');

const isTag = (value: string): boolean => canonicalTag(value) === value;

const VOICES_WANTED =
  'names of voices, for example alloy,nova, or a list in JSON, for example [{"id":"alloy","name":"Alloy","languages":["en"]}]';

const describedVoice = z.strictObject({
  id: z.string().refine(isVoiceId),
  name: z.string().min(1).max(100).refine(isVoiceId).optional(),
  languages: z.array(z.string().refine(isTag)).min(1).max(100).optional(),
});

/** Voices by their names alone, or in JSON with what is said of them. */
const voices = z.string().transform((value, context): OpenAiVoice[] => {
  const read = z.array(describedVoice).min(1).safeParse(entriesOf(value));
  if (read.success) {
    const byId = new Map(read.data.map((voice) => [voice.id, voice]));
    return [...byId.values()].map(({ id, name = null, languages = null }) => ({
      id,
      name,
      languages,
    }));
  }
  context.addIssue({ code: 'custom', message: VOICES_WANTED });
  return z.NEVER;
});

/** A name with a comma, or one that begins with a bracket, needs the list in JSON. */
function entriesOf(value: string): unknown {
  if (!value.trimStart().startsWith('[')) return list.parse(value).map((id) => ({ id }));
  try {
    const entries: unknown = JSON.parse(value);
    return Array.isArray(entries)
      ? entries.map((one: unknown) => (typeof one === 'string' ? { id: one } : one))
      : entries;
  } catch {
    return null;
  }
}

export const speechVariables = {
  SPEECH_PROVIDER: z.enum(['espeak', 'openai', 'elevenlabs', 'sherpa']).default('espeak'),
  SPEECH_TIMEOUT_SECONDS: wholeNumber(1, 300).default(30),
  SPEECH_CONCURRENCY: wholeNumber(1, 64).optional(),
  OPENAI_BASE_URL: baseUrl.optional(),
  OPENAI_API_KEY: key.optional(),
  OPENAI_TTS_MODEL: z.string().max(200, 'at most 200 characters').default('tts-1'),
  OPENAI_TTS_VOICES: voices.optional(),
  OPENAI_TTS_CHARACTERS: wholeNumber(40, 100_000).default(4096),
  OPENAI_TTS_FORMAT: z.enum(['wav', 'mp3', 'opus', 'flac', 'pcm']).default('wav'),
  OPENAI_TTS_REVISION: z
    .string()
    .regex(/^[!-~]{0,40}$/, 'at most 40 letters, digits and signs without spaces')
    .default(''),
  OPENAI_TTS_LANGUAGES: list
    .refine(
      (tags) => tags.length > 0 && tags.every(isTag),
      'BCP 47 language tags, for example en,pl,pt-BR',
    )
    .default(LANGUAGES),
  SHERPA_THREADS: wholeNumber(1, 64).default(1),
  SHERPA_MODELS: wholeNumber(1, 64).default(2),
  SHERPA_MEMORY_MB: wholeNumber(200, 100_000).default(2048),
  SHERPA_SPEED: z
    .string()
    .regex(/^\d(?:\.\d{1,2})?$/, 'a number such as 0.9')
    .transform(Number)
    .refine((speed) => speed >= 0.5 && speed <= 2, '0.5 to 2')
    .default(1),
  ELEVENLABS_BASE_URL: baseUrl.default('https://api.elevenlabs.io'),
  ELEVENLABS_API_KEY: key.optional(),
  ELEVENLABS_MODEL: z.string().max(200, 'at most 200 characters').default('eleven_multilingual_v2'),
};

/** The speech provider and its settings. */
export type SpeechConfig = {
  /** How many sentences this process lets the provider speak at the same time. */
  readonly concurrency: number;
  /** The timeout for one sentence. */
  readonly timeoutMs: number;
} & (
  | { readonly provider: 'espeak' }
  | {
      readonly provider: 'openai';
      readonly baseUrl: string;
      readonly key: string | null;
      readonly model: string;
      readonly format: 'wav' | 'mp3' | 'opus' | 'flac' | 'pcm';
      readonly revision: string;
      readonly voices: readonly OpenAiVoice[];
      /** Whether the server's own list of voices is read, if it has one. */
      readonly asksForVoices: boolean;
      readonly charactersMax: number;
      readonly languages: readonly string[];
    }
  | {
      readonly provider: 'elevenlabs';
      readonly baseUrl: string;
      readonly key: string;
      readonly model: string;
    }
  | {
      readonly provider: 'sherpa';
      /** Where the models are. */
      readonly folder: string;
      readonly threads: number;
      /** Processes that keep a model loaded, also while it is not used. */
      readonly modelsKept: number;
      readonly memoryBytes: number;
      /** 1 is the model's own. */
      readonly speed: number;
    }
);

const OPENAI = 'https://api.openai.com/v1';
const PAID_CONCURRENCY = 4;

type SpeechEnvironment = z.infer<z.ZodObject<typeof speechVariables>>;

/**
 * Reads the settings of the speech provider.
 * @param here.concurrency the default without SPEECH_CONCURRENCY, for providers on this machine
 * @param here.voices the folder of models
 * @throws ConfigError when a setting of the provider is missing
 */
export function speechOf(
  env: SpeechEnvironment,
  here: { readonly concurrency: number; readonly voices: string },
): SpeechConfig {
  const timeoutMs = env.SPEECH_TIMEOUT_SECONDS * 1000;
  const paid = { concurrency: env.SPEECH_CONCURRENCY ?? PAID_CONCURRENCY, timeoutMs };
  switch (env.SPEECH_PROVIDER) {
    case 'espeak':
      return {
        provider: 'espeak',
        concurrency: env.SPEECH_CONCURRENCY ?? here.concurrency,
        timeoutMs,
      };
    case 'sherpa':
      return {
        provider: 'sherpa',
        concurrency: env.SPEECH_CONCURRENCY ?? here.concurrency,
        timeoutMs,
        folder: here.voices,
        threads: env.SHERPA_THREADS,
        modelsKept: env.SHERPA_MODELS,
        memoryBytes: env.SHERPA_MEMORY_MB * 1024 * 1024,
        speed: env.SHERPA_SPEED,
      };
    case 'openai':
      return { provider: 'openai', ...paid, ...openAiOf(env) };
    case 'elevenlabs': {
      const {
        ELEVENLABS_API_KEY: key,
        ELEVENLABS_BASE_URL: baseUrl,
        ELEVENLABS_MODEL: model,
      } = env;
      if (key === undefined) {
        throw new ConfigError(
          'ELEVENLABS_API_KEY is not set, but SPEECH_PROVIDER is elevenlabs, which needs one.',
        );
      }
      return { provider: 'elevenlabs', ...paid, baseUrl, key, model };
    }
  }
}

function openAiOf(
  env: SpeechEnvironment,
): Omit<Extract<SpeechConfig, { provider: 'openai' }>, 'provider' | 'concurrency' | 'timeoutMs'> {
  const { OPENAI_API_KEY: key, OPENAI_BASE_URL: baseUrl, OPENAI_TTS_MODEL: model } = env;
  if (key === undefined && baseUrl === undefined) {
    throw new ConfigError(
      'OPENAI_API_KEY is not set, but SPEECH_PROVIDER is openai: set it, or OPENAI_BASE_URL for a server that wants no key.',
    );
  }
  return {
    baseUrl: baseUrl ?? OPENAI,
    key: key ?? null,
    model,
    format: env.OPENAI_TTS_FORMAT,
    revision: env.OPENAI_TTS_REVISION,
    voices: env.OPENAI_TTS_VOICES ?? hostedVoices(model),
    asksForVoices: env.OPENAI_TTS_VOICES === undefined && baseUrl !== undefined,
    charactersMax: env.OPENAI_TTS_CHARACTERS,
    languages: env.OPENAI_TTS_LANGUAGES,
  };
}

const hostedVoices = (model: string): OpenAiVoice[] =>
  (model.startsWith('tts-1') ? OLDER_VOICES : NEWER_VOICES).map((id) => ({
    id,
    name: null,
    languages: null,
  }));
