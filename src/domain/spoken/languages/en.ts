import { toCardinal, toOrdinal } from 'n2words/en-GB';
import { toCardinal as toAmericanCardinal } from 'n2words/en-US';
import {
  isCapitalised,
  type Around,
  type CalendarDate,
  type Clock,
  type Noun,
  type Words,
} from '../words.js';
import { before, beforeName, centuryYear, digitsOf, monthTable, noun, wordSet } from './shared.js';
import { roman } from './en-roman.js';

const MONTHS = monthTable([
  'january jan',
  'february feb',
  'march mar',
  'april apr',
  'may',
  'june jun',
  'july jul',
  'august aug',
  'september sep sept',
  'october oct',
  'november nov',
  'december dec',
]);
const MONTH_NAMES =
  'January February March April May June July August September October November December'.split(
    ' ',
  );

const FRACTIONS: Readonly<Record<number, readonly [string, string]>> = {
  2: ['half', 'halves'],
  3: ['third', 'thirds'],
  4: ['quarter', 'quarters'],
};

function fraction(numerator: number, denominator: number): string | null {
  if (numerator === 9 && denominator === 11) return 'nine eleven';
  if (numerator === 24 && denominator === 7) return 'twenty-four seven';
  if (numerator < 1 || denominator < 2 || numerator >= denominator) return null;
  const name = toOrdinal(denominator);
  const [one, more] = FRACTIONS[denominator] ?? [name, `${name}s`];
  return `${toCardinal(numerator)} ${numerator === 1 ? one : more}`;
}

const yearInWords = (year: number): string =>
  year === 2000 || (year > 2000 && year < 2010) || year % 1000 === 0
    ? toCardinal(year)
    : centuryYear(year, toCardinal, { hundred: ' hundred', zero: ' oh ', joint: ' ' });

function date({ day, month, year }: CalendarDate, { before }: Around): string {
  const name = MONTH_NAMES[month - 1] ?? '';
  const tail = year === null ? '' : ` ${yearInWords(year)}`;
  if (before === 'MONTH') return `${name} ${toOrdinal(day)}${year === null ? '' : `,${tail}`}`;
  const article = before.toLowerCase() === 'the' ? '' : 'the ';
  return `${article}${toOrdinal(day)} of ${name}${tail}`;
}

function clock({ hours, minutes }: Clock, { after }: Around): string {
  const hour = toCardinal(hours);
  const hasHalf = /^[ap]\.?m/iu.test(after);
  if (minutes > 0) return `${hour} ${minutes < 10 ? 'oh ' : ''}${toCardinal(minutes)}`;
  if (hasHalf) return hour;
  return hours >= 1 && hours <= 12 ? `${hour} o'clock` : `${hour} hundred hours`;
}

const decade = (value: number): string =>
  value % 100 === 0 ? `${yearInWords(value)}s` : yearInWords(value).replace(/y$/u, 'ies');

/** Words after or before which four digits are a year. */
const BEFORE_YEAR = wordSet(
  'in since by of from until till before after during year around circa about spring summer autumn fall winter early late mid anno january february march april may june july august september october november december',
);

/** Words that are counted, so that the digits before them are no year. */
const COUNTED =
  /^(?!(?:was|is|has|his|its|this|as|us|perhaps|always|thus|towards)$)\p{Ll}{2,}s$|^(?:men|women|people|children|of|or|more|feet|miles|percent|per)$/u;

function year(value: number, { before, after }: Around): string | null {
  if (!BEFORE_YEAR.has(before.toLowerCase()) || COUNTED.test(after)) return null;
  return value <= 1000 ? null : yearInWords(value);
}

const ordinal = (value: number, suffix: string): string | null =>
  value > 0 && /^(?:st|nd|rd|th)$/u.test(suffix) ? toOrdinal(value) : null;

const counted = (one: string, other = `${one}s`): Noun => noun('n', one, other);

/** Where a capital follows, `St.` is a saint; behind a name, it is a street. */
const saintOrStreet = ({ before, after }: Around): string | null => {
  const isNext = /^(?:On|At|In|He|She|It|The|They|We|I)$/u.test(after);
  if (isCapitalised(before) && (!isCapitalised(after) || isNext)) return 'Street';
  return isCapitalised(after) ? 'Saint' : null;
};

