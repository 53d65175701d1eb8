import { segmenterOf } from './segmenters.js';

/** Longer sentences are cut. In UTF-16 units, of which those of wide scripts count several. */
export const SENTENCE_LENGTH_MAX = 400;
/** A character of Chinese or Japanese takes about as long to say as three Latin letters. */
const WIDE_WEIGHT = 3;
const WIDE = /[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]/u;

/** The end of a clause, best first: of what ends a sentence in other places, then of lesser clauses. */
const CLAUSE_ENDS: readonly RegExp[] = [
  /[.!?…]["”»’')\]]{0,2}(?=\s)|[。！？][」』”’）》]{0,2}/gu,
  /[,;:،؛·–—)\]”»’"][”’"»]?(?=\s)|[，、；：､][」』”’）》]{0,2}|[།་]/gu,
];

/**
 * The end of the first part of a text from `from`, when it is too long for one: behind a clause, else at a space, else
 * between words, else between characters as readers see them. White space is single spaces.
 * @returns `to` when it is short enough
 */
export function endOfPart(
  text: string,
  {
    from,
    to,
    tag,
    longest = SENTENCE_LENGTH_MAX,
  }: { from: number; to: number; tag: string; longest?: number },
): number {
  const most = mostThatFits(text, from, to, longest);
  if (most >= to) return to;
  const window = text.slice(from, most + 1);
  const least = (most - from) / 4;
  for (const ends of CLAUSE_ENDS) {
    const end = lastClause(window, ends, { least, most: most - from });
    if (end !== undefined) return from + end;
  }
  const space = window.lastIndexOf(' ');
  if (space > least && isWhole(text, from + space)) return from + space;
  return betweenWords(text, { from, most, to, tag });
}

/** About how long a text takes to say, in Latin letters. */
export function weightOf(text: string): number {
  let weight = 0;
  for (let at = 0; at < text.length; at += 1) weight += weightAt(text, at);
  return weight;
}

const weightAt = (text: string, at: number): number =>
  WIDE.test(text.charAt(at)) ? WIDE_WEIGHT : 1;

function mostThatFits(text: string, from: number, to: number, longest: number): number {
  let weight = 0;
  for (let at = from; at < to; at += 1) {
    weight += weightAt(text, at);
    if (weight > longest) return at;
  }
  return to;
}

function lastClause(
  window: string,
  ends: RegExp,
  { least, most }: { least: number; most: number },
): number | undefined {
  return [...window.matchAll(ends)]
    .map((match) => match.index + match[0].length)
    .filter((end) => end > least && end <= most && isWhole(window, end))
    .at(-1);
}

/** Whether a cut separates no mark from its letter, and no half of a pair from the other. */
const isWhole = (text: string, at: number): boolean =>
  !/^[\p{M}\p{Emoji_Modifier}\p{Join_Control}]/u.test(text.slice(at, at + 2).trimStart()) &&
  !/[\ud800-\udbff]/.test(text.charAt(at - 1));

/** Longer than any word or grapheme cluster of a real text. In UTF-16 units. */
const LOOK_AHEAD = 64;

/** Between words where a script has no spaces between them. A word that is too long itself is cut between characters. */
function betweenWords(
  text: string,
  { from, most, to, tag }: { from: number; most: number; to: number; tag: string },
): number {
  // Slightly more text than fits, so that the last word that fits is seen whole.
  const window = text.slice(from, Math.min(to, most + LOOK_AHEAD));
  const words = segmenterOf(tag, 'word');
  let end = 0;
  for (const { index, isWordLike, segment } of words.segment(window)) {
    if (index > most - from) break;
    const begins = isWordLike === true || /^[\p{Ps}\p{Pi}]/u.test(segment);
    if (begins && isWhole(window, index)) end = index;
  }
  return from + (end > 0 ? end : endOfCharacters(window, most - from));
}

/** Splits text into grapheme clusters, which readers see as one character. */
const CHARACTERS = new Intl.Segmenter();

/** The end of the last whole grapheme cluster that fits. A cluster that is too long itself is cut between code points. */
function endOfCharacters(window: string, most: number): number {
  let end = 0;
  for (const { index } of CHARACTERS.segment(window)) {
    if (index > most) break;
    end = index;
  }
  if (end > 0) return end;
  const last = window.charCodeAt(most - 1);
  return last >= 0xd800 && last <= 0xdbff && most > 1 ? most - 1 : most;
}
