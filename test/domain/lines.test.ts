import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { asLine, isVisible, lineFaultOf } from '../../src/domain/text.js';

const codePoints = (...ranges: readonly [number, number][]): string[] =>
  ranges.flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, at) => String.fromCodePoint(first + at)),
  );

const REFUSED = codePoints(
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0x2028, 0x2029],
  [0x202a, 0x202e],
  [0x2066, 0x2069],
  [0xe000, 0xe010],
  [0xfdd0, 0xfdef],
  [0xfff9, 0xfffb],
  [0xfffe, 0xffff],
  [0xe0000, 0xe007f],
  [0xf0000, 0xf0010],
  [0x10fffe, 0x10ffff],
);

test('wherever one of them stands in a line, it is refused with what must be', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom(...REFUSED),
      fc.string({ unit: 'grapheme' }),
      (before, refused, after) => {
        expect(lineFaultOf(before + refused + after)).toMatch(/^must /);
      },
    ),
    { numRuns: 2000 },
  );
});

test.each([
  'Zażółć gęślą jaźń',
  'עברית 2\u200f',
  'العربية\u061c 12',
  'می\u200cخواهم',
  'La famille 👨\u200d👩\u200d👧',
  '🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F} Alba',
  'A\u200eB',
  '𐔖 and a letter of a later Unicode \u{1FFF0}',
])('a name that people have stays: %s', (name) => {
  expect(lineFaultOf(name)).toBeNull();
  expect(isVisible(name)).toBe(true);
});

test.each(['🏴\u{E0067}\u{E0062}', '🏴\u{E007F}', '\u{E0067}\u{E0062}\u{E0073}\u{E007F}'])(
  'tags that are no flag are refused: %j',
  (name) => {
    expect(lineFaultOf(name)).toMatch(/tag characters/);
  },
);

test.each(['\u200b', '\u3164', '\u115f\u1160', '\u2800', '\u00ad', '\ufe0f', '\u200e', '\u0301'])(
  'invisible characters are not visible: %j',
  (name) => {
    expect(isVisible(name)).toBe(false);
  },
);

test('the description that a program gives of itself becomes one line', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(lineFaultOf(asLine(text))).toBeNull();
    }),
    { numRuns: 1000 },
  );
});
