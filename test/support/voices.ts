import { sampleTextOf } from '../../src/services/narrations/samples/texts.js';

/** Voices that speak the sample text of their language. */
const SAMPLED =
  'af is ca ro la cy ga gd be bg mk sr hr bs sl lt lv el sq hy ka eu fi et hu eo ar he am ti fa ku tr az uz tk kk ky tt ug hi mr bn as gu pa or si ur sd ta te kn ml zh yue ja ko vi id ms sw'.split(
    ' ',
  );

/** A sentence in the language of each voice of eSpeak NG: the sun warms the house, and the children sleep. */
export const SENTENCES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(SAMPLED.map((id) => [id, sampleTextOf(id) ?? ''])),
  'en-gb': 'The sun warms the house, and the children sleep.',
  'en-us': 'The sun warms the house, and the children sleep.',
  'en-gb-rp': 'The sun warms the house, and the children sleep.',
  'en-gb-scotland': 'The sun warms the house, and the children sleep.',
  pl: 'Słońce grzeje dom, a dzieci śpią.',
  de: 'Die Sonne wärmt das Haus, und die Kinder schlafen.',
  fr: 'Le soleil chauffe la maison et les enfants dorment.',
  es: 'El sol calienta la casa y los niños duermen.',
  it: 'Il sole scalda la casa e i bambini dormono.',
  nl: 'De zon verwarmt het huis en de kinderen slapen.',
  da: 'Solen varmer huset, og børnene sover.',
  sv: 'Solen värmer huset och barnen sover.',
  nb: 'Solen varmer huset og barna sover.',
  'es-419': 'El sol calienta la casa y los niños duermen.',
  pt: 'O sol aquece a casa e as crianças dormem.',
  'pt-br': 'O sol aquece a casa e as crianças dormem.',
  'fr-be': 'Le soleil chauffe la maison et les enfants dorment.',
  'fr-ch': 'Le soleil chauffe la maison et les enfants dorment.',
  ru: 'Солнце греет дом, и дети спят.',
  uk: 'Сонце гріє хату, а діти сплять.',
  cs: 'Slunce hřeje dům a děti spí.',
  sk: 'Slnko hreje dom a deti spia.',
  'vi-central': 'Mặt trời sưởi ấm ngôi nhà và bọn trẻ đang ngủ.',
  'vi-south': 'Mặt trời sưởi ấm ngôi nhà và bọn trẻ đang ngủ.',
};
