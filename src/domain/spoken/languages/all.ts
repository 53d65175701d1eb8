import { american, english } from './en.js';
import { french } from './fr.js';
import { german } from './de.js';
import { polish } from './pl.js';
import { spanish } from './es.js';
import type { Words } from '../words.js';

const LANGUAGES: Readonly<Record<string, Words>> = {
  en: english,
  'en-US': american,
  pl: polish,
  de: german,
  fr: french,
  es: spanish,
};

/** How a language speaks numbers and abbreviations; null when there is no table for it. @param language BCP 47 */
export function wordsOf(language: string): Words | null {
  if (Object.hasOwn(LANGUAGES, language)) return LANGUAGES[language] ?? null;
  const [code = ''] = language.split('-');
  return Object.hasOwn(LANGUAGES, code) ? (LANGUAGES[code] ?? null) : null;
}
