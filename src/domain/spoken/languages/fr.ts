import { toCardinal, toOrdinal } from 'n2words/fr-FR';
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
import { before, beforeName, decimalsOf, monthTable, noun, wordSet } from './shared.js';

const MONTHS = monthTable([
  'janvier janv',
  'février févr',
  'mars',
  'avril avr',
  'mai',
  'juin',
  'juillet juil',
  'août',
  'septembre sept',
  'octobre oct',
  'novembre nov',
  'décembre déc',
]);
const MONTH_NAMES =
  'janvier février mars avril mai juin juillet août septembre octobre novembre décembre'.split(' ');

function cardinal(value: number, gender: Gender): string {
  const words = toCardinal(value);
  return gender === 'f' && /(?:^|[ -])un$/u.test(words) ? `${words}e` : words;
}

const plain = (value: number): string => toCardinal(value);

const date = ({ day, month, year }: CalendarDate): string =>
  `${day === 1 ? 'premier' : toCardinal(day)} ${MONTH_NAMES[month - 1] ?? ''}${year === null ? '' : ` ${toCardinal(year)}`}`;

const clock = ({ hours, minutes }: Clock): string =>
  `${cardinal(hours, 'f')} heure${hours > 1 ? 's' : ''}${minutes === 0 ? '' : ` ${cardinal(minutes, 'f')}`}`;

const NAMED: Readonly<Record<number, readonly [string, string]>> = {
  2: ['demi', 'demis'],
  3: ['tiers', 'tiers'],
  4: ['quart', 'quarts'],
};

/** What is halved and feminine. */
const HALVED = wordSet(
  'heure douzaine livre page bouteille tasse portion journée lieue part pomme',
);

const fraction = (numerator: number, denominator: number, after = ''): string | null => {
  if (numerator < 1 || denominator < 2 || numerator >= denominator) return null;
  if (denominator === 2 && HALVED.has(after)) return 'une demi';
  const [one, more] = NAMED[denominator] ?? [toOrdinal(denominator), `${toOrdinal(denominator)}s`];
  return `${toCardinal(numerator)} ${numerator === 1 ? one : more}`;
};

const FEMININE = /^(?:re|nde|res|ère)$/u;

function ordinal(value: number, suffix: string): string | null {
  if (value < 1) return null;
  if (value === 1) return suffix === 'er' ? 'premier' : FEMININE.test(suffix) ? 'première' : null;
  if (value === 2 && /^nde?$/u.test(suffix)) return suffix === 'nd' ? 'second' : 'seconde';
  return suffix === 'e' || suffix === 'ème' ? toOrdinal(value) : null;
}

const COUNTING = wordSet(
  'chapitre partie tome livre volume acte scène section annexe chant article phase classe type niveau épisode saison figure tableau planche titre guerre',
);
const SINGLE_RULERS = wordSet(
  'François Charles Louis Henri Napoléon Philippe Élisabeth Elisabeth Catherine Georges Guillaume Jacques Édouard Pierre Nicolas Alexandre Paul Pie Jean Léon Léopold Albert Frédéric Ferdinand Alphonse Clovis Robert',
);

function roman(value: number, { letters, suffix, isSign }: Numeral, around: Around): string | null {
  const { before, after } = around;
  // `Le`, `De`, `Ce` and `Me` are words.
  if (/^[LDCM]$/u.test(letters) && suffix === 'e') return null;
  if (suffix !== '' && suffix !== '.') return ordinal(value, suffix.replace(/s$/u, ''));
  if (/^siècles?$/u.test(after)) return value === 1 ? 'premier' : toOrdinal(value);
  const isCounted = COUNTING.has(before.toLowerCase());
  if (isCounted && value === 1)
    return /^(?:partie|scène|section|annexe|phase|classe|saison|figure|planche|guerre)$/iu.test(
      before,
    )
      ? 'première'
      : 'premier';
  if (isCounted) return toCardinal(value);
  const isLetter = letters.length === 1 && !isSign;
  if (!isName(before) || value > 40 || (isLetter && !SINGLE_RULERS.has(before))) return null;
  if (/^(?:Le|La|Les|Un|Une|De|Et|En|Au|Du)$/u.test(before)) return null;
  return value === 1 ? 'premier' : toCardinal(value);
}

const masculine = (one: string, other = `${one}s`): Noun => noun('m', one, other);
const feminine = (one: string, other = `${one}s`): Noun => noun('f', one, other);
const euro = { ...masculine('euro'), minor: masculine('centime') };
const dollar = { ...masculine('dollar'), minor: masculine('cent') };
const pound = { ...feminine('livre'), minor: masculine('penny', 'pence') };
const zloty = { ...masculine('zloty'), minor: masculine('grosz', 'grosz') };
const million = { ...masculine('million'), joint: "d'" };
const milliard = { ...masculine('milliard'), joint: "d'" };

