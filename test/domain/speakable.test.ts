import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mostSecondsOf, speakableParts, withoutMarkup } from '../../src/domain/speakable.js';
import { expectBelow, ownProcessorTimeOf } from '../support/measure.js';

const spoken = (text: string, language = 'en'): string =>
  speakableParts(text, language)
    .map((part) => part.text)
    .join(' | ');

test.each([
  ['Once upon a time, there was a cat.', 'Once upon a time, there was a cat.'],
  ['Zażółć gęślą jaźń — à la carte, ß.', 'Zażółć gęślą jaźń — à la carte, ß.'],
  ['It cost 1,234,567.89 in 1984: “cheap”.', 'It cost 1,234,567.89 in 1984: “cheap”.'],
  ['Wait… what?! No way!!', 'Wait… what?! No way!!'],
  ['I ❤ it, 😀 said', 'I ❤ it, 😀 said'],
])('what a person writes is left as it is: %s', (text, expected) => {
  expect(spoken(text)).toBe(expected);
});

test.each([
  ['Wait <break time="9s"/> now', 'Wait  break time="9s"/  now'],
  ['He\u200bllo \ufeffwo\u00adrld\u202e', 'Hello world'],
  ['H\u0336\u0321\u034a\u0300\u0301i', 'H\u0336\u0321i'],
  ['𝐇𝐞𝐥𝐥𝐨 Ｗｉｄｅ ﬁne', 'Hello Wide fine'],
  ['٠١٢ and ۳۴۵', '012 and 345'],
  ['Hello!!!!!!!!!!!!!!!!!', 'Hello!!!'],
  ['a : : : : : : b', 'a ::: b'],
  ['😀😀😀😀😀😀 yes', '😀😀😀 yes'],
  ['12345678901', '1 2 3 4 5 6 7 8 9 0 1'],
  ['3.14159265358979', '3.14159265358979'],
  ['ᚠ is a rune', 'ᚠ is a rune'],
  ['The stone said ᚠᚢᚦᚨᚱᚲ and fell', 'The stone said        and fell'],
  ['ᚠᚢᚦ', 'ᚠ'],
])('what an engine would be stuck on is shortened or left out: %s', (text, expected) => {
  expect(spoken(text)).toBe(expected);
});

test('a row of digits is cut', () => {
  expect(spoken('7'.repeat(5000))).toBe(Array.from({ length: 40 }, () => '7').join(' '));
});

test('each script is a part of its own', () => {
  expect(speakableParts('Ala said 你好, 世界 and Привет, мир. שלום!', 'en')).toEqual([
    { text: 'Ala said', script: null },
    { text: '你好, 世界', script: 'Han' },
    { text: 'and', script: null },
    { text: 'Привет, мир', script: 'Cyrillic' },
    { text: 'שלום', script: 'Hebrew' },
  ]);
});

test.each(['', '<>', '…', '\u0000', '\u200b', '😀'])('nothing to speak: %j', (text) => {
  expect(speakableParts(text, 'en')).toEqual([]);
});

test('an ampersand is a word where the word is known', () => {
  expect(withoutMarkup('Tom & Anna', 'en-GB')).toBe('Tom  and  Anna');
  expect(withoutMarkup('Tom & Anna', 'pl')).toBe('Tom  i  Anna');
  expect(withoutMarkup('Tom &lt; Anna', 'eu')).toBe('Tom  lt; Anna');
});

const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom(
        'cat ',
        'żółw',
        '7',
        '<b>',
        '[[',
        '&',
        '＆',
        '＜b＞',
        '［［',
        '你好',
        'мир',
        'ᚠ',
        '😀',
        '. ',
        '\u0301',
      ),
      fc.integer({ min: 5, max: 80 }).map((count) => '9'.repeat(count)),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''));

test.each(['＜break time="1200s"/＞ cat', '［［k@t］］ cat', '＆lt; cat', '｛a｝ cat'])(
  'wide letters become no markup: %s',
  (text) => {
    expect(speakableParts(text, 'en').map((part) => part.text)).toEqual([
      expect.not.stringMatching(/[<>[\]{}&]/),
    ]);
  },
);

test('parts are never markup, never invisible, never empty, and hardly longer than the text', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const parts = speakableParts(text, 'en');
      for (const part of parts) {
        expect(part.text).not.toMatch(/[<>[\]{}&\p{Cc}\p{Cf}]|\d{41}/u);
        expect(part.text).toMatch(/[\p{L}\p{N}]/u);
      }
      const length = parts.reduce((sum, part) => sum + part.text.length, 0);
      // Room for digits with spaces, and for letters that were ligatures.
      expect(length).toBeLessThanOrEqual(4 * text.length + 4);
    }),
  );
});

test('the longest text is prepared within a second', async () => {
  for (const unit of ['a', '7', '你 ', 'м\u0301', ': ', '; a', '😀', '\u0301', 'ᚠ ', '𝐇']) {
    const text = unit.repeat(200_000 / unit.length);
    await expectBelow(1_000, () =>
      ownProcessorTimeOf(() => {
        speakableParts(text, 'en');
        return Promise.resolve();
      }),
    );
  }
});

test('longer text may take longer', () => {
  expect(mostSecondsOf('')).toBe(10);
  expect(mostSecondsOf('x'.repeat(400))).toBe(210);
});
