export type Gender = 'm' | 'f' | 'n';

/** The forms of a noun for a number, by the categories of `Intl.PluralRules`. */
export interface Noun {
  readonly gender: Gender;
  readonly one: string;
  readonly few?: string;
  readonly many?: string;
  readonly other: string;
}

export interface Currency extends Noun {
  /** A hundredth of it. */
  readonly minor: Noun | null;
}

export interface Clock {
  readonly hours: number;
  readonly minutes: number;
}

export interface CalendarDate {
  readonly day: number;
  /** 1 to 12. */
  readonly month: number;
  readonly year: number | null;
}

/** What stands around a part of a sentence. */
export interface Around {
  /** The word in front of `earlier`; '' when there is none. */
  readonly earliest: string;
  /** The word in front of `before`; '' when there is none. */
  readonly earlier: string;
  /** The word before, as it is written; '' when there is none. */
  readonly before: string;
  /** The word after, as it is written; '' when there is none. */
  readonly after: string;
  /** The word behind `after`; '' when there is none. */
  readonly later: string;
}

/** How a language speaks what is not written as words. */
export interface Words {
  /** BCP 47, for `Intl.PluralRules`. */
  readonly tag: string;
  /** The sign before decimals. */
  readonly point: '.' | ',';
  /** Names of signs. */
  readonly signs: {
    readonly and: string;
    readonly at: string;
    readonly dot: string;
    readonly slash: string;
    readonly hyphen: string;
    readonly underscore: string;
    readonly number: string;
    readonly times: string;
    readonly section: string;
  };
  readonly minus: string;
  /** Between the ends of a range, as in `5–7`. */
  readonly to: string;
  cardinal(value: number, gender: Gender): string;
  /** A number with decimals. @param decimals the digits after the point */
  decimal(whole: number, decimals: string): string;
  /** 1/2, 3/4 … Null when it is not read as a fraction. @param after the word behind it, or '' */
  fraction(numerator: number, denominator: number, after: string): string | null;
  /** 2½ */
  mixed(whole: number, numerator: number, denominator: number): string | null;
  readonly units: Readonly<Record<string, Noun>>;
  readonly currencies: Readonly<Record<string, Currency>>;
  /** Between the larger and the smaller unit of a currency. */
  readonly moneyJoint: string;
  /** Whether the smaller unit is named. */
  readonly namesMinor: boolean;
  /** Words such as million, and what stands between them and a unit. */
  readonly scales: Readonly<Record<string, Noun & { readonly joint: string }>>;
  /** The keys of `scales` for a thousand, a million and so on, which `k`, `m` and `bn` stand for after an amount. */
  readonly powers: readonly string[];
  /** The number of a month by its name or abbreviation, in lower case. */
  readonly months: Readonly<Record<string, number>>;
  clock(time: Clock, around: Around): string;
  /** An hour without minutes. Null where it is no hour, or the engine reads it right. */
  hour?(value: number, around: Around): string | null;
  date(date: CalendarDate, around: Around): string;
  /** Null leaves the year to the engine. */
  year(year: number, around: Around): string | null;
  /** `1990s`. Null where it is not written so. */
  decade(year: number): string | null;
  /** Whether 12/05/2024 is in May. */
  readonly dayFirst: boolean;
  /** A number in Roman letters. Null when it is a word or an abbreviation here. */
  roman(value: number, numeral: Numeral, around: Around): string | null;
  /** A number with a sign of an ordinal, such as `2.` or `2nd`. Null leaves it. */
  ordinal(value: number, suffix: string, around: Around): string | null;
  /** By the abbreviation as it is written with its points and without spaces. */
  readonly abbreviations: Readonly<Record<string, Expansion>>;
  /** Ends of words that are cut short, such as `str.` of a street, by how they are written. */
  readonly endings?: Readonly<Record<string, string>>;
  /** Short words that may be written in capitals, in upper case. */
  readonly shortWords: ReadonlySet<string>;
}

export interface Numeral {
  /** As it is written, in plain Latin letters. */
  readonly letters: string;
  readonly suffix: string;
  /** It was written with the signs of Unicode, which are never letters. */
  readonly isSign: boolean;
}

/** Words; or words that depend on their neighbours, and null for no abbreviation. */
export type Expansion = string | ((around: Around) => string | null);

/**
 * The form of a noun for a number, by the plural rules of the language (CLDR). A noun without the form of a category
 * has the form `other`.
 */
export function formOf(words: Pick<Words, 'tag'>, noun: Noun, value: number): string {
  const category = pluralsOf(words.tag).select(value);
  if (category === 'one') return noun.one;
  if (category === 'few') return noun.few ?? noun.other;
  if (category === 'many') return noun.many ?? noun.other;
  return noun.other;
}

const plurals = new Map<string, Intl.PluralRules>();

function pluralsOf(tag: string): Intl.PluralRules {
  const known = plurals.get(tag) ?? new Intl.PluralRules(tag);
  plurals.set(tag, known);
  return known;
}

/** Words of digits, one by one, with commas between groups. */
export const digitByDigit = (groups: readonly string[]): string =>
  groups.map((group) => Array.from(group).join(' ')).join(', ');

/** The last word before an offset when only a space is between them; else ''. */
export function wordBefore(text: string, offset: number): string {
  const head = text.slice(Math.max(0, offset - WORD_LENGTH_MAX), offset);
  if (!/[ \u00a0\u202f]$/u.test(head)) return '';
  return (
    head
      .trimEnd()
      .split(/[\s("'“„«‘]/u)
      .at(-1) ?? ''
  ).normalize('NFC');
}

/** The first word after an offset when only a space is between them; else ''. */
export function wordAfter(text: string, offset: number): string {
  const tail = text.slice(offset, offset + WORD_LENGTH_MAX);
  if (!/^[ \u00a0\u202f]/u.test(tail)) return '';
  return (tail.trimStart().split(/[\s)"'”“»’,;:!?]/u)[0] ?? '').normalize('NFC');
}

const WORD_LENGTH_MAX = 40;

/**
 * The three words before a match and the two after it. A word counts only when nothing but one space stands between it
 * and the next.
 */
export function aroundOf({ 0: part, index, input }: RegExpExecArray): Around {
  const wordInFront = (word: string, from: number): [string, number] => {
    const at = Math.max(0, from - word.length - 1);
    return [word === '' ? '' : wordBefore(input, at), at];
  };
  const end = index + part.length;
  const before = wordBefore(input, index);
  const [earlier, at] = wordInFront(before, index);
  const [earliest] = wordInFront(earlier, at);
  const after = wordAfter(input, end);
  const later = after === '' ? '' : wordAfter(input, end + 1 + after.length);
  return { before, earlier, earliest, after, later };
}

/** Whether a word begins with a capital and goes on in small letters, as names do. */
export const isName = (word: string): boolean => /^\p{Lu}\P{Ll}*\p{Ll}/u.test(word);

/** Whether a word begins with a capital. */
export const isCapitalised = (word: string): boolean => /^\p{Lu}/u.test(word);
