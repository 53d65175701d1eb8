import { SPEAKABLE } from './speakable.js';

/** A piece of text that is spoken as a unit, and shown as one caption. */
export interface Sentence {
  readonly text: string;
}

/** Longer sentences are cut at a clause, at a space, or anywhere. In UTF-16 units. */
const LONGEST = 400;
/** Where a long sentence may be cut: after clause punctuation and its closing quotes, before a space. */
const CLAUSE_END = /[,;:–—)\]”»’"][”’"»]?(?=\s)/gu;

/**
 * Splits a text into the sentences to speak, in reading order. Sentences are generated one at a time, because a text
 * may be long. White space is folded. A piece without a letter or digit joins its neighbour, and a text without any
 * gives no sentences.
 * @param language BCP 47
 */
export function* splitSentences(text: string, language: string): Generator<Sentence> {
  let last = '';
  for (const piece of splitPieces(text, language)) {
    // A lone dash or closing quote joins the piece before it.
    const belongsToLast =
      last !== '' && !SPEAKABLE.test(piece) && last.length + piece.length < LONGEST;
    if (!belongsToLast && SPEAKABLE.test(last)) yield { text: last };
    last = belongsToLast ? `${last} ${piece}` : piece;
  }
  if (SPEAKABLE.test(last)) yield { text: last };
}

/**
 * Abbreviations that do not end a sentence, although Unicode's rules see an end before a capital: titles, and words
 * that introduce an example. For the languages of the library.
 */
const NO_END =
  /(?:^|[\s("'“‘„«])(?:mr|mrs|ms|dr|prof|st|capt|e\.g|i\.e|cf|vs|np|św|ul|tzn|tj|inż|mgr|m\.in)\.\s*$/iu;
/** The length of the end of a piece that is compared with these abbreviations. */
const LONGEST_ABBREVIATION = 10;

function* splitPieces(text: string, language: string): Generator<string> {
  const segmenter = new Intl.Segmenter(language, { granularity: 'sentence' });
  // Paragraphs are split separately, because a heading without a full stop is a sentence of its own.
  for (const paragraph of text.split(/\n\s*\n|\u2029/u)) {
    const folded = paragraph.replace(/[\s\p{Cc}]+/gu, ' ').trim();
    if (folded === '') continue;
    let held = '';
    for (const { segment } of segmenter.segment(folded)) {
      held += segment;
      const goesOn = NO_END.test(segment.slice(-LONGEST_ABBREVIATION)) && held.length < LONGEST;
      if (goesOn) continue;
      yield* piecesOf(held);
      held = '';
    }
    yield* piecesOf(held);
  }
}

function* piecesOf(sentence: string): Generator<string> {
  for (const piece of cut(sentence.trim())) if (piece !== '') yield piece;
}

function* cut(sentence: string): Generator<string> {
  let rest = sentence;
  while (rest.length > LONGEST) {
    const end = endOfPart(rest);
    yield rest.slice(0, end).trim();
    rest = rest.slice(end).trim();
  }
  yield rest;
}

function endOfPart(text: string): number {
  const head = text.slice(0, LONGEST);
  // The last clause that is not too short.
  const clauses = [...text.slice(0, LONGEST + 1).matchAll(CLAUSE_END)].map(
    (match) => match.index + match[0].length,
  );
  const clause = clauses.filter((end) => end > LONGEST / 4 && end <= LONGEST).at(-1);
  if (clause !== undefined) return clause;
  const space = head.lastIndexOf(' ');
  if (space > 0) return space;
  return endOfGraphemes(text);
}

/** Splits text into grapheme clusters, which readers see as one character. */
const CHARACTERS = new Intl.Segmenter();
/** Longer than any grapheme cluster of a real text. In UTF-16 units. */
const LONGEST_CHARACTER = 64;

/**
 * The end of the last whole grapheme cluster that fits. A cluster that is too long itself is cut between code points.
 */
function endOfGraphemes(text: string): number {
  let end = 0;
  // Slightly more text than fits, so that the last cluster that fits is seen whole.
  for (const { index, segment } of CHARACTERS.segment(text.slice(0, LONGEST + LONGEST_CHARACTER))) {
    if (index + segment.length <= LONGEST) end = index + segment.length;
  }
  if (end > 0) return end;
  const last = text.charCodeAt(LONGEST - 1);
  return last >= 0xd800 && last <= 0xdbff ? LONGEST - 1 : LONGEST;
}
