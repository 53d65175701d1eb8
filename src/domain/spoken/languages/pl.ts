import { toCardinal } from 'n2words/pl-PL';
import {
  isName,
  type Around,
  type CalendarDate,
  type Clock,
  type Gender,
  type Numeral,
  type Words,
} from '../words.js';
import { formsOf, ordinalOf, type Case } from './pl-ordinals.js';
import { CURRENCIES, SCALES, UNITS } from './pl-nouns.js';
import { ABBREVIATIONS, KINGS_GENITIVE } from './pl-abbreviations.js';
import { decimalsOf, monthTable, wordSet, own } from './shared.js';

const MONTHS = monthTable([
  'stycznia',
  'lutego',
  'marca',
  'kwietnia',
  'maja',
  'czerwca',
  'lipca',
  'sierpnia',
  'września',
  'października',
  'listopada',
  'grudnia',
]);
const MONTH_NAMES = Object.keys(MONTHS);

function cardinal(value: number, gender: Gender): string {
  if (value === 1 && gender === 'n') return 'jedno';
  return toCardinal(value, { gender: gender === 'f' ? 'feminine' : 'masculine' });
}

/** The first of May is in the genitive, and so is the year of a date. */
function date({ day, month, year }: CalendarDate, { after }: Around): string {
  const name = MONTH_NAMES[month - 1] ?? '';
  const tail = year === null ? '' : ` ${ordinalOf(year, 'genitive', 'm')}`;
  const hasYear = /^(?:r\.?|roku)$/u.test(after);
  return `${ordinalOf(day, 'genitive', 'm')} ${name}${tail}${year === null || hasYear ? '' : ' roku'}`;
}

/** Words before an hour in the locative or genitive. */
const OBLIQUE_HOUR = wordSet('o po od do około koło przed godzinie godziny');
const HOUR_WORDS = wordSet('godz. godzina godzinie godziny godzinę');
const DAY_TIMES = wordSet('rano wieczorem');

function clock({ hours, minutes }: Clock, { earlier, before }: Around): string {
  const preposition = before === 'godz.' ? earlier : before;
  const grammar = OBLIQUE_HOUR.has(preposition.toLowerCase()) ? 'genitive' : 'nominative';
  const hour =
    hours === 0 ? (grammar === 'genitive' ? 'zerowej' : 'zero') : ordinalOf(hours, grammar, 'f');
  if (minutes === 0) return hour;
  return `${hour} ${minutes < 10 ? 'zero ' : ''}${cardinal(minutes, 'f')}`;
}

/** `o godz. 8`, `o 6 rano` */
function hour(value: number, around: Around): string | null {
  const { before, after } = around;
  const isMeant = HOUR_WORDS.has(before) || (/^[op]o?$/iu.test(before) && DAY_TIMES.has(after));
  return isMeant && value > 0 ? clock({ hours: value, minutes: 0 }, around) : null;
}

const LOCATIVE = wordSet('w we po o na przy');

/** Years before `r.` and `roku`, and after `w roku`. */
function year(value: number, { earlier, before, after }: Around): string | null {
  const small = before.toLowerCase();
  if (value < 1000 && !/^(?:r\.?|roku)$/u.test(after)) return null;
  const isRange =
    (small === 'od' && after === 'do') || (small === 'do' && /^\d{4}$/u.test(earlier));
  if (isRange) return ordinalOf(value, 'genitive', 'm');
  if (after === 'r.' || after === 'r' || after === 'roku')
    return ordinalOf(value, LOCATIVE.has(small) ? 'locative' : 'genitive', 'm');
  if (after === 'rok') return ordinalOf(value, 'nominative', 'm');
  if (small === 'rok') return ordinalOf(value, 'nominative', 'm');
  if (small !== 'roku') return null;
  return ordinalOf(value, LOCATIVE.has(earlier.toLowerCase()) ? 'locative' : 'genitive', 'm');
}

