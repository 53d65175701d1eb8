import { SPEAKABLE } from '../speakable.js';

/**
 * What separates a sentence from the next one, weakest first: a cut inside a long sentence, a new line in verse, the
 * end of a sentence, of a paragraph or of a heading, and a scene break.
 */
export const BOUNDARIES = ['clause', 'line', 'sentence', 'paragraph', 'heading', 'scene'] as const;
export type Boundary = (typeof BOUNDARIES)[number];

/** A part of a story that no sentence extends beyond. `start` and `end` are UTF-16 indexes of the story. */
export interface Block {
  readonly start: number;
  readonly end: number;
  /** What separates it from the next block. */
  readonly boundary: Boundary;
  readonly isHeading: boolean;
}

type Line = Pick<Block, 'start' | 'end'> & { readonly text: string };

/** The later of two boundaries in the order of BOUNDARIES. */
export const stronger = (a: Boundary, b: Boundary): Boundary =>
  BOUNDARIES.indexOf(a) > BOUNDARIES.indexOf(b) ? a : b;

/**
 * Splits a story at its paragraphs, headings and scene breaks, and at the lines of verse and lists. New lines inside
 * wrapped prose are spaces. Scene breaks are in no block, because they are not spoken.
 */
export function* blocksOf(story: string): Generator<Block> {
  let last: Block | null = null;
  for (const group of groupsOf(story)) {
    if (group === 'scene') {
      if (last !== null) last = bounded(last, 'scene');
      continue;
    }
    for (const block of blocksOfGroup(group)) {
      if (last !== null) yield last;
      last = block;
    }
  }
  if (last !== null) yield last;
}

const bounded = (block: Block, boundary: Boundary): Block => ({ ...block, boundary });

/** Also the ends of paragraphs and lines in HTML, which may be in one line of the text. */
const NEW_LINE =
  /\r\n|[\n\r\v\f\u0085\u2028\u2029]|(?<=<\/(?:p|h[1-6]|div|blockquote)>)(?=[ \t]*\S)|(?<=<br ?\/?>)(?=[ \t]*\S)/giu;
const END_OF_PARAGRAPH = /<\/[a-z0-9]+>$/iu;

function* linesOf(story: string): Generator<Line> {
  let start = 0;
  for (const { index, 0: mark } of story.matchAll(NEW_LINE)) {
    yield { start, end: index, text: trimmed(story.slice(start, index)) };
    start = index + mark.length;
    // These separate paragraphs, as a blank line does.
    const isParagraph =
      mark === '\u2029' || (mark === '' && END_OF_PARAGRAPH.test(story.slice(index - 13, index)));
    if (isParagraph) yield { start, end: start, text: '' };
  }
  yield { start, end: story.length, text: trimmed(story.slice(start)) };
}

const trimmed = (line: string): string => line.replace(/[\p{Cc}\u200b\ufeff]/gu, ' ').trim();

/** Consecutive lines that are not blank. A scene break is a group of its own. */
function* groupsOf(story: string): Generator<readonly Line[] | 'scene'> {
  let group: Line[] = [];
  for (const line of linesOf(story)) {
    const blank = line.text === '';
    const isBreak = isSceneBreak(line.text) && !isUnderline(line.text, group);
    if (!blank && !isBreak) {
      group.push(line);
      continue;
    }
    if (group.length > 0) yield group;
    group = [];
    if (isBreak) yield 'scene';
  }
  if (group.length > 0) yield group;
}

