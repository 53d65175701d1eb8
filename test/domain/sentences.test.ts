import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { splitSentences } from '../../src/domain/sentences.js';

const textsOf = (text: string, language = 'en'): string[] =>
  splitSentences(text, language).map((sentence) => sentence.text);

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
    expect(splitSentences(text, 'en')).toEqual([]);
  },
);

test('a fragment without a letter goes with its neighbour', () => {
  expect(textsOf('It was late. … Then it rained.')).toHaveLength(2);
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
])('the longest text allowed is split within a second: %s', (_, unit, count) => {
  const startedAt = performance.now();
  splitSentences(`a${unit.repeat(count)}`, 'en');
  expect(performance.now() - startedAt).toBeLessThan(1000);
});

test('a long paragraph is split where the segmenter would split it as a whole', () => {
  // Each begins with something to speak, so that none joins its neighbour.
  const part = fc.constantFrom(
    ...[
      'A cat. ',
      'sat! ',
      'Ania? ',
      'it 7. 12 ',
      '3.5. ',
      'said." ',
      '(so) ',
      '„Tak.” ',
      'etc. and ',
    ],
  );
  fc.assert(
    fc.property(fc.array(part, { minLength: 3_000, maxLength: 4_000, size: 'max' }), (parts) => {
      const text = parts.join('').trim();
      const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });
      const whole = Array.from(segmenter.segment(text), ({ segment }) => segment.trim());
      expect(textsOf(text)).toEqual(whole);
    }),
    // So long a text would be made shorter for minutes.
    { numRuns: 50, endOnFailure: true },
  );
});

test('the time for a paragraph grows with its length, not with the square of it', () => {
  const timeOf = (sentences: number): number => {
    const text = 'The cat sat, and looked around the house. '.repeat(sentences);
    const times = Array.from({ length: 5 }, () => {
      const before = process.cpuUsage();
      splitSentences(text, 'en');
      return process.cpuUsage(before).user;
    });
    return Math.min(...times);
  };
  // Ten times as long; the square would be a hundred times as much.
  expect(timeOf(4_000)).toBeLessThan(40 * Math.max(timeOf(400), 200));
});