const fraction = (numerator: number, denominator: number): string | null => {
  if (numerator < 1 || denominator < 2 || numerator >= denominator) return null;
  const last = numerator % 10;
  const isFew = last >= 2 && last <= 4 && (numerator < 12 || numerator > 14);
  const form = formsOf(denominator, 'f');
  const name = numerator === 1 ? form.nominative : isFew ? form.few : form.many;
  return `${cardinal(numerator, 'f')} ${name}`;
};

/** Words that a Roman numeral stands behind, with their gender. */
const COUNTED: Readonly<Record<string, Gender>> = {
  ...{ rozdział: 'm', tom: 'm', akt: 'm', wiek: 'm', etap: 'm', artykuł: 'm', odcinek: 'm' },
  ...{ część: 'f', księga: 'f', scena: 'f', wojna: 'f', klasa: 'f', seria: 'f', pieśń: 'f' },
  ...{ rzeczpospolita: 'f', liga: 'f', nagroda: 'f', miejsce: 'n', piętro: 'n', liceum: 'n' },
  ...{ raz: 'm', rozbiór: 'm', pułk: 'm', sobór: 'm', dzień: 'm', symfonia: 'f', brygada: 'f' },
};
/** Their other forms, which need another form of the ordinal. */
const OBLIQUE: Readonly<Record<string, readonly [Case, Gender]>> = {
  ...{ wieku: ['genitive', 'm'], wojny: ['genitive', 'f'], wojnie: ['genitive', 'f'] },
  ...{ rozdziału: ['genitive', 'm'], rozdziale: ['locative', 'm'], tomu: ['genitive', 'm'] },
  ...{ tomie: ['locative', 'm'], aktu: ['genitive', 'm'], akcie: ['locative', 'm'] },
  ...{ części: ['genitive', 'f'], sceny: ['genitive', 'f'], scenie: ['genitive', 'f'] },
  ...{ klasy: ['genitive', 'f'], klasie: ['genitive', 'f'], rzeczypospolitej: ['genitive', 'f'] },
  ...{ miejsca: ['genitive', 'n'], miejscu: ['locative', 'n'], księgi: ['genitive', 'f'] },
  ...{ piętra: ['genitive', 'n'], piętrze: ['locative', 'n'], rozbioru: ['genitive', 'm'] },
};

/** An ordinal in agreement with a noun of the tables. Null for other nouns. */
function agreeing(value: number, noun: string, before: string): string | null {
  const small = noun.toLowerCase().replace(/\.$/u, '');
  if (small === 'w' && noun.endsWith('.')) return null;
  const gender = own(COUNTED, small);
  if (gender !== undefined) return ordinalOf(value, 'nominative', gender);
  const form = own(OBLIQUE, small);
  if (form === undefined) return null;
  const isLocative = LOCATIVE.has(before.toLowerCase()) && form[0] === 'genitive';
  return ordinalOf(value, isLocative ? 'locative' : form[0], form[1]);
}

function ofRuler(value: number, name: string): string {
  if (KINGS_GENITIVE.test(name) || name.endsWith('ego')) return ordinalOf(value, 'genitive', 'm');
  if (name.endsWith('owi')) return ordinalOf(value, 'dative', 'm');
  if (/[ei]em$/u.test(name)) return ordinalOf(value, 'locative', 'm');
  if (name.endsWith('ą')) return ordinalOf(value, 'accusative', 'f');
  if (/(?:ii|ty|ny|ry|wy|dy)$/u.test(name)) return ordinalOf(value, 'genitive', 'f');
  return ordinalOf(value, 'nominative', name.endsWith('a') ? 'f' : 'm');
}

