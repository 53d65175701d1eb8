import { samplesOfFrame } from '../mp3.js';
import type { Boundary } from '../sentences.js';
import { pauseFrames } from '../sound/pauses.js';

/** A word of a sentence. Offsets are UTF-16 units of the narrated text, with the end exclusive. */
export interface TimedWord {
  readonly from: number;
  readonly to: number;
  /** From the start of the recording. */
  readonly startMs: number;
}

/** A spoken sentence: where it stands in the narrated text, and when it is heard in the recording. */
export interface TimedSentence {
  /** Counted from 0, in reading order. */
  readonly index: number;
  /** UTF-16 offsets, with the end exclusive. */
  readonly from: number;
  readonly to: number;
  readonly startMs: number;
  readonly endMs: number;
  /** Empty when the speech provider gave no times. */
  readonly words: readonly TimedWord[];
}

/** How far a recording has come. */
export interface Position {
  readonly samples: number;
  readonly sampleRateHz: number;
  /** What follows the last sentence. Null before the first one. */
  readonly boundary: Boundary | null;
}

/** Before the first sentence. */
export const beginning = (sampleRateHz: number): Position => ({
  samples: 0,
  sampleRateHz,
  boundary: null,
});

/** The time of a position, to the millisecond. */
export const msAt = ({ samples, sampleRateHz }: Position): number =>
  Math.round((samples * 1000) / sampleRateHz);

/**
 * Adds a sentence and the pause before it.
 * @param sentence the samples of its frames, and what separates it from the next one
 * @returns the start of the sentence, and its end
 */
export function addSentence(
  position: Position,
  { samples, boundary }: { samples: number; boundary: Boundary },
): { start: Position; end: Position } {
  const { sampleRateHz } = position;
  const pause =
    position.boundary === null
      ? 0
      : pauseFrames(position.boundary, sampleRateHz) * samplesOfFrame(sampleRateHz);
  const start = { ...position, samples: position.samples + pause };
  return { start, end: { sampleRateHz, boundary, samples: start.samples + samples } };
}

/** A sentence as it is stored: its offsets, its times, and three numbers for each word, counted from those. */
export type PackedSentence = readonly [
  from: number,
  to: number,
  startMs: number,
  endMs: number,
  words: readonly number[],
];

/**
 * Packs a sentence. A word becomes three numbers: its two offsets, counted from the sentence’s `from`, and its time,
 * counted from `startMs`.
 */
export const packed = ({ from, to, startMs, endMs, words }: TimedSentence): PackedSentence => [
  from,
  to,
  startMs,
  endMs,
  words.flatMap((word) => [word.from - from, word.to - from, word.startMs - startMs]),
];

/**
 * The inverse of `packed`. An incomplete word at the end is left out.
 * @param index of the sentence, which is not stored, because it is the place in the list
 */
export function unpacked(
  [from, to, startMs, endMs, numbers]: PackedSentence,
  index: number,
): TimedSentence {
  const words: TimedWord[] = [];
  for (let at = 0; at + 2 < numbers.length; at += 3) {
    const [start = 0, end = 0, ms = 0] = numbers.slice(at, at + 3);
    words.push({ from: from + start, to: from + end, startMs: startMs + ms });
  }
  return { index, from, to, startMs, endMs, words };
}
