/** The word for `&`. Elsewhere it is left to the engine. */
const AND: Readonly<Record<string, string>> = {
  en: 'and',
  pl: 'i',
  de: 'und',
  fr: 'et',
  es: 'y',
  it: 'e',
  pt: 'e',
  nl: 'en',
  cs: 'a',
  sk: 'a',
  sv: 'och',
  da: 'og',
  nb: 'og',
  fi: 'ja',
  hu: 'és',
  ro: 'și',
  ca: 'i',
  hr: 'i',
  sl: 'in',
  tr: 've',
  id: 'dan',
  vi: 'và',
  ru: 'и',
  uk: 'і',
  bg: 'и',
  sr: 'и',
  el: 'και',
  he: 'ו',
  ar: 'و',
  fa: 'و',
  hi: 'और',
  bn: 'এবং',
};

/** @param language BCP 47 */
export const andOf = (language: string): string | undefined => {
  const [code = ''] = language.split('-');
  return Object.hasOwn(AND, code) ? AND[code] : undefined;
};
