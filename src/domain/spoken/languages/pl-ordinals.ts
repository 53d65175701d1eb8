import { toOrdinal } from 'n2words/pl-PL';
import type { Gender } from '../words.js';

export type Case = 'nominative' | 'genitive' | 'dative' | 'accusative' | 'locative';

/** Years that are whole thousands, for which the library has two words. */
const THOUSANDTHS: Readonly<Record<number, string>> = {
  2000: 'dwutysięczny',
  3000: 'trzytysięczny',
};
/** Words of an ordinal that end like one, and do not change. */
const UNCHANGED = new Set('cztery trzy tysięcy miliony'.split(' '));

const ENDINGS: Readonly<
  Record<Case, Readonly<Record<Gender, readonly [hard: string, soft: string]>>>
> = {
  nominative: { m: ['y', 'i'], f: ['a', 'a'], n: ['e', 'ie'] },
  genitive: { m: ['ego', 'iego'], f: ['ej', 'iej'], n: ['ego', 'iego'] },
  dative: { m: ['emu', 'iemu'], f: ['ej', 'iej'], n: ['emu', 'iemu'] },
  accusative: { m: ['ego', 'iego'], f: ['ą', 'ą'], n: ['e', 'ie'] },
  locative: { m: ['ym', 'im'], f: ['ej', 'iej'], n: ['ym', 'im'] },
};

/** An ordinal number in a case and gender: `tysiąc dziewięćset trzydziestego dziewiątego`. */
export function ordinalOf(value: number, grammar: Case, gender: Gender): string {
  if (value < 1) return 'zerowy';
  const words = (THOUSANDTHS[value] ?? toOrdinal(value)).split(' ');
  const [hard, soft] = ENDINGS[grammar][gender];
  return words.map((word) => inflected(word, hard, soft)).join(' ');
}

function inflected(word: string, hard: string, soft: string): string {
  if (UNCHANGED.has(word)) return word;
  if (word.endsWith('y')) return word.slice(0, -1) + hard;
  if (!word.endsWith('i')) return word;
  // `trzeci` keeps its i before every ending, `drugi` loses it before -a and -ą.
  const stem = word.slice(0, -1);
  return stem + (word === 'trzeci' && /^[aą]/u.test(soft) ? `i${soft}` : soft);
}

/** The forms of the name of a fraction. */
export const formsOf = (
  denominator: number,
  gender: Gender,
): { nominative: string; few: string; many: string } => {
  const words = toOrdinal(denominator).split(' ');
  const plural = (hard: string, soft: string): string =>
    words.map((word) => inflected(word, hard, soft)).join(' ');
  return {
    nominative: ordinalOf(denominator, 'nominative', gender),
    few: plural('e', 'ie'),
    many: plural('ych', 'ich'),
  };
};
