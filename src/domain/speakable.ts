import { andOf } from './spoken/languages/and.js';

/**
 * Removes characters that engines could read as SSML or `[[phonemes]]`, because with these a short text could demand
 * twenty minutes of silence.
 * @param language BCP 47
 */
export function withoutMarkup(text: string, language: string): string {
  const and = andOf(language);
  return text
    .replace(/[<>[\]{}\p{Cc}]+/gu, ' ')
    .replaceAll('&', and === undefined ? ' ' : ` ${and} `)
    .trim();
}

/** An upper bound of the time that speech needs for one character. Longer speech is refused. */
const SECONDS_A_CHARACTER = 0.5;
const SECONDS_TO_SPARE = 10;

/** The longest plausible duration of this text, in seconds. */
export const mostSecondsOf = (text: string): number =>
  text.length * SECONDS_A_CHARACTER + SECONDS_TO_SPARE;

/** Scripts besides Latin that are spoken by a voice of their own. */
const OTHER_SCRIPTS = [
  'Greek',
  'Cyrillic',
  'Arabic',
  'Hebrew',
  'Han',
  'Kana',
  'Hangul',
  'Thai',
  'Devanagari',
  'Georgian',
  'Armenian',
  'Bengali',
  'Gujarati',
  'Gurmukhi',
  'Kannada',
  'Malayalam',
  'Oriya',
  'Sinhala',
  'Tamil',
  'Telugu',
  'Ethiopic',
] as const;

export type OtherScript = (typeof OTHER_SCRIPTS)[number];

/** A part of a sentence in one script. Null stands for Latin and for characters of no script. */
export interface SpeakablePart {
  readonly text: string;
  readonly script: OtherScript | null;
}

const LETTERS: Readonly<Partial<Record<OtherScript, string>>> = {
  // Only the common block, because engines have no rarer characters in their dictionaries.
  Han: '\\u4e00-\\u9fff々',
  Kana: '\\p{Script=Hiragana}\\p{Script=Katakana}ー',
};

const lettersOf = (script: OtherScript): string => LETTERS[script] ?? `\\p{Script=${script}}`;

/** Consecutive words of one script, with the characters between them. */
const RUNS = new RegExp(
  OTHER_SCRIPTS.map((script) => {
    const word = `[${lettersOf(script)}][${lettersOf(script)}\\p{M}]*`;
    return `(?<${script}>${word}(?:[^\\p{L}\\p{N}\\p{M}]+${word})*)`;
  }).join('|'),
  'gu',
);

/** A letter or a digit. */
export const SPEAKABLE = /[\p{L}\p{N}]/u;
/** Letters that engines spell by name: those of no script above, and the Latin letters of phonetic alphabets. */
const SPELT = new RegExp(
  `(?![\\p{Script=Latin}${OTHER_SCRIPTS.map(lettersOf).join('')}])\\p{L}|[\\u0250-\\u02af\\u1d00-\\u1dbf\\ua720-\\ua7ff]`,
  'gu',
);
/**
 * At most one letter is spelt, because its name may be a number of five digits, and a line of such letters would take
 * very long.
 */
const SPELT_MAX = 1;
const SIGNS_MAX = 3;
const DIGITS_MAX = 40;
/** Longer numbers are read digit by digit, because their names are hard to follow. */
const NUMBER_LENGTH_MAX = 9;

/**
 * Prepares a sentence for an engine that obeys every character, so that it takes about as long as a person would: no
 * markup, nothing invisible, no long rows of signs or digits, no letters that would be spelt by name, and each script
 * apart. The result is empty when nothing can be spoken.
 * @param language BCP 47, of the whole sentence
 */
export function speakableParts(text: string, language: string): SpeakablePart[] {
  // Markup is removed after full-width forms are made plain, because `＜` becomes `<`.
  const plain = readableLetters(shortRows(withoutMarkup(visible(text), language)));
  const parts: SpeakablePart[] = [];
  let end = 0;
  for (const run of plain.matchAll(RUNS)) {
    const script = OTHER_SCRIPTS.find((name) => run.groups?.[name] !== undefined) ?? null;
    parts.push({ text: plain.slice(end, run.index), script: null }, { text: run[0], script });
    end = run.index + run[0].length;
  }
  parts.push({ text: plain.slice(end), script: null });
  return parts
    .map((part) => ({ ...part, text: part.text.trim() }))
    .filter((part) => SPEAKABLE.test(part.text));
}

/** Removes invisible characters, and replaces letters that only look different by plain ones. */
const visible = (text: string): string =>
  text
    // Mathematical alphabets, ligatures and full-width characters.
    .replace(/[\u{1d400}-\u{1d7ff}\uff01-\uff5e\ufb00-\ufb06]+/gu, (letters) =>
      letters.normalize('NFKC'),
    )
    .replace(/[\u0660-\u0669\u06f0-\u06f9]/gu, (digit) => String((digit.codePointAt(0) ?? 0) & 0xf))
    .replace(/[\p{Cf}\ufe00-\ufe0f]/gu, '')
    // The engine reads the vowels of pointed Hebrew, but names these points. A shin with a left point is an s.
    .replace(/\u05e9([\u05b0-\u05bc]*)\u05c2/gu, '\u05e1$1')
    .replace(/[\u0591-\u05af\u05bc\u05bd\u05bf\u05c1-\u05c7]/gu, '')
    .replace(/[\p{Co}\p{Cn}\p{Cs}]+/gu, ' ')
    // More marks than any language puts on a letter.
    .replace(/(\p{M}{2})\p{M}+/gu, '$1');

/** Shortens rows of signs and of digits. */
const shortRows = (text: string): string =>
  text
    .replace(
      /(?:[^\p{L}\p{N}\p{M}\s]\s*){4,}/gu,
      (row) => `${(row.match(/\S/gu) ?? []).slice(0, SIGNS_MAX).join('')} `,
    )
    // A semicolon or colon makes a pause, which would be too long after a word this short.
    .replace(/[;:](?=\s+\S{1,3}[;:])/gu, ',')
    .replace(/\d{10,}/gu, (digits) => digits.slice(0, DIGITS_MAX))
    .replace(/(?<![.,\d])\d+/gu, (digits) =>
      digits.length > NUMBER_LENGTH_MAX ? digits.split('').join(' ') : digits,
    );

/**
 * Keeps a single letter of an unknown script. More than one are left out, except for the first if nothing else can be
 * spoken.
 */
function readableLetters(text: string): string {
  const spelt = text.match(SPELT) ?? [];
  if (spelt.length <= SPELT_MAX) return text;
  const rest = text.replace(SPELT, ' ');
  return SPEAKABLE.test(rest) ? rest : spelt.slice(0, SPELT_MAX).join(' ');
}
