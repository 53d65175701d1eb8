import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { splitSentences } from '../../src/domain/sentences.js';
import { expectBelow, ownProcessorTimeOf } from '../support/measure.js';

const textsOf = (text: string, language = 'en'): string[] =>
  [...splitSentences(text, language)].map((sentence) => sentence.text);

const lettersOf = (text: string): string => text.replace(/[^\p{L}\p{N}]/gu, '');

/** Words, punctuation and white space in any order, with what stories rarely hold. */
const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom('. ', '! ', '? ', '… ', ', ', '; ', ' — ', '\n\n', '\n', ' ', '"', '„', '”'),
      fc.constantFrom('cat', 'żółw', 'Ania', '7', 'Mr.', '漢字', '👩‍👩‍👧‍👦', '𐍈', 'e\u0301', '<b>', '&'),
      fc.string({ unit: 'grapheme', maxLength: 8 }),
      fc.integer({ min: 300, max: 1500 }).map((length) => 'ą'.repeat(length)),
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(''));

test('sentences come in reading order', () => {
  expect(textsOf('The cat sat. Did it purr? It did!')).toEqual([
    'The cat sat.',
    'Did it purr?',
    'It did!',
  ]);
  expect(textsOf('Kot usiadł. Czy mruczał? Tak!', 'pl')).toEqual([
    'Kot usiadł.',
    'Czy mruczał?',
    'Tak!',
  ]);
});

test('white space is folded, and a heading without a full stop is a sentence', () => {
  expect(textsOf('The Cat\n\nOnce\tupon \n a  time.')).toEqual(['The Cat', 'Once upon a time.']);
});

test.each(['', ' \n\t ', '?!…', '— — —', '👩‍👩‍👧‍👦', '!'.repeat(5000)])(
  'a text with nothing to speak has no sentences: %j',
  (text) => {
    expect([...splitSentences(text, 'en')]).toEqual([]);
  },
);

test('a fragment without a letter goes with its neighbour', () => {
  expect(textsOf('It was late. … Then it rained.')).toHaveLength(2);
});

test('a title or the beginning of an example ends no sentence', () => {
  expect(textsOf('I met Mr. Fox and Dr. Owl, e.g. Tuesday last. They waved.')).toEqual([
    'I met Mr. Fox and Dr. Owl, e.g. Tuesday last.',
    'They waved.',
  ]);
  expect(textsOf('Był tam prof. Kret, m.in. Ania i św. Mikołaj. Poszli.', 'pl')).toEqual([
    'Był tam prof. Kret, m.in. Ania i św. Mikołaj.',
    'Poszli.',
  ]);
  // Words that only end as one does, and one that ends everything.
  expect(textsOf('It was a feast. We ate the rest. It was Dr.')).toHaveLength(3);
});

test('a long sentence is cut behind a clause, else at a space', () => {
  const clauses = textsOf(`${'the cat walked on, '.repeat(60)}and slept.`);
  expect(clauses.length).toBeGreaterThan(1);
  for (const clause of clauses.slice(0, -1)) expect(clause).toMatch(/on,$/u);
  const words = textsOf('word '.repeat(300));
  for (const piece of words) expect(piece).toMatch(/^(word )*word$/u);
});

test('one endless word is cut between characters as people see them', () => {
  // It ends in a letter: a piece without any would not be spoken.
  const endless = `${'a👩‍👩‍👧‍👦'.repeat(300)}a`;
  const pieces = textsOf(endless);
  expect(pieces.length).toBeGreaterThan(1);
  expect(pieces.join('') === endless).toBe(true);
  const characters = new Intl.Segmenter('en', { granularity: 'grapheme' });
  const seen = pieces.flatMap((piece) => [...characters.segment(piece)].map((c) => c.segment));
  expect(new Set(seen)).toEqual(new Set(['a', '👩‍👩‍👧‍👦']));
});

test('no letter is lost, doubled or moved', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect(lettersOf(textsOf(text).join(''))).toBe(lettersOf(text));
    }),
  );
});

test('every sentence is speakable, folded, whole Unicode, and short enough for one breath', () => {
  fc.assert(
    fc.property(anyText, fc.constantFrom('en', 'pl', 'de-AT'), (text, language) => {
      for (const sentence of textsOf(text, language)) {
        expect(sentence).toMatch(/[\p{L}\p{N}]/u);
        expect(sentence).toBe(sentence.trim());
        expect(sentence).not.toMatch(/\s\s|[\n\t]/u);
        expect(sentence.isWellFormed()).toBe(true);
        expect(sentence.length).toBeLessThanOrEqual(400);
      }
    }),
  );
});

test.each([
  ['sentences', 'The cat sat, and looked. ', 8000],
  ['one word', 'x', 200_000],
  ['punctuation', '!', 200_000],
  ['commas', ', ', 100_000],
  ['line breaks', '\n', 200_000],
  ['paragraphs', 'a\n\n', 66_666],
  ['accents on one letter', '\u0301', 199_999],
  ['words without a full stop', 'word ', 40_000],
  ['titles', 'Mr. ', 50_000],
])('the longest text allowed is split within a second: %s', async (_, unit, count) => {
  const split = (): Promise<void> => {
    expect([...splitSentences(`a${unit.repeat(count)}`, 'en')].length).toBeGreaterThan(0);
    return Promise.resolve();
  };
  await expectBelow(1000, () => ownProcessorTimeOf(split));
});
