import { mostSecondsOf, withoutMarkup } from '../../../domain/speakable.js';
import type { BareProvider } from '../guard.js';
import {
  SpeechError,
  stopped,
  type ProviderVoice,
  type SpeechRequest,
  type SpokenSentence,
} from '../provider.js';
import { checkContentType, checkLength, exchange, mostBytesFor } from './http-speech.js';
import { readSpeech } from './answers.js';
import { askForVoices, offeredVoice, type OpenAiVoice } from './openai-voices.js';
import { createPieces } from './pieces.js';

/** The values of `response_format` whose answers can be read. */
export type SpeechFormat = 'wav' | 'mp3' | 'opus' | 'flac' | 'pcm';

/** The sample rate of `pcm`, which has no header, as OpenAI's own server sends it. */
const RAW_RATE_HZ = 24_000;

export interface OpenAiOptions {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  /** Null for servers that want none. */
  readonly key: string | null;
  readonly model: string;
  /** What it is asked for. An answer of another format is read, too. */
  readonly format: SpeechFormat;
  /** Part of the keys of recordings, for changes of the server that are not seen from here. '' for none. */
  readonly revision: string;
  /** Those that are offered if the server lists none. */
  readonly voices: readonly OpenAiVoice[];
  /** Whether the server is asked for its voices. */
  readonly asksForVoices: boolean;
  /** The longest text of one request. Longer ones are spoken in pieces. */
  readonly charactersMax: number;
  /** BCP 47, of voices that say none. */
  readonly languages: readonly string[];
  readonly timeoutMs: number;
}

/**
 * Any server that speaks OpenAI's `POST /audio/speech`: the hosted one, and those that are run at home. It
 * is asked for WAV by default, which says its own sample rate.
 * @see https://platform.openai.com/docs/api-reference/audio/createSpeech
 */
export function createOpenAiProvider(options: OpenAiOptions): BareProvider {
  const { baseUrl, key, model, format, revision, timeoutMs } = options;

  const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` };
  /** Null for a server whose voices are not known, which refuses those that it does not have. */
  const known = options.asksForVoices ? null : new Set(options.voices.map(({ id }) => id));

  const speakInPieces = createPieces(options.charactersMax, async ({ text, voice }) => {
    const answer = await exchange({
      url: `${baseUrl}/audio/speech`,
      headers,
      body: { model, voice, input: text, response_format: format },
      timeoutMs,
      mostBytes: mostBytesFor(text),
    });
    checkContentType(answer);
    const spoken = await readSpeech(answer, {
      mostSeconds: mostSecondsOf(text),
      rawRateHz: RAW_RATE_HZ,
      isRaw: format === 'pcm',
    });
    return checkLength(spoken, text);
  });

  async function speak(request: SpeechRequest, signal: AbortSignal): Promise<SpokenSentence> {
    if (known?.has(request.voice) === false) {
      throw new SpeechError('There is no such voice.', { permanent: true, kind: 'unknown-voice' });
    }
    const text = withoutMarkup(request.text, request.language);
    if (text === '') {
      throw new SpeechError('There is nothing to speak.', { permanent: true, kind: 'silent' });
    }
    if (signal.aborted) throw stopped();
    // From here on the signal is ignored, because a request that was sent is paid for and its answer is kept.
    return speakInPieces({ ...request, text });
  }

  async function listVoices(): Promise<ProviderVoice[]> {
    const listed = options.asksForVoices ? await askForVoices({ baseUrl, key, timeoutMs }) : null;
    return (listed ?? options.voices).map((voice) => offeredVoice(voice, options.languages));
  }

  return {
    name: 'openai',
    // Default values are left out, so that existing recordings are found.
    settings: [
      baseUrl,
      model,
      ...(format === 'wav' ? [] : [`format=${format}`]),
      ...(revision === '' ? [] : [`revision=${revision}`]),
    ].join(' '),
    listVoices,
    speak,
    close: () => Promise.resolve(),
  };
}

/**
 * Asks for the list of models, which costs nothing.
 * @returns the status: 200, or 404 or 405 of a server that has no such list
 * @throws SpeechError for every other answer
 */
export async function askOpenAi({
  baseUrl,
  key,
  timeoutMs,
}: Pick<OpenAiOptions, 'baseUrl' | 'key' | 'timeoutMs'>): Promise<number> {
  try {
    await exchange({
      url: `${baseUrl}/models`,
      headers: key === null ? {} : { authorization: `Bearer ${key}` },
      timeoutMs,
      mostBytes: LIST_BYTES_MAX,
    });
    return 200;
  } catch (error) {
    if (error instanceof SpeechError && (error.status === 404 || error.status === 405))
      return error.status;
    throw error;
  }
}

const LIST_BYTES_MAX = 4 * 1024 * 1024;
