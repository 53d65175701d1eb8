import { segmenterOf } from '../segmentation/segmenters.js';

/** A word of a text, by UTF-16 offsets with the end exclusive, and the sample at which a voice begins it. */
export interface SpokenWordTime {
  readonly start: number;
  readonly end: number;
  readonly sample: number;
}

/** When a voice comes to a place of the text that it reads, which is a UTF-16 offset. */
export interface Mark {
  readonly offset: number;
  readonly sample: number;
}

/** The number of following words among which a word is searched for. */
const LOOK_AHEAD = 8;

/**
 * When the words of a text are spoken.
 * @param text what should be spoken
 * @param read what a voice has read instead, for example without signs that it would name
 * @param marks when it came to the words of `read`, in spoken order. Those that go backwards are left out
 * @param language BCP 47
 * @returns the words that have a time, in order. Several marks in one word count as the first
 */
export function wordTimes(
  text: string,
  read: string,
  marks: readonly Mark[],
  language: string,
): SpokenWordTime[] {
  const words = wordsOf(text, language);
  const counterparts = text === read ? null : aligned(wordsOf(read, language), words);
  const places = counterparts ?? words.map((word) => ({ ...word, word }));
  const times: SpokenWordTime[] = [];
  let next = 0;
  let latest = 0;
  for (const { offset, sample } of marks) {
    let at = next;
    while (at < places.length && (places[at]?.end ?? 0) <= offset) at += 1;
    const place = places[at];
    // A mark before the last word, or before its time, would contradict it.
    if (place === undefined || isBehind(places[next - 1], offset) || sample < latest) continue;
    next = at + 1;
    latest = sample;
    if (place.word !== null) times.push({ start: place.word.start, end: place.word.end, sample });
  }
  return times;
}

const isBehind = (last: Word | undefined, offset: number): boolean =>
  last !== undefined && offset < last.end;

interface Word {
  readonly start: number;
  readonly end: number;
}

interface NamedWord extends Word {
  /** Without case, marks and invisible characters, because they are not heard. */
  readonly name: string;
}

function wordsOf(text: string, language: string): NamedWord[] {
  const words: NamedWord[] = [];
  for (const { segment, index, isWordLike } of segmenterOf(language, 'word').segment(text))
    if (isWordLike === true)
      words.push({ start: index, end: index + segment.length, name: nameOf(segment) });
  return words;
}

const nameOf = (word: string): string =>
  word
    .normalize('NFKC')
    .replace(/[\p{M}\p{Cf}]/gu, '')
    .toLowerCase();

/** The words that were read, each with the word of the text that it stands for, or null. */
function aligned(
  read: readonly NamedWord[],
  words: readonly NamedWord[],
): (Word & { readonly word: Word | null })[] {
  let next = 0;
  return read.map(({ start, end, name }) => {
    for (let at = next; at < Math.min(words.length, next + LOOK_AHEAD); at += 1) {
      const word = words[at];
      // A long number may be read as several.
      if (word === undefined || !(word.name === name || word.name.startsWith(name))) continue;
      next = at + 1;
      return { start, end, word };
    }
    return { start, end, word: null };
  });
}

/**
 * Where the characters of a sentence stand in its source, which has more white space.
 * @param text the source with single spaces, or with none where a new line was
 * @returns for each offset of the text, the offset in the source
 */
export function sourceOffsets(text: string, source: string): Uint32Array {
  const offsets = new Uint32Array(text.length + 1);
  let at = 0;
  for (let index = 0; index < text.length; index += 1) {
    const isSpace = text[index] === ' ';
    if (!isSpace) while (at < source.length && SPACE.test(source.charAt(at))) at += 1;
    offsets[index] = at;
    if (isSpace) while (at < source.length && SPACE.test(source.charAt(at))) at += 1;
    else at += 1;
  }
  offsets[text.length] = at;
  return offsets;
}

const SPACE = /[\s\p{Cc}]/u;
