import { z } from 'zod';
import { canonicalTag } from '../../../domain/text.js';
import { SpeechError, type ProviderVoice } from '../provider.js';
import { exchange } from './http-speech.js';

/** A voice of a server, as the setting or the server's own list describes it. */
export interface OpenAiVoice {
  readonly id: string;
  /** For people; null to make it of the id. */
  readonly name: string | null;
  /** BCP 47; null for the languages of all voices. */
  readonly languages: readonly string[] | null;
  readonly gender?: string | null;
}

const ID_MAX = 200;
const NAME_MAX = 100;
/** Servers with more voices than this offer the first of them. */
const VOICES_MAX = 1000;
const LANGUAGES_MAX = 100;
const LIST_BYTES_MAX = 4 * 1024 * 1024;

/** Any name that can be shown: without control characters, and without white space around it. */
export const isVoiceId = (id: string): boolean =>
  id.length > 0 && id.length <= ID_MAX && id.trim() === id && !/\p{C}/u.test(id);

/**
 * The voices that the server lists at `/audio/voices`, which is no part of OpenAI's API.
 * @returns null when it has no such list
 * @throws SpeechError when it cannot be reached
 */
export async function askForVoices(request: {
  baseUrl: string;
  key: string | null;
  timeoutMs: number;
}): Promise<OpenAiVoice[] | null> {
  try {
    const { bytes } = await exchange({
      url: `${request.baseUrl}/audio/voices`,
      headers: request.key === null ? {} : { authorization: `Bearer ${request.key}` },
      timeoutMs: request.timeoutMs,
      mostBytes: LIST_BYTES_MAX,
    });
    const voices = readList(bytes);
    return voices.length === 0 ? null : voices;
  } catch (error) {
    if (error instanceof SpeechError && error.status !== null && NO_LIST.has(error.status))
      return null;
    throw error;
  }
}

/** Answers of servers that know no such path. */
const NO_LIST: ReadonlySet<number> = new Set([400, 403, 404, 405, 422, 501]);

const entry = z.union([
  z.string().transform((id) => ({ id })),
  z.looseObject({ id: z.string() }),
  z.looseObject({ voice_id: z.string() }).transform((voice) => ({ ...voice, id: voice.voice_id })),
  z.looseObject({ name: z.string() }).transform((voice) => ({ ...voice, id: voice.name })),
]);

/** The voices of an answer; none when it is no such list. */
function readList(bytes: Uint8Array): OpenAiVoice[] {
  const voices = new Map<string, OpenAiVoice>();
  for (const listed of entriesOf(bytes).slice(0, VOICES_MAX)) {
    const read = entry.safeParse(listed);
    if (read.success && isVoiceId(read.data.id)) voices.set(read.data.id, describe(read.data));
  }
  return [...voices.values()];
}

/** Servers answer with a list, or with one under `voices` or `data`. */
function entriesOf(bytes: Uint8Array): readonly unknown[] {
  let answer: unknown;
  try {
    answer = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return [];
  }
  if (Array.isArray(answer)) return answer;
  const { voices, data } = z.looseObject({}).safeParse(answer).data ?? {};
  return [voices, data].find(Array.isArray) ?? [];
}

function describe(voice: { id: string } & Readonly<Record<string, unknown>>): OpenAiVoice {
  const { id, name, label, gender, language, languages, lang, locale } = voice;
  const tags = [languages, language, lang, locale]
    .flat()
    .slice(0, LANGUAGES_MAX)
    .flatMap((tag) => (typeof tag === 'string' ? [canonicalTag(tag.replaceAll('_', '-'))] : []))
    .filter((tag) => tag !== null);
  const shown = [label, name].find((one) => typeof one === 'string');
  return {
    id,
    name: shown === undefined || shown === id ? null : forPeople(shown),
    languages: tags.length > 0 ? [...new Set(tags)] : languagesOfKokoro(id),
    gender: gender === 'female' || gender === 'male' ? gender : null,
  };
}

const forPeople = (name: string): string | null =>
  name
    .slice(0, ID_MAX)
    .normalize('NFC')
    .replace(/\p{C}+/gu, ' ')
    .trim()
    .slice(0, NAME_MAX) || null;

/** Kokoro names the language of a voice by its first letter, and the gender by the second. */
export const KOKORO_LANGUAGES: Readonly<Record<string, string>> = {
  a: 'en-US',
  b: 'en-GB',
  e: 'es',
  f: 'fr',
  h: 'hi',
  i: 'it',
  j: 'ja',
  p: 'pt-BR',
  z: 'zh',
};

function languagesOfKokoro(id: string): string[] | null {
  const [, letter = ''] = /^([a-z])[fm]_[a-z]+(?:_|$)/.exec(id) ?? [];
  const tag = KOKORO_LANGUAGES[letter];
  return tag === undefined ? null : [tag];
}

/** The voice as it is offered. @param others the languages of a voice that states none */
export const offeredVoice = (
  { id, name, languages, gender = null }: OpenAiVoice,
  others: readonly string[],
): ProviderVoice => ({ id, name: name ?? nameOf(id), languages: languages ?? others, gender });

/** `af_heart` is shown as Af heart. */
const nameOf = (id: string): string => {
  const words = id.replace(/[_-]+/g, ' ').trim();
  return words === '' ? id : words.charAt(0).toUpperCase() + words.slice(1);
};
