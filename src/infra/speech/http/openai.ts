import { mostSecondsOf, withoutMarkup } from '../../../domain/speakable.js';
import type { BareProvider } from '../guard.js';
import { SpeechError, stopped, type SpeechRequest, type SpokenSentence } from '../provider.js';
import { checkContentType, checkLength, exchange, mostBytesFor } from './http-speech.js';
import { readWav } from './wav.js';

export interface OpenAiOptions {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  /** Null for servers that want none. */
  readonly key: string | null;
  readonly model: string;
  readonly voices: readonly string[];
  /** BCP 47, of every voice. */
  readonly languages: readonly string[];
  readonly timeoutMs: number;
}

/**
 * Any server that speaks OpenAI's `POST /audio/speech`: the hosted one, and those that are run at home. It
 * is asked for WAV, which says its own sample rate.
 * @see https://platform.openai.com/docs/api-reference/audio/createSpeech
 */
export function createOpenAiProvider(options: OpenAiOptions): BareProvider {
  const { baseUrl, key, model, timeoutMs } = options;

  async function speak(request: SpeechRequest, signal: AbortSignal): Promise<SpokenSentence> {
    if (!options.voices.includes(request.voice)) {
      throw new SpeechError('There is no such voice.', { permanent: true, kind: 'unknown-voice' });
    }
    const text = withoutMarkup(request.text, request.language);
    if (text === '') {
      throw new SpeechError('There is nothing to speak.', { permanent: true, kind: 'silent' });
    }
    if (signal.aborted) throw stopped();
    // From here on the signal is ignored, because a request that was sent is paid for and its answer is kept.
    const answer = await exchange({
      url: `${baseUrl}/audio/speech`,
      headers: key === null ? {} : { authorization: `Bearer ${key}` },
      body: { model, voice: request.voice, input: text, response_format: 'wav' },
      timeoutMs,
      mostBytes: mostBytesFor(text),
    });
    checkContentType(answer);
    return checkLength(readWav(answer.bytes, mostSecondsOf(text)), text);
  }

  return {
    name: 'openai',
    settings: `${baseUrl} ${model}`,
    listVoices: () =>
      Promise.resolve(
        options.voices.map((id) => ({
          id,
          name: nameOf(id),
          languages: options.languages,
          gender: null,
        })),
      ),
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
      mostBytes: MOST_LIST_BYTES,
    });
    return 200;
  } catch (error) {
    if (error instanceof SpeechError && (error.status === 404 || error.status === 405))
      return error.status;
    throw error;
  }
}

const MOST_LIST_BYTES = 4 * 1024 * 1024;

/** `af_heart` is shown as Af heart. */
const nameOf = (id: string): string => {
  const words = id.replace(/[_-]+/g, ' ').trim();
  return words === '' ? id : words.charAt(0).toUpperCase() + words.slice(1);
};
