import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toWebVtt } from '../../src/domain/captions.js';
import { cuesOf } from '../../src/domain/segmentation/cues.js';
import type { Boundary } from '../../src/domain/sentences.js';
import { CHAPTERS_MAX, chaptersOf } from '../../src/domain/timing/chapters.js';

type Heard = Parameters<typeof chaptersOf>[0][number];

test('each sentence has a numbered cue with its times', () => {
  const cues = [
    { startMs: 0, endMs: 1500, text: 'Once upon a time.' },
    { startMs: 1500, endMs: 3_723_004, text: 'A long night.' },
  ];
  expect(toWebVtt(cues)).toBe(
    'WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.500\nOnce upon a time.\n' +
      '\n2\n00:00:01.500 --> 01:02:03.004\nA long night.\n',
  );
});

test('fractions are rounded without a minute of sixty seconds', () => {
  expect(toWebVtt([{ startMs: 0, endMs: 59_999.6, text: 'x' }])).toContain('--> 00:01:00.000');
});

test('hours go on beyond a hundred', () => {
  expect(toWebVtt([{ startMs: 0, endMs: 360_000_000, text: 'x' }])).toContain('--> 100:00:00.000');
});

test('markup is shown, not obeyed', () => {
  expect(toWebVtt([{ startMs: 0, endMs: 1, text: '<b>Tom</b> & &lt;' }])).toContain(
    '\n&lt;b&gt;Tom&lt;/b&gt; &amp; &amp;lt;\n',
  );
});

const hostileText = fc
  .array(
    fc.oneof(
      fc.constantFrom('\n', '\r', '\r\n', '\n\n', '\u2028', '-->', '--', '>', '<', '&', '&gt;'),
      fc.constantFrom('WEBVTT', 'NOTE', '00:00:00.000', 'cat', ' '),
      fc.string({ unit: 'grapheme', maxLength: 6 }),
    ),
    { minLength: 1, maxLength: 30 },
  )
  .map((parts) => `a${parts.join('')}`);

test('no text ends its cue, begins another or loses what it says', () => {
  fc.assert(
    fc.property(fc.array(hostileText, { maxLength: 8 }), (texts) => {
      const cues = texts.map((text, index) => ({
        startMs: index * 1000,
        endMs: index * 1000 + 900,
        text,
      }));
      const [head, ...blocks] = toWebVtt(cues)
        .trimEnd()
        .split(/(?:\r\n|\r|\n){2}/u);
      expect(head).toBe('WEBVTT');
      expect(blocks).toHaveLength(texts.length);
      for (const [index, block] of blocks.entries()) {
        const lines = block.split(/\r\n|\r|\n/u);
        expect(lines).toHaveLength(3);
        expect(lines[0]).toBe(String(index + 1));
        expect(lines[2]).not.toMatch(/[<>]/u);
        const shown = lines[2]
          ?.replaceAll('&lt;', '<')
          .replaceAll('&gt;', '>')
          .replaceAll('&amp;', '&');
        expect(shown).toBe(texts[index]?.replace(/\s+/gu, ' ').trim());
      }
    }),
  );
});

const linesOf = (text: string | readonly string[]): readonly string[] =>
  typeof text === 'string' ? [text] : text;

const WORDS = fc.constantFrom(
  'cat',
  'and',
  'łódź,',
  'river',
  'notwithstanding',
  '漢字',
  '，',
  '👩‍👩‍👧‍👦',
  'ไป',
  'e\u0301',
);

test('a long sentence is several cues: two lines of 42 characters for 12 seconds at most, without a gap', () => {
  fc.assert(
    fc.property(
      fc.array(WORDS, { minLength: 1, maxLength: 40 }).map((words) => words.join(' ')),
      fc.integer({ min: 50, max: 150 }),
      (text, msEach) => {
        const endMs = 1000 + text.length * msEach;
        const cues = cuesOf({ text, startMs: 1000, endMs }, 'en');
        expect(
          cues
            .flatMap((cue) => linesOf(cue.text))
            .join(' ')
            .replaceAll(' ', ''),
        ).toBe(text.replaceAll(' ', ''));
        expect(cues.map(({ endMs }) => endMs)).toEqual([
          ...cues.slice(1).map(({ startMs }) => startMs),
          endMs,
        ]);
        expect(cues[0]?.startMs).toBe(1000);
        for (const cue of cues) {
          expect(cue.endMs - cue.startMs).toBeLessThanOrEqual(12_000);
          expect(linesOf(cue.text).length).toBeLessThanOrEqual(2);
          for (const line of linesOf(cue.text)) {
            expect(line.length).toBeLessThanOrEqual(42);
            expect(line).toBe(line.trim());
          }
        }
      },
    ),
  );
});

test('a cue ends behind a clause, and its lines are about as long', () => {
  const text =
    'It was a long and wet evening in the town, and the river had risen to the third step of the stair, but the ferryman sat and waited.';
  expect(cuesOf({ text, startMs: 0, endMs: 9000 }, 'en').map(({ text }) => text)).toEqual([
    'It was a long and wet evening in the town,',
    ['and the river had risen to', 'the third step of the stair,'],
    'but the ferryman sat and waited.',
  ]);
  expect(toWebVtt([{ startMs: 0, endMs: 1, text: ['one & a half', 'two'] }])).toContain(
    '\none &amp; a half\ntwo\n',
  );
});

describe('chapters', () => {
  const heading = (source: string, startMs: number, boundary: Boundary = 'heading'): Heard => ({
    source,
    startMs,
    boundary,
    isHeading: true,
  });
  const said = (startMs: number): Heard => ({
    source: 'It rained.',
    startMs,
    boundary: 'paragraph',
    isHeading: false,
  });

  test('begin at headings, and each ends where the next one begins', () => {
    expect(
      chaptersOf(
        [said(0), heading('## The *Pond*', 900), said(1500), heading('Żaba', 2000, 'scene')],
        3000,
      ),
    ).toEqual([
      { title: 'The Pond', startMs: 900, endMs: 2000 },
      { title: 'Żaba', startMs: 2000, endMs: 3000 },
    ]);
    expect(chaptersOf([said(0), said(10)], 20)).toEqual([]);
  });

  test('have the parts of a heading, and the number of a chapter, in one title', () => {
    const parts = [heading('Who is it?', 0, 'sentence'), heading('A fox.', 700), said(1000)];
    expect(chaptersOf(parts, 2000)).toEqual([
      { title: 'Who is it? A fox.', startMs: 0, endMs: 2000 },
    ]);
    const numbered = [
      heading('IV.', 0),
      heading('The Pond', 500),
      heading('The Frog', 900),
      said(990),
    ];
    expect(chaptersOf(numbered, 2000).map(({ title }) => title)).toEqual([
      'IV. – The Pond',
      'The Frog',
    ]);
    const apart = [heading('Chapter 1', 0), said(500), heading('The Pond', 900)];
    expect(chaptersOf(apart, 2000).map(({ title }) => title)).toEqual(['Chapter 1', 'The Pond']);
  });

  test('are as many as a table of contents can count, with short titles', () => {
    const many = Array.from({ length: 400 }, (_, at) => heading('ą'.repeat(300), at * 10));
    const found = chaptersOf(many, 9_000);
    expect(found).toHaveLength(CHAPTERS_MAX);
    expect(found.at(-1)).toMatchObject({ startMs: 2540, endMs: 9_000 });
    expect(found[0]?.title).toBe(`${'ą'.repeat(119)}…`);
  });
});