/** The length of the longest ornament, in UTF-16 units. A longer line of signs does not separate scenes. */
const ORNAMENT_LENGTH_MAX = 80;
/** Signs that a speaker says nothing by, for example “…” or “?!”. A line of these belongs to the text before it. */
const SAID = /^[\s.…?!¿¡"'“”„‟‘’‚«»‹›()[\]「」『』。！？،؟,;:，；：、]+$/u;
/** Three or more spaced dots are an ornament, unlike an ellipsis. */
const SPACED_DOTS = /^\.(?:\s+\.){2,}$/u;

function isSceneBreak(line: string): boolean {
  if (line === '' || line.length > ORNAMENT_LENGTH_MAX || SPEAKABLE.test(line)) return false;
  return !SAID.test(line) || SPACED_DOTS.test(line);
}

/** Whether the line underlines a heading in Markdown, instead of separating scenes. */
const isUnderline = (line: string, above: readonly Line[]): boolean =>
  /^(?:={3,}|-{3,})$/u.test(line) && above.length === 1 && looksLikeTitle(above[0]?.text ?? '');

function* blocksOfGroup(group: readonly Line[]): Generator<Block> {
  const lines = group.filter(({ text }) => SPEAKABLE.test(text) || !/^[=-]{3,}$/u.test(text));
  const underlined = lines.length < group.length;
  const [first] = lines;
  if (first === undefined) return;
  if (lines.length === 1) {
    const { start, end, text } = first;
    const heading = underlined || isHeading(text);
    yield { start, end, boundary: heading ? 'heading' : 'paragraph', isHeading: heading };
    return;
  }
  yield* blocksOfLines(lines);
}

/** The blocks of a paragraph that has several lines. */
function* blocksOfLines(lines: readonly Line[]): Generator<Block> {
  const between = boundariesOfLines(lines);
  let start = lines[0]?.start ?? 0;
  let underHeading = false;
  for (const [index, line] of lines.entries()) {
    const next = lines[index + 1];
    const heading: boolean =
      MARKDOWN_HEADING.test(line.text) ||
      (start === line.start && (isChapter(line.text) || (underHeading && isHeading(line.text))));
    const after: Boundary = heading ? 'heading' : 'paragraph';
    const goesOn = next !== undefined && !heading && !MARKDOWN_HEADING.test(next.text);
    const boundary = goesOn ? between(index) : after;
    if (boundary === null) continue;
    yield { start, end: line.end, boundary, isHeading: heading };
    start = next?.start ?? line.end;
    underHeading = heading;
  }
}

/** Prose is wrapped at this width or a greater one. */
const WRAP_WIDTH_MIN = 45;
/** Longer lines are not verse: each is a paragraph. */
const VERSE_WIDTH_MAX = 120;
/** In wrapped prose, fewer lines than this share end before their paragraph is full. */
const SHORT_LINES_IN_PROSE = 0.4;
const LIST_ITEM = /^(?:[-*+•·]\s|[–—]\s*["“«„]?\p{Lu}|[–—]\s*[¿¡]|\d{1,3}[.)]\s)/u;
const CAPITAL_FIRST = /^[^\p{L}\p{N}]*[\p{Lu}\p{Lt}]/u;
const SIGN_LAST = /[\p{Po}\p{Pd}\p{Pe}\p{Pf}]$/u;

/**
 * What separates a line of a paragraph from the next one. Null where a new line is a space, as in wrapped prose. There
 * a line ends only where the next word had no room.
 */
function boundariesOfLines(lines: readonly Line[]): (index: number) => Boundary | null {
  const width = lines.reduce((most, { text }) => Math.max(most, text.length), WRAP_WIDTH_MIN);
  const pairs = lines.slice(1).map(({ text }, index) => [lines[index]?.text ?? '', text] as const);
  const hadRoom = pairs.map(
    ([line, next]) => line.length + 1 + (next.split(' ', 1)[0] ?? '').length <= width,
  );
  const short = hadRoom.filter(Boolean).length;
  const capitals = pairs.every(([, next]) => CAPITAL_FIRST.test(next));
  const isVerse =
    (capitals && pairs.length > 1) ||
    lines.every(({ text }) => LIST_ITEM.test(text)) ||
    (short > 0 && (capitals || pairs.length > 1 || SIGN_LAST.test(pairs[0]?.[0] ?? '')));
  if (short > 0 && width > VERSE_WIDTH_MAX) return () => 'paragraph';
  if (isVerse && (capitals || short / pairs.length >= SHORT_LINES_IN_PROSE)) return () => 'line';
  return (index) => (isVerse && hadRoom[index] === true ? 'line' : null);
}

const MARKDOWN_HEADING = /^#{1,6}\s+\S/u;
const TITLE_LENGTH_MAX = 80;
/** Paragraphs in scripts without capitals and full stops are headings only if they are shorter. */
const UNCASED_TITLE_LENGTH_MAX = 30;
const NUMERAL_ALONE = /^(?:[IVXLCDM]{1,8}|\d{1,3})[.)]?$/u;
const CHAPTER_LENGTH_MAX = 60;
/** Words for the parts of a book. */
const CHAPTER =
  /^(?:chapter|book|part|act|scene|canto|volume|rozdział|księga|część|akt|tom|kapitel|buch|teil|szene|band|chapitre|livre|partie|acte|capítulo|libro|parte|acto|capitolo|atto|livro|ato|hoofdstuk|boek|deel|bedrijf|kapitola|kniha|část|dějství|bok|del|розділ|книга|частина|глава|часть|том|κεφάλαιο|μέρος|βιβλίο|अध्याय|الفصل|บทที่)(?=[\s\d])/iu;
const CHAPTER_OF_HAN = /^第[\p{Script=Han}\p{Nd}]{1,6}[章回部卷節节話话幕]/u;

const HTML_HEADING = /^<h([1-6])(?:\s[^<>]*)?>.*<\/h\1>$/iu;
/** A line that is emphasised as a whole. */
const EMPHASISED = /^(\*\*\*|___|\*\*|__|[*_])(?![\s*_])(.+)(?<![\s*_])\1$/u;

function isHeading(line: string): boolean {
  if (MARKDOWN_HEADING.test(line) || HTML_HEADING.test(line)) return true;
  const isShort = line.length <= TITLE_LENGTH_MAX + 6;
  const words = (isShort ? EMPHASISED.exec(line)?.[2] : undefined) ?? line;
  return isChapter(words) || looksLikeTitle(words) || isInCapitals(words);
}

const isChapter = (line: string): boolean =>
  line.length <= CHAPTER_LENGTH_MAX &&
  !/[!?,;:…"”»]$/u.test(line) &&
  (NUMERAL_ALONE.test(line) ||
    (CHAPTER.test(line) && !SENTENCE_INSIDE.test(line)) ||
    CHAPTER_OF_HAN.test(line));

/** A word of small letters and a full stop: more than the number of a chapter. */
const SENTENCE_INSIDE = /\s\p{Ll}+\.$/u;

/** A short line that does not end as a sentence or a clause does, and is neither speech nor an item of a list. */
function looksLikeTitle(line: string): boolean {
  if (!/^[\p{Lu}\p{Lt}\p{Lo}\p{N}¿¡]/u.test(line)) return false;
  if (/[.!?…,;:—–\-。！？，；：、।॥؟۔،؛"“”’»«』」]$/u.test(line)) return false;
  if (LIST_ITEM.test(line)) return false;
  const uncased = !/\p{Lu}|\p{Ll}/u.test(line);
  return line.length <= (uncased ? UNCASED_TITLE_LENGTH_MAX : TITLE_LENGTH_MAX);
}

const isInCapitals = (line: string): boolean =>
  line.length <= CHAPTER_LENGTH_MAX &&
  !/\p{Ll}|[!?,;:…"”»]$/u.test(line) &&
  (line.match(/\p{Lu}/gu) ?? []).length > 1;
