import { rewrite, type Draft } from './draft.js';
import { isCapitalised, wordAfter, wordBefore, type Around, type Words } from './words.js';

/**
 * Abbreviations in full. They are looked up without spaces, so that `z. B.` and `z.B.` are one. A full stop that also
 * ends the sentence stays.
 */
export function withoutAbbreviations(draft: Draft, words: Words): Draft {
  const whole = withWholeEnds(draft, words);
  const pointed = rewrite(
    whole,
    whole.text.matchAll(
      /(?<![\p{L}\p{N}.])\p{L}{1,8}(?:\.[-\u2010]?[ \u00a0\u202f]?(?:[àa]-)?\p{L}{1,5}){0,3}\.(?:º|ª|er|os|as)?/gu,
    ),
    (found) => longest(found, words),
  );
  return rewrite(
    pointed,
    pointed.text.matchAll(
      /(?<![\p{L}\p{N}.])(?:\p{L}{1,6}(?=[ \u00a0\u202f]|-\p{Lu})|[nN]°(?=[ \u00a0\u202f]?\d))/gu,
    ),
    (found) => {
      const full = expansionOf(found[0], found, words);
      return full === null ? null : full + spaceBehind(found.input, found.index + found[0].length);
    },
  );
}

/** `No.5` and `n°7` are written without the space that is spoken. */
const spaceBehind = (text: string, offset: number): string =>
  /^\d/u.test(text.slice(offset, offset + 1)) ? ' ' : '';

/** `Hauptstr. 5`. A full stop that also ends the sentence stays. */
const withWholeEnds = (draft: Draft, { endings = {} }: Words): Draft =>
  rewrite(draft, draft.text.matchAll(/(?<=\p{Ll}{3})str\./gu), ({ 0: end, index, input }) => {
    const full = Object.hasOwn(endings, end) ? endings[end] : undefined;
    if (full === undefined) return null;
    return full + (endsSentence(input, index + end.length) ? '.' : '');
  });

/** The longest beginning of what was found that is an abbreviation: `e.g. Mr.` is two. */
function longest(found: RegExpExecArray, words: Words): string | null {
  const [all] = found;
  for (let end = all.length; end > 0; end = all.lastIndexOf('.', end - 2) + 1) {
    const part = all.slice(0, end);
    const full = expansionOf(part, found, words);
    if (full === null) continue;
    const rest = all.slice(end);
    const isEnd = rest === '' && endsSentence(found.input, found.index + end);
    if (rest === '') return full + (isEnd ? '.' : spaceBehind(found.input, found.index + end));
    return full + restOf(rest, words);
  }
  return null;
}

const ALONE: Around = { earliest: '', earlier: '', before: '', after: '', later: '' };

/** What follows an abbreviation and was matched with it. */
function restOf(rest: string, words: Words): string {
  const start = rest.search(/\p{L}/u);
  if (start === -1) return rest;
  const part = rest.slice(start);
  const full = lookUp(part, ALONE, words);
  return rest.slice(0, start) + (full ?? part);
}

const expansionOf = (part: string, found: RegExpExecArray, words: Words): string | null =>
  lookUp(
    part,
    {
      ...ALONE,
      before: wordBefore(found.input, found.index),
      after: nextTo(found.input, found.index + part.length),
    },
    words,
  );

/** The word behind, also one that follows without a space: `No.5`, `St-Pierre`. */
const nextTo = (text: string, offset: number): string =>
  /^(?:\d+|-\p{Lu}\p{L}*)/u.exec(text.slice(offset, offset + 40))?.[0].replace('-', '') ??
  wordAfter(text, offset);

function lookUp(part: string, around: Around, words: Words): string | null {
  const written = part.replace(/\s/gu, '');
  const small = written.toLowerCase();
  const isKnown = Object.hasOwn(words.abbreviations, written);
  if (!isKnown && !Object.hasOwn(words.abbreviations, small)) return null;
  const expansion = words.abbreviations[isKnown ? written : small];
  const full = typeof expansion === 'function' ? expansion(around) : (expansion ?? null);
  if (full === null) return null;
  return !isKnown && isCapitalised(written) ? full.charAt(0).toUpperCase() + full.slice(1) : full;
}

const endsSentence = (text: string, offset: number): boolean =>
  /^["'”’»)\]]*$/u.test(text.slice(offset, offset + 6));
