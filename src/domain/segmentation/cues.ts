import type { Cue } from '../captions.js';
import { endOfPart, SENTENCE_LENGTH_MAX, weightOf } from './cut.js';

/** A cue shows at most two lines of so many UTF-16 units, for at most so long at normal speed. */
export const CUE_LINE_LENGTH_MAX = 42;
export const CUE_LINES_MAX = 2;
export const CUE_MS_MAX = 12_000;
const CUE_LENGTH_MAX = CUE_LINE_LENGTH_MAX * CUE_LINES_MAX;
/** How many more parts than needed are tried, because a word may be too long for a part. */
const PARTS_TO_SPARE = 8;
/** A part may be so much longer than its share, so that it ends behind a clause or a word. */
const LENGTH_TO_SPARE = 16;

/** A spoken sentence and its time in the recording. */
export interface TimedSentence {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * Splits the caption of a sentence into cues that a screen can show. Inside a sentence, time is shared out by weight.
 * @param tag BCP 47
 */
export function cuesOf(sentence: TimedSentence, tag: string): Cue[] {
  return piecesOf(sentence, tag).flatMap((piece) => cuesOfPiece(piece, tag));
}

/**
 * The caption in pieces of at most SENTENCE_LENGTH_MAX, because the time of the search below grows faster than the
 * text. Only what is shown with a sentence and not spoken makes a caption longer.
 */
function piecesOf(sentence: TimedSentence, tag: string): TimedSentence[] {
  const { text, startMs, endMs } = sentence;
  const total = weightOf(text);
  if (total <= SENTENCE_LENGTH_MAX) return [sentence];
  const pieces: TimedSentence[] = [];
  let said = 0;
  const now = (): number => startMs + Math.round(((endMs - startMs) * said) / total);
  for (let from = 0; from < text.length;) {
    const end = endOfPart(text, { from, to: text.length, tag });
    const piece = text.slice(from, end);
    const begin = now();
    said += weightOf(piece);
    pieces.push({ text: piece.trim(), startMs: begin, endMs: now() });
    from = text[end] === ' ' ? end + 1 : end;
  }
  return pieces.filter((piece) => piece.text !== '');
}

function cuesOfPiece(sentence: TimedSentence, tag: string): Cue[] {
  const { text, startMs, endMs } = sentence;
  const needed = Math.max(weightOf(text) / CUE_LENGTH_MAX, (endMs - startMs) / CUE_MS_MAX, 1);
  for (let count = Math.ceil(needed); ; count += 1) {
    const parts = inParts(text, count, tag);
    const cues = timed(parts, sentence, tag);
    const fit = cues.every(
      (cue) => cue.endMs - cue.startMs <= CUE_MS_MAX && linesOf(cue).every(fitsLine),
    );
    if (fit || count >= 2 * needed + PARTS_TO_SPARE) return cues;
  }
}

const linesOf = ({ text }: Cue): readonly string[] => (typeof text === 'string' ? [text] : text);
const fitsLine = (line: string): boolean => line.length <= CUE_LINE_LENGTH_MAX;

function inParts(text: string, count: number, tag: string): string[] {
  const parts: string[] = [];
  let from = 0;
  for (let left = count; left > 1 && from < text.length; left -= 1) {
    const share = Math.ceil(weightOf(text.slice(from)) / left) + LENGTH_TO_SPARE;
    const longest = Math.min(CUE_LENGTH_MAX, share);
    const end = endOfPart(text, { from, to: text.length, tag, longest });
    parts.push(text.slice(from, end).trim());
    from = text[end] === ' ' ? end + 1 : end;
  }
  parts.push(text.slice(from).trim());
  return parts.filter((part) => part !== '');
}

/** The parts with their times, each in one or two lines. */
function timed(parts: readonly string[], { startMs, endMs }: TimedSentence, tag: string): Cue[] {
  const total = parts.reduce((sum, part) => sum + weightOf(part), 0);
  let said = 0;
  const now = (): number => startMs + Math.round(((endMs - startMs) * said) / total);
  return parts.map((part) => {
    const from = now();
    said += weightOf(part);
    const lines = wrapped(part, tag);
    return { startMs: from, endMs: now(), text: lines.length === 1 ? part : lines };
  });
}

/** One line, or two that are about as long. A second line that is too long shows that the text does not fit. */
function wrapped(text: string, tag: string): readonly string[] {
  if (fitsLine(text)) return [text];
  const middle = text.length / 2;
  const spaces = [...text.matchAll(/ /gu)]
    .map(({ index }) => index)
    .filter((at) => at <= CUE_LINE_LENGTH_MAX && text.length - at - 1 <= CUE_LINE_LENGTH_MAX)
    .sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
  const [space] = spaces;
  const longest = CUE_LINE_LENGTH_MAX;
  const end = space ?? endOfPart(text, { from: 0, to: text.length, tag, longest });
  return [text.slice(0, end).trim(), text.slice(end).trim()];
}
