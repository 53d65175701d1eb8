import { z } from 'zod';
import { mostSecondsOf, SPEAKABLE, withoutMarkup } from '../../../domain/speakable.js';
import { wordTimes, type Mark } from '../../../domain/timing/alignment.js';
import type { BareProvider } from '../guard.js';
import {
  notAudio,
  SpeechError,
  stopped,
  type SpeechRequest,
  type SpokenSentence,
} from '../provider.js';
import { readSpeech } from './answers.js';
import { listElevenLabsVoices } from './elevenlabs-voices.js';
import { checkContentType, checkLength, exchange, mostBytesFor } from './http-speech.js';
import { samplesOf } from './wav.js';

export interface ElevenLabsOptions {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  readonly key: string;
  readonly model: string;
  readonly timeoutMs: number;
}

/** Raw samples, which need no decoder; this rate is in every plan. */
const SAMPLE_RATE_HZ = 24_000;

/**
 * ElevenLabs, with the voices of the account. Speech is requested together with the times of its characters, at the
 * same price. From a compatible server that has no such path, the speech alone is requested.
 * @see https://elevenlabs.io/docs/api-reference/text-to-speech/convert-with-timestamps
 */
export function createElevenLabsProvider(options: ElevenLabsOptions): BareProvider {
  const { baseUrl, model, timeoutMs } = options;
  let hasTimes = true;

  async function speak(request: SpeechRequest, signal: AbortSignal): Promise<SpokenSentence> {
    const text = withoutMarkup(request.text, request.language);
    if (text === '') {
      throw new SpeechError('There is nothing to speak.', { permanent: true, kind: 'silent' });
    }
    if (signal.aborted) throw stopped();
    // From here on the signal is ignored, because a request that was sent is paid for and its answer is kept.
    if (!hasTimes) return speakWithoutTimes(options, request.voice, text);
    try {
      return await speakWithTimes(options, request, text);
    } catch (error) {
      if (!lacksTimes(error)) throw error;
      const speech = await speakWithoutTimes(options, request.voice, text);
      hasTimes = false;
      return speech;
    }
  }

  return {
    name: 'elevenlabs',
    settings: `${baseUrl} ${model} pcm_${String(SAMPLE_RATE_HZ)}`,
    listVoices: () => listElevenLabsVoices({ baseUrl, headers: headersOf(options), timeoutMs }),
    speak,
    close: () => Promise.resolve(),
  };
}

const headersOf = ({ key }: ElevenLabsOptions): Record<string, string> => ({ 'xi-api-key': key });

const FORMAT = `output_format=pcm_${String(SAMPLE_RATE_HZ)}`;

async function speakWithTimes(
  options: ElevenLabsOptions,
  request: SpeechRequest,
  text: string,
): Promise<SpokenSentence> {
  const { baseUrl, model, timeoutMs } = options;
  const answer = await exchange({
    url: `${baseUrl}/v1/text-to-speech/${encodeURIComponent(request.voice)}/with-timestamps?${FORMAT}`,
    headers: headersOf(options),
    body: { text, model_id: model },
    timeoutMs,
    mostBytes: Math.ceil((mostBytesFor(text) * 4) / 3) + text.length * CHARACTER_BYTES_MAX,
  });
  const { samples, marks, read } = readTimedSpeech(answer.bytes, text);
  const speech = { pcm: samplesOf(samples), sampleRateHz: SAMPLE_RATE_HZ };
  const words = wordTimes(request.text, read, marks, request.language);
  return { ...checkLength(speech, text), words };
}

async function speakWithoutTimes(
  options: ElevenLabsOptions,
  voice: string,
  text: string,
): Promise<SpokenSentence> {
  const { baseUrl, model, timeoutMs } = options;
  const answer = await exchange({
    url: `${baseUrl}/v1/text-to-speech/${encodeURIComponent(voice)}?${FORMAT}`,
    headers: headersOf(options),
    body: { text, model_id: model },
    timeoutMs,
    mostBytes: mostBytesFor(text),
  });
  checkContentType(answer);
  const speech = await readSpeech(answer, {
    mostSeconds: mostSecondsOf(text),
    rawRateHz: SAMPLE_RATE_HZ,
    isRaw: true,
  });
  return checkLength(speech, text);
}

/** Whether a server has no path for speech with times. A refusal with a code of its own is about something else. */
const lacksTimes = (error: unknown): boolean =>
  error instanceof SpeechError &&
  (error.status === 404 || error.status === 405 || error.status === 501) &&
  error.cause instanceof Error &&
  error.cause.message === String(error.status);

/** What the answer has for each character, in JSON: the character and two times, and the same after normalisation. */
const CHARACTER_BYTES_MAX = 400;

const spokenAnswer = z.object({
  audio_base64: z.string(),
  // Speech without times is speech all the same.
  alignment: z
    .object({
      characters: z.array(z.string()),
      character_start_times_seconds: z.array(z.number().nonnegative()),
    })
    .nullish()
    .catch(null),
});

/** A longer alignment is not of this text, and would take long to compare. In UTF-16 units. */
const readLengthMax = (text: string): number => 4 * text.length + 200;

interface ReadSpeech {
  readonly samples: Uint8Array;
  /** The text with these characters. */
  readonly read: string;
  readonly marks: readonly Mark[];
}

/** @throws SpeechError, not permanent, for what is not an answer with samples */
function readTimedSpeech(bytes: Uint8Array, text: string): ReadSpeech {
  if (bytes.length === 0)
    throw new SpeechError('The answer is empty.', { permanent: false, kind: 'silent' });
  const parsed = spokenAnswer.safeParse(jsonOf(bytes));
  if (!parsed.success) throw notAudio('The answer is not speech with times.');
  const { audio_base64: audio, alignment } = parsed.data;
  const samples = Buffer.from(audio, 'base64');
  if (OTHER_FILES.test(samples.subarray(0, 16).toString('latin1')))
    throw notAudio('The answer holds a file, not samples.');
  const isPlausible = (alignment?.characters.join('').length ?? 0) <= readLengthMax(text);
  const { characters = [], character_start_times_seconds: times = [] } =
    (isPlausible ? alignment : null) ?? {};
  const marks: Mark[] = [];
  let offset = 0;
  for (const [index, character] of characters.entries()) {
    const seconds = times[index];
    // Words begin with a letter or a digit. What stands between them has a time as well.
    if (seconds !== undefined && SPEAKABLE.test(character))
      marks.push({ offset, sample: Math.round(seconds * SAMPLE_RATE_HZ) });
    offset += character.length;
  }
  return { samples, read: characters.join(''), marks };
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return undefined;
  }
}

/** How other files begin: with ID3 tags of MP3, Ogg, FLAC, WAV, and text of any kind. */
const OTHER_FILES = /^(?:ID3|OggS|fLaC|RIFF|\s*[<{]["!?a-z])/i;
