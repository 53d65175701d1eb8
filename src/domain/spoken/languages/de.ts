import { toCardinal, toOrdinal } from 'n2words/de-DE';
import {
  isCapitalised,
  isName,
  type Around,
  type CalendarDate,
  type Clock,
  type Gender,
  type Noun,
  type Numeral,
  type Words,
} from '../words.js';
import { ABBREVIATIONS } from './de-abbreviations.js';
import { centuryYear, digitsOf, monthTable, noun, wordSet } from './shared.js';

const MONTHS = monthTable([
  'januar jan jänner',
  'februar feb feber',
  'märz mär',
  'april apr',
  'mai',
  'juni jun',
  'juli jul',
  'august aug',
  'september sep sept',
  'oktober okt',
  'november nov',
  'dezember dez',
]);
const MONTH_NAMES =
  'Januar Februar März April Mai Juni Juli August September Oktober November Dezember'.split(' ');

function cardinal(value: number, gender: Gender): string {
  const words = toCardinal(value);
  // Before a noun it is `ein` or `eine`.
  return words.endsWith('eins') ? words.slice(0, -1) + (gender === 'f' ? 'e' : '') : words;
}

const plain = (value: number): string => toCardinal(value);

/** Words after which an ordinal ends in -en. */
const OBLIQUE = wordSet(
  'am vom zum im beim dem des den seit ab bis zur einem einen eines dieses diesem diesen jedem jeden meinem meinen seinem seinen ihrem ihren unserem',
);
/** Words after which an ordinal ends in -e. */
const DEFINITE = wordSet('der die das dieser diese dieses jeder jede jedes eine');
const NEUTER = wordSet(
  'kapitel buch mal jahrhundert haus jahr kind bild tor stockwerk semester quartal gebot',
);
const FEMININE = wordSet(
  'klasse stunde woche etage reihe seite auflage frau person szene liga republik minute runde',
);

/** An ordinal in agreement with what stands around it: erster, erste, erstes, ersten. */
function agreeing(value: number, { before, after }: Around): string {
  const stem = toOrdinal(value);
  const word = before.toLowerCase();
  if (OBLIQUE.has(word)) return `${stem}n`;
  if (DEFINITE.has(word)) return stem;
  if (NEUTER.has(after.toLowerCase())) return `${stem}s`;
  return FEMININE.has(after.toLowerCase()) ? stem : `${stem}r`;
}

const yearInWords = (year: number): string =>
  year >= 1100 && year < 2000
    ? centuryYear(year, plain, { hundred: 'hundert', zero: 'hundert', joint: 'hundert' })
    : toCardinal(year);

function date({ day, month, year }: CalendarDate, around: Around): string {
  const name = MONTH_NAMES[month - 1] ?? '';
  const tail = year === null ? '' : ` ${yearInWords(year)}`;
  return `${agreeing(day, { ...around, after: name })} ${name}${tail}`;
}

const clock = ({ hours, minutes }: Clock): string =>
  `${cardinal(hours, 'n')} Uhr${minutes === 0 ? '' : ` ${toCardinal(minutes)}`}`;

const BEFORE_YEAR = wordSet(
  'jahr jahre jahres jahren seit um von bis vor nach ab anno sommer winter herbst frühling frühjahr anfang mitte ende januar februar märz april mai juni juli august september oktober november dezember',
);

const year = (value: number, { before, after }: Around): string | null =>
  value >= 1100 && value < 2000 && BEFORE_YEAR.has(before.toLowerCase()) && !isCapitalised(after)
    ? yearInWords(value)
    : null;

const fraction = (numerator: number, denominator: number): string | null => {
  if (numerator < 1 || denominator < 2 || numerator >= denominator) return null;
  if (denominator === 2) return 'ein halb';
  const name = toOrdinal(denominator).replace(/te$/u, 'tel');
  return `${cardinal(numerator, 'n')} ${name.charAt(0).toUpperCase()}${name.slice(1)}`;
};

const COUNTING = wordSet(
  'kapitel teil band buch akt szene abschnitt anhang gesang klasse typ phase stufe weltkrieg artikel nummer abbildung tafel',
);
const WOMEN =
  /^(?:Elisabeth|Katharina|Maria|Margarethe|Margrethe|Christina|Isabella|Johanna|Anna|Wilhelmina|Viktoria)s?$/u;
/** Words before a name in the dative. */
const DATIVE = wordSet('unter von mit bei zu nach seit aus');

function roman(value: number, { letters, suffix, isSign }: Numeral, around: Around): string | null {
  const { before, after } = around;
  if (COUNTING.has(before.toLowerCase())) return toCardinal(value) + suffix;
  if (suffix !== '.') return null;
  if (isCapitalised(after) && !isRuler(before)) return agreeing(value, around);
  if (!isRuler(before) || (letters.length === 1 && !isSign && !/^[IVX]$/u.test(letters)))
    return null;
  const stem = toOrdinal(value);
  const title = stem.charAt(0).toUpperCase() + stem.slice(1);
  if (DATIVE.has(around.earlier.toLowerCase()))
    return `${WOMEN.test(before) ? 'der' : 'dem'} ${title}n`;
  if (WOMEN.test(before)) return before.endsWith('s') ? `der ${title}n` : `die ${title}`;
  return before.endsWith('s') && !/^(?:Julius|Pius|Louis|Nikolaus|Klemens|Johannes)$/u.test(before)
    ? `des ${title}n`
    : `der ${title}`;
}

/** A word in front of a numeral that is not the beginning of a sentence or a title. */
const isRuler = (word: string): boolean =>
  isName(word) && !/^(?:Der|Die|Das|Am|Im|Vom|Zum|Den|Dem|Des|In|Ein|Eine)$/u.test(word);

