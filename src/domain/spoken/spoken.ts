import { withoutAbbreviations } from './abbreviations.js';
import { spokenAddresses, spokenPhones } from './addresses.js';
import { withoutCapitals } from './capitals.js';
import { plainCharacters, withoutRows, withWholeWords } from './characters.js';
import { spokenDates, spokenHours, spokenTimes, spokenYears } from './dates.js';
import { SPEAKABLE } from '../speakable.js';
import { draftOf, rewrite, type Draft } from './draft.js';
import { wordsOf } from './languages/all.js';
import { withoutMarks } from './markup.js';
import {
  spokenFractions,
  spokenMoney,
  spokenOrdinals,
  spokenRanges,
  spokenScales,
  spokenUnits,
  withoutGroups,
} from './numbers.js';
import { spokenNumerals, withoutNumeralSigns } from './roman.js';
import { andOf } from './languages/and.js';
import type { Words } from './words.js';

/**
 * What is spoken for a stored sentence, by any provider, with the map back to the sentence (`storedRangeOf`). It has no
 * markup and nothing invisible, and what is written in digits and signs is words where engines misread it. Digits that
 * engines read right stay digits. The result may have nothing to speak. Takes time in proportion to the text.
 * @param language BCP 47
 */
export function spokenOf(text: string, language: string): Draft {
  const words = wordsOf(language);
  const clean = [withoutMarks, plainCharacters, withWholeWords, withoutRows].reduce(
    (draft, step) => step(draft),
    draftOf(text),
  );
  const small = withoutCapitals(clean, words);
  const inWords = words === null ? withoutNumeralSigns(small) : wordsFor(small, words);
  const spoken = folded(withSigns(inWords, language, words));
  // Rows of numbers become so long in words that a provider would refuse them, or cost a multiple of the price.
  if (spoken.text.length <= LENGTHENING_MAX * text.length + LENGTHENING_SPARE) return spoken;
  return folded(withSigns(small, language, null));
}

/** How much longer than the stored sentence its words may be: so many times, and so many UTF-16 units. */
const LENGTHENING_MAX = 4;
const LENGTHENING_SPARE = 200;

/**
 * Addresses come first, because their points and digits belong to them. Abbreviations are looked for before Roman
 * numerals, which depend on the words before them, and again behind them, because `w.` after a century is a word.
 */
const STEPS: readonly ((draft: Draft, words: Words) => Draft)[] = [
  spokenAddresses,
  spokenPhones,
  spokenDates,
  spokenTimes,
  withoutGroups,
  spokenFractions,
  spokenMoney,
  spokenScales,
  spokenUnits,
  spokenOrdinals,
  spokenHours,
  spokenYears,
  spokenRanges,
  withoutAbbreviations,
  spokenNumerals,
  withoutAbbreviations,
];

const wordsFor = (draft: Draft, words: Words): Draft =>
  STEPS.reduce((text, step) => step(text, words), draft);

/** Signs that engines leave out or name in English. */
function withSigns(draft: Draft, language: string, words: Words | null): Draft {
  if (!/[&№#§×/]/u.test(draft.text)) return draft;
  const and = andOf(language);
  const joined =
    and === undefined ? draft : rewrite(draft, draft.text.matchAll(/&/gu), () => ` ${and} `);
  if (words === null) return joined;
  const { number, section, times } = words.signs;
  const named = rewrite(
    joined,
    joined.text.matchAll(/(?:№|#)[ \u00a0]?(?=\d)|§{1,2}[ \u00a0]?(?=\d)|(?<=\d) ?× ?(?=\d)/gu),
    ([sign]) => (sign.includes('×') ? ` ${times} ` : `${sign.startsWith('§') ? section : number} `),
  );
  // A slash between words is a pause.
  return rewrite(named, named.text.matchAll(/(?<=\p{L}{2})\/(?=\p{L}{2})/gu), () => ' ');
}

function folded(draft: Draft): Draft {
  const single = rewrite(draft, draft.text.matchAll(/\s+/gu), () => ' ');
  return rewrite(single, single.text.matchAll(/^\s|\s$/gu), () => '');
}

/** A stored sentence with what is spoken for it. */
export type WithSpoken<Sentence> = Sentence & {
  readonly spoken: Draft;
  /** How many UTF-16 units of the text are shown before the sentence itself. */
  readonly lead: number;
};

/**
 * Adds to each sentence what is spoken for it. A sentence with nothing to speak, such as a lone tag, is shown with the
 * next one, or at the end with the last, so that no letter of the story is missing in the captions.
 */
export function* withSpoken<Sentence extends { readonly text: string }>(
  sentences: Iterable<Sentence>,
  language: string,
): Generator<WithSpoken<Sentence>> {
  let last: WithSpoken<Sentence> | null = null;
  let silent: string[] = [];
  for (const sentence of sentences) {
    // Each sentence by itself, so that many silent ones in a row take time in proportion to their length.
    const spoken = spokenOf(sentence.text, language);
    if (!SPEAKABLE.test(spoken.text)) {
      silent.push(sentence.text);
      continue;
    }
    if (last !== null) yield last;
    const before = silent.map((text) => `${text} `).join('');
    silent = [];
    const text = before + sentence.text;
    const lead = before.length;
    last = { ...sentence, text, lead, spoken: behind(spoken, lead) };
  }
  if (last === null) return;
  yield silent.length === 0 ? last : { ...last, text: [last.text, ...silent].join(' ') };
}

/** The draft of a text with so many UTF-16 units before it, which are not spoken. */
const behind = (draft: Draft, units: number): Draft =>
  units === 0
    ? draft
    : {
        text: draft.text,
        at: Array.from(
          { length: draft.text.length + 1 },
          (_, offset) => (draft.at?.[offset] ?? offset) + units,
        ),
      };
