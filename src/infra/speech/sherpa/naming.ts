import { iso6392 } from 'iso-639-2';
import { canonicalTag, firstCodePoints } from '../../../domain/text.js';
import { KOKORO_LANGUAGES } from '../http/openai-voices.js';

const LANGUAGES_MAX = 40;
const NAME_MAX = 100;

/** Codes by the English name, for metadata such as `Chinese + English`. */
const BY_NAME = new Map(
  iso6392.flatMap(({ name, iso6391 }) =>
    iso6391 === undefined
      ? []
      : name.split(';').map((one): [string, string] => [one.trim().toLowerCase(), iso6391]),
  ),
);
const CODES = new Set(iso6392.flatMap(({ iso6391 }) => iso6391 ?? []));

/** Where the language of a model can stand. */
export interface LanguageSources {
  readonly folder: string;
  readonly metadata: ReadonlyMap<string, string>;
  /** The code in the file that Piper's voices have beside the model. */
  readonly piper: string | null;
}

/** The languages of a model as BCP 47 tags, from the first source that states them. [] when none does. */
export function languagesOfModel({ folder, metadata, piper }: LanguageSources): readonly string[] {
  const sources = [
    () => tagsIn([piper ?? '']),
    // The voice of eSpeak NG that makes the phonemes.
    () => tagsIn([metadata.get('voice') ?? '']),
    () => namedLanguages(metadata.get('language') ?? ''),
    () => tagsIn(partsOf(folder).filter(isLanguagePart)),
  ];
  for (const source of sources) {
    const tags = source();
    if (tags.length > 0) return tags;
  }
  return [];
}

const tagsIn = (codes: readonly string[]): readonly string[] => [
  ...new Set(
    codes
      .map((code) => canonicalTag(code.replaceAll('_', '-').split('-x-')[0] ?? ''))
      .filter((tag) => tag !== null)
      .filter((tag) => tag !== 'und'),
  ),
];

/** `English`, `Chinese + English`, `deu` or `pl_PL`. */
function namedLanguages(text: string): readonly string[] {
  const words = text
    .toLowerCase()
    .split(/\P{L}+/u)
    .slice(0, LANGUAGES_MAX);
  const named = words.flatMap((word) => BY_NAME.get(word) ?? []);
  if (named.length > 0) return [...new Set(named)];
  return /^[a-z]{2,3}(?:[-_][A-Za-z0-9]{2,4})?$/.test(text) ? tagsIn([text]) : [];
}

/** Parts at hyphens and low lines; `en_US` is one. */
const partsOf = (folder: string): string[] =>
  folder
    .split('-')
    .flatMap((part) => (/^[a-z]{2,3}_[A-Z]{2}$/.test(part) ? [part] : part.split('_')));

const isLanguagePart = (part: string): boolean => CODES.has(part.split('_')[0] ?? '');

/** Words in model names that mean nothing to a listener. */
const LEFT_OUT = new Set([
  ...['vits', 'piper', 'coqui', 'mms', 'icefall', 'matcha', 'sherpa', 'onnx', 'tts', 'model'],
  ...['int8', 'fp16', 'fp32', 'multi', 'lang'],
]);

/** `vits-piper-en_US-lessac-medium` is shown as Lessac medium. */
export function nameOfModel(folder: string): string {
  const words = partsOf(folder).filter(
    (part) => part !== '' && !LEFT_OUT.has(part) && !isLanguagePart(part),
  );
  return capitalised(words.length === 0 ? folder : words.join(' '));
}

/** What is said of one speaker of a model. */
export interface SpeakerNaming {
  readonly name: string;
  readonly gender: string | null;
  /** Null for the languages of the model. */
  readonly languages: readonly string[] | null;
}

/** Kokoro's speakers have the language and the gender in front of the name, for example `af_heart`. */
export function kokoroSpeaker(id: string): SpeakerNaming | null {
  const [, letter = '', sex = '', name = ''] = /^([a-z])([fm])_([a-z0-9]{1,40})$/.exec(id) ?? [];
  const tag = KOKORO_LANGUAGES[letter];
  if (tag === undefined) return null;
  return {
    name: capitalised(name),
    gender: sex === 'f' ? 'female' : 'male',
    languages: [tag],
  };
}

/** Kitten's speakers end with the gender, for example `expr-voice-2-m`. */
export function kittenSpeaker(id: string): SpeakerNaming {
  const gender = id.endsWith('-f') ? 'female' : id.endsWith('-m') ? 'male' : null;
  const name = id
    .replace(/^expr-/, '')
    .replace(/-[fm]$/, '')
    .replaceAll('-', ' ');
  // Two speakers share each name.
  return {
    name: capitalised(gender === null ? name : `${name}, ${gender}`),
    gender,
    languages: null,
  };
}

/** The name for people, without anything that cannot be shown. */
export function capitalised(name: string): string {
  const shown = name
    .normalize('NFC')
    .replace(/[\p{C}_]+/gu, ' ')
    .trim()
    .slice(0, NAME_MAX);
  return shown.charAt(0).toUpperCase() + shown.slice(1);
}

/** Text of a file of a model, without anything that cannot be shown or that changes what a terminal shows. */
export const showable = (text: string): string =>
  firstCodePoints(
    text
      .normalize('NFC')
      .replace(/\p{C}+/gu, ' ')
      .trim(),
    NAME_MAX,
  );
