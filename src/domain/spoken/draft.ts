/**
 * A text that is rewritten step by step, with a map back to the text that is stored. All offsets are in UTF-16 units.
 */
export interface Draft {
  readonly text: string;
  /** For each offset of the text, and for its end, the stored offset. Null while the two are the same. */
  readonly at: readonly number[] | null;
}

/** A draft of a text that nothing has rewritten yet. */
export const draftOf = (text: string): Draft => ({ text, at: null });

/** What is spoken for a part of the text. Null leaves the part as it is. */
export type Say = (found: RegExpExecArray) => string | null;

/**
 * Replaces each match by what is said for it.
 * @param matches all matches of a pattern in the draft's text
 */
export function rewrite(draft: Draft, matches: Iterable<RegExpExecArray>, say: Say): Draft {
  let writing: Writing | null = null;
  let done = 0;
  for (const found of matches) {
    const words = say(found);
    if (words === null || words === found[0]) continue;
    writing ??= { draft, pieces: [], at: [] };
    copy(writing, done, found.index);
    done = found.index + found[0].length;
    replace(writing, { start: found.index, end: done, words });
  }
  if (writing === null) return draft;
  copy(writing, done, draft.text.length);
  writing.at.push(storedOffset(draft, draft.text.length));
  return { text: writing.pieces.join(''), at: writing.at };
}

/** The stored range of a range of the spoken text, for example of a word. A replacement is one unit. */
export function storedRangeOf(draft: Draft, start: number, end: number): [number, number] {
  const first = storedOffset(draft, start);
  const last = storedOffset(draft, end - 1);
  const isKept =
    storedOffset(draft, end) > last && (end === 1 || storedOffset(draft, end - 2) < last);
  if (isKept) return [first, last + 1];
  let after = end;
  while (after < draft.text.length && storedOffset(draft, after) === last) after += 1;
  return [first, storedOffset(draft, after)];
}

const storedOffset = ({ at }: Draft, offset: number): number => at?.[offset] ?? offset;

interface Writing {
  readonly draft: Draft;
  readonly pieces: string[];
  readonly at: number[];
}

function copy({ draft, pieces, at }: Writing, start: number, end: number): void {
  pieces.push(draft.text.slice(start, end));
  for (let offset = start; offset < end; offset += 1) at.push(storedOffset(draft, offset));
}

/** Maps what a replacement has in common with the replaced part exactly, and its other words to the whole part. */
function replace(
  writing: Writing,
  { start, end, words }: { start: number; end: number; words: string },
): void {
  const { draft, pieces, at } = writing;
  const part = draft.text.slice(start, end);
  const kept = words === '' ? -1 : part.indexOf(words);
  if (kept !== -1) {
    copy(writing, start + kept, start + kept + words.length);
    return;
  }
  const most = Math.min(part.length, words.length);
  let before = 0;
  while (before < most && part[before] === words[before]) before += 1;
  let after = 0;
  while (after < most - before && part.at(-1 - after) === words.at(-1 - after)) after += 1;
  copy(writing, start, start + before);
  const fresh = words.slice(before, words.length - after);
  pieces.push(fresh);
  for (let count = fresh.length; count > 0; count -= 1)
    at.push(storedOffset(draft, start + before));
  copy(writing, end - after, end);
}
