import { languageOf, type Language } from './abbreviations.js';
import { beginsSentence, CONTEXT_LENGTH, endsSentence } from './full-stops.js';
import { CLOSES, readMarks } from './marks.js';
import { segmenterOf } from './segmenters.js';

/** A paragraph without new lines and with single spaces, and what its marks do. */
interface Paragraph {
  readonly text: string;
  readonly roles: Uint8Array;
  readonly language: Language;
  /** The code of ISO 639. */
  readonly code: string;
}

const TERMINATOR = /[.!?…‥。！？．｡‼\u2047-\u2049؟۔।॥།։።፧။;\u037e]/u;
/** Terminators after which the case of the next letter says nothing. */
const WITHOUT_CASE = /[。！？．｡؟۔।॥།։።፧။]/u;
/**
 * Ends that the rules of Unicode do not see: before a number, before the dash of a dialogue, behind an ellipsis that is
 * one character, before the small letter that begins some Dutch sentences, and before the number of a footnote.
 */
const MISSED =
  /[.!?…][^\p{L}\p{N}\s]{0,4} (?=[^\p{L}\p{N}\s]{0,4} ?[^\p{L}\p{N}\s]{0,4}[\p{Lu}\p{Lt}\p{N}]|['’‘]\p{Ll} \p{Lu})|(?<=\p{Ll}{2})[.!?]["”»’]?(?=\d{1,3} ["“„«(]?\p{Lu})/gu;
/** The mark of a footnote: a number or a sign. A sign is also an emphasis that ends. */
const FOOTNOTE =
  / ?\[(?:\d{1,3}|[a-z*†‡])\]|\(\d{1,3}\)|[¹²³\u2070-\u2079]+|[*_†‡§]{1,3}(?=\s|$)|(?<=\p{Ll}{2}[.!?]["”»’]?)\d{1,3}(?=\s|$)/uy;
/** A sign that ends no sentence, whatever follows it. */
const ENDS_NOTHING = /[\p{L}\p{N},:\p{Pd}]/u;

/**
 * The indexes where the sentences of a paragraph end, in order, the last one included. `Intl.Segmenter` proposes them,
 * and a few expressions what it misses. Each is moved behind closing marks and footnotes, and dropped at an
 * abbreviation and where the sentence goes on.
 */
export function* endsOf(text: string, tag: string): Generator<number> {
  const code = tag.split('-', 1)[0] ?? '';
  const paragraph = { text, roles: readMarks(text), language: languageOf(tag), code };
  let start = 0;
  let readTo = 0;
  for (const proposed of proposedEnds(text, tag)) {
    if (proposed <= readTo) continue;
    const sign = signBefore(paragraph, proposed, readTo);
    if (sign < readTo || ENDS_NOTHING.test(text.charAt(sign))) continue;
    const end = endOfCluster(paragraph, sign);
    readTo = Math.max(proposed, end);
    if (end >= text.length) break;
    if (!isEnd(paragraph, { start, sign, end })) continue;
    yield end;
    start = end;
  }
  yield text.length;
}

/** Merges what `Intl.Segmenter` finds with what it misses. */
function* proposedEnds(text: string, tag: string): Generator<number> {
  const missed = text.matchAll(MISSED);
  let next = missed.next();
  for (const { index, segment } of segmenterOf(tag, 'sentence').segment(text)) {
    const end = index + segment.length;
    for (
      ;
      next.done !== true && next.value.index + next.value[0].length <= end;
      next = missed.next()
    )
      yield next.value.index + next.value[0].length;
    yield end;
  }
}

/** The index of the last terminator before an end, behind which only marks and spaces are. */
function signBefore({ text, roles }: Paragraph, end: number, from: number): number {
  let at = end - 1;
  while (at > from && (text[at] === ' ' || roles[at] !== 0)) at -= 1;
  return at;
}

/** The end of the terminators that begin at `sign`, of the marks that close behind them, and of footnotes. */
function endOfCluster(paragraph: Paragraph, sign: number): number {
  const { text, roles } = paragraph;
  let at = sign + 1;
  for (;;) {
    const here = text.charAt(at);
    if (roles[at] === CLOSES || (here !== '' && here !== ';' && TERMINATOR.test(here))) at += 1;
    // French puts a space before its marks.
    else if (here === ' ' && roles[at + 1] === CLOSES && /["”»›]/u.test(text.charAt(at + 1)))
      at += 2;
    else {
      FOOTNOTE.lastIndex = at;
      if (!FOOTNOTE.test(text)) return at;
      at = FOOTNOTE.lastIndex;
    }
  }
}

/** An end that is proposed, and the sentence that it would end. */
interface Proposed {
  readonly start: number;
  /** The index of the terminator. */
  readonly sign: number;
  readonly end: number;
}

/** Whether a sentence that begins at `start` ends at `end`, behind the terminator at `sign` and its marks. */
function isEnd(paragraph: Paragraph, { start, sign, end }: Proposed): boolean {
  const { text, roles, language } = paragraph;
  const after = text.slice(end, end + CONTEXT_LENGTH).trimStart();
  const cluster = text.slice(firstSignOf(text, sign, start), end);
  const before = text.slice(
    Math.max(start, sign - CONTEXT_LENGTH),
    sign + 1 - signsAtEnd(text, sign, start),
  );
  if (goesOn(after, cluster)) return false;
  // `(!)` and `(?)` are remarks inside of a sentence.
  if (/[([（]$/u.test(before) && roles[end - 1] === CLOSES) return false;
  // So is a bracket that more of the sentence follows without a space.
  if (
    /[)）]$/u.test(cluster) &&
    /^\p{Lo}/u.test(text.slice(end)) &&
    !/^[(（]/u.test(text.slice(start))
  )
    return false;
  if (isReported(paragraph, cluster, after)) return false;
  if (/^(?:\.{2,}|…)/u.test(cluster)) return endsAtEllipsis(before, after, paragraph);
  if (cluster === '.') return endsSentence({ before: before.trimStart(), after, language });
  // The number of a footnote, unless it is counted as in `fig.3`.
  if (/^\.\d/u.test(cluster)) return endsSentence({ before, after: cluster.slice(1), language });
  return true;
}

/** Terminators that stand together are at most so many, as far as the rules look. */
const SIGNS_MAX = 8;

function signsAtEnd(text: string, sign: number, start: number): number {
  return sign + 1 - firstSignOf(text, sign, start);
}

function firstSignOf(text: string, sign: number, start: number): number {
  let first = sign;
  while (first > start && sign - first < SIGNS_MAX && TERMINATOR.test(text.charAt(first - 1)))
    first -= 1;
  return first;
}

/** Whether what follows belongs to the sentence: a small letter, or a sign that begins none. */
function goesOn(after: string, cluster: string): boolean {
  if (after === '') return false;
  if (/^[,:)\]}.…]|^;/u.test(after)) return true;
  // Dutch begins with a small letter: `'s Avonds`.
  if (/^['’‘]\p{Ll} \p{Lu}/u.test(after)) return false;
  const first = /[\p{L}\p{N}]/u.exec(after)?.[0] ?? '';
  return /^\p{Ll}$/u.test(first) && !WITHOUT_CASE.test(cluster);
}

/** How a report of speech begins in languages where no small letter shows it. */
const REPORTS: Readonly<Record<string, RegExp>> = {
  // A name or `I`, and a verb of speech: `"Where?" Mrs. Green asked.`
  en: /^(?:I|(?:(?:Mr|Mrs|Ms|Dr)\.? |(?:Miss|Uncle|Aunt|Captain|King|Queen|Sir|Lady|Lord|The|Old|Little|Professor) )?\p{Lu}[\p{L}'’-]{1,20}(?: \p{Lu}[\p{L}'’-]{1,20})?) (?:said|asked|cried|shouted|called|answered|replied|whispered|exclaimed|yelled|muttered|murmured|begged|wondered|demanded|laughed|sighed|sobbed|added|told|repeated|growled|gasped|screamed|inquired|enquired|says|asks|cries|replies)\b/u,
  ja: /^(?:って|なんて|と(?!ても|ころ|きに|きど|もだ|もに|なり|にかく|つぜん|うとう|りあえず))/u,
  zh: /^\p{Script=Han}{0,6}(?:[说說问問喊嚷答]|叫道|(?<!知)道(?![了的路]))/u,
  ko: /^(?:이?라고|하고|하며|하면서|고)/u,
  hi: /^[^।!?]{0,30}(?:कहा|पूछा|बोला|बोली)/u,
};

/** Whether words that someone says end here, and the sentence goes on with who says them. */
function isReported({ code }: Paragraph, cluster: string, after: string): boolean {
  // In English, a full stop ends the speech, and a comma comes before the speaker.
  const isQuoted = /[」』”"’»]$/u.test(cluster) && !(code === 'en' && cluster.startsWith('.'));
  return isQuoted && Object.hasOwn(REPORTS, code) && (REPORTS[code]?.test(after) ?? false);
}

/** Behind an ellipsis a capital begins a sentence, unless the speaker stammers. */
function endsAtEllipsis(before: string, after: string, { language }: Paragraph): boolean {
  const last = before.split(/[^\p{L}\p{M}'’]/u).at(-1);
  const first = /^[^\p{L}\p{N}]*([\p{L}\p{M}'’]+)/u.exec(after)?.[1];
  if (first === undefined) return beginsSentence(after, language);
  return last?.toLowerCase() !== first.toLowerCase();
}
