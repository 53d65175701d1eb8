import { rewrite, type Draft } from './draft.js';
import { digitByDigit, wordBefore, type Words } from './words.js';

/** What a listener can use of a path; the rest is left out. */
const SPOKEN_PATH_MAX = 40;
/** What closes a sentence or a bracket behind an address, and is not part of it. */
const TAIL = '.,;:!?)]}»”"\'’';

/** Web and e-mail addresses in words: `www.example.com` is `example dot com`. A query is left out. */
export const spokenAddresses = (draft: Draft, words: Words): Draft =>
  /@|:\/\/|www\./iu.test(draft.text)
    ? rewrite(draft, draft.text.matchAll(/\S+/gu), ([token]) => spokenToken(token, words))
    : draft;

function spokenToken(token: string, words: Words): string | null {
  let start = 0;
  while (start < token.length && !/[\p{L}\p{N}]/u.test(token.charAt(start))) start += 1;
  let end = token.length;
  while (end > start && TAIL.includes(token.charAt(end - 1))) end -= 1;
  const spoken = spokenAddress(token.slice(start, end), words);
  return spoken === null ? null : token.slice(0, start) + spoken + token.slice(end);
}

function spokenAddress(address: string, words: Words): string | null {
  const web = /^(?:https?:\/\/|ftp:\/\/|www\.)(\S+)$/iu.exec(address)?.[1]?.replace(/^www\./iu, '');
  if (web !== undefined) {
    const [host = ''] = web.split(/[/:?#]/u);
    return /^[\p{L}\p{N}.-]+$/u.test(host) ? spokenParts(host + pathOf(web), words) : null;
  }
  const mail = address.replace(/^mailto:/iu, '');
  return /^[\p{L}\p{N}._+-]+@[\p{L}\p{N}.-]+$/u.test(mail) ? spokenParts(mail, words) : null;
}

function pathOf(address: string): string {
  const [place = ''] = address.split(/[?#]/u);
  const slash = place.indexOf('/');
  const path = slash === -1 ? '' : place.slice(slash).replace(/\/$/u, '');
  return path.length <= SPOKEN_PATH_MAX && /^[\p{L}\p{N}/._-]*$/u.test(path) ? path : '';
}

function spokenParts(address: string, { signs }: Words): string {
  const names: Readonly<Record<string, string>> = {
    ...{ '.': signs.dot, '/': signs.slash, '@': signs.at, '-': signs.hyphen, _: signs.underscore },
    ...{ '+': '+' },
  };
  return address
    .replace(/[./@_+-]/gu, (sign) => ` ${names[sign] ?? ''} `)
    .replace(/ {2,}/gu, ' ')
    .trim();
}

/** How words begin that stand before a telephone number without a plus and without hyphens. */
const PHONE_WORDS = [
  ...['tel', 'tél', 'phone', 'fax', 'call', 'dial', 'mobil', 'komórk', 'numer', 'dzwoń', 'anruf'],
  ...['rufen', 'appel', 'llam', 'móvil'],
];

/** Telephone numbers digit by digit, in their groups. */
export const spokenPhones = (draft: Draft): Draft =>
  /\d/u.test(draft.text)
    ? rewrite(
        draft,
        draft.text.matchAll(
          /(?<![\p{L}\d.,/])(?:\+\s?|\()?\d{1,5}(?:[) .\u00a0/-]{1,2}\d{1,8}){1,6}(?![\d/]|[.,]\d)/gu,
        ),
        (found) => {
          const groups = found[0].match(/\d+/gu) ?? [];
          if (!isPhone(found, groups)) return null;
          return (found[0].startsWith('+') ? '+ ' : '') + digitByDigit(groups);
        },
      )
    : draft;

const DIGITS_MIN = 7;

function isPhone({ 0: number, index, input }: RegExpExecArray, groups: readonly string[]): boolean {
  const digits = groups.join('').length;
  if (digits < DIGITS_MIN) return false;
  if (number.startsWith('+') || number.startsWith('(')) return true;
  const before = wordBefore(input, index).toLowerCase();
  if (PHONE_WORDS.some((word) => before.startsWith(word))) return true;
  // 01 23 45 67 89 and 06.12.34.56.78, as in France.
  if (/^0\d([ .])\d{2}(?:\1\d{2}){3}$/u.test(number)) return true;
  // 555-1234, 555-123-4567 and 0-800-123-456, but neither a date nor a range of years.
  return /^(?:\d-)?\d{3}-(?:\d{3}-)?\d{3,4}$/u.test(number);
}
