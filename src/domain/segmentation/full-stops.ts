import type { Language } from './abbreviations.js';

/** What is around a full stop. */
export interface FullStop {
  /** From the start of the sentence to the full stop, without it. Only the end of a long one. */
  readonly before: string;
  /** What follows, from its first character that is no space. Only the start. */
  readonly after: string;
  readonly language: Language;
}

/** The length of `before` and `after`. It is longer than any abbreviation with its neighbours. */
export const CONTEXT_LENGTH = 48;

/** What is in no word. Words have full stops and hyphens inside: `U.S`, `Sig.ra`, `J.-P`. */
const OUTSIDE_WORD = /[^\p{L}\p{M}\p{N}.°'’-]/u;
const FIRST_WORD = /^[^\p{L}\p{N}]*(\p{L}[\p{L}\p{M}]*['’]?)(.?)/u;
/** A number or a letter that begins an item: nothing else is before it. */
const ITEM = /^[^\p{L}\p{N}]*(?:\d{1,3}|[IVXLCDM]{1,7}|\p{L})$/u;
const NOTE_TO_READERS = /^[^\p{L}\p{N}]*[NP]\.[ -]?[BS]$/u;
/** Words before the number of a part of a book. */
const PART_NUMBER =
  /(?:^|\s)(?:chapter|book|part|act|scene|canto|rozdział|księga|część|akt|kapitel|buch|teil|szene|chapitre|livre|acte|scène|capítulo|libro|acto|escena|art|capitolo|atto|scena|livro|ato|cena|hoofdstuk|boek|deel|kapitola|kniha|bok|розділ|глава|книга|κεφάλαιο)\.? (?:\d{1,3}|[ivxlcdm]{1,7})$/iu;
const ROMAN = /^(?=[IVXLCDM])M{0,3}(?:C[MD]|D?C{0,3})(?:X[CL]|L?X{0,3})(?:I[XV]|V?I{0,3})$/u;
const NO_VOWEL = /^(?:(?![aeiouy])[a-z]){2,4}$/u;
const NUMBER = /^(?:\p{N}|[IVXLC]{2,}(?!\p{L}))/u;
/** A number with a unit that is written without a full stop. */
const MEASURED = /\p{N}[ \u00a0](?:km|cm|mm|kg|dkg|mg|ml|ha|gr|[kMGT]B|kW|mph)$/u;
/** What follows the time of day in English. */
const NAME_OF_TIME =
  /^(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|Eastern|Central|Pacific|Greenwich|GMT)/u;
const EXCLAMATIONS = new Set('hm hmm mhm brr grr shh sh psst pst pff tss zzz'.split(' '));

/** Whether a sentence ends at a full stop, which a capital, a digit or a letter without case follows. */
export function endsSentence({ before, after, language }: FullStop): boolean {
  const word = before.split(OUTSIDE_WORD).at(-1) ?? '';
  if (word === '') return true;
  if (ITEM.test(before) || PART_NUMBER.test(before) || NOTE_TO_READERS.test(before)) return false;
  if (MEASURED.test(before)) return true;
  const begins = beginsSentence(after, language);
  // The numbers of `Bd. 3.` and `godz. 10.` are not ordinals.
  if (/^\p{N}+$/u.test(word) && isCountedBefore(before, language)) return true;
  if (/^\p{N}+$/u.test(word))
    return word.length > 3 || (language.ordinals ? begins : !/^\p{N}/u.test(after));
  // `MM.` is also an abbreviation in French.
  const isRoman = ROMAN.test(word) && word.length > 1 && !language.titles.has(word.toLowerCase());
  if (isRoman) return begins || !language.ordinals;
  return endsAbbreviation(word, after, language) ?? begins;
}

/** Whether a text ends with a number that counts something, as in `Nr. 5`. */
function isCountedBefore(before: string, { counted }: Language): boolean {
  const [, word = ''] = /(?:^|[^\p{L}\p{N}])(\p{L}{1,5})\.? \p{N}{1,3}$/u.exec(before) ?? [];
  // `5 m. 3` is a flat in a house.
  return (
    (word.length > 1 && counted.has(word.toLowerCase())) || /\p{N} m\. \p{N}{1,3}$/u.test(before)
  );
}

/** @returns null when that depends on whether the next word begins sentences */
function endsAbbreviation(word: string, after: string, language: Language): boolean | null {
  const name = word.replace(/^['’.-]/u, '').toLowerCase();
  // `Tom's.` is a word, and `l'av.` an abbreviation after an article.
  const last = /['’](?:[stdm]|ll|re|ve)$/u.test(name)
    ? name
    : (name.split(/[-'’]/u).at(-1) ?? name);
  const isOf = (words: ReadonlySet<string>): boolean => words.has(name) || words.has(last);
  if (isOf(language.ends)) return !NAME_OF_TIME.test(after);
  const cutShort =
    language.vowels &&
    NO_VOWEL.test(name) &&
    word !== word.toUpperCase() &&
    !EXCLAMATIONS.has(name);
  if (NUMBER.test(after)) {
    const isCounted = isOf(language.counted) || /(?:str|gasse|straat)$/u.test(name);
    if (isCounted || isOf(language.titles) || isOf(language.perhaps) || isLetter(last))
      return false;
    if (/^\p{N}/u.test(after)) return !cutShort;
  }
  if (isOf(language.titles)) return false;
  if (isOf(language.perhaps) || isLetter(last)) return null;
  // Letters with full stops between them, for example `U.S`.
  if (/^\p{L}{1,3}(?:\.\p{L}{1,3})+$/u.test(name)) return null;
  // `EE. UU.` and `JJ. OO.` are plurals of initials.
  if (/^(\p{Lu})\1$/u.test(word)) return null;
  return cutShort ? null : true;
}

const isLetter = (word: string): boolean => /^\p{L}\p{M}*$/u.test(word);

/** Whether the first word of a text is one that begins sentences. An initial with its full stop is not. */
export function beginsSentence(text: string, { starters }: Language): boolean {
  const [, word = '', next = ''] = FIRST_WORD.exec(text) ?? [];
  const lower = word.toLowerCase().replace('’', "'");
  return (
    (starters.has(lower) || starters.has(lower.replace(/'$/u, ''))) &&
    !(next === '.' && word.length === 1)
  );
}
