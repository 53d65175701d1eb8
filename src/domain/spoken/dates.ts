import { rewrite, type Draft } from './draft.js';
import { aroundOf, isCapitalised, type CalendarDate, type Words } from './words.js';

const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const isDate = ({ day, month, year }: CalendarDate): boolean =>
  day >= 1 && day <= (DAYS[month - 1] ?? 0) && (year === null || (year >= 1000 && year <= 2999));

/** Dates in digits and with names of months. */
export function spokenDates(draft: Draft, words: Words): Draft {
  if (!/\d/u.test(draft.text)) return draft;
  return [inDigits, dayBeforeMonth, monthBeforeDay].reduce(
    (text, step) => step(text, words),
    draft,
  );
}

/** 2024-05-12, 12/05/2024, 12.05.2024, 12. 5. 2024 */
function inDigits(draft: Draft, words: Words): Draft {
  const iso = rewrite(
    draft,
    draft.text.matchAll(/(?<![\p{L}\d.,/-])(\d{4})-(\d{2})-(\d{2})(?![\p{L}\d/-])/gu),
    (found) => {
      const date = { year: Number(found[1]), month: Number(found[2]), day: Number(found[3]) };
      return isDate(date) ? words.date(date, aroundOf(found)) : null;
    },
  );
  return rewrite(
    iso,
    iso.text.matchAll(
      /(?<![\p{L}\d.,/-])(\d{1,2})([./-])[ \u00a0]?(\d{1,2})\2[ \u00a0]?(\d{4})(?![\p{L}\d/-])/gu,
    ),
    (found) => {
      const [first, second, year] = [Number(found[1]), Number(found[3]), Number(found[4])];
      const usual = { day: first, month: second, year };
      const other = { day: second, month: first, year };
      // Points are written where the day is first.
      const wanted = words.dayFirst || found[2] === '.' ? [usual, other] : [other, usual];
      const date = wanted.find(isDate);
      return date === undefined ? null : words.date(date, aroundOf(found));
    },
  );
}

const monthOf = (name: string, words: Words): number | undefined => {
  // English has small words that are spelt like its months.
  if (words.tag.startsWith('en') && !isCapitalised(name)) return undefined;
  const key = name.toLowerCase().replace(/\.$/u, '');
  return Object.hasOwn(words.months, key) ? words.months[key] : undefined;
};

/** 5 May 1939, 1 maja 1939, 2. Oktober 1990, 1er mai, 5 de mayo de 1939 */
const dayBeforeMonth = (draft: Draft, words: Words): Draft =>
  rewrite(
    draft,
    draft.text.matchAll(
      /(?<![\p{L}\d.,:/-])(\d{1,2})(\.|er|º|st|nd|rd|th)?[ \u00a0](?:(?:of|de)[ \u00a0])?(\p{L}{3,12}\.?)(?:,?[ \u00a0](?:(?:de|del)[ \u00a0])?(\d{4})(?![\p{L}\d]|[.,:]\d))?/gu,
    ),
    (found) => {
      const [all, day = '', , name = '', year] = found;
      const month = monthOf(name, words);
      if (month === undefined) return null;
      const date = { day: Number(day), month, year: year === undefined ? null : Number(year) };
      // The full stop behind a month without a year may end the sentence.
      const end = all.endsWith('.') && found.index + all.length === found.input.length ? '.' : '';
      return isDate(date) ? words.date(date, aroundOf(found)) + end : null;
    },
  );

/** May 5, 1939; Jan. 3; May 1939 */
const monthBeforeDay = (draft: Draft, words: Words): Draft =>
  rewrite(
    draft,
    draft.text.matchAll(
      /(?<![\p{L}\d])(\p{Lu}\p{L}{2,9}\.?)[ \u00a0](\d{1,2})(?:st|nd|rd|th)?(?:,?[ \u00a0](\d{4}))?(?![\p{L}\d]|[.,:]\d|[ \u00a0]?%)/gu,
    ),
    (found) => {
      const [, name = '', day = '', year] = found;
      const month = words.tag.startsWith('en') ? monthOf(name, words) : undefined;
      if (month === undefined) return null;
      const date = { day: Number(day), month, year: year === undefined ? null : Number(year) };
      return isDate(date) ? words.date(date, { ...aroundOf(found), before: 'MONTH' }) : null;
    },
  );

/** 10:30, 10.30 Uhr, 10h30 */
export const spokenTimes = (draft: Draft, words: Words): Draft =>
  rewrite(
    draft,
    draft.text.matchAll(
      /(?<![\p{L}\d.,:/])([01]?\d|2[0-4])(?::(\d{2})|(\.)(\d{2})(?:(?=[ \u00a0](?:Uhr|[ap]\.?m))|(?<=(?:godz\.|godzini[ea]|godziny|kl\.)[ \u00a0]\d{1,2}\.\d{2}))|[ \u00a0]?h[ \u00a0]?(\d{2}))(?:[ \u00a0](?:Uhr|h|hs|o[’']clock))?(?:(?=[ap]\.?m(?!\p{L}))|(?![\p{L}\d:/%]|[.,]\d|[ \u00a0]min(?!\p{L})))/gu,
    ),
    (found) => {
      const minutes = Number(found[2] ?? found[4] ?? found[5]);
      if (minutes > 59) return null;
      const half = /^[ap]\.?m/u.exec(found.input.slice(found.index + found[0].length))?.[0] ?? '';
      const around = aroundOf(found);
      const time = { hours: Number(found[1]), minutes };
      // `2:30pm` is written without a space.
      return half === ''
        ? words.clock(time, around)
        : `${words.clock(time, { ...around, after: half })} `;
    },
  );

/** Hours without minutes, where the words around them say that they are. */
export const spokenHours = (draft: Draft, words: Words): Draft =>
  words.hour === undefined
    ? draft
    : rewrite(
        draft,
        draft.text.matchAll(/(?<![\p{L}\d.,:/–-])([01]?\d|2[0-4])(?![\p{L}\d:/%–-]|[.,]\d)/gu),
        (found) => words.hour?.(Number(found[1]), aroundOf(found)) ?? null,
      );

/** Years, where the words around them say that they are. */
export function spokenYears(draft: Draft, words: Words): Draft {
  const whole = rewrite(
    draft,
    draft.text.matchAll(
      /(?<![\p{L}\d.,:/–-])((?:1\d|20)\d{2}|[1-9]\d{2})(s?)(?![\p{L}\d:/–-]|[.,]\d)/gu,
    ),
    (found) => {
      const year = Number(found[1]);
      // Years before 1000 only where the language says so by the words around them.
      if (found[2] === '') return words.year(year, aroundOf(found));
      return year < 1000 ? null : words.decade(year);
    },
  );
  return rewrite(
    whole,
    whole.text.matchAll(/(?<![\p{L}\p{N}])[’']([1-9]0)s(?![\p{L}\d])/gu),
    ([, decade]) =>
      words
        .decade(SHORT_CENTURY + Number(decade))
        ?.split(' ')
        .at(-1) ?? null,
  );
}

/** The century of the thirties in `the ’30s`. */
const SHORT_CENTURY = 1900;
