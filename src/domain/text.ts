import { createHash } from 'node:crypto';

/** The number of Unicode code points, so that an emoji counts once and not twice. */
export function countCodePoints(text: string): number {
  let count = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    // The second half of a pair belongs to the code point already counted.
    if (unit < 0xdc00 || unit > 0xdfff) count += 1;
  }
  return count;
}

/** Whether the database can store the text and a browser can show it: it has no NUL and no lone surrogate. */
export const isCleanText = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

/**
 * Flags of regions such as Scotland: a black flag, the letters of the region's code as tags, and the tag that ends it.
 */
const REGION_FLAG = /\u{1F3F4}[\u{E0030}-\u{E0039}\u{E0061}-\u{E007A}]{3,6}\u{E007F}/gu;

/**
 * The faults of one line that other people read, such as a name or a title, with their messages. The marks U+200E,
 * U+200F and U+061C are allowed, because Arabic and Hebrew need them next to digits and Latin letters, and they only
 * affect their neighbours. Joiners are allowed, because Persian and emoji need them.
 */
const LINE_FAULTS: readonly (readonly [RegExp, string])[] = [
  [
    /[\p{Cc}\p{Zl}\p{Zp}]/u,
    'must be one line without control characters and line separators (U+2028, U+2029)',
  ],
  // These also reorder the text that follows the name on a page, so that it reads as something else.
  [
    /[\u202A-\u202E\u2066-\u2069]/u,
    'must not contain bidirectional controls (U+202A to U+202E, U+2066 to U+2069)',
  ],
  [
    /[\u{E0000}-\u{E007F}]/u,
    'must not contain tag characters (U+E0000 to U+E007F) outside the flag of a region',
  ],
  // Devices show these differently, or not at all.
  [
    /[\p{Co}\p{Noncharacter_Code_Point}\uFFF9-\uFFFB]/u,
    'must not contain private-use characters, noncharacters and annotation controls',
  ],
];

/** The fault of a line that other people read. Null when there is none. */
export function lineFaultOf(line: string): string | null {
  const withoutFlags = line.replace(REGION_FLAG, '');
  return LINE_FAULTS.find(([fault]) => fault.test(withoutFlags))?.[1] ?? null;
}

/** Whether a text shows anything: more than spaces, lone marks and invisible letters such as a Hangul filler. */
export const isVisible = (text: string): boolean =>
  /[^\p{Cc}\p{Cf}\p{Z}\p{M}\p{Default_Ignorable_Code_Point}\u2800]/u.test(text);

/** Makes one line of a program's description of itself. Characters that would break or reorder it become spaces. */
export const asLine = (text: string): string => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ').trim();

/** Hex SHA-256 of the UTF-8 bytes. */
export const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex');

const LETTERS_WITHOUT_MARKS: Readonly<Record<string, string>> = {
  ł: 'l',
  đ: 'd',
  ø: 'o',
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  þ: 'th',
  ð: 'd',
  ħ: 'h',
  ŧ: 't',
  ı: 'i',
};

/** The beginning of a text, of at most `most` Unicode code points. */
export const firstCodePoints = (text: string, most: number): string =>
  text.length <= most ? text : Array.from(text).slice(0, most).join('');

/** The slug of a title: lower-case Latin letters and digits between hyphens; '' when none are left. */
export function slugify(title: string): string {
  return (
    title
      .toLowerCase()
      .normalize('NFKD')
      .replace(/\p{M}+/gu, '')
      .replace(/[łđøßæœþðı]/g, (letter) => LETTERS_WITHOUT_MARKS[letter] ?? '')
      .replace(/['’]/g, '')
      .replace(/[^a-z0-9]+/g, '-')
      .slice(0, 100)
      // Consecutive hyphens are one by now.
      .replace(/^-|-$/g, '')
  );
}

/**
 * Folds text for comparison in a search. Case, marks, typographic quotes and dashes are ignored. The result depends on
 * neither the language nor the machine: `Żabia Wólka` becomes `zabia wolka`, `İSTANBUL` becomes `istanbul`, `Straße`
 * becomes `strasse`, and `Ὀδυσσεύς` becomes `οδυσσευσ`. Words are separated by single spaces. Stored texts are folded
 * by this function, so a change of it needs a migration that sets `search_text` to null.
 */
export function foldText(text: string): string {
  return (
    text
      .normalize('NFKD')
      .replace(/[\p{M}\p{Cf}]+/gu, '')
      // Upper case comes first, because some letters differ only in lower case: ß and ss, ı and i.
      .toUpperCase()
      .toLowerCase()
      .replace(/[łđøßæœþðħŧı]/g, (letter) => LETTERS_WITHOUT_MARKS[letter] ?? '')
      .replace(/ς/g, 'σ')
      .replace(/[‘’‛ʼ]/g, "'")
      .replace(/[“”„‟«»]/g, '"')
      .replace(/\p{Pd}/gu, '-')
      .replace(/\s+/g, ' ')
      .trim()
      // Composes the syllables of Hangul again.
      .normalize('NFC')
  );
}

/**
 * The distinct folded words of a search. A search of marks alone has no folded word, and becomes a word that matches
 * nothing.
 */
export function foldedWordsOf(search: string): readonly string[] {
  const words = new Set(foldText(search).split(' ').filter(Boolean));
  return words.size > 0 || search === '' ? [...words] : [search];
}

/** The length of the character runs in the search index. */
const GRAM_LENGTH = 3;
/** More trigrams would hardly narrow the result, because the candidates are compared with the words anyway. */
const GRAMS_MAX = 40;

/**
 * The trigrams that a text with these folded words must contain, as the SQL function `search_grams` makes them. Words
 * shorter than three characters have none.
 */
export function gramsOf(words: readonly string[]): readonly string[] {
  const grams = new Set<string>();
  for (const word of words) {
    const characters = Array.from(word);
    for (let end = GRAM_LENGTH; end <= characters.length && grams.size < GRAMS_MAX; end += 1)
      grams.add(characters.slice(end - GRAM_LENGTH, end).join(''));
  }
  return [...grams];
}

/** The pattern of SQL's LIKE for a text that contains these words. Special characters are escaped. */
export const patternOf = (words: string): string => `%${words.replace(/[\\%_]/g, '\\$&')}%`;

/**
 * The length of the longest ISO 639 code. BCP 47 allows 8 letters, but no language with more than 3 is registered.
 */
const CODE_LENGTH_MAX = 3;

/**
 * The canonical spelling of a BCP 47 tag, for example `pt-BR` for `PT-br`.
 * @returns null for text that is no tag, and for a name instead of a code, for example `english`
 */
export function canonicalTag(text: string): string | null {
  try {
    const locale = new Intl.Locale(text);
    return locale.language.length > CODE_LENGTH_MAX ? null : locale.toString();
  } catch {
    return null;
  }
}
