import { rewrite, type Draft } from './draft.js';

/**
 * Replaces characters that only look different, and removes those that are not seen: ligatures and full-width forms
 * become letters, control characters a space, soft hyphens and zero-width characters nothing. A word that is broken at
 * the end of a line is whole again.
 */
export function plainCharacters(draft: Draft): Draft {
  if (PLAIN.test(draft.text)) return draft;
  const seen = rewrite(
    draft,
    draft.text.matchAll(/[\p{Cf}\p{Variation_Selector}\u034f\u3164]+/gu),
    ([characters]) =>
      // Joiners change how Persian and Indian words are read.
      /^[\u200c\u200d]$/u.test(characters) ? null : characters.replace(/[^\u200c\u200d]/gu, ''),
  );
  const spaced = rewrite(seen, seen.text.matchAll(/[\p{Cc}\u2028\u2029\u3000]+/gu), ([controls]) =>
    /^[\n\t]$/u.test(controls) ? null : ' ',
  );
  const plain = rewrite(spaced, spaced.text.matchAll(COMPATIBLE), ([characters]) =>
    characters.normalize('NFKC'),
  );
  // Points that Hebrew is sung by.
  return rewrite(plain, plain.text.matchAll(/[\u0591-\u05af\u05bd]+/gu), () => '');
}

/** Text in which nothing of this module is to be done. */
const PLAIN = /^[\u0020-\u007e\u00a1-\u00ac\u00ae-\u024f\u0370-\u04ff–—‘’‚“”„…]*$/u;

/** Ligatures, full-width and half-width forms, mathematical letters, letters in circles. */
const COMPATIBLE =
  /[\ufb00-\ufb4f\uff01-\uff9f\u{1d400}-\u{1d7ff}\u24b6-\u24e9\u2460-\u2473ĳĲŉǆǅǄ℃℉]+/gu;

/** Words after which a hyphen stands for a part that follows: `Vor- und Nachteile`, `pre- and post-war`. */
const JOINING = new Set(
  'and or to und oder bis sowie et ou i oraz lub albo do y o u e ni nor als wie'.split(' '),
);

/** Joins words that were broken at the end of a line, where it is a hyphen between small letters. */
export const withWholeWords = (draft: Draft): Draft =>
  rewrite(draft, draft.text.matchAll(/(?<=\p{Ll})[-\u2010]\s+(?=(\p{Ll}+))/gu), (found) =>
    JOINING.has(found[1] ?? '') ? null : '',
  );

/** Makes rows of punctuation short, and removes rows of signs, which engines would name one by one. */
export function withoutRows(draft: Draft): Draft {
  if (!/[^\p{L}\p{N}\s,;:.]{2}|[.,;:]{2}|[•·▪◦‣●○■□◆★☆†‡©®™→←↑↓~^\\|<>{}]/u.test(draft.text))
    return draft;
  const short = rewrite(
    draft,
    draft.text.matchAll(/\.{2,}|([,;:!?…\u2013\u2014\u2015-])\1+/gu),
    shortOf,
  );
  const mixed = rewrite(short, short.text.matchAll(/[!?]{3,}/gu), ([row]) =>
    row.includes('?') ? '?!' : '!',
  );
  const signs = rewrite(mixed, mixed.text.matchAll(/[*_#=~^+|\\/<>{}[\]-]{3,}/gu), () => ' ');
  return rewrite(signs, signs.text.matchAll(/[•·▪◦‣●○■□◆★☆†‡®™→←↑↓^\\<>{-~]+/gu), ([row]) =>
    row === '·' ? null : ' ',
  );
}

function shortOf({ 0: row, 1: sign, index, input }: RegExpExecArray): string | null {
  if (sign === undefined) return row === '..' ? '.' : '…';
  if (sign !== '-') return sign;
  // Two hyphens are how typewriters write a dash.
  const isInside =
    /\S/u.test(input.charAt(index - 1)) && /\S/u.test(input.charAt(index + row.length));
  return isInside ? ' — ' : '—';
}
