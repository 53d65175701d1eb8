import type { OtherScript } from '../../domain/speakable.js';
import type { ProviderVoice } from './provider.js';

export interface EspeakVoice {
  /** The engine's own. */
  readonly identifier: string;
  /** For people. */
  readonly name: string;
  /** BCP 47. */
  readonly languages: readonly string[];
  /** The scripts besides Latin that it reads itself. */
  readonly scripts: readonly OtherScript[];
}

const voice = (
  identifier: string,
  name: string,
  languages: readonly string[],
  scripts: readonly OtherScript[] = [],
): EspeakVoice => ({ identifier, name, languages, scripts });

/**
 * Those of the engine's voices that read a story well; the key is the id that we publish. New ones go to the end of
 * their part. Left out after listening: voices that name letters or leave most of them out (Burmese, Hakka Chinese,
 * Konkani, Maltese, Thai), voices that spell numbers or read them in another language (Ancient Greek, Luxembourgish,
 * Māori, Nepali, Bishnupriya Manipuri), and constructed languages but Esperanto.
 */
export const VOICES: Readonly<Record<string, EspeakVoice>> = {
  'en-gb': voice('gmw/en', 'British English', ['en', 'en-GB']),
  'en-us': voice('gmw/en-US', 'American English', ['en', 'en-US']),
  'en-gb-rp': voice('gmw/en-GB-x-rp', 'Received Pronunciation', ['en', 'en-GB']),
  'en-gb-scotland': voice('gmw/en-GB-scotland', 'Scottish English', ['en', 'en-GB']),
  pl: voice('zlw/pl', 'Polish', ['pl']),
  de: voice('gmw/de', 'German', ['de']),
  fr: voice('roa/fr', 'French', ['fr']),
  es: voice('roa/es', 'Spanish', ['es']),
  it: voice('roa/it', 'Italian', ['it']),
  // Germanic, Romance and Celtic languages.
  nl: voice('gmw/nl', 'Dutch', ['nl']),
  af: voice('gmw/af', 'Afrikaans', ['af']),
  da: voice('gmq/da', 'Danish', ['da']),
  sv: voice('gmq/sv', 'Swedish', ['sv']),
  nb: voice('gmq/nb', 'Norwegian Bokmål', ['nb', 'no']),
  is: voice('gmq/is', 'Icelandic', ['is']),
  'es-419': voice('roa/es-419', 'Latin American Spanish', ['es-419', 'es-MX', 'es']),
  pt: voice('roa/pt', 'European Portuguese', ['pt', 'pt-PT']),
  'pt-br': voice('roa/pt-BR', 'Brazilian Portuguese', ['pt-BR', 'pt']),
  'fr-be': voice('roa/fr-BE', 'Belgian French', ['fr-BE', 'fr']),
  'fr-ch': voice('roa/fr-CH', 'Swiss French', ['fr-CH', 'fr']),
  ca: voice('roa/ca', 'Catalan', ['ca']),
  ro: voice('roa/ro', 'Romanian', ['ro']),
  la: voice('itc/la', 'Latin', ['la']),
  cy: voice('cel/cy', 'Welsh', ['cy']),
  ga: voice('cel/ga', 'Irish', ['ga']),
  gd: voice('cel/gd', 'Scottish Gaelic', ['gd']),
  // Slavic and Baltic languages.
  ru: voice('zle/ru', 'Russian', ['ru'], ['Cyrillic']),
  uk: voice('zle/uk', 'Ukrainian', ['uk'], ['Cyrillic']),
  be: voice('zle/be', 'Belarusian', ['be'], ['Cyrillic']),
  bg: voice('zls/bg', 'Bulgarian', ['bg'], ['Cyrillic']),
  mk: voice('zls/mk', 'Macedonian', ['mk'], ['Cyrillic']),
  sr: voice('zls/sr', 'Serbian', ['sr', 'sr-Latn'], ['Cyrillic']),
  hr: voice('zls/hr', 'Croatian', ['hr']),
  bs: voice('zls/bs', 'Bosnian', ['bs']),
  sl: voice('zls/sl', 'Slovenian', ['sl']),
  cs: voice('zlw/cs', 'Czech', ['cs']),
  sk: voice('zlw/sk', 'Slovak', ['sk']),
  lt: voice('bat/lt', 'Lithuanian', ['lt']),
  lv: voice('bat/lv', 'Latvian', ['lv']),
  // Other languages of Europe and the Caucasus.
  el: voice('grk/el', 'Greek', ['el'], ['Greek']),
  sq: voice('ine/sq', 'Albanian', ['sq']),
  hy: voice('ine/hy', 'Armenian', ['hy'], ['Armenian']),
  ka: voice('ccs/ka', 'Georgian', ['ka'], ['Georgian']),
  eu: voice('eu', 'Basque', ['eu']),
  fi: voice('urj/fi', 'Finnish', ['fi']),
  et: voice('urj/et', 'Estonian', ['et']),
  hu: voice('urj/hu', 'Hungarian', ['hu']),
  eo: voice('art/eo', 'Esperanto', ['eo']),
  // The Near East and Central Asia.
  ar: voice('sem/ar', 'Arabic', ['ar'], ['Arabic']),
  he: voice('sem/he', 'Hebrew', ['he'], ['Hebrew']),
  am: voice('sem/am', 'Amharic', ['am'], ['Ethiopic']),
  ti: voice('sem/ti', 'Tigrinya', ['ti'], ['Ethiopic']),
  fa: voice('ira/fa', 'Persian', ['fa'], ['Arabic']),
  ku: voice('ira/ku', 'Kurdish', ['ku']),
  tr: voice('trk/tr', 'Turkish', ['tr']),
  az: voice('trk/az', 'Azerbaijani', ['az']),
  uz: voice('trk/uz', 'Uzbek', ['uz']),
  tk: voice('trk/tk', 'Turkmen', ['tk']),
  kk: voice('trk/kk', 'Kazakh', ['kk'], ['Cyrillic']),
  ky: voice('trk/ky', 'Kyrgyz', ['ky'], ['Cyrillic']),
  tt: voice('trk/tt', 'Tatar', ['tt'], ['Cyrillic']),
  ug: voice('trk/ug', 'Uyghur', ['ug'], ['Arabic']),
  // South Asia.
  hi: voice('inc/hi', 'Hindi', ['hi'], ['Devanagari']),
  mr: voice('inc/mr', 'Marathi', ['mr'], ['Devanagari']),
  bn: voice('inc/bn', 'Bengali', ['bn'], ['Bengali']),
  as: voice('inc/as', 'Assamese', ['as'], ['Bengali']),
  gu: voice('inc/gu', 'Gujarati', ['gu'], ['Gujarati']),
  pa: voice('inc/pa', 'Punjabi', ['pa'], ['Gurmukhi']),
  or: voice('inc/or', 'Odia', ['or'], ['Oriya']),
  si: voice('inc/si', 'Sinhala', ['si'], ['Sinhala']),
  ur: voice('inc/ur', 'Urdu', ['ur'], ['Arabic']),
  sd: voice('inc/sd', 'Sindhi', ['sd'], ['Arabic']),
  ta: voice('dra/ta', 'Tamil', ['ta'], ['Tamil']),
  te: voice('dra/te', 'Telugu', ['te'], ['Telugu']),
  kn: voice('dra/kn', 'Kannada', ['kn'], ['Kannada']),
  ml: voice('dra/ml', 'Malayalam', ['ml'], ['Malayalam']),
  // East and South-East Asia, and Africa.
  zh: voice('sit/cmn', 'Mandarin Chinese', ['zh', 'cmn'], ['Han']),
  yue: voice('sit/yue', 'Cantonese', ['yue'], ['Han']),
  // It names Chinese characters, so that it reads stories in kana only.
  ja: voice('jpx/ja', 'Japanese (kana)', ['ja-Hrkt'], ['Kana']),
  ko: voice('ko', 'Korean', ['ko'], ['Hangul']),
  vi: voice('aav/vi', 'Northern Vietnamese', ['vi']),
  'vi-central': voice('aav/vi-VN-x-central', 'Central Vietnamese', ['vi']),
  'vi-south': voice('aav/vi-VN-x-south', 'Southern Vietnamese', ['vi']),
  id: voice('poz/id', 'Indonesian', ['id']),
  ms: voice('poz/ms', 'Malay', ['ms']),
  sw: voice('bnt/sw', 'Swahili', ['sw']),
};

/** The voices for words in other scripts, because the chosen voice would spell them letter by letter. */
export const VOICE_OF_SCRIPT: Readonly<Record<OtherScript, string>> = {
  Greek: 'grk/el',
  Cyrillic: 'zle/ru',
  Arabic: 'sem/ar',
  Hebrew: 'sem/he',
  Han: 'sit/cmn',
  Kana: 'jpx/ja',
  Hangul: 'ko',
  Thai: 'tai/th',
  Devanagari: 'inc/hi',
  Georgian: 'ccs/ka',
  Armenian: 'ine/hy',
  Bengali: 'inc/bn',
  Gujarati: 'inc/gu',
  Gurmukhi: 'inc/pa',
  Kannada: 'dra/kn',
  Malayalam: 'dra/ml',
  Oriya: 'inc/or',
  Sinhala: 'inc/si',
  Tamil: 'dra/ta',
  Telugu: 'dra/te',
  Ethiopic: 'sem/am',
};

/** As they are published. */
export const listedVoices = (): readonly ProviderVoice[] =>
  Object.entries(VOICES).map(([id, { name, languages }]) => ({
    id,
    name,
    languages,
    gender: null,
  }));
