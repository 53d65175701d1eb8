import { rewrite, type Draft } from './draft.js';
import {
  aroundOf,
  formOf,
  isName,
  wordBefore,
  type Currency,
  type Gender,
  type Noun,
  type Words,
} from './words.js';

/** Larger numbers are left to the engine. */
const SPOKEN_DIGITS_MAX = 12;

/** Writes groups of thousands without what separates them: `1,234,567`, `1.234.567`, `1 234 567`, `1'234`. */
export function withoutGroups(draft: Draft, { point }: Words): Draft {
  return rewrite(
    draft,
    draft.text.matchAll(
      /(?<![\d.,'’])(?<!\d[ \u00a0\u2009\u202f])\d{1,3}(?:[.,'’ \u00a0\u2009\u202f]\d{3}){1,4}(?![\d'’]|[.,]\d{4}|[ \u00a0\u2009\u202f]\d)/gu,
    ),
    ({ 0: number }) => {
      const separators = new Set(number.replace(/\d/gu, ''));
      const [separator = ''] = separators;
      if (separators.size > 1 || number.startsWith('0')) return null;
      const groups = number.split(separator);
      // One group after the sign of decimals may be decimals: 3.142.
      if (separator === point && groups.length === 2) return null;
      if (separator === ' ' && point === '.') return null;
      return groups.join('');
    },
  );
}

/** `3.5` in its parts. Null for what is no number, or too large. */
function partsOf(number: string): { whole: number; decimals: string } | null {
  const [whole = '', decimals = ''] = number.split(/[.,]/u);
  return whole.length > SPOKEN_DIGITS_MAX ? null : { whole: Number(whole), decimals };
}

/** A number and its noun in agreement: `one kilometre`, `dwie mile`. */
export function quantity(number: string, noun: Noun, words: Words): string | null {
  const parts = partsOf(number);
  if (parts === null) return null;
  const { whole, decimals } = parts;
  if (/^0*$/u.test(decimals))
    return `${words.cardinal(whole, noun.gender)} ${formOf(words, noun, whole)}`;
  return `${words.decimal(whole, decimals)} ${formOf(words, noun, Number(`${String(whole)}.${decimals}`))}`;
}

const lookUp = <Value>(table: Readonly<Record<string, Value>>, key: string): Value | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;

/** Numbers with a unit, such as `5 km` and `−5 °C`. */
export const spokenUnits = (draft: Draft, words: Words): Draft =>
  rewrite(
    draft,
    draft.text.matchAll(
      /(?<![\p{L}\d.,:/])([-−–]?)(\d{1,12}(?:[.,]\d{1,6})?)([ \u00a0\u202f-]?)(\p{L}{1,5}[²³]?(?:\/\p{L}{1,2})?|°(?:[ \u00a0]?[CF])?)(?![\p{L}\p{N}]|\.[ \u00a0]\d)(?:\.(?= \p{Ll}))?/gu,
    ),
    (found) => {
      const [, sign = '', number = '', space = '', unit = ''] = found;
      // Without a space, it is a plural: 1990s. Pence are written without one.
      if (unit === (space === '' ? 's' : 'p')) return null;
      const noun = lookUp(words.units, unit.replace(/\s/gu, ''));
      const isBefore = isBeforeNoun(found, words);
      if (noun === undefined || (space === '-' && !isBefore)) return null;
      const spoken = quantity(number, isBefore ? { ...noun, other: noun.one } : noun, words);
      if (spoken === null) return null;
      // A hyphen behind a word is not a minus, nor is a dash, except before degrees.
      const isSign = sign !== '–' || unit.startsWith('°');
      const isMinus = sign !== '' && isSign && !/\S/u.test(found.input.charAt(found.index - 1));
      return (isMinus ? `${words.minus} ` : sign) + spoken;
    },
  );

/** In English, a quantity before a noun is in the singular: `a 5-km run`, `a $20 bill`. */
const isBeforeNoun = ({ input, index }: RegExpExecArray, { tag }: Words): boolean =>
  tag.startsWith('en') && /^an?$/iu.test(wordBefore(input, index));

/** Amounts of money, with the sign before or behind: `$3.50`, `3,50 €`, `$2 million`. */
export function spokenMoney(draft: Draft, words: Words): Draft {
  const before = rewrite(
    draft,
    draft.text.matchAll(
      /(?<![\p{L}\d])((?:US|CA|AU)?\$|[€£¥₽₴₹])[ \u00a0\u202f]?(\d{1,12}(?:[.,]\d{1,6})?)(?:[ \u00a0\u202f-](\p{L}{3,12}\.?)|[ \u00a0\u202f]?([kKmMBT]|mn|bn|tn))?(?![\d\p{L}])/gu,
    ),
    (found) => {
      const [all, sign = '', number = '', scale = '', letter] = found;
      const tail = scale === '' ? '' : all.slice(all.length - scale.length - 1);
      const spoken =
        letter === undefined
          ? money({ number, scale, tail }, sign, words)
          : shortScale({ number, letter }, sign, words);
      if (!isBeforeNoun(found, words)) return spoken;
      const { other = '', one = '' } = lookUp(words.currencies, sign) ?? {};
      return spoken?.replace(other, one) ?? null;
    },
  );
  return rewrite(
    before,
    before.text.matchAll(
      /(?<![\p{L}\d.,])(\d{1,12}(?:[.,]\d{1,6})?)[ \u00a0\u202f]?(?:(\p{L}{3,12}\.?)[ \u00a0\u202f]|([kKM])(?=[$€£]))?([$€£¥₽₴₹¢]|zł|gr|EUR|USD|PLN|GBP|CHF)(?![\d\p{L}])/gu,
    ),
    ({ 1: number = '', 2: scale = '', 3: letter, 4: sign = '' }) => {
      if (letter !== undefined) return shortScale({ number, letter }, sign, words);
      return scale !== '' && lookUp(words.scales, scale.toLowerCase()) === undefined
        ? null
        : money({ number, scale, tail: '' }, sign, words);
    },
  );
}

const POWERS: Readonly<Record<string, number>> = { k: 1, m: 2, mn: 2, b: 3, bn: 3, t: 4, tn: 4 };

/** `£1.5m` and `3 M€`. Null where the language has no word for it. */
function shortScale(
  { number, letter }: { number: string; letter: string },
  sign: string,
  words: Words,
): string | null {
  const scale = words.powers[(POWERS[letter.toLowerCase()] ?? 0) - 1];
  return scale === undefined ? null : money({ number, scale, tail: '' }, sign, words);
}

function money(
  { number, scale, tail }: { number: string; scale: string; tail: string },
  sign: string,
  words: Words,
): string | null {
  const currency = lookUp(words.currencies, sign);
  if (currency === undefined) return null;
  const name = scale.toLowerCase();
  const bare = name.replace(/\.$/u, '');
  const large = lookUp(words.scales, name) ?? lookUp(words.scales, bare);
  if (large !== undefined) {
    const amount = quantity(number, large, words);
    const stop = tail.endsWith('.') && lookUp(words.scales, name) === undefined ? '.' : '';
    // As after a million, whatever the number is.
    return amount && `${amount} ${large.joint}${currency.many ?? currency.other}${stop}`;
  }
  const amount = amountOf(number, currency, words);
  return amount === null ? null : amount + tail;
}

function amountOf(number: string, currency: Currency, words: Words): string | null {
  const parts = partsOf(number);
  if (parts === null) return null;
  const { whole, decimals } = parts;
  const hundredths = Number(decimals);
  if (decimals.length !== 2 || currency.minor === null) return quantity(number, currency, words);
  const minor = words.namesMinor
    ? quantity(String(hundredths), currency.minor, words)
    : words.cardinal(hundredths, currency.minor.gender);
  if (hundredths === 0) return quantity(String(whole), currency, words);
  if (whole === 0) return quantity(String(hundredths), currency.minor, words);
  return [quantity(String(whole), currency, words), words.moneyJoint, minor]
    .filter((part) => part !== '')
    .join(' ');
}

/** Numbers with an abbreviated scale and without a currency, such as `2 tys.`, `1,5 mln` and `3 Mio.` */
export const spokenScales = (draft: Draft, words: Words): Draft =>
  rewrite(
    draft,
    draft.text.matchAll(
      /(?<![\p{L}\d.,:/])(\d{1,12}(?:[.,]\d{1,6})?)[ \u00a0\u202f](tys\.|ml[nd]\b\.?|M(?:io|rd)\.)/gu,
    ),
    ({ 0: all, 1: number = '', 2: scale = '', index, input }) => {
      const noun = lookUp(words.scales, scale.toLowerCase());
      const spoken = noun === undefined ? null : quantity(number, noun, words);
      const isEnd = scale.endsWith('.') && index + all.length === input.length;
      return spoken === null ? null : `${spoken}${isEnd ? '.' : ''}`;
    },
  );

/** Fractions, as `3/4`, `½` and `2½`. */
export function spokenFractions(draft: Draft, words: Words): Draft {
  const plain = rewrite(
    draft,
    draft.text.matchAll(
      /(?<![\p{L}\d.,/])(?:(\d{1,6})([ \u00a0]))?(\d{1,2})[/\u2044](\d{1,2})(?![\d/.,]\d|[\d\p{L}/])/gu,
    ),
    (found) => {
      const { 1: whole, 2: space = '', 3: numerator = '', 4: denominator = '' } = found;
      // `ul. Polna 3/5` is an address.
      const { before, earlier, after } = aroundOf(found);
      if (isName(before) && earlier !== '') return null;
      const [upper, lower] = [Number(numerator), Number(denominator)];
      if (whole !== undefined && upper < lower) return words.mixed(Number(whole), upper, lower);
      const fraction = words.fraction(upper, lower, after);
      return fraction === null ? null : `${whole ?? ''}${space}${fraction}`;
    },
  );
  return rewrite(
    plain,
    plain.text.matchAll(/(?<![\p{L}.,])(\d{0,6})[ \u00a0]?([\u00bc-\u00be\u2150-\u215e])/gu),
    (found) => {
      const { 0: all, 1: whole = '', 2: sign = '' } = found;
      const [upper = 0, lower = 0] = sign.normalize('NFKC').split('\u2044').map(Number);
      if (whole === '') {
        const space = all.startsWith(sign) ? '' : all.charAt(0);
        const fraction = words.fraction(upper, lower, aroundOf(found).after);
        return fraction === null ? null : space + fraction;
      }
      return words.mixed(Number(whole), upper, lower);
    },
  );
}

/** Ends of a range, such as `5–7` and `1939–1945`. */
export const spokenRanges = (draft: Draft, words: Words): Draft =>
  rewrite(
    draft,
    draft.text.matchAll(
      /(?<![\p{L}\d.,:/–-])(\d{1,6})([ \u00a0]?[–-][ \u00a0]?)(\d{1,6})(?![\p{L}\d:/–-]|[.,]\d)/gu,
    ),
    ({ 1: first = '', 2: dash = '', 3: last = '' }) => {
      const isRange =
        Number(first) < Number(last) && (dash.includes('–') || first.length === last.length);
      return isRange && dash.length !== 2 ? `${first} ${words.to} ${last}` : null;
    },
  );

/** `1st`, `2e`, `3.º`, `2. Oktober`. */
export const spokenOrdinals = (draft: Draft, words: Words): Draft =>
  rewrite(
    draft,
    draft.text.matchAll(
      /(?<![\p{L}\d.,:/])(\d{1,4})(\.?[ºª°]|\.er|st|nde?|rd|th|er|re|ère|ème|e|\.)(?![\p{L}\d])/giu,
    ),
    (found) => {
      const { 0: all, 1: number, 2: suffix = '', index, input } = found;
      const spoken = words.ordinal(Number(number), suffix.toLowerCase(), aroundOf(found));
      // The full stop may also end the sentence.
      const isEnd = suffix === '.' && index + all.length === input.length;
      return spoken !== null && isEnd ? `${spoken}.` : spoken;
    },
  );

export type Spelling = (value: number, gender: Gender) => string;
