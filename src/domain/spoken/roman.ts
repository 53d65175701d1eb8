import { rewrite, type Draft } from './draft.js';
import { aroundOf, type Words } from './words.js';

const VALUES: Readonly<Record<string, number>> = {
  ...{ I: 1, V: 5, X: 10, L: 50, C: 100, D: 500, M: 1000 },
};

/** The value of a Roman numeral. Null for letters that are none, such as IIII or VX. */
export function valueOf(letters: string): number | null {
  let value = 0;
  for (let at = 0; at < letters.length; at += 1) {
    const digit = VALUES[letters.charAt(at)] ?? 0;
    const isSubtracted = digit < (VALUES[letters.charAt(at + 1)] ?? 0);
    value += isSubtracted ? -digit : digit;
  }
  return value > 0 && lettersOf(value) === letters ? value : null;
}

function lettersOf(value: number): string {
  const steps: readonly (readonly [number, string])[] = [
    ...([
      [1000, 'M'],
      [900, 'CM'],
      [500, 'D'],
      [400, 'CD'],
      [100, 'C'],
      [90, 'XC'],
    ] as const),
    ...([
      [50, 'L'],
      [40, 'XL'],
      [10, 'X'],
      [9, 'IX'],
      [5, 'V'],
      [4, 'IV'],
      [1, 'I'],
    ] as const),
  ];
  let rest = value;
  let letters = '';
  for (const [step, sign] of steps) for (; rest >= step; rest -= step) letters += sign;
  return letters;
}

/** Roman numerals where a number is meant: after names and words such as chapter, or in the signs of Unicode. */
export function spokenNumerals(draft: Draft, words: Words): Draft {
  if (!/[IVXLCDM\u2160-\u2188]/u.test(draft.text)) return draft;
  const whole =
    words.tag === 'en'
      ? rewrite(
          draft,
          draft.text.matchAll(/(?<![\p{L}\p{N}])WW(?=I{1,2}(?![\p{L}\p{N}]))/gu),
          () => 'World War ',
        )
      : draft;
  return rewrite(
    whole,
    whole.text.matchAll(
      /(?<![\p{L}\p{N}])([IVXLCDM]{1,9}|[\u2160-\u217f]{1,9})(\.|ers?|ème|res?|[eºª]|ᵉʳ|ʳᵉ|[ᵉᵐ]+)?(?![\p{L}\p{N}])/gu,
    ),
    (found) => {
      const [, written = '', sign = ''] = found;
      // Superscript letters count as letters: XIXᵉ.
      const suffix = /[ᵉʳᵐ]/u.test(sign) ? sign.normalize('NFKC') : sign;
      const letters = written.normalize('NFKC').toUpperCase();
      const value = valueOf(letters);
      if (value === null) return null;
      const isSign = letters !== written;
      const spoken = words.roman(value, { letters, suffix, isSign }, aroundOf(found));
      if (spoken !== null) return withStop(spoken, suffix, words);
      return isSign ? words.cardinal(value, 'm') + suffix : null;
    },
  );
}

/** German writes a full stop behind ordinals; in other languages it ends the sentence. */
const withStop = (spoken: string, suffix: string, { tag }: Words): string =>
  suffix === '.' && tag !== 'de' ? `${spoken}.` : spoken;

/** Signs of Roman numerals in a language without a table. */
export const withoutNumeralSigns = (draft: Draft): Draft =>
  rewrite(draft, draft.text.matchAll(/[\u2160-\u217f]+/gu), ([signs]) => {
    const value = valueOf(signs.normalize('NFKC').toUpperCase());
    return value === null ? null : String(value);
  });
