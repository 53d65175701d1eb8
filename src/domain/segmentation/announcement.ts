import type { Boundary } from './blocks.js';
import { SPEAKABLE } from '../speakable.js';
import { canRead, countLetters } from '../spoken/scripts.js';
import { spokenOf } from '../spoken/spoken.js';

/** What is said before a story. */
export interface Announcement {
  readonly title: string;
  readonly author: string;
}

/** How an author is named, by the primary language. In other languages, it is the name alone. */
const BY: Readonly<Record<string, string>> = {
  cs: 'Autor:',
  de: 'von',
  en: 'by',
  es: 'por',
  fr: 'par',
  it: 'di',
  nl: 'door',
  pl: 'Autor:',
  pt: 'por',
  sv: 'av',
};

/** Longer than any title with marks around it. */
const COMPARED_MAX = 1_000;

/**
 * The sentences that announce a story, each with what separates it from the next one. What cannot be read in the
 * story's language is left out, because a voice may have no sound for it. There are none for a story that begins with
 * its title, because the title would be heard twice.
 * @param beginning the first sentence of the story, as it is shown
 * @param language BCP 47, of the story
 */
export function announce(
  { title, author }: Announcement,
  beginning: string,
  language: string,
): { text: string; boundary: Boundary }[] {
  if (wordsOf(beginning.slice(0, COMPARED_MAX)) === wordsOf(title)) return [];
  const by = BY[(language.split('-')[0] ?? '').toLowerCase()];
  const isReadable = (text: string): boolean =>
    SPEAKABLE.test(spokenOf(text, language).text) && canRead([language], countLetters(text));
  const sentences: { text: string; boundary: Boundary }[] = [];
  if (isReadable(title)) sentences.push({ text: title, boundary: 'paragraph' });
  if (isReadable(author))
    sentences.push({ text: by === undefined ? author : `${by} ${author}`, boundary: 'heading' });
  const last = sentences.at(-1);
  return last === undefined ? [] : [...sentences.slice(0, -1), { ...last, boundary: 'heading' }];
}

/** The words alone, because a heading may have marks around it. */
const wordsOf = (text: string): string =>
  (text.match(/[\p{L}\p{N}\p{M}]+/gu) ?? []).join(' ').toLowerCase();
