import { toCardinal as toWords, toOrdinal } from 'n2words/es-ES';
import {
  isName,
  type Around,
  type CalendarDate,
  type Clock,
  type Gender,
  type Noun,
  type Numeral,
  type Words,
} from '../words.js';
import { before, beforeName, decimalsOf, monthTable, noun, wordSet } from './shared.js';

const MONTHS = monthTable([
  'enero',
  'febrero',
  'marzo',
  'abril',
  'mayo',
  'junio',
  'julio',
  'agosto',
  'septiembre setiembre',
  'octubre',
  'noviembre',
  'diciembre',
]);
const MONTH_NAMES = Object.keys(MONTHS).filter((name) => name !== 'setiembre');

/** The library lacks the accents of some numbers. */
const toCardinal = (value: number, options?: { gender: 'masculine' | 'feminine' }): string =>
  toWords(value, options)
    .replace(/dieciseis$/u, 'dieciséis')
    .replace(/veintidos$/u, 'veintidós')
    .replace(/veintitres$/u, 'veintitrés')
    .replace(/veintiseis$/u, 'veintiséis');

/** Before a noun, `uno` is `un` or `una`. */
function cardinal(value: number, gender: Gender): string {
  if (gender === 'f') return toCardinal(value, { gender: 'feminine' });
  return toCardinal(value)
    .replace(/veintiuno$/u, 'veintiún')
    .replace(/uno$/u, 'un');
}

const plain = (value: number): string => toCardinal(value);

const date = ({ day, month, year }: CalendarDate): string =>
  `${toCardinal(day)} de ${MONTH_NAMES[month - 1] ?? ''}${year === null ? '' : ` de ${toCardinal(year)}`}`;

function clock({ hours, minutes }: Clock): string {
  const hour =
    hours === 1 || hours === 21 ? toCardinal(hours, { gender: 'feminine' }) : toCardinal(hours);
  if (minutes === 0) return hour;
  return `${hour} y ${minutes === 30 ? 'media' : minutes === 15 ? 'cuarto' : toCardinal(minutes)}`;
}

const NAMED: Readonly<Record<number, readonly [string, string]>> = {
  2: ['medio', 'medios'],
  3: ['tercio', 'tercios'],
};
/** Beyond ten, a fraction ends in -avo. */
const ORDINAL_FRACTION_MAX = 10;

const fraction = (numerator: number, denominator: number, after = ''): string | null => {
  if (numerator < 1 || denominator < 2 || numerator >= denominator) return null;
  if (denominator === 2) return /^\p{Ll}{3,}a$/u.test(after) ? 'media' : 'medio';
  const name =
    denominator <= ORDINAL_FRACTION_MAX
      ? toOrdinal(denominator)
      : `${toCardinal(denominator).replace(/[ea]$/u, '')}avo`;
  const [one, more] = NAMED[denominator] ?? [name, `${name}s`];
  return `${cardinal(numerator, 'm')} ${numerator === 1 ? one : more}`;
};

/** Beyond ten, ordinals are read as cardinals. */
const ORDINAL_MAX = 10;

function ordinal(value: number, suffix: string, { after }: Around): string | null {
  if (value < 1 || !/[ºª°]|er$/u.test(suffix)) return null;
  if (suffix === '°' && after === '') return null;
  if (suffix.endsWith('er')) return value === 1 ? 'primer' : value === 3 ? 'tercer' : null;
  const gender = suffix.endsWith('ª') ? 'feminine' : 'masculine';
  const word = toOrdinal(value, { gender });
  // Before a noun, the masculine is shorter.
  return gender === 'masculine' && /^\p{Ll}/u.test(after) && !/^(?:[yao]|del?|en|que)$/u.test(after)
    ? word.replace(/(prim|terc)ero$/u, '$1er')
    : word;
}

const COUNTING = wordSet(
  'capítulo parte tomo libro volumen acto escena sección anexo canto artículo fase clase tipo nivel episodio temporada figura tabla siglo siglos mundial guerra',
);
const FEMININE_COUNTING = wordSet('parte escena sección fase clase temporada figura tabla guerra');
const QUEENS = /^(?:Isabel|Catalina|María|Margarita|Cristina|Juana|Ana|Victoria)$/u;
const SINGLE_RULERS = wordSet(
  'Isabel Carlos Felipe Fernando Alfonso Luis Enrique Juan Pablo Pedro Jaime Sancho Pío Francisco Napoleón Guillermo Jorge Eduardo Nicolás Alejandro Catalina María Ricardo Ramiro García León Federico Leopoldo Maximiliano',
);

function roman(
  value: number,
  { letters, isSign }: Numeral,
  { earlier, before, after }: Around,
): string | null {
  const small = before.toLowerCase();
  // `siglos XV y XVI`
  if (small === 'y' && /^[IVX]{2,}$/u.test(earlier)) return toCardinal(value);
  if (/^siglos?$/u.test(small)) return toCardinal(value);
  if (COUNTING.has(small))
    return value <= ORDINAL_MAX && /^(?:parte|acto|escena|guerra|canto|mundial)$/u.test(small)
      ? toOrdinal(value, { gender: FEMININE_COUNTING.has(small) ? 'feminine' : 'masculine' })
      : toCardinal(value);
  if (after === 'Reich' && value === 3) return 'tercer';
  if (/^(?:Guerra|República)$/u.test(after)) return toOrdinal(value, { gender: 'feminine' });
  const isLetter = letters.length === 1 && !isSign;
  if (!isName(before) || value > 40 || (isLetter && !SINGLE_RULERS.has(before))) return null;
  if (/^(?:El|La|Los|Las|Un|Una|De|Y|En|Al|Del)$/u.test(before)) return null;
  if (value > ORDINAL_MAX) return toCardinal(value);
  return toOrdinal(value, { gender: QUEENS.test(before) ? 'feminine' : 'masculine' });
}