/** `w XIX i XX w.`, of which neither numeral has both words around it. */
function isOneOfCenturies(value: number, around: Around): boolean {
  const { earliest, earlier, before, after, later } = around;
  if (value < 9) return false;
  if (after === 'i') return LOCATIVE.has(before.toLowerCase()) && /^[IVX]{2,5}$/u.test(later);
  const isSecond = before === 'i' && /^[IVX]{1,5}$/u.test(earlier);
  return isSecond && LOCATIVE.has(earliest.toLowerCase()) && /^(?:w\.?|wieku)$/u.test(after);
}

function roman(value: number, { letters, isSign }: Numeral, around: Around): string | null {
  const { before, after } = around;
  if (isOneOfCenturies(value, around)) return ordinalOf(value, 'locative', 'm');
  if (/^w\.?$/u.test(after) && letters.length + Number(isSign) > 1)
    return ordinalOf(value, LOCATIVE.has(before.toLowerCase()) ? 'locative' : 'nominative', 'm');
  const isWord = letters === 'I' && !isSign;
  const noun =
    agreeing(value, before, around.earlier) ?? (isWord ? null : agreeing(value, after, before));
  if (noun !== null) return noun;
  if (isWord && after !== '' && after.startsWith('wojn')) return agreeing(value, after, before);
  const isRuler = isName(before) && before.length > 2 && !NO_NAMES.has(before);
  if (!isRuler || value > 40 || (isWord && /^\p{Ll}/u.test(after))) return null;
  return letters.length === 1 && !isSign && !/^[IVX]$/u.test(letters)
    ? null
    : ofRuler(value, before);
}

const NO_NAMES = wordSet('Ale Oto Pod Nad Przed Gdy Jak Dla Bez Jest Był Była');

/** `2. piętro`, only before the words of the tables, because a full stop mostly ends a sentence. */
function ordinal(value: number, suffix: string, { before, after }: Around): string | null {
  if (suffix !== '.' || value < 1) return null;
  // `w latach 60.`
  const decade = /^lat(a|ach)?$/iu.exec(before);
  if (decade !== null && value % 10 === 0 && value < 100)
    return ordinalOf(value, 'nominative', 'm').replace(/y$/u, decade[1] === 'a' ? 'e' : 'ych');
  return agreeing(value, after, before);
}

export const polish: Words = {
  tag: 'pl',
  point: ',',
  signs: {
    ...{ and: 'i', at: 'małpa', dot: 'kropka', slash: 'ukośnik', hyphen: 'myślnik' },
    ...{ underscore: 'podkreślnik', number: 'numer', times: 'razy', section: 'paragraf' },
  },
  minus: 'minus',
  to: 'do',
  cardinal,
  decimal: (whole, decimals) =>
    `${toCardinal(whole)} przecinek ${decimalsOf(decimals, (value) => toCardinal(value))}`,
  fraction: (numerator, denominator) =>
    numerator === 1 && denominator === 2 ? 'pół' : fraction(numerator, denominator),
  mixed: (whole, numerator, denominator) => {
    const part = numerator === 1 && denominator === 2 ? 'pół' : fraction(numerator, denominator);
    return part === null ? null : `${toCardinal(whole)} i ${part}`;
  },
  units: UNITS,
  currencies: CURRENCIES,
  moneyJoint: '',
  namesMinor: true,
  scales: SCALES,
  powers: ['tys.', 'mln', 'mld'],
  months: MONTHS,
  clock,
  hour,
  date,
  year,
  decade: () => null,
  dayFirst: true,
  roman,
  ordinal,
  abbreviations: ABBREVIATIONS,
  shortWords: wordSet(
    'A ALE BO BY BYŁ CI CO CZY DLA DO DZIŚ GDY I ICH IM JA JAK JEJ JEST JUŻ KTO LUB MA MAM MI MNIE MOC MÓJ MY NA NAD NAM NAS NIC NIE NO O OD ON ONA ONI OTO PAN PO POD PRZY RAZ SAM SIĘ SĄ TA TAK TAM TE TEN TO TU TY TYM U W WAM WAS WE WY Z ZA ZE ŻE',
  ),
};
