import { fileURLToPath } from 'node:url';
import { mostSecondsOf, speakableParts } from '../../domain/speakable.js';
import { wordTimes, type SpokenWordTime } from '../../domain/timing/alignment.js';
import type { Logger } from '../log.js';
import type {
  EspeakAnswer,
  EspeakFailure,
  EspeakMark,
  EspeakQuestion,
  MemoryLimits,
} from './espeak-messages.js';
import { listedVoices, VOICE_OF_SCRIPT, VOICES } from './espeak-voices.js';
import type { BareProvider } from './guard.js';
import { createProcessPool } from './process-pool.js';
import {
  SpeechError,
  type SpeechErrorKind,
  type SpeechRequest,
  type SpokenSentence,
} from './provider.js';

/** The version of the engine, and the version of how texts are prepared for it. */
const SETTINGS = 'espeak-ng 0.3.5, text 3';
const SAMPLE_RATE_HZ = 22_050;

const MEMORY: MemoryLimits = { retireBytes: 300 * 1024 * 1024, mostBytes: 512 * 1024 * 1024 };

const FAILURES: Readonly<
  Record<
    EspeakFailure,
    { readonly kind: SpeechErrorKind; readonly permanent: boolean; readonly why: string }
  >
> = {
  UNKNOWN_VOICE: { kind: 'unknown-voice', permanent: true, why: 'The engine lacks this voice.' },
  TOO_LONG: {
    kind: 'too-long',
    permanent: true,
    why: 'The speech is longer than the text can take.',
  },
  SILENT: { kind: 'silent', permanent: true, why: 'The engine said nothing.' },
  TOO_LARGE: { kind: 'died', permanent: false, why: 'The speech process took too much memory.' },
};

/** The engine's marks, which are places in the parts that it read, as times of the words of the request. */
function wordsOf(
  { text, language }: SpeechRequest,
  parts: EspeakQuestion['parts'],
  marks: readonly EspeakMark[],
): SpokenWordTime[] {
  const starts = parts.map(({ text: part }) => part.length + 1);
  let start = 0;
  for (const [index, length] of starts.entries()) {
    starts[index] = start;
    start += length;
  }
  const offsets = parts.map(({ text: part }) => offsetsOf(part));
  const read = parts.map(({ text: part }) => part).join(' ');
  const placed = marks.flatMap(({ part, codePoint, sample }) => {
    const offset = offsets[part]?.[codePoint];
    return offset === undefined ? [] : [{ offset: (starts[part] ?? 0) + offset, sample }];
  });
  return wordTimes(text, read, placed, language);
}

/** The UTF-16 offset of each code point. */
function offsetsOf(text: string): number[] {
  const offsets: number[] = [];
  let offset = 0;
  for (const codePoint of text) {
    offsets.push(offset);
    offset += codePoint.length;
  }
  return offsets;
}

/**
 * eSpeak NG in a pool of processes: embedded, no network, no models. Each speaks one sentence at a time,
 * within a time limit; one that hangs, dies or grows is replaced.
 */
export function createEspeakProvider(options: {
  processes: number;
  timeoutMs: number;
  log: Logger;
  memory?: MemoryLimits;
}): BareProvider {
  const { memory = MEMORY } = options;
  const pool = createProcessPool<EspeakQuestion, EspeakAnswer>({
    script: fileURLToPath(new URL('espeak-process.js', import.meta.url)),
    size: options.processes,
    timeoutMs: options.timeoutMs,
    heapMegabytes: 128,
    log: options.log,
  });

  async function speak(request: SpeechRequest, signal: AbortSignal): Promise<SpokenSentence> {
    const voice = Object.hasOwn(VOICES, request.voice) ? VOICES[request.voice] : undefined;
    if (voice === undefined) {
      throw new SpeechError('There is no such voice.', { permanent: true, kind: 'unknown-voice' });
    }
    const parts = speakableParts(request.text, request.language).map(({ text, script }) => ({
      text,
      voice:
        script === null || voice.scripts.includes(script)
          ? voice.identifier
          : VOICE_OF_SCRIPT[script],
    }));
    if (parts.length === 0) {
      throw new SpeechError('There is nothing to speak.', { permanent: true, kind: 'silent' });
    }
    const mostSamples = Math.ceil(mostSecondsOf(request.text) * SAMPLE_RATE_HZ);
    const answer = await pool.ask({ parts, mostSamples, memory }, signal);
    if ('failure' in answer) {
      const { why, ...options } = FAILURES[answer.failure];
      throw new SpeechError(why, options);
    }
    const { pcm, sampleRateHz, marks } = answer;
    return { pcm, sampleRateHz, words: wordsOf(request, parts, marks) };
  }

  return {
    name: 'espeak',
    settings: SETTINGS,
    listVoices: () => Promise.resolve(listedVoices()),
    speak,
    close: () => {
      pool.close();
      return Promise.resolve();
    },
  };
}
