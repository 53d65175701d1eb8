import type { Currency, Noun, Words } from '../words.js';
import { slavicNoun } from './shared.js';

const noun = slavicNoun;
const euro: Currency = {
  ...noun('n', 'euro', 'euro', 'euro', 'euro'),
  minor: noun('m', 'cent', 'centy', 'centów', 'centa'),
};
const dollar: Currency = {
  ...noun('m', 'dolar', 'dolary', 'dolarów', 'dolara'),
  minor: noun('m', 'cent', 'centy', 'centów', 'centa'),
};
const pound: Currency = {
  ...noun('m', 'funt', 'funty', 'funtów', 'funta'),
  minor: noun('m', 'pens', 'pensy', 'pensów', 'pensa'),
};
const grosz: Noun = noun('m', 'grosz', 'grosze', 'groszy', 'grosza');
const zloty: Currency = { ...noun('m', 'złoty', 'złote', 'złotych', 'złotego'), minor: grosz };
const masculine = (stem: string): Noun => noun('m', stem, `${stem}y`, `${stem}ów`, `${stem}a`);
const metre = (stem: string): Noun => noun('m', stem, `${stem}y`, `${stem}ów`, `${stem}a`);
const million = { ...noun('m', 'milion', 'miliony', 'milionów', 'miliona'), joint: '' };
const milliard = { ...noun('m', 'miliard', 'miliardy', 'miliardów', 'miliarda'), joint: '' };
const degree = (tail: string): Noun =>
  noun('m', `stopień${tail}`, `stopnie${tail}`, `stopni${tail}`, `stopnia${tail}`);

export const UNITS: Words['units'] = {
  ...{ km: metre('kilometr'), m: metre('metr'), cm: metre('centymetr'), mm: metre('milimetr') },
  ...{ kg: masculine('kilogram'), g: masculine('gram'), dag: masculine('dekagram') },
  ...{ dkg: masculine('dekagram'), mg: masculine('miligram') },
  ...{
    t: noun('f', 'tona', 'tony', 'ton', 'tony'),
    l: masculine('litr'),
    ml: masculine('mililitr'),
  },
  'km/h': noun(
    'm',
    'kilometr na godzinę',
    'kilometry na godzinę',
    'kilometrów na godzinę',
    'kilometra na godzinę',
  ),
  'm²': noun(
    'm',
    'metr kwadratowy',
    'metry kwadratowe',
    'metrów kwadratowych',
    'metra kwadratowego',
  ),
  'km²': noun(
    'm',
    'kilometr kwadratowy',
    'kilometry kwadratowe',
    'kilometrów kwadratowych',
    'kilometra kwadratowego',
  ),
  'm³': noun(
    'm',
    'metr sześcienny',
    'metry sześcienne',
    'metrów sześciennych',
    'metra sześciennego',
  ),
  ha: noun('m', 'hektar', 'hektary', 'hektarów', 'hektara'),
  h: noun('f', 'godzina', 'godziny', 'godzin', 'godziny'),
  godz: noun('f', 'godzina', 'godziny', 'godzin', 'godziny'),
  s: noun('f', 'sekunda', 'sekundy', 'sekund', 'sekundy'),
  min: noun('f', 'minuta', 'minuty', 'minut', 'minuty'),
  ...{ '°C': degree(' Celsjusza'), '°F': degree(' Fahrenheita'), '°': degree('') },
};

export const CURRENCIES: Words['currencies'] = {
  ...{ zł: zloty, PLN: zloty, '€': euro, EUR: euro, $: dollar, US$: dollar, USD: dollar },
  ...{ '£': pound, GBP: pound, gr: { ...grosz, minor: null } },
  CHF: {
    ...noun(
      'm',
      'frank szwajcarski',
      'franki szwajcarskie',
      'franków szwajcarskich',
      'franka szwajcarskiego',
    ),
    minor: null,
  },
  '₴': { ...noun('f', 'hrywna', 'hrywny', 'hrywien', 'hrywny'), minor: null },
  '₽': { ...noun('m', 'rubel', 'ruble', 'rubli', 'rubla'), minor: null },
};

export const SCALES: Words['scales'] = {
  ...{ mln: million, 'mln.': million, milion: million, miliony: million, milionów: million },
  ...{ mld: milliard, 'mld.': milliard, miliardy: milliard, miliardów: milliard },
  ...{ tys: { ...noun('m', 'tysiąc', 'tysiące', 'tysięcy', 'tysiąca'), joint: '' } },
  'tys.': { ...noun('m', 'tysiąc', 'tysiące', 'tysięcy', 'tysiąca'), joint: '' },
};
