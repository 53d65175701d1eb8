/** A caption: the text that is spoken from `startMs` to `endMs` of the recording. */
export interface Cue {
  readonly startMs: number;
  readonly endMs: number;
  /** One line, or its lines. */
  readonly text: string | readonly string[];
}

/** The cues as a WebVTT file (https://www.w3.org/TR/webvtt1/), in the order given. */
export function toWebVtt(cues: readonly Cue[]): string {
  const blocks = cues.map(
    ({ startMs, endMs, text }, index) =>
      `${String(index + 1)}\n${timestamp(startMs)} --> ${timestamp(endMs)}\n${linesOf(text).map(escape).join('\n')}\n`,
  );
  return ['WEBVTT\n', ...blocks].join('\n');
}

const linesOf = (text: Cue['text']): readonly string[] =>
  typeof text === 'string' ? [text] : text;

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
function escape(text: string): string {
  return text
    .replace(/\s+/gu, ' ')
    .trim()
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}
