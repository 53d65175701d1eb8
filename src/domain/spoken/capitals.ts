import { rewrite, type Draft } from './draft.js';
import { valueOf } from './roman.js';
import type { Words } from './words.js';

/** Abbreviations that stay as they are, although they have vowels: engines know or spell them. */
const KEPT = new Set(
  'AA AC AGD AIDS AM AOK BA BBC BIP CEO CIA CIO DIY EDF EKG EU EUA FAQ FBI GUS IBM ID IEEE II III IMF IMO INS IOU IQ IRA ISBN ISIS ISO IT IV IX KPO LA MA MEP MIT NASA NATO NBA OPEC NRA OAS OIOM OK ONU ONZ ORF OVNI PKO PM PIN RAF RAI RIP RTV SEO SMS SOS SPA SPD TIR TV UAE UBS UE UEFA UFO UK UNESCO UNICEF UN UNO USA US USSR UV VI VII VIII VIP XI XII XIII XIV XIX XV XVI XVII XVIII XX XXI WW WWI WWII ZSRR ZUS'.split(
    ' ',
  ),
);

const VOWEL = /[aeiouyąęóäöüéèêëàâîïôûùáíúıœæ]/iu;
/** More consonants in a row than a word has. */
const UNPRONOUNCEABLE = /[^aeiouyąęóäöüéèêëàâîïôûùáíúıœæ]{5}/iu;
const WORD_LENGTH_MIN = 4;

/**
 * Writes words in small letters that are in capitals for emphasis or in a heading, because engines spell them or shout.
 * Abbreviations stay. In a sentence that is all capitals, everything but well-known abbreviations is words.
 */
export function withoutCapitals(draft: Draft, words: Words | null): Draft {
  if (!/\p{Lu}{2}/u.test(draft.text)) return draft;
  const isAllCapitals =
    !/\p{Ll}/u.test(draft.text) && (draft.text.match(/\p{Lu}{2,}/gu) ?? []).length > 1;
  return rewrite(
    draft,
    draft.text.matchAll(/(?<![\p{L}\p{N}&])\p{Lu}[\p{Lu}\p{M}'’]*(?![\p{L}\p{N}&])/gu),
    (found) => {
      const [word] = found;
      if (!isWord(word, words, isAllCapitals)) return null;
      const small = word.toLocaleLowerCase(words?.tag ?? 'en');
      const isFirst = !/[\p{L}\p{N}]/u.test(found.input.slice(0, found.index));
      return isFirst ? small.charAt(0).toUpperCase() + small.slice(1) : small;
    },
  );
}

function isWord(word: string, words: Words | null, isAllCapitals: boolean): boolean {
  const bare = word.replace(/['’]/gu, '');
  if (/^(?:[IVX]{2,}|[IVXLCDM]{4,})$/u.test(word) && valueOf(word) !== null) return false;
  if (!/\p{Script=Latin}/u.test(word)) return isAllCapitals || bare.length > WORD_LENGTH_MIN;
  const isShortWord = words?.shortWords.has(bare) === true;
  if (KEPT.has(word)) return isAllCapitals && isShortWord;
  if (isShortWord) return isAllCapitals || bare.length > 1;
  if (isAllCapitals) return bare.length > 1 && VOWEL.test(bare);
  return bare.length >= WORD_LENGTH_MIN && VOWEL.test(bare) && !UNPRONOUNCEABLE.test(bare);
}