const beforeNumber = before(/^(?:\d|[IVX]{2})/u);

export const french: Words = {
  tag: 'fr',
  point: ',',
  signs: {
    ...{ and: 'et', at: 'arobase', dot: 'point', slash: 'barre oblique', hyphen: 'tiret' },
    ...{ underscore: 'tiret bas', number: 'numéro', times: 'fois', section: 'paragraphe' },
  },
  minus: 'moins',
  to: 'à',
  cardinal,
  decimal: (whole, decimals) => `${toCardinal(whole)} virgule ${decimalsOf(decimals, plain)}`,
  fraction,
  mixed: (whole, numerator, denominator) => {
    const part = fraction(numerator, denominator);
    if (part === null) return null;
    return `${toCardinal(whole)} et ${denominator === 2 ? 'demi' : part}`;
  },
  units: {
    ...{ km: masculine('kilomètre'), m: masculine('mètre'), cm: masculine('centimètre') },
    ...{ mm: masculine('millimètre'), kg: masculine('kilogramme'), g: masculine('gramme') },
    ...{ mg: masculine('milligramme'), t: feminine('tonne'), l: masculine('litre') },
    ...{ ml: masculine('millilitre'), 'km/h': masculine('kilomètre heure', 'kilomètres heure') },
    ...{ 'm²': masculine('mètre carré', 'mètres carrés') },
    ...{ 'km²': masculine('kilomètre carré', 'kilomètres carrés') },
    ...{ 'm³': masculine('mètre cube', 'mètres cubes'), ha: masculine('hectare') },
    ...{ h: feminine('heure'), min: feminine('minute'), s: feminine('seconde') },
    '°C': masculine('degré Celsius', 'degrés Celsius'),
    '°F': masculine('degré Fahrenheit', 'degrés Fahrenheit'),
    '°': masculine('degré'),
  },
  currencies: {
    ...{ '€': euro, EUR: euro, $: dollar, US$: dollar, USD: dollar, '£': pound, GBP: pound },
    ...{ zł: zloty, PLN: zloty, '¥': { ...masculine('yen'), minor: null } },
    CHF: { ...masculine('franc suisse', 'francs suisses'), minor: masculine('centime') },
    '₽': { ...masculine('rouble'), minor: masculine('kopeck') },
  },
  moneyJoint: '',
  namesMinor: false,
  scales: {
    ...{ mille: { ...noun('m', 'mille', 'mille'), joint: '' }, million, millions: million },
    ...{ milliard, milliards: milliard },
  },
  powers: ['mille', 'millions', 'milliards'],
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
    'm.': ({ after }) =>
      isCapitalised(after) || /^(?:l[ea]|et)$/u.test(after) ? 'monsieur' : null,
    'mm.': beforeName('messieurs'),
    mme: 'madame',
    mmes: 'mesdames',
    mlle: 'mademoiselle',
    mlles: 'mesdemoiselles',
    'mme.': 'madame',
    'mlle.': 'mademoiselle',
    cie: 'compagnie',
    'bd.': beforeName('boulevard'),
    dr: beforeName('docteur'),
    'dr.': beforeName('docteur'),
    mgr: 'monseigneur',
    st: beforeName('saint'),
    ste: beforeName('sainte'),
    'p.ex.': 'par exemple',
    'ex.': 'exemple',
    'c.-à-d.': "c'est-à-dire",
    'cf.': 'confer',
    'etc.': 'et cetera',
    'env.': 'environ',
    'n°': 'numéro',
    no: beforeNumber('numéro'),
    'p.': beforeNumber('page'),
    't.': beforeNumber('tome'),
    's.': ({ before }) => (/(?:ième|premier)$/u.test(before) ? 'siècle' : null),
    'pp.': beforeNumber('pages'),
    'chap.': 'chapitre',
    'vol.': beforeNumber('volume'),
    'tél.': 'téléphone',
    bd: beforeName('boulevard'),
    'boul.': 'boulevard',
    'av.': beforeName('avenue'),
    'av.j.-c.': 'avant Jésus-Christ',
    'apr.j.-c.': 'après Jésus-Christ',
    'j.-c.': 'Jésus-Christ',
    's.v.p.': "s'il vous plaît",
  },
  shortWords: wordSet(
    'AU AUX BON CAR CE CES DE DES DU ELLE EN ET EST EUX FIN IL ILS JE LA LE LES LUI MA MAIS MAL MES MOI MON NE NI NON NOS NUL ON OR OU OUI PAR PAS PEU QUE QUI ROI SA SE SES SI SON SUR TA TE TES TOI TON TOUT TU UN UNE VA VOS',
  ),
};
