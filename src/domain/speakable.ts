/** The word for `&`, which begins an entity in markup. */
const AND: Readonly<Record<string, string>> = {
  en: 'and',
  pl: 'i',
  de: 'und',
  fr: 'et',
  es: 'y',
  it: 'e',
};

/**
 * Takes out what engines could read as SSML or `[[phonemes]]`: a short text could demand twenty minutes of
 * silence.
 * @param language BCP 47
 */
export function withoutMarkup(text: string, language: string): string {
  const and = AND[language.split('-')[0] ?? ''];
  return text
    .replace(/[<>[\]{}\p{Cc}]+/gu, ' ')
    .replaceAll('&', and === undefined ? ' ' : ` ${and} `)
    .trim();
}

/** Nobody needs longer for a character; what does is a trick. */
const SECONDS_A_CHARACTER = 0.5;
const SECONDS_TO_SPARE = 10;

/** The most seconds that an honest voice may take for this text. */
export const mostSecondsOf = (text: string): number =>
  text.length * SECONDS_A_CHARACTER + SECONDS_TO_SPARE;

/** Scripts beside the Latin one that a voice is known for. */
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
] as const;

export type OtherScript = (typeof OTHER_SCRIPTS)[number];

/** A piece of a sentence in one script; null is the Latin one, and all that belongs to none. */
export interface SpeakablePart {
  readonly text: string;
  readonly script: OtherScript | null;
}

const LETTERS: Readonly<Partial<Record<OtherScript, string>>> = {
  // The rarer ones are in no dictionary of an engine's.
  Han: '\\u4e00-\\u9fff々',
  Kana: '\\p{Script=Hiragana}\\p{Script=Katakana}ー',
};

const lettersOf = (script: OtherScript): string => LETTERS[script] ?? `\\p{Script=${script}}`;

/** Words of one script after each other, with what stands between them. */
const RUNS = new RegExp(
  OTHER_SCRIPTS.map((script) => {
    const word = `[${lettersOf(script)}][${lettersOf(script)}\\p{M}]*`;
    return `(?<${script}>${word}(?:[^\\p{L}\\p{N}\\p{M}]+${word})*)`;
  }).join('|'),
  'gu',
);

/** A letter or a digit. */
export const SPEAKABLE = /[\p{L}\p{N}]/u;
/** Letters that engines spell by their names: of no script above, or Latin ones of phoneticians. */
const SPELT = new RegExp(
  `(?![\\p{Script=Latin}${OTHER_SCRIPTS.map(lettersOf).join('')}])\\p{L}|[\\u0250-\\u02af\\u1d00-\\u1dbf\\ua720-\\ua7ff]`,
  'gu',
);
/** A name may be a number of five digits, so that a line of them would never end. */
const MOST_SPELT = 1;
const MOST_SIGNS = 3;
const MOST_DIGITS = 40;
/** Longer numbers have names that nobody follows; they are read digit by digit. */
const LONGEST_NUMBER = 9;

/**
 * A sentence as an engine that obeys every character can read it aloud in about the time that a person
 * would: no markup, nothing invisible, no endless rows of signs or digits, no letters that it would spell by
 * their names, and each script apart. Empty when nothing is left to be spoken.
 * @param language BCP 47, of the sentence as a whole
 */
export function speakableParts(text: string, language: string): SpeakablePart[] {
  const plain = readableLetters(shortRows(visible(withoutMarkup(text, language))));
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

/** Without what is not seen, and with plain letters for those that only look different. */
const visible = (text: string): string =>
  text
    // Mathematicians' alphabets, ligatures, and letters as wide as Chinese ones.
    .replace(/[\u{1d400}-\u{1d7ff}\uff01-\uff5e\ufb00-\ufb06]+/gu, (letters) =>
      letters.normalize('NFKC'),
    )
    .replace(/[\u0660-\u0669\u06f0-\u06f9]/gu, (digit) => String((digit.codePointAt(0) ?? 0) & 0xf))
    .replace(/[\p{Cf}\ufe00-\ufe0f]/gu, '')
    .replace(/[\p{Co}\p{Cn}\p{Cs}]+/gu, ' ')
    // More marks than any language puts on a letter.
    .replace(/(\p{M}{2})\p{M}+/gu, '$1');

/** Rows of signs and of digits, cut where they stop saying anything. */
const shortRows = (text: string): string =>
  text
    .replace(
      /(?:[^\p{L}\p{N}\p{M}\s]\s*){4,}/gu,
      (row) => `${(row.match(/\S/gu) ?? []).slice(0, MOST_SIGNS).join('')} `,
    )
    // Each such sign is a pause, meant for clauses that are longer than a word.
    .replace(/[;:](?=\s+\S{1,3}[;:])/gu, ',')
    .replace(/\d{10,}/gu, (digits) => digits.slice(0, MOST_DIGITS))
    .replace(/(?<![.,\d])\d+/gu, (digits) =>
      digits.length > LONGEST_NUMBER ? digits.split('').join(' ') : digits,
    );

/** One letter of an unknown script is named; more are left out, all but one if there is nothing else. */
function readableLetters(text: string): string {
  const spelt = text.match(SPELT) ?? [];
  if (spelt.length <= MOST_SPELT) return text;
  const rest = text.replace(SPELT, ' ');
  return SPEAKABLE.test(rest) ? rest : spelt.slice(0, MOST_SPELT).join(' ');
}
