import { z } from 'zod';
import { SpeechError, type ProviderVoice } from '../provider.js';
import { exchange } from './http-speech.js';

const PAGE_SIZE = 100;
/** Only the first voices of an account are offered, at most this many. */
const PAGES_MAX = 10;
const PAGE_BYTES_MAX = 4 * 1024 * 1024;

/** Only the first voices of a page are read, at most this many. */
const PAGE_VOICES_MAX = 1000;
const VOICE_LANGUAGES_MAX = 100;
/** Only this many characters of a name are read, because only its beginning is shown. */
const NAME_READ_MAX = 1000;
/** Longer than any BCP 47 tag in use. */
const TAG_MAX = 35;
const PAGE_TOKEN_MAX = 2000;

/** The first entries of a list: the rest are ignored, because a page may hold millions. */
const firstOf = <Entry extends z.ZodType>(
  entry: Entry,
  most: number,
): z.ZodType<z.output<Entry>[]> =>
  z.preprocess(
    (list: unknown) => (Array.isArray(list) ? list.slice(0, most) : list),
    z.array(entry),
  );

const page = z.object({
  voices: firstOf(
    z.object({
      voice_id: z.string().regex(/^[\w-]{1,100}$/),
      name: z.string().nullish(),
      labels: z
        .object({ language: z.unknown().optional(), gender: z.unknown().optional() })
        .nullish(),
      verified_languages: firstOf(
        z.object({ language: z.string().nullish(), locale: z.string().nullish() }),
        VOICE_LANGUAGES_MAX,
      ).nullish(),
    }),
    PAGE_VOICES_MAX,
  ),
  has_more: z.boolean().nullish(),
  next_page_token: z.string().max(PAGE_TOKEN_MAX).nullish(),
});

type ListedVoice = z.infer<typeof page>['voices'][number];

/**
 * The voices of an account, page by page.
 * @throws SpeechError, not permanent, for a list that cannot be read
 * @see https://elevenlabs.io/docs/api-reference/voices/search
 */
export async function listElevenLabsVoices(request: {
  baseUrl: string;
  headers: Readonly<Record<string, string>>;
  timeoutMs: number;
}): Promise<ProviderVoice[]> {
  const voices = new Map<string, ProviderVoice>();
  let token: string | null = null;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const query = new URLSearchParams({ page_size: String(PAGE_SIZE) });
    if (token !== null) query.set('next_page_token', token);
    const { bytes } = await exchange({
      url: `${request.baseUrl}/v2/voices?${query.toString()}`,
      headers: request.headers,
      timeoutMs: request.timeoutMs,
      mostBytes: PAGE_BYTES_MAX,
    });
    const listed = readPage(bytes);
    for (const voice of listed.voices) voices.set(voice.voice_id, voiceOf(voice));
    token = listed.next_page_token ?? null;
    if (listed.has_more !== true || token === null) break;
  }
  return [...voices.values()];
}

function readPage(bytes: Uint8Array): z.infer<typeof page> {
  try {
    return page.parse(JSON.parse(Buffer.from(bytes).toString()));
  } catch (error) {
    throw new SpeechError('The list of voices cannot be read.', {
      permanent: false,
      kind: 'status',
      cause: error,
    });
  }
}

/** What the multilingual models read, for voices of which nothing else is known. */
const LANGUAGES =
  'en pl de fr es it pt nl cs sv uk ja zh ar bg da el fi fil hi hr id ko ms ro ru sk ta tr'.split(
    ' ',
  );
const NAME_LENGTH_MAX = 100;

function voiceOf({
  voice_id: id,
  name,
  labels,
  verified_languages: verified,
}: ListedVoice): ProviderVoice {
  const known = (verified ?? []).flatMap(({ locale, language }) => [locale, language]);
  const languages = [...known, labels?.language].map(tagOf).filter((tag) => tag !== null);
  const gender = labels?.gender;
  return {
    id,
    name:
      name
        // It is cut first, because a long row of combining marks takes long to normalise.
        ?.slice(0, NAME_READ_MAX)
        .normalize('NFC')
        .replace(/\p{C}+/gu, ' ')
        .trim()
        .slice(0, NAME_LENGTH_MAX) ?? id,
    languages: [...new Set(languages.length === 0 ? LANGUAGES : languages)],
    gender: gender === 'female' || gender === 'male' ? gender : null,
  };
}

/** The canonical form of a BCP 47 tag; null when the value is not a tag. */
function tagOf(value: unknown): string | null {
  try {
    const isTag = typeof value === 'string' && value.length <= TAG_MAX;
    return isTag ? (Intl.getCanonicalLocales(value)[0] ?? null) : null;
  } catch {
    return null;
  }
}
