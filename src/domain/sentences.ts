/** A piece of text that is spoken in one breath, and shown as one caption. */
export interface Sentence {
  readonly text: string;
}

/** Longer ones are cut at a clause, a space, or anywhere. In UTF-16 units. */
const LONGEST = 400;
/** Where a long sentence may be cut: behind clause punctuation and its closing quotes, before a space. */
const CLAUSE_END = /[,;:–—)\]”»’"][”’"»]?(?=\s)/gu;
const SPEAKABLE = /[\p{L}\p{N}]/u;

/** As `eachSentence`, all at once. */
export const splitSentences = (text: string, language: string): Sentence[] => [
  ...eachSentence(text, language),
];

/**
 * Splits a text into the sentences that are spoken, in reading order, no faster than they are asked for. White space
 * is folded; pieces without a letter or a digit go with their neighbour, and a text without any gives none.
 * @param language BCP 47
 */
export function* eachSentence(text: string, language: string): Generator<Sentence> {
  let last = '';
  for (const piece of piecesOf(text, language)) {
    // A dash or a closing quote on its own is read with what stands before it.
    if (last !== '' && !SPEAKABLE.test(piece) && last.length + piece.length < LONGEST) {
      last = `${last} ${piece}`;
      continue;
    }
    if (SPEAKABLE.test(last)) yield { text: last };
    last = piece;
  }
  if (SPEAKABLE.test(last)) yield { text: last };
}

function* piecesOf(text: string, language: string): Generator<string> {
  const segmenter = new Intl.Segmenter(language, { granularity: 'sentence' });
  // Paragraph by paragraph: a heading without a full stop is a sentence of its own.
  for (const paragraph of text.split(/\n\s*\n|\u2029/u)) {
    const folded = paragraph.replace(/[\s\p{Cc}]+/gu, ' ').trim();
    for (const segment of segmentsOf(folded, segmenter))
      for (const piece of cut(segment.trim())) if (piece !== '') yield piece;
  }
}

/** So much is segmented at a time, in UTF-16 units. */
const WINDOW = 4_096;

/**
 * A paragraph's segments. The segmenter's time grows with the square of what it is given, so that it is given a
 * window. Where a segment begins depends on what follows as far as the next letter or full stop: of a window that
 * goes on, the last segment may begin elsewhere, and the last but one end elsewhere. Both are segmented again with
 * the next window.
 */
function* segmentsOf(text: string, segmenter: Intl.Segmenter): Generator<string> {
  let start = 0;
  for (let length = WINDOW; start < text.length;) {
    const segments = Array.from(
      segmenter.segment(text.slice(start, start + length)),
      ({ segment }) => segment,
    );
    const sure = start + length >= text.length ? segments : segments.slice(0, -2);
    yield* sure;
    start += sure.reduce((sum, segment) => sum + segment.length, 0);
    length = sure.length > 0 ? WINDOW : length * 2;
  }
}

function cut(sentence: string): string[] {
  const parts: string[] = [];
  let rest = sentence;
  while (rest.length > LONGEST) {
    const end = endOfPart(rest);
    parts.push(rest.slice(0, end).trim());
    rest = rest.slice(end).trim();
  }
  parts.push(rest);
  return parts;
}

function endOfPart(text: string): number {
  const head = text.slice(0, LONGEST);
  // The last clause that is not absurdly short.
  const clauses = [...text.slice(0, LONGEST + 1).matchAll(CLAUSE_END)].map(
    (match) => match.index + match[0].length,
  );
  const clause = clauses.filter((end) => end > LONGEST / 4 && end <= LONGEST).at(-1);
  if (clause !== undefined) return clause;
  const space = head.lastIndexOf(' ');
  if (space > 0) return space;
  return endOfGraphemes(text);
}

/** More than any character that people see as one is long. In UTF-16 units. */
const LONGEST_CHARACTER = 64;

/** As many whole characters as people see them; one that never ends is cut between code points. */
function endOfGraphemes(text: string): number {
  let end = 0;
  // A little more than fits, so that the last character that fits is seen whole.
  for (const { index, segment } of new Intl.Segmenter().segment(
    text.slice(0, LONGEST + LONGEST_CHARACTER),
  )) {
    if (index + segment.length <= LONGEST) end = index + segment.length;
  }
  if (end > 0) return end;
  const last = text.charCodeAt(LONGEST - 1);
  return last >= 0xd800 && last <= 0xdbff ? LONGEST - 1 : LONGEST;
}