/** `2. Oktober` and `der 3. Mann`; a number before a full stop that ends the sentence is left. */
function ordinal(value: number, suffix: string, around: Around): string | null {
  // `die 60er Jahre`
  if (suffix === 'er') return value % 10 === 0 && value > 0 ? `${yearInWords(value)}er` : null;
  // `vom 1. bis 5. Mai`
  if (suffix === '.' && around.after === 'bis' && OBLIQUE.has(around.before.toLowerCase()))
    return agreeing(value, around);
  if (suffix !== '.' || value < 1 || !isCapitalised(around.after)) return null;
  const word = around.before.toLowerCase();
  const isMeant =
    OBLIQUE.has(word) ||
    DEFINITE.has(word) ||
    NEUTER.has(around.after.toLowerCase()) ||
    FEMININE.has(around.after.toLowerCase());
  return isMeant ? agreeing(value, around) : null;
}

const same = (gender: Gender, word: string): Noun => noun(gender, word, word);
const euro = { ...same('m', 'Euro'), minor: same('m', 'Cent') };
const dollar = { ...same('m', 'Dollar'), minor: same('m', 'Cent') };
const pound = { ...same('n', 'Pfund'), minor: noun('m', 'Penny', 'Pence') };
const zloty = { ...same('m', 'Zloty'), minor: noun('m', 'Grosz', 'Groszy') };

export const german: Words = {
  tag: 'de',
  point: ',',
  signs: {
    ...{ and: 'und', at: 'ät', dot: 'Punkt', slash: 'Schrägstrich', hyphen: 'Bindestrich' },
    ...{ underscore: 'Unterstrich', number: 'Nummer', times: 'mal', section: 'Paragraf' },
  },
  minus: 'minus',
  to: 'bis',
  cardinal,
  decimal: (whole, decimals) => `${toCardinal(whole)} Komma ${digitsOf(decimals, plain)}`,
  fraction,
  mixed: (whole, numerator, denominator) => {
    if (denominator === 2) return `${whole === 1 ? 'ein' : toCardinal(whole)}einhalb`;
    const part = fraction(numerator, denominator);
    return part === null ? null : `${toCardinal(whole)} ${part}`;
  },
  units: {
    ...{ km: same('m', 'Kilometer'), m: same('m', 'Meter'), cm: same('m', 'Zentimeter') },
    ...{ mm: same('m', 'Millimeter'), kg: same('n', 'Kilogramm'), g: same('n', 'Gramm') },
    ...{ mg: same('n', 'Milligramm'), t: noun('f', 'Tonne', 'Tonnen'), l: same('m', 'Liter') },
    ...{ ml: same('m', 'Milliliter'), 'km/h': same('m', 'Kilometer pro Stunde') },
    ...{ 'm/s': same('m', 'Meter pro Sekunde'), 'm²': same('m', 'Quadratmeter') },
    ...{ 'km²': same('m', 'Quadratkilometer'), 'm³': same('m', 'Kubikmeter') },
    ...{ ha: same('m', 'Hektar'), h: noun('f', 'Stunde', 'Stunden') },
    ...{ s: noun('f', 'Sekunde', 'Sekunden'), Std: noun('f', 'Stunde', 'Stunden') },
    ...{ min: noun('f', 'Minute', 'Minuten'), Min: noun('f', 'Minute', 'Minuten') },
    ...{ '°C': same('m', 'Grad Celsius'), '°F': same('m', 'Grad Fahrenheit') },
    ...{ ct: same('m', 'Cent') },
    ...{ '°': same('m', 'Grad'), kW: same('n', 'Kilowatt'), Hz: same('n', 'Hertz') },
  },
  currencies: {
    ...{ '€': euro, EUR: euro, $: dollar, US$: dollar, USD: dollar, '£': pound, GBP: pound },
    ...{ zł: zloty, PLN: zloty, '¥': { ...same('m', 'Yen'), minor: null } },
    ...{ CHF: { ...same('m', 'Schweizer Franken'), minor: same('m', 'Rappen') } },
    '₽': { ...same('m', 'Rubel'), minor: noun('f', 'Kopeke', 'Kopeken') },
  },
  moneyJoint: '',
  namesMinor: false,
  scales: {
    ...{ tausend: { ...same('n', 'tausend'), joint: '' } },
    ...{ million: { ...noun('f', 'Million', 'Millionen'), joint: '' } },
    ...{ millionen: { ...noun('f', 'Million', 'Millionen'), joint: '' } },
    ...{ 'mio.': { ...noun('f', 'Million', 'Millionen'), joint: '' } },
    ...{ milliarden: { ...noun('f', 'Milliarde', 'Milliarden'), joint: '' } },
    ...{ 'mrd.': { ...noun('f', 'Milliarde', 'Milliarden'), joint: '' } },
  },
  powers: ['tausend', 'millionen', 'milliarden'],
  months: MONTHS,
  clock,
  date,
  year,
  decade: () => null,
  dayFirst: true,
  roman,
  ordinal,
  abbreviations: ABBREVIATIONS,
  endings: { 'str.': 'straße' },
  shortWords: wordSet(
    'AB ALS AM AN AUF AUS BEI BIN BIS DA DAS DEM DEN DER DES DIE DU EIN ER ES FÜR HAT ICH IHR IM IN IST JA MAN MIT NEIN NIE NUN NUR OB ODER OH SEI SIE SO TAG UM UND UNS VON VOR WAR WAS WER WIE WIR WO ZU ZUM ZUR',
  ),
};