const beforeNumber = before(/^(?:\d|[IVXLC]{2})/u);

const afterNumber =
  (full: string) =>
  ({ before }: Around): string | null =>
    /\d$/u.test(before) ? full : null;

/** `Wed. 3 Feb.`, of which only the weekday is left when it is looked up. `Sat.` and `Sun.` may be words elsewhere. */
const beforeDay = before(
  /^(?:\d|the$|(?:January|February|March|April|May|June|July|August|September|October|November|December)$)/u,
);
const WEEKDAYS = {
  ...{ 'mon.': beforeDay('Monday'), 'tue.': beforeDay('Tuesday'), 'tues.': beforeDay('Tuesday') },
  ...{ 'wed.': beforeDay('Wednesday'), 'thu.': beforeDay('Thursday') },
  ...{ 'thurs.': beforeDay('Thursday'), 'fri.': beforeDay('Friday') },
  ...{ 'sat.': beforeDay('Saturday'), 'sun.': beforeDay('Sunday') },
};

export const english: Words = {
  tag: 'en',
  point: '.',
  signs: {
    ...{ and: 'and', at: 'at', dot: 'dot', slash: 'slash', hyphen: 'dash' },
    ...{ underscore: 'underscore', number: 'number', times: 'times', section: 'section' },
  },
  minus: 'minus',
  to: 'to',
  cardinal: (value) => toCardinal(value),
  decimal: (whole, decimals) => `${toCardinal(whole)} point ${digitsOf(decimals, toCardinal)}`,
  fraction,
  mixed: (whole, numerator, denominator) => {
    const part = fraction(numerator, denominator);
    if (part === null) return null;
    return `${toCardinal(whole)} and ${numerator === 1 ? part.replace(/^one /u, 'a ') : part}`;
  },
  units: {
    ...{ km: counted('kilometre'), m: counted('metre'), cm: counted('centimetre') },
    ...{ mm: counted('millimetre'), mi: counted('mile'), ft: noun('n', 'foot', 'feet') },
    ...{ kg: counted('kilogram'), g: counted('gram'), mg: counted('milligram') },
    ...{ lb: counted('pound'), lbs: counted('pound'), oz: counted('ounce') },
    ...{ l: counted('litre'), L: counted('litre'), ml: counted('millilitre') },
    ...{ 'km/h': noun('n', 'kilometre an hour', 'kilometres an hour') },
    ...{ mph: noun('n', 'mile an hour', 'miles an hour') },
    ...{ 'm/s': noun('n', 'metre a second', 'metres a second') },
    ...{ 'm²': counted('square metre'), 'km²': counted('square kilometre') },
    ...{ 'm³': counted('cubic metre'), ha: counted('hectare'), min: counted('minute') },
    ...{ hr: counted('hour'), hrs: counted('hour'), h: counted('hour'), sec: counted('second') },
    ...{ s: counted('second'), ms: counted('millisecond'), kB: counted('kilobyte') },
    ...{ MB: counted('megabyte'), GB: counted('gigabyte'), TB: counted('terabyte') },
    ...{ p: noun('n', 'penny', 'pence') },
    ...{ yd: counted('yard'), kW: counted('kilowatt'), Hz: noun('n', 'hertz', 'hertz') },
    '°C': noun('n', 'degree Celsius', 'degrees Celsius'),
    '°F': noun('n', 'degree Fahrenheit', 'degrees Fahrenheit'),
    '°': counted('degree'),
  },
  currencies: {
    $: { ...counted('dollar'), minor: counted('cent') },
    US$: { ...counted('US dollar'), minor: counted('cent') },
    CA$: { ...counted('Canadian dollar'), minor: counted('cent') },
    AU$: { ...counted('Australian dollar'), minor: counted('cent') },
    USD: { ...counted('US dollar'), minor: counted('cent') },
    '€': { ...counted('euro'), minor: counted('cent') },
    EUR: { ...counted('euro'), minor: counted('cent') },
    '£': { ...counted('pound'), minor: noun('n', 'penny', 'pence') },
    GBP: { ...counted('pound'), minor: noun('n', 'penny', 'pence') },
    '¥': { ...noun('n', 'yen', 'yen'), minor: null },
    '₹': { ...counted('rupee'), minor: noun('n', 'paisa', 'paise') },
    '₽': { ...counted('rouble'), minor: counted('kopeck') },
    '₴': { ...noun('n', 'hryvnia', 'hryvnias'), minor: counted('kopiyka') },
    zł: { ...noun('n', 'zloty', 'zlotys'), minor: noun('n', 'grosz', 'groszy') },
    PLN: { ...noun('n', 'zloty', 'zlotys'), minor: noun('n', 'grosz', 'groszy') },
    '¢': { ...counted('cent'), minor: null },
    CHF: { ...counted('Swiss franc'), minor: counted('centime') },
  },
  moneyJoint: 'and',
  namesMinor: true,
  scales: {
    thousand: { ...noun('n', 'thousand', 'thousand'), joint: '' },
    million: { ...noun('n', 'million', 'million'), joint: '' },
    billion: { ...noun('n', 'billion', 'billion'), joint: '' },
    trillion: { ...noun('n', 'trillion', 'trillion'), joint: '' },
  },
  powers: ['thousand', 'million', 'billion', 'trillion'],
  months: MONTHS,
  clock,
  date,
  year,
  decade,
  dayFirst: true,
  roman,
  ordinal,
  abbreviations: {
    'mr.': 'Mister',
    'ms.': 'Miz',
    'dr.': 'Doctor',
    'prof.': beforeName('Professor'),
    'capt.': beforeName('Captain'),
    'lt.': beforeName('Lieutenant'),
    'lt.col.': 'Lieutenant Colonel',
    'col.': beforeName('Colonel'),
    'gen.': beforeName('General'),
    'maj.': beforeName('Major'),
    'sgt.': beforeName('Sergeant'),
    'rev.': beforeName('Reverend'),
    'hon.': beforeName('Honourable'),
    'gov.': beforeName('Governor'),
    'sen.': beforeName('Senator'),
    'messrs.': 'Messieurs',
    'st.': saintOrStreet,
    'mt.': beforeName('Mount'),
    'ave.': ({ before }) =>
      isCapitalised(before) || /(?:st|nd|rd|th)$/u.test(before) ? 'Avenue' : null,
    ...WEEKDAYS,
    'rd.': ({ before }) => (isCapitalised(before) ? 'Road' : null),
    'jr.': 'Junior',
    'sr.': 'Senior',
    'no.': beforeNumber('number'),
    'nos.': beforeNumber('numbers'),
    'p.': beforeNumber('page'),
    'pp.': beforeNumber('pages'),
    'ch.': beforeNumber('chapter'),
    'vol.': beforeNumber('volume'),
    'fig.': beforeNumber('figure'),
    'figs.': beforeNumber('figures'),
    'vols.': beforeNumber('volumes'),
    'e.g.': 'for example',
    'i.e.': 'that is',
    'etc.': 'et cetera',
    'vs.': 'versus',
    'cf.': 'compare',
    'viz.': 'namely',
    'ca.': beforeNumber('around'),
    'c.': beforeNumber('around'),
    'approx.': 'approximately',
    'dept.': 'department',
    'ft.': (around) => afterNumber('feet')(around) ?? (isCapitalised(around.after) ? 'Fort' : null),
    'in.': afterNumber('inches'),
    'lb.': afterNumber('pounds'),
    'lbs.': afterNumber('pounds'),
    'oz.': afterNumber('ounces'),
  },
  shortWords: wordSet(
    'A I AN AND ALL AM ANY ARE AS AT BE BIG BUT BY CAN DID DO END FOR GET GO GOD HAD HAS HE HER HIM HIS HOW IF IN IS IT ITS LET MAN MAY ME MY NEW NO NOT NOW OF OFF OH OLD ON ONE OR OUR OUT OWN PUT RUN SAY SEE SET SHE SIR SO STOP THE TO TOO TWO UP WAS WAY WE WHO WHY YES YET YOU',
  ),
};

/** American English, in which the month is first and there is no “and” behind hundreds. */
export const american: Words = {
  ...english,
  cardinal: (value) => toAmericanCardinal(value),
  dayFirst: false,
  date: (value, around) =>
    date(value, around.before.toLowerCase() === 'the' ? around : { ...around, before: 'MONTH' }),
};
