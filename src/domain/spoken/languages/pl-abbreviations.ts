import { isCapitalised, type Around, type Expansion } from '../words.js';
import { before } from './shared.js';

/** Names of rulers in the genitive, which end like names of women. */
export const KINGS_GENITIVE =
  /^(?:Ludwik|Jan|Pawł|Karol|Henryk|Zygmunt|Kazimierz|Władysław|Bolesław|Stanisław|August|Mikołaj|Aleksandr|Fryderyk|Pius|Leon|Piotr|Stefan|Napoleon|Wilhelm|Edward|Ryszard|Filip|Franciszk|Józef|Iwan|Grzegorz|Benedykt|Mieszk|Przemysł|Leszk)a$/u;

const saint = ({ after }: Around): string => {
  if (KINGS_GENITIVE.test(after)) return 'świętego';
  return after.endsWith('a') ? 'święta' : 'święty';
};

const beforeNumber = before(/^(?:\d|[IVX]{2})/u);

export const ABBREVIATIONS: Readonly<Record<string, Expansion>> = {
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
  'dn.': 'dnia',
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
    /(?:ym|im)$/u.test(before) ? 'wieku' : /(?:ty|wszy|gi|ci|my|ny)$/u.test(before) ? 'wiek' : null,
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
};
