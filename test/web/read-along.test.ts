/** How the text, the sound and the place of the listener are brought together. Nothing here needs a browser. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { clampRate, commandOf } from '../../web/app/src/player/logic/keys.js';
import {
  isDue,
  later,
  readPosition,
  REPORT_MS,
  resume,
  type Position,
} from '../../web/app/src/player/logic/position.js';
import {
  choiceOf,
  FADE_MS,
  passTime,
  sleepAfter,
  sleepAtEnd,
  sleepOf,
  volumeOf,
} from '../../web/app/src/player/logic/sleep.js';
import {
  endOfSentence,
  nextStart,
  previousStart,
  sentenceAt,
  wordAt,
  type Sentence,
} from '../../web/app/src/player/logic/timeline.js';
import { paragraphsOf } from '../../web/app/src/read-along/paragraphs.js';

const sentence = (from: number, to: number, startMs: number, endMs: number): Sentence => ({
  from,
  to,
  startMs,
  endMs,
});
const THREE = [sentence(0, 5, 0, 900), sentence(6, 10, 1500, 3000), sentence(12, 20, 3500, 5000)];

describe('the timeline', () => {
  test.each([
    [-1, -1],
    [0, 0],
    [1499, 0],
    [1500, 1],
    [3499, 1],
    [3500, 2],
    [90_000, 2],
  ])('at %d ms the sentence %d is spoken', (ms, index) => {
    expect(sentenceAt(THREE, ms)).toBe(index);
  });

  test('is empty until something is known', () => {
    expect(sentenceAt([], 1000)).toBe(-1);
    expect(nextStart([], 1000)).toBeNull();
    expect(previousStart([], 1000)).toBe(0);
    expect(endOfSentence([], 1000)).toBeNull();
  });

  test('finds what a search from the start finds, in any timeline', () => {
    const steps = fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, fc.integer({ min: -10, max: 40_000 }), (lengths, ms) => {
        let at = 0;
        const sentences = lengths.map((length) => {
          const startMs = at;
          at += length;
          return sentence(0, 0, startMs, at);
        });
        const expected = sentences.filter(({ startMs }) => startMs <= ms).length - 1;
        expect(sentenceAt(sentences, ms)).toBe(expected);
      }),
    );
  });

  test('“previous” goes to the start of a sentence, and a second press to the one before', () => {
    expect(previousStart(THREE, 2999)).toBe(0);
    expect(previousStart(THREE, 1500)).toBe(0);
    expect(previousStart(THREE, 3001)).toBe(1500);
    expect(previousStart(THREE, 200)).toBe(0);
    expect(nextStart(THREE, 1500)).toBe(3500);
    expect(nextStart(THREE, 4000)).toBeNull();
  });

  test('a word is marked from its start to the next one, and none in the pause behind a sentence', () => {
    const spoken = {
      ...sentence(0, 9, 1000, 2000),
      words: [
        { from: 0, to: 3, startMs: 1000 },
        { from: 4, to: 9, startMs: 1500 },
      ],
    };
    expect([999, 1000, 1499, 1500, 1999, 2000].map((ms) => wordAt(spoken, ms))).toEqual([
      -1, 0, 0, 1, 1, -1,
    ]);
    expect(wordAt(THREE[0], 100)).toBe(-1);
    expect(wordAt(undefined, 100)).toBe(-1);
  });
});

describe('paragraphs', () => {
  test('are cut at blank lines, and hold their sentences and what is between them', () => {
    const content = 'One. Two!\n\nThree, it said.';
    const sentences = [sentence(0, 4, 0, 1), sentence(5, 9, 1, 2), sentence(11, 26, 2, 3)];
    const texts = paragraphsOf(content, sentences).map(({ parts }) =>
      parts.map((part) => [part.sentence, content.slice(part.from, part.to)]),
    );
    expect(texts).toEqual([
      [
        [0, 'One.'],
        [-1, ' '],
        [1, 'Two!'],
      ],
      [[2, 'Three, it said.']],
    ]);
  });

  test('without sentences a paragraph is one part', () => {
    expect(paragraphsOf('  \n\nA\n\n\nB', [])).toEqual([
      { from: 4, to: 5, parts: [{ from: 4, to: 5, sentence: -1 }] },
      { from: 8, to: 9, parts: [{ from: 8, to: 9, sentence: -1 }] },
    ]);
  });

  test('a sentence that goes on in the next paragraph has a part in both', () => {
    const content = 'He said\n\nnothing.';
    const parts = paragraphsOf(content, [sentence(0, 17, 0, 1)]).map(
      (paragraph) => paragraph.parts,
    );
    expect(parts).toEqual([[{ from: 0, to: 7, sentence: 0 }], [{ from: 9, to: 17, sentence: 0 }]]);
  });

  test('every character of any text but those between paragraphs is shown once, in its order', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'ż', '.', ' ', '\n', '😀'),
      maxLength: 80,
    });
    fc.assert(
      fc.property(text, fc.array(fc.nat({ max: 80 }), { maxLength: 12 }), (content, cuts) => {
        const places = [...new Set(cuts)].sort((one, other) => one - other);
        const sentences = places
          .slice(1)
          .map((to, index) =>
            sentence(places[index] ?? 0, Math.min(to, content.length), index, index + 1),
          )
          .filter(({ from, to }) => from < to);
        let at = 0;
        for (const paragraph of paragraphsOf(content, sentences)) {
          expect(content.slice(at, paragraph.from).trim()).toBe('');
          at = paragraph.from;
          for (const part of paragraph.parts) {
            expect(part.from).toBe(at);
            expect(part.to).toBeGreaterThan(part.from);
            at = part.to;
          }
          expect(at).toBe(paragraph.to);
        }
        expect(content.slice(at).trim()).toBe('');
      }),
    );
  });
});

describe('the sleep timer', () => {
  test('fades in the last ten seconds, and is over then', () => {
    const nearly = passTime(sleepAfter(10), 10 * 60_000 - FADE_MS / 4);
    expect(volumeOf(sleepAfter(10))).toBe(1);
    expect(volumeOf(nearly)).toBeCloseTo(0.25);
    expect(passTime(nearly ?? sleepAtEnd, FADE_MS / 4)).toBeNull();
  });

  test('at the end of the story nothing fades, and time does not pass', () => {
    expect(passTime(sleepAtEnd, 3_600_000)).toBe(sleepAtEnd);
    expect(volumeOf(sleepAtEnd)).toBe(1);
    expect(volumeOf(null)).toBe(1);
  });

  test('a choice that was kept is read again, and another text is no timer', () => {
    for (const choice of ['10', '20', '30', 'end']) expect(choiceOf(sleepOf(choice))).toBe(choice);
    for (const choice of ['off', '', '11', 'NaN']) expect(choiceOf(sleepOf(choice))).toBe('off');
  });
});

describe('the place', () => {
  const place = (positionMs: number, at: number, finished = false): Position => ({
    positionMs,
    finished,
    rate: 1,
    at,
  });

  test('the later report wins, and the server where both are equal', () => {
    expect(later(place(1, 10), place(2, 11))).toEqual(place(2, 11));
    expect(later(place(1, 12), place(2, 11))).toEqual(place(1, 12));
    expect(later(place(1, 11), place(2, 11))).toEqual(place(2, 11));
    expect(later(null, place(2, 11))).toEqual(place(2, 11));
    expect(later(null, null)).toBeNull();
  });

  test('asks only when another device was used later and is far away', () => {
    expect(resume(place(10_000, 1), place(90_000, 2)).kind).toBe('ask');
    expect(resume(place(90_000, 1), place(10_000, 2)).kind).toBe('ask');
    expect(resume(place(10_000, 1), place(20_000, 2))).toEqual({
      kind: 'start',
      from: place(20_000, 2),
    });
    expect(resume(place(10_000, 3), place(90_000, 2))).toEqual({
      kind: 'start',
      from: place(10_000, 3),
    });
    expect(resume(null, place(90_000, 2))).toEqual({ kind: 'start', from: place(90_000, 2) });
  });

  test('a story that was heard to its end begins again', () => {
    expect(resume(place(60_000, 2, true), null)).toEqual({ kind: 'start', from: place(0, 2) });
    expect(resume(null, null)).toMatchObject({ kind: 'start', from: { positionMs: 0, rate: 1 } });
  });

  test('is reported every ten seconds while it moves, and at once when the listener stops', () => {
    const now = (ms: number): Position => place(ms, 1_000_000 + ms);
    expect(isDue(null, now(1), 'playing')).toBe(true);
    expect(isDue(now(0), now(REPORT_MS - 1), 'playing')).toBe(false);
    expect(isDue(now(0), now(REPORT_MS), 'playing')).toBe(true);
    expect(isDue(now(0), now(1), 'stopped')).toBe(true);
    expect(isDue(place(5, 1), place(5, 99_999_999), 'leaving')).toBe(false);
    expect(isDue(place(5, 1), { ...place(5, 2), rate: 1.5 }, 'leaving')).toBe(true);
  });

  test('what was stored by something else is no place', () => {
    expect(readPosition(JSON.stringify(place(3, 4)))).toEqual(place(3, 4));
    for (const text of [
      null,
      '',
      '{',
      '{}',
      '7',
      'null',
      '{"positionMs":"1","rate":1,"at":2,"finished":true}',
    ])
      expect(readPosition(text)).toBeNull();
  });
});

describe('keys', () => {
  const press = (key: string, on = 'body', ctrlKey = false): ReturnType<typeof commandOf> =>
    commandOf({ key, ctrlKey, metaKey: false, altKey: false, on });

  test('do what the help says', () => {
    expect(['ArrowLeft', 'ArrowDown', ' ', '[', 'S', '?', 'x'].map((key) => press(key))).toEqual([
      'back',
      'next',
      'toggle',
      'slower',
      'sleep',
      'help',
      null,
    ]);
  });

  test('belong to the field, the button or the browser where these need them', () => {
    expect(press('s', 'input')).toBeNull();
    expect(press('ArrowLeft', 'select')).toBeNull();
    expect(press(' ', 'button')).toBeNull();
    expect(press('f', 'body', true)).toBeNull();
    expect(press('ArrowLeft', 'button')).toBe('back');
    expect(press('toString')).toBeNull();
  });

  test('speeds are whole steps within the bounds', () => {
    expect([0.1, 0.76, 1.03, 1.1 + 0.2, 9].map(clampRate)).toEqual([0.75, 0.75, 1.05, 1.3, 2]);
  });
});
