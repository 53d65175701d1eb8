import type { Cue, CueWord } from '../captions.js';
import { CUE_MS_MAX } from '../segmentation/cues.js';
import type { ShownWord } from './words.js';

/** A sentence with the words that have a time. */
interface CaptionedSentence {
  readonly startMs: number;
  readonly text: string;
  readonly words: readonly ShownWord[];
}

/**
 * The cues of a sentence with the times of their words. Where a sentence has several cues, each begins with its first
 * word that has a time, unless a cue would become too long or empty by that.
 * @param cues whose texts together are that of the sentence, apart from white space
 */
export function withWords(
  cues: readonly Cue[],
  { startMs, text, words }: CaptionedSentence,
): readonly Cue[] {
  if (words.length === 0) return cues;
  const found: CueWord[][] = [];
  let from = 0;
  let next = 0;
  for (const { text: shown } of cues) {
    const { offsets, end } = placesOf(typeof shown === 'string' ? [shown] : shown, text, from);
    const inside: CueWord[] = [];
    for (; next < words.length && (words[next]?.from ?? 0) < end; next += 1) {
      const { from: at = 0, ms = 0 } = words[next] ?? {};
      const place = offsets.get(at);
      if (place !== undefined) inside.push({ ...place, ms: startMs + ms });
    }
    found.push(inside);
    from = end;
  }
  return timed(cues, found);
}

/** Where the characters of a cue stand in the text of the sentence. */
function placesOf(
  lines: readonly string[],
  text: string,
  from: number,
): { offsets: Map<number, { line: number; at: number }>; end: number } {
  const offsets = new Map<number, { line: number; at: number }>();
  let end = from;
  for (const [line, shown] of lines.entries())
    for (let at = 0; at < shown.length; at += 1) {
      if (shown[at] === ' ') continue;
      while (end < text.length && text[end] === ' ') end += 1;
      offsets.set(end, { line, at });
      end += 1;
    }
  return { offsets, end };
}

function timed(cues: readonly Cue[], found: readonly (readonly CueWord[])[]): Cue[] {
  const starts = cues.map(({ startMs }, index) =>
    index === 0 ? startMs : (found[index]?.[0]?.ms ?? startMs),
  );
  const ends = cues.map(({ endMs }, index) => starts[index + 1] ?? endMs);
  const fit = starts.every((start, index) => {
    const length = (ends[index] ?? 0) - start;
    return length > 0 && length <= CUE_MS_MAX;
  });
  return cues.map((cue, index) => {
    const times = fit ? { startMs: starts[index] ?? 0, endMs: ends[index] ?? 0 } : {};
    const moved = { ...cue, ...times };
    return { ...moved, words: within(moved, found[index] ?? []) };
  });
}

/** Time stamps in a cue increase, and are behind its start and before its end (https://www.w3.org/TR/webvtt1/). */
function within({ startMs, endMs }: Cue, words: readonly CueWord[]): CueWord[] {
  let latest = startMs;
  return words.filter(({ line, at, ms }) => {
    // The cue itself says when its first word begins.
    const isFirst = line === 0 && at === 0;
    if (isFirst || ms <= latest || ms >= endMs) return false;
    latest = ms;
    return true;
  });
}
