import type { Boundary } from '../sentences.js';
import { draftOf } from '../spoken/draft.js';
import { withoutMarks } from '../spoken/markup.js';

/** A part of a recording, from one heading to the next. */
export interface Chapter {
  readonly title: string;
  /** From the start of the recording. */
  readonly startMs: number;
  readonly endMs: number;
}

/** The properties of a sentence that the chapters of a recording depend on. */
interface Heard {
  /** As it is stored. */
  readonly source: string;
  readonly isHeading: boolean;
  /** What separates it from the next sentence. */
  readonly boundary: Boundary;
  readonly startMs: number;
}

/** The table of contents of a tag counts its chapters in one byte. The last chapter holds the rest of the recording. */
export const CHAPTERS_MAX = 255;
/** Code points. A heading that is marked as such may be a whole paragraph. */
const TITLE_LENGTH_MAX = 120;

/**
 * The chapters of a recording, one for each heading. The text before the first heading belongs to no chapter. The
 * number of a chapter and the heading directly after it are one title, because a chapter with the number alone would
 * last a second.
 */
export function chaptersOf(sentences: readonly Heard[], durationMs: number): Chapter[] {
  const found: { title: string; startMs: number }[] = [];
  let open: { isNumber: boolean; isComplete: boolean } | null = null;
  for (const { source, isHeading, boundary, startMs } of sentences) {
    if (!isHeading) {
      open = null;
      continue;
    }
    const title = titleOf(source);
    const last = found.at(-1);
    const isComplete = boundary !== 'clause' && boundary !== 'sentence';
    const joint = open === null ? null : jointOf(open);
    if (last !== undefined && joint !== null) {
      last.title = `${last.title}${joint}${title}`;
      open = { isNumber: false, isComplete };
      continue;
    }
    if (found.length === CHAPTERS_MAX) break;
    found.push({ title, startMs });
    open = { isNumber: NUMBER_OF_CHAPTER.test(title), isComplete };
  }
  return found.map(({ title, startMs }, index) => ({
    title: shortened(title),
    startMs,
    endMs: found[index + 1]?.startMs ?? durationMs,
  }));
}

/** The number of a chapter without its title: `Chapter 3`, or `XIV.` */
const NUMBER_OF_CHAPTER = /^(?:\p{L}{2,12} )?(?:\d{1,3}|[IVXLC]{1,8})[.):]?$/u;

/** What is between two parts of a title. Null when the second one begins a chapter of its own. */
function jointOf({
  isNumber,
  isComplete,
}: {
  isNumber: boolean;
  isComplete: boolean;
}): string | null {
  if (!isComplete) return ' ';
  return isNumber ? ' – ' : null;
}

function shortened(title: string): string {
  const characters = Array.from(title);
  if (characters.length <= TITLE_LENGTH_MAX) return title;
  return `${characters.slice(0, TITLE_LENGTH_MAX - 1).join('')}…`;
}

/** A heading without its markup, in one line. */
const titleOf = (source: string): string =>
  withoutMarks(draftOf(source))
    .text.replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
