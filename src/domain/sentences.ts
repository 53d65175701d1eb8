import { blocksOf, stronger, type Block, type Boundary } from './segmentation/blocks.js';
import { endOfPart, SENTENCE_LENGTH_MAX } from './segmentation/cut.js';
import { endsOf } from './segmentation/ends.js';
import { SPEAKABLE } from './speakable.js';

export type { Boundary } from './segmentation/blocks.js';

/** A piece of text that is spoken as a unit. */
export interface Sentence {
  /** With single spaces for white space. */
  readonly text: string;
  /** Where it stands in the story: UTF-16 indexes of its start and its end. */
  readonly start: number;
  readonly end: number;
  /** What separates it from the next sentence. */
  readonly boundary: Boundary;
  /** Whether it is a heading, or a part of one. */
  readonly isHeading: boolean;
}

/**
 * Splits a text into the sentences to speak, in reading order. Sentences are generated one at a time, because a text
 * may be long. White space is folded. A piece without a letter or digit joins its neighbour, and a text without any
 * gives no sentences.
 * @param language BCP 47
 */
export function* splitSentences(text: string, language: string): Generator<Sentence> {
  let last: Sentence | null = null;
  for (const block of blocksOf(text)) {
    for (const sentence of sentencesOf(text, block, language)) {
      if (last !== null) yield last;
      last = sentence;
    }
    // A block that says nothing makes the pause before it longer.
    if (last !== null) last = { ...last, boundary: stronger(last.boundary, block.boundary) };
  }
  if (last !== null) yield last;
}

/** The last one has the boundary of the block. */
function* sentencesOf(text: string, block: Block, language: string): Generator<Sentence> {
  const folded = fold(text.slice(block.start, block.end));
  let last: (Piece & { readonly boundary: Boundary }) | null = null;
  const whole = (piece: Piece & { readonly boundary: Boundary }): Sentence => ({
    text: folded.text.slice(piece.start, piece.end),
    start: block.start + folded.sourceOf(piece.start),
    end: block.start + folded.sourceOf(piece.end - 1) + 1,
    boundary: piece.boundary,
    isHeading: block.isHeading,
  });
  for (const piece of joined(folded.text, piecesOf(folded.text, language))) {
    if (last !== null) yield whole(last);
    last = piece;
  }
  if (last === null) return;
  // The end of a sentence is a stronger boundary than the end of a line of verse.
  const ended = /[.!?…。！？؟।۔]["'”’»«“‘)\]」』]{0,3}$/u.test(
    folded.text.slice(Math.max(last.start, last.end - 8), last.end),
  );
  const boundary = block.boundary === 'line' && ended ? 'sentence' : block.boundary;
  yield whole({ ...last, boundary });
}

interface Piece {
  readonly start: number;
  readonly end: number;
  readonly boundary: Boundary;
}

/** Joins a piece without a letter or digit to the one before it, or to the one after it if it is the first. */
function* joined(text: string, pieces: Iterable<Piece>): Generator<Piece> {
  let last: Piece | null = null;
  for (const piece of pieces) {
    if (last === null) last = piece;
    else if (belongTogether(text, last, piece))
      last = { start: last.start, end: piece.end, boundary: piece.boundary };
    else {
      if (isSpeakable(text, last)) yield last;
      last = piece;
    }
  }
  if (last !== null && isSpeakable(text, last)) yield last;
}

const isSpeakable = (text: string, { start, end }: Piece): boolean =>
  SPEAKABLE.test(text.slice(start, end));

const belongTogether = (text: string, last: Piece, piece: Piece): boolean =>
  piece.end - last.start <= SENTENCE_LENGTH_MAX &&
  !(isSpeakable(text, last) && isSpeakable(text, piece));

/** The sentences of a paragraph, and the parts of those that are too long. */
function* piecesOf(text: string, tag: string): Generator<Piece> {
  let start = 0;
  for (const end of endsOf(text, tag)) {
    while (start < end) {
      const partEnd = endOfPart(text, { from: start, to: end, tag });
      const trimmedEnd = text[partEnd - 1] === ' ' ? partEnd - 1 : partEnd;
      if (trimmedEnd > start)
        yield { start, end: trimmedEnd, boundary: partEnd < end ? 'clause' : 'sentence' };
      start = text[partEnd] === ' ' ? partEnd + 1 : partEnd;
    }
  }
}

/** A text with single spaces, and where its characters stand in the source. */
interface Folded {
  readonly text: string;
  sourceOf(index: number): number;
}

const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\u3000-\u303f\uff00-\uffef]/u;

/** Folds white space. A new line inside of a text of Chinese, Japanese or Thai is no space. */
function fold(source: string): Folded {
  const parts: string[] = [];
  const sources = new Uint32Array(source.length + 1);
  let length = 0;
  let at = 0;
  const add = (part: string, from: number): void => {
    parts.push(part);
    for (let index = 0; index < part.length; index += 1) sources[length + index] = from + index;
    length += part.length;
  };
  for (const { index, 0: space } of source.matchAll(/[\s\p{Cc}]+/gu)) {
    const end = index + space.length;
    add(source.slice(at, index), at);
    at = end;
    const unspaced =
      /[\r\n]/u.test(space) &&
      UNSPACED.test(source.charAt(index - 1)) &&
      UNSPACED.test(source.charAt(end));
    if (length > 0 && end < source.length && !unspaced) add(' ', index);
  }
  add(source.slice(at), at);
  return { text: parts.join(''), sourceOf: (index) => sources[index] ?? source.length };
}
