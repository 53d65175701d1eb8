import { fileURLToPath } from 'node:url';
import type { Logger } from '../log.js';
import type { EspeakAnswer, EspeakQuestion } from './espeak-messages.js';
import { createProcessPool } from './process-pool.js';
import {
  SpeechError,
  type ProviderVoice,
  type SpeechProvider,
  type SpeechRequest,
  type SpokenSentence,
} from './provider.js';

/** Those of the engine's voices that read a story well; the key is the id that we publish. */
const VOICES: Readonly<
  Record<string, Omit<ProviderVoice, 'id'> & { readonly identifier: string }>
> = {
  'en-gb': {
    identifier: 'gmw/en',
    name: 'British English',
    languages: ['en', 'en-GB'],
    gender: null,
  },
  'en-us': {
    identifier: 'gmw/en-US',
    name: 'American English',
    languages: ['en', 'en-US'],
    gender: null,
  },
  'en-gb-rp': {
    identifier: 'gmw/en-GB-x-rp',
    name: 'Received Pronunciation',
    languages: ['en', 'en-GB'],
    gender: null,
  },
  'en-gb-scotland': {
    identifier: 'gmw/en-GB-scotland',
    name: 'Scottish English',
    languages: ['en', 'en-GB'],
    gender: null,
  },
  pl: { identifier: 'zlw/pl', name: 'Polish', languages: ['pl'], gender: null },
  de: { identifier: 'gmw/de', name: 'German', languages: ['de'], gender: null },
  fr: { identifier: 'roa/fr', name: 'French', languages: ['fr'], gender: null },
  es: { identifier: 'roa/es', name: 'Spanish', languages: ['es'], gender: null },
  it: { identifier: 'roa/it', name: 'Italian', languages: ['it'], gender: null },
};

const SAMPLE_RATE_HZ = 22_050;
/** Nobody needs longer for a character; what does is a trick. */
const SECONDS_A_CHARACTER = 0.5;
const SECONDS_TO_SPARE = 10;

/**
 * eSpeak NG in a pool of processes: embedded, no network, no models. Each speaks one sentence at a time,
 * within a time limit; one that hangs, dies or grows is replaced.
 */
export function createEspeakProvider(options: {
  processes: number;
  timeoutMs: number;
  log: Logger;
}): SpeechProvider {
  const pool = createProcessPool<EspeakQuestion, EspeakAnswer>({
    script: fileURLToPath(new URL('espeak-process.js', import.meta.url)),
    size: options.processes,
    timeoutMs: options.timeoutMs,
    heapMegabytes: 128,
    log: options.log,
  });

  async function speak(request: SpeechRequest, signal: AbortSignal): Promise<SpokenSentence> {
    const voice = VOICES[request.voice];
    if (voice === undefined) {
      throw new SpeechError(`There is no voice ${request.voice}.`, { permanent: true });
    }
    const text = withoutMarkup(request.text, request.language);
    const mostSeconds = text.length * SECONDS_A_CHARACTER + SECONDS_TO_SPARE;
    const mostSamples = Math.ceil(mostSeconds * SAMPLE_RATE_HZ);
    const answer = await pool.ask({ text, voice: voice.identifier, mostSamples }, signal);
    if ('failure' in answer) {
      throw new SpeechError(`The engine refused: ${answer.failure}.`, { permanent: true });
    }
    return answer;
  }

  return {
    name: 'espeak',
    settings: '',
    concurrency: options.processes,
    resting: () => null,
    listVoices: () =>
      Promise.resolve(
        Object.entries(VOICES).map(([id, { name, languages, gender }]) => ({
          id,
          name,
          languages,
          gender,
        })),
      ),
    speak,
    close: () => {
      pool.close();
      return Promise.resolve();
    },
  };
}

const AND: Readonly<Record<string, string>> = {
  en: 'and',
  pl: 'i',
  de: 'und',
  fr: 'et',
  es: 'y',
  it: 'e',
};

/**
 * The engine reads SSML and `[[phonemes]]` in a text, and a short one could demand twenty minutes of
 * silence: what could be either is taken out.
 */
export function withoutMarkup(text: string, language: string): string {
  const and = AND[language.split('-')[0] ?? ''];
  return text
    .replace(/[<>[\]{}\p{Cc}]+/gu, ' ')
    .replaceAll('&', and === undefined ? ' ' : ` ${and} `)
    .trim();
}
