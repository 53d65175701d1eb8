import { expect, test } from '@jest/globals';
import type * as Sentences from '../../src/domain/sentences.js';
import type * as Speakable from '../../src/domain/speakable.js';
import type * as Cues from '../../src/domain/segmentation/cues.js';
import type * as Spoken from '../../src/domain/spoken/spoken.js';
import type * as Scripts from '../../src/domain/spoken/scripts.js';
import type * as Text from '../../src/domain/text.js';
import type * as Captions from '../../src/domain/captions.js';
import { compiled } from '../support/compiled.js';

const { splitSentences } = await compiled<typeof Sentences>('domain/sentences.js');
const { speakableParts } = await compiled<typeof Speakable>('domain/speakable.js');
const { spokenOf, withSpoken } = await compiled<typeof Spoken>('domain/spoken/spoken.js');
const { countLetters } = await compiled<typeof Scripts>('domain/spoken/scripts.js');
const { slugify, countCodePoints, foldedWordsOf, foldText, gramsOf, patternOf } =
  await compiled<typeof Text>('domain/text.js');
const { cuesOf } = await compiled<typeof Cues>('domain/segmentation/cues.js');
const { toWebVtt } = await compiled<typeof Captions>('domain/captions.js');

/**
 * The longest text that is tried. The longest story has 200,000 characters, which LONG_TEXT_LENGTH=200000 tries (.ci/run).
 */
const LONGEST = Number(process.env['LONG_TEXT_LENGTH'] ?? 50_000);

/** What is repeated: rows of marks, spaces, quotes, halves of pairs, and what begins a match but does not end it. */
const ROWS: readonly string[] = [
  ...[
    'a',
    '.',
    ' ',
    '"',
    '”',
    ',',
    '-',
    '?!',
    '1',
    '1.',
    '1,',
    'A.',
    '. ',
    '- ',
    '? ',
    ', ',
    '; a',
  ],
  ...['\n', '\n ', '\r\n', '\u2029', '\u0301', 'a\u0301', '.\u0301', '\u00ad', '.\u00ad', '\ufe0f'],
  ...[
    '\u{1f409}',
    '\ud800',
    '\ue000',
    '\u202e',
    '👩\u200d',
    '🇵',
    '\u{1d400}',
    '[<',
    '&',
    '\\',
    '_',
  ],
  ...[
    '中',
    '中.',
    '中 ',
    'ж ',
    'א.',
    'ሀ',
    'ሀ ',
    'ก',
    'क\u094d',
    '$5 ',
    'XIV ',
    '½',
    '12.05.',
    '<a ',
    '[a](',
    'a@b.',
    '\u1100',
    'Σ',
    "'Σ",
    'Mr. ',
    'e.g. ',
  ],
  ...[
    '“',
    '„a“ ',
    '“a.” ',
    '. —',
    '— A. ',
    '* * *\n',
    '# a\n',
    'A\n',
    'a,\nB ',
    '.[1] ',
    '([',
    '.)',
  ],
  ...[
    '… A',
    '. 1',
    ". 's A",
    'a.1 A',
    '、',
    '。「',
    '」',
    '》。',
    'p. 1 ',
    'II. ',
    'z. B. ',
    '»«',
    "'",
  ],
  ...['.', ';', '\n', '中', '1', 'Mr.'].map((mark) => mark + ' '.repeat(5000)),
  ...['.', '!', '\u0301'].map((sign) => `中${sign.repeat(5000)}a`),
];

const WORK: Readonly<Record<string, (text: string) => unknown>> = {
  'splits it into sentences': (text) => [...splitSentences(text, 'en')].length,
  'splits it into sentences of Thai': (text) => [...splitSentences(text, 'th')].length,
  'splits it into sentences of Chinese': (text) => [...splitSentences(text, 'zh')].length,
  'splits it into sentences of French': (text) => [...splitSentences(text, 'fr')].length,
  'makes it speakable': (text) => speakableParts(text, 'en').length,
  'puts it in words': (text) => spokenOf(text, 'en').text.length,
  'puts it in words of Polish': (text) => spokenOf(text, 'pl').text.length,
  'counts its letters by script': (text) => countLetters(text).size,
  'makes a slug of it': slugify,
  'counts its characters': countCodePoints,
  'searches for it': patternOf,
  'folds it': foldText,
  'searches for its words': (text) => gramsOf(foldedWordsOf(text)).length,
  'splits its caption': (text) =>
    cuesOf({ text: text.slice(0, 400), startMs: 0, endMs: 200_000 }, 'en').length,
  'makes a caption of it': (text) => toWebVtt([{ startMs: 0, endMs: 1, text }]),
};

/** CPU time, because others use the machine, too. */
function cpuMsOf(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const repeated = (row: string, length: number): string =>
  row.repeat(Math.ceil(length / row.length)).slice(0, length);

/** Below this a machine's mood decides more than the text. Quadratic work takes 300 ms with the longest story. */
const NOTICEABLE_MS = 300 * (LONGEST / 200_000) ** 2;
/** The bound of the growth for four times the text. Quadratic work takes sixteen times as long. */
const GROWTH_MAX = 10;
/** Cubic work that takes this long with a quarter of the text is just noticeable with all of it. */
const QUICK_MS = NOTICEABLE_MS / 64;
/** From a sixteenth to a quarter, linear work grows by four. What becomes noticeable by its square grows by more. */
const SUSPICIOUS_GROWTH = 6;

test.each(Object.entries(WORK))(
  '%s takes time that grows linearly with the text',
  (_name, work) => {
    const slow: Record<string, readonly number[]> = {};
    for (const row of ROWS) {
      for (const [start, end] of [
        ['', ''],
        ['a', '中'],
      ] as const) {
        const timeOf = (length: number): number =>
          cpuMsOf(() => work(start + repeated(row, length) + end));
        // Most are cleared by shorter texts, which take less time.
        const quarter = timeOf(LONGEST / 4);
        if (quarter < QUICK_MS || quarter < SUSPICIOUS_GROWTH * timeOf(LONGEST / 16)) continue;
        // The least of some, so that what was compiled or collected meanwhile does not count.
        const leastOf = (length: number): number =>
          Math.min(timeOf(length), timeOf(length), timeOf(length));
        if (timeOf(LONGEST) <= NOTICEABLE_MS) continue;
        const [short, long] = [leastOf(LONGEST / 4), leastOf(LONGEST)];
        if (long > NOTICEABLE_MS && long > GROWTH_MAX * short)
          slow[JSON.stringify(row.slice(0, 20))] = [short, long];
      }
    }
    expect(slow).toEqual({});
  },
);

/** What is shown in captions and not spoken. */
const SILENT = ['<hr/>\n\n', '&nbsp;\n\n', `<p class="${'a'.repeat(46)}">\n\n`, '<!-- a\n\n'];

test('parts of a text that are not spoken take time that grows with their length', () => {
  const timeOf = (row: string, length: number): number =>
    cpuMsOf(() => {
      const text = `Hello there.\n\n${repeated(row, length)}\n\nThe end.`;
      for (const { text: shown } of withSpoken(splitSentences(text, 'en'), 'en'))
        cuesOf({ text: shown, startMs: 0, endMs: 200_000 }, 'en');
    });
  const slow = SILENT.filter((row) => {
    const [short, long] = [timeOf(row, LONGEST / 8), timeOf(row, LONGEST / 2)];
    return long > NOTICEABLE_MS && long > GROWTH_MAX * short;
  });
  expect(slow).toEqual([]);
});
