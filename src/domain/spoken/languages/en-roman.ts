import { toCardinal, toOrdinal } from 'n2words/en-GB';
import { isCapitalised, isName, type Around, type Numeral } from '../words.js';

/** Words before a Roman numeral that is counted: `Chapter IV` is chapter four. */
const COUNTING = new Set(
  'chapter part book volume vol act scene section appendix war canto psalm article phase mark type class grade level stage episode season figure table plate letter canto sonnet number division world ii'.split(
    ' ',
  ),
);

/** Names of rulers before single letters, which could also be words or initials. */
const RULERS = new Set(
  'Elizabeth Charles James Henry William Francis George Edward Richard Mary John Paul Pius Nicholas Alexander Peter Catherine Frederick Philip Napoleon Leopold Louis Otto Ferdinand Ivan Leo Gregory Sigismund Wilhelm Victor Umberto Benedict Clement Xerxes Darius Ramses Rameses Ptolemy Robert David Edmund Baldwin Haakon Olaf Christian Gustav Harald Margaret Anne Sixtus Urban Innocent'.split(
    ' ',
  ),
);

/** What may follow `Charles I`, where the letter is not the pronoun. */
const AFTER_FIRST = /^(?:of|was|is|had|has|and|in|became|died|reigned|ruled|who|’s|'s)$/u;

/**
 * The English words for a Roman numeral. After a word such as `Chapter` it is a cardinal number. Before `century` and
 * after a name it is an ordinal number: `Henry VIII` becomes `the eighth`.
 * @returns null when the letters are probably a word or initials, or the number after a name is above 40
 */
export function roman(
  value: number,
  { letters, isSign }: Numeral,
  { before, after }: Around,
): string | null {
  if (COUNTING.has(before.toLowerCase().replace(/\.$/u, '')))
    return toTitle(toCardinal(value), before);
  if (/^centur(?:y|ies)$/iu.test(after)) return toOrdinal(value);
  if (!isName(before) || value > 40) return null;
  const isLetter = letters.length === 1 && !isSign;
  if (isLetter && !RULERS.has(before)) return null;
  if (letters === 'I' && !isSign && after !== '' && !AFTER_FIRST.test(after)) return null;
  // Words such as The and With begin sentences, and are no names.
  if (NO_NAMES.has(before)) return null;
  return `the ${toOrdinal(value)}`;
}

const NO_NAMES = new Set('The A An And But With In On At Of For To By From As If Or My'.split(' '));

const toTitle = (words: string, before: string): string =>
  isCapitalised(before) ? words.charAt(0).toUpperCase() + words.slice(1) : words;
