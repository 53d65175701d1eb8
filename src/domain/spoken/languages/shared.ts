import { isCapitalised, type Around, type Gender, type Noun } from '../words.js';

/** The words of a list that is separated by spaces. */
export const wordSet = (list: string): ReadonlySet<string> => new Set(list.split(' '));

/** A value of a table by a key that may be any text, such as `constructor`. */
export const own = <Value>(
  table: Readonly<Record<string, Value>>,
  key: string,
): Value | undefined => (Object.hasOwn(table, key) ? table[key] : undefined);

/**
 * A noun with two forms, for a language whose plural categories are `one` and `other`.
 * @param one the form for the category `one`, usually the singular
 * @param other the form for every other number
 */
export const noun = (gender: Gender, one: string, other: string): Noun => ({ gender, one, other });

/** A noun of a language with forms for few and many, and one for fractions. */
export const slavicNoun = (
  gender: Gender,
  one: string,
  few: string,
  many: string,
  other: string,
): Noun => ({ gender, one, few, many, other });

/** The number of each name. @param names one text a month, with all names of it between spaces */
export const monthTable = (names: readonly string[]): Readonly<Record<string, number>> =>
  Object.fromEntries(names.flatMap((all, at) => all.split(' ').map((name) => [name, at + 1])));

/** Digits one by one, as decimals are read in English and German. */
export const digitsOf = (digits: string, cardinal: (value: number) => string): string =>
  Array.from(digits, (digit) => cardinal(Number(digit))).join(' ');

/** Decimals as a number behind zeros, as they are read in Polish, French and Spanish. */
export function decimalsOf(digits: string, cardinal: (value: number) => string): string {
  const number = digits.replace(/^0*/u, '');
  const zeros = Array.from({ length: digits.length - number.length }, () => cardinal(0));
  return [...zeros, ...(number === '' ? [] : [cardinal(Number(number))])].join(' ');
}

/** A year in hundreds: nineteen thirty-nine, neunzehnhundertneununddreißig. */
export function centuryYear(
  year: number,
  cardinal: (value: number) => string,
  { hundred, zero, joint }: { hundred: string; zero: string; joint: string },
): string {
  const [century, rest] = [cardinal(Math.floor(year / 100)), year % 100];
  if (rest === 0) return `${century}${hundred}`;
  return `${century}${rest < 10 ? zero : joint}${cardinal(rest)}`;
}

/** The expansion of an abbreviation that is expanded only before words of a pattern. Null leaves it as it is. */
export const before =
  (pattern: RegExp) =>
  (full: string) =>
  ({ after }: Around): string | null =>
    pattern.test(after) ? full : null;

/** The expansion of an abbreviation that is expanded only before a name. */
export const beforeName =
  (full: string) =>
  ({ after }: Around): string | null =>
    isCapitalised(after) ? full : null;
