/** A caption: the text that is spoken from `startMs` to `endMs` of the recording. */
export interface Cue {
  readonly startMs: number;
  readonly endMs: number;
  /** One line, or its lines. */
  readonly text: string | readonly string[];
  /** Words of the text that begin later than the cue, in order. */
  readonly words?: readonly CueWord[];
}

/** A word in a line of a cue: the UTF-16 offset at which it begins, and its time in the recording. */
export interface CueWord {
  readonly line: number;
  readonly at: number;
  readonly ms: number;
}

/** The cues as a WebVTT file (https://www.w3.org/TR/webvtt1/), in the order given. */
export function toWebVtt(cues: readonly Cue[]): string {
  const blocks = cues.map(
    (cue, index) =>
      `${String(index + 1)}\n${timestamp(cue.startMs)} --> ${timestamp(cue.endMs)}\n${shownLines(cue).join('\n')}\n`,
  );
  return ['WEBVTT\n', ...blocks].join('\n');
}

const linesOf = (text: Cue['text']): readonly string[] =>
  typeof text === 'string' ? [text] : text;

/** The lines with a time stamp before each word that has a time. */
function shownLines({ text, words = [] }: Cue): readonly string[] {
  return linesOf(text).map((line, number) => {
    let from = 0;
    const parts: string[] = [];
    for (const { at, ms } of words.filter((word) => word.line === number)) {
      parts.push(folded(line.slice(from, at)), `<${timestamp(ms)}>`);
      from = at;
    }
    return [...parts, folded(line.slice(from))].join('').trim();
  });
}

/** hh:mm:ss.ttt, with two or more digits for the hours. */
function timestamp(ms: number): string {
  const whole = Math.round(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = two(Math.floor(whole / 3_600_000));
  const minutes = two(Math.floor(whole / 60_000) % 60);
  const seconds = two(Math.floor(whole / 1000) % 60);
  return `${hours}:${minutes}:${seconds}.${String(whole % 1000).padStart(3, '0')}`;
}

/** Escapes tags, entities and arrows, and makes a line of the text, because a blank line would end the cue. */
const folded = (text: string): string =>
  text
    .replace(/\s+/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
