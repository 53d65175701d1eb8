import { SPEAKABLE } from '../speakable.js';
import { storedRangeOf, type Draft } from '../spoken/draft.js';
import { sourceOffsets } from './alignment.js';
import type { TimedSentence, TimedWord } from './timeline.js';

/** A sentence of a plan, with the words that are heard of it. */
export interface HeardSentence {
  /** As it is shown. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly lead: number;
  readonly source: string;
  readonly spoken: Draft;
}

/** A word of a shown sentence: UTF-16 offsets in its text, and milliseconds from the start of the sentence. */
export interface ShownWord {
  readonly from: number;
  readonly to: number;
  readonly ms: number;
}

/**
 * The words of a sentence as they are shown, in order. Several spoken words that stand for one, such as those of a
 * number, are one.
 * @param numbers three for each spoken word: the offsets of its start and end in the spoken text, and its time
 */
export function shownWords(
  { text, spoken }: Pick<HeardSentence, 'text' | 'spoken'>,
  numbers: readonly number[],
): ShownWord[] {
  const words: ShownWord[] = [];
  for (let at = 0; at + 2 < numbers.length; at += 3) {
    const [start = 0, end = 0, ms = 0] = numbers.slice(at, at + 3);
    if (start >= end || end > spoken.text.length) continue;
    const [from, to] = trimmed(text, storedRangeOf(spoken, start, end));
    if (from < to && from >= (words.at(-1)?.to ?? 0)) words.push({ from, to, ms });
  }
  return words;
}

const OF_WORD = /[\p{L}\p{N}\p{M}\p{Sc}%°]/u;

/** A range without the marks and spaces around its word. One that has only signs keeps them. */
function trimmed(text: string, [from, to]: readonly [number, number]): [number, number] {
  const characters = [...text.slice(from, to)];
  const isOfWord = SPEAKABLE.test(text.slice(from, to))
    ? (character: string): boolean => OF_WORD.test(character)
    : (character: string): boolean => character !== ' ';
  const lengthOf = (part: readonly string[]): number => part.join('').length;
  const first = characters.findIndex(isOfWord);
  const last = characters.findLastIndex(isOfWord);
  if (first === -1) return [from, to];
  const start = from + lengthOf(characters.slice(0, first));
  return [start, start + lengthOf(characters.slice(first, last + 1))];
}

/**
 * A planned sentence with its times and those of its words, which are within them.
 * @param numbers as `shownWords` takes them. Null when there are none
 */
export function timedSentence(
  sentence: HeardSentence,
  times: Pick<TimedSentence, 'index' | 'startMs' | 'endMs'>,
  numbers: readonly number[] | null,
): TimedSentence {
  const { start: from, end: to } = sentence;
  return { ...times, from, to, words: numbers === null ? [] : wordsOf(sentence, times, numbers) };
}

function wordsOf(
  sentence: HeardSentence,
  { startMs, endMs }: Pick<TimedSentence, 'startMs' | 'endMs'>,
  numbers: readonly number[],
): TimedWord[] {
  const { text, start, lead, source } = sentence;
  const offsets = sourceOffsets(text.slice(lead), source);
  const words: TimedWord[] = [];
  for (const { from, to, ms } of shownWords(sentence, numbers)) {
    const first = offsets[from - lead];
    const last = offsets[to - 1 - lead];
    // What is shown with the sentence and belongs to another one has no word.
    if (first === undefined || last === undefined || last >= source.length) continue;
    const word = { from: start + first, to: start + last + 1 };
    words.push({ ...word, startMs: Math.min(endMs, startMs + ms) });
  }
  return words;
}