const masculine = (one: string, other = `${one}s`): Noun => noun('m', one, other);
const feminine = (one: string, other = `${one}s`): Noun => noun('f', one, other);
const euro = { ...masculine('euro'), minor: masculine('céntimo') };
const dollar = { ...masculine('dólar', 'dólares'), minor: masculine('centavo') };
const pound = { ...feminine('libra'), minor: masculine('penique') };
const zloty = { ...masculine('esloti', 'eslotis'), minor: masculine('grosz', 'groszy') };
const million = { ...masculine('millón', 'millones'), joint: 'de ' };

const beforeNumber = before(/^(?:\d|[IVX]{2})/u);

export const spanish: Words = {
  tag: 'es',
  point: ',',
  signs: {
    ...{ and: 'y', at: 'arroba', dot: 'punto', slash: 'barra', hyphen: 'guion' },
    ...{ underscore: 'guion bajo', number: 'número', times: 'por', section: 'sección' },
  },
  minus: 'menos',
  to: 'a',
  cardinal,
  decimal: (whole, decimals) => `${toCardinal(whole)} coma ${decimalsOf(decimals, plain)}`,
  fraction,
  mixed: (whole, numerator, denominator) => {
    const part = fraction(numerator, denominator);
    return part === null ? null : `${toCardinal(whole)} y ${part}`;
  },
  units: {
    ...{ km: masculine('kilómetro'), m: masculine('metro'), cm: masculine('centímetro') },
    ...{ mm: masculine('milímetro'), kg: masculine('kilogramo'), g: masculine('gramo') },
    ...{ mg: masculine('miligramo'), t: feminine('tonelada'), l: masculine('litro') },
    ...{ ml: masculine('mililitro') },
    ...{ 'km/h': masculine('kilómetro por hora', 'kilómetros por hora') },
    ...{ 'm²': masculine('metro cuadrado', 'metros cuadrados') },
    ...{ 'km²': masculine('kilómetro cuadrado', 'kilómetros cuadrados') },
    ...{ 'm³': masculine('metro cúbico', 'metros cúbicos'), ha: feminine('hectárea') },
    ...{ h: feminine('hora'), min: masculine('minuto'), s: masculine('segundo') },
    '°C': masculine('grado Celsius', 'grados Celsius'),
    '°F': masculine('grado Fahrenheit', 'grados Fahrenheit'),
    '°': masculine('grado'),
  },
  currencies: {
    ...{ '€': euro, EUR: euro, $: dollar, US$: dollar, USD: dollar, '£': pound, GBP: pound },
    ...{ zł: zloty, PLN: zloty, '¥': { ...masculine('yen', 'yenes'), minor: null } },
    CHF: { ...masculine('franco suizo', 'francos suizos'), minor: masculine('céntimo') },
    '₽': { ...masculine('rublo'), minor: masculine('kopek', 'kopeks') },
  },
  moneyJoint: 'con',
  namesMinor: false,
  scales: {
    ...{ mil: { ...noun('m', 'mil', 'mil'), joint: '' }, millón: million, millones: million },
  },
  powers: ['mil', 'millones'],
  months: MONTHS,
  clock,
  date,
  // The engine reads years right, because they are read as any number is.
  year: () => null,
  decade: () => null,
  dayFirst: true,
  roman,
  ordinal,
  abbreviations: {
    'sr.': 'señor',
    'sra.': 'señora',
    'srta.': 'señorita',
    'sres.': 'señores',
    'd.': beforeName('don'),
    'dña.': 'doña',
    'dr.': 'doctor',
    'dra.': 'doctora',
    'ud.': 'usted',
    'uds.': 'ustedes',
    'vd.': 'usted',
    'vds.': 'ustedes',
    'p.ej.': 'por ejemplo',
    'etc.': 'etcétera',
    'n.º': 'número',
    'núm.': 'número',
    'pág.': 'página',
    'págs.': 'páginas',
    'p.': beforeNumber('página'),
    's.': before(/^[IVX]{2}/u)('siglo'),
    'ss.': before(/^[IVX]{2}/u)('siglos'),
    'cap.': beforeNumber('capítulo'),
    't.': beforeNumber('tomo'),
    'jj.oo.': 'Juegos Olímpicos',
    'pza.': beforeName('plaza'),
    'cía.': 'compañía',
    'vol.': beforeNumber('volumen'),
    'a.C.': 'antes de Cristo',
    'd.C.': 'después de Cristo',
    'ee.uu.': 'Estados Unidos',
    'av.': beforeName('avenida'),
    'avda.': 'avenida',
    'sto.': beforeName('santo'),
    'sta.': beforeName('santa'),
    's.m.': 'su majestad',
    'aprox.': 'aproximadamente',
    'tel.': 'teléfono',
    'cf.': 'confróntese',
    'gral.': 'general',
    'prof.': 'profesor',
    'profa.': 'profesora',
    'd.ª': beforeName('doña'),
  },
  shortWords: wordSet(
    'AL CON DE DEL DÍA DOS EL ELLA EN ERA ES ESA ESE ESO FIN FUE HA HAN HAY LA LAS LE LES LO LOS MÁS ME MI MIS MUY NI NO NOS O OÍR OJO PAZ POR QUE QUÉ QUIÉN REY SE SER SI SÍ SIN SOL SON SU SUS TAN TE TU TÚ UN UNA UNO VER VEZ VOZ Y YA YO',
  ),
};
