import { toCardinal } from 'n2words/pl-PL';
import {
  isCapitalised,
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
import { before, decimalsOf, monthTable, wordSet, own } from './shared.js';

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

function clock({ hours, minutes }: Clock, { earlier, before }: Around): string {
  const preposition = before === 'godz.' ? earlier : before;
  const grammar = OBLIQUE_HOUR.has(preposition.toLowerCase()) ? 'genitive' : 'nominative';
  const hour =
    hours === 0 ? (grammar === 'genitive' ? 'zerowej' : 'zero') : ordinalOf(hours, grammar, 'f');
  if (minutes === 0) return hour;
  return `${hour} ${minutes < 10 ? 'zero ' : ''}${cardinal(minutes, 'f')}`;
}

const LOCATIVE = wordSet('w we po o na przy');

/** Years before `r.` and `roku`, and after `w roku`. */
function year(value: number, { earlier, before, after }: Around): string | null {
  const small = before.toLowerCase();
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
  ...{ rozbiór: 'm', pułk: 'm', sobór: 'm', dzień: 'm', symfonia: 'f', brygada: 'f' },
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

/** Names of rulers in the genitive, which end like names of women. */
const KINGS_GENITIVE =
  /^(?:Ludwik|Jan|Pawł|Karol|Henryk|Zygmunt|Kazimierz|Władysław|Bolesław|Stanisław|August|Mikołaj|Aleksandr|Fryderyk|Pius|Leon|Piotr|Stefan|Napoleon|Wilhelm|Edward|Ryszard|Filip|Franciszk|Józef|Iwan|Grzegorz|Benedykt|Mieszk|Przemysł|Leszk)a$/u;

function ofRuler(value: number, name: string): string {
  if (KINGS_GENITIVE.test(name) || name.endsWith('ego')) return ordinalOf(value, 'genitive', 'm');
  if (name.endsWith('owi')) return ordinalOf(value, 'dative', 'm');
  if (/[ei]em$/u.test(name)) return ordinalOf(value, 'locative', 'm');
  if (name.endsWith('ą')) return ordinalOf(value, 'accusative', 'f');
  if (/(?:ii|ty|ny|ry|wy|dy)$/u.test(name)) return ordinalOf(value, 'genitive', 'f');
  return ordinalOf(value, 'nominative', name.endsWith('a') ? 'f' : 'm');
}

function roman(value: number, { letters, isSign }: Numeral, around: Around): string | null {
  const { before, after } = around;
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
const ordinal = (value: number, suffix: string, { before, after }: Around): string | null =>
  suffix === '.' && value > 0 ? agreeing(value, after, before) : null;

const saint = ({ after }: Around): string => {
  if (KINGS_GENITIVE.test(after)) return 'świętego';
  return after.endsWith('a') ? 'święta' : 'święty';
};

const beforeNumber = before(/^(?:\d|[IVX]{2})/u);

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
  date,
  year,
  decade: () => null,
  dayFirst: true,
  roman,
  ordinal,
  abbreviations: {
    'np.': 'na przykład',
    'itd.': 'i tak dalej',
    'itp.': 'i tym podobne',
    'm.in.': 'między innymi',
    'tzn.': 'to znaczy',
    'tj.': 'to jest',
    'tzw.': 'tak zwany',
    wg: 'według',
    dr: 'doktor',
    'dr.': 'doktor',
    mgr: 'magister',
    'inż.': 'inżynier',
    'prof.': 'profesor',
    'hab.': 'habilitowany',
    'ks.': 'ksiądz',
    'gen.': ({ after }) => (isCapitalised(after) ? 'generał' : null),
    płk: 'pułkownik',
    mjr: 'major',
    'kpt.': 'kapitan',
    'św.': saint,
    'bł.': 'błogosławiony',
    'ul.': ({ before }) => (/^(?:na|przy)$/iu.test(before) ? 'ulicy' : 'ulica'),
    'al.': ({ before }) => (/^(?:w|przy)$/iu.test(before) ? 'alei' : 'aleja'),
    'pl.': ({ after }) => (isCapitalised(after) ? 'plac' : null),
    'os.': ({ after }) => (isCapitalised(after) ? 'osiedle' : null),
    nr: 'numer',
    'str.': beforeNumber('strona'),
    's.': beforeNumber('strona'),
    'rozdz.': 'rozdział',
    'godz.': ({ before }) => (/^o$/iu.test(before) ? 'godzinie' : 'godzina'),
    'tel.': 'telefon',
    'ok.': 'około',
    'art.': beforeNumber('artykuł'),
    'hr.': ({ after }) => (isCapitalised(after) ? 'hrabia' : null),
    'proc.': 'procent',
    'ust.': beforeNumber('ustęp'),
    pkt: beforeNumber('punkt'),
    'poz.': beforeNumber('pozycja'),
    'rys.': beforeNumber('rysunek'),
    'tab.': beforeNumber('tabela'),
    't.': beforeNumber('tom'),
    'p.n.e.': 'przed naszą erą',
    'n.e.': 'naszej ery',
    'im.': ({ after }) => (isCapitalised(after) ? 'imienia' : null),
    'r.': ({ before }) => (/(?:ego|ym|im|ch)$/u.test(before) ? 'roku' : null),
    'w.': ({ before }) =>
      /(?:ym|im)$/u.test(before)
        ? 'wieku'
        : /(?:ty|wszy|gi|ci|my|ny)$/u.test(before)
          ? 'wiek'
          : null,
    'zob.': 'zobacz',
    'por.': ({ after }) => (isCapitalised(after) ? 'porucznik' : 'porównaj'),
    'ww.': 'wyżej wymieniony',
    'tys.': 'tysięcy',
    mln: 'milionów',
    mld: 'miliardów',
    'cd.': 'ciąg dalszy',
    'cdn.': 'ciąg dalszy nastąpi',
    'ur.': 'urodzony',
    'zm.': 'zmarły',
  },
  shortWords: wordSet(
    'A ALE BO BY BYŁ CI CO CZY DLA DO DZIŚ GDY I ICH IM JA JAK JEJ JEST JUŻ KTO LUB MA MAM MI MNIE MOC MÓJ MY NA NAD NAM NAS NIC NIE NO O OD ON ONA ONI OTO PAN PO POD PRZY RAZ SAM SIĘ SĄ TA TAK TAM TE TEN TO TU TY TYM U W WAM WAS WE WY Z ZA ZE ŻE',
  ),
};
