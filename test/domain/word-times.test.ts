import { expect, test } from '@jest/globals';
import { toWebVtt } from '../../src/domain/captions.js';
import { cuesOf } from '../../src/domain/segmentation/cues.js';
import { spokenOf } from '../../src/domain/spoken/spoken.js';
import { sourceOffsets, wordTimes, type Mark } from '../../src/domain/timing/alignment.js';
import { withWords } from '../../src/domain/timing/captioned-words.js';
import { packed, unpacked } from '../../src/domain/timing/timeline.js';
import { shownWords, timedSentence } from '../../src/domain/timing/words.js';

/** A mark at each of these words of a text, the samples being 100, 200 and so on. */
const marksAt = (text: string, words: readonly string[]): Mark[] => {
  let from = 0;
  return words.map((word, index) => {
    const offset = text.indexOf(word, from);
    from = offset + word.length;
    return { offset, sample: (index + 1) * 100 };
  });
};

/** The words that have a time, with it. */
const timesOf = (
  text: string,
  read: string,
  marks: readonly Mark[],
  language = 'en',
): [string, number][] =>
  wordTimes(text, read, marks, language).map(({ start, end, sample }) => [
    text.slice(start, end),
    sample,
  ]);

test.each([
  ['the same text', 'The owl, it sat.', 'The owl, it sat.', ['The', 'owl', 'it', 'sat']],
  [
    'signs that were left out',
    'A <b>fox</b> ran — off.',
    'A b fox /b ran off.',
    ['A', 'fox', 'off'],
  ],
  ['forms that were made plain', 'Ｗｉｄｅ ﬁelds', 'Wide fields', ['Wide', 'fields']],
  ['Chinese, which has no spaces', '你好世界', '你好世界', ['你好', '世界']],
  ['emoji, which are two units', '🦉🦉 owls fly', '🦉🦉 owls fly', ['owls', 'fly']],
])('words are found again: %s', (_name, text, read, words) => {
  const found = timesOf(text, read, marksAt(read, words));
  expect(found.map(([word]) => word.normalize('NFKC'))).toEqual(words);
  expect(found.map(([, sample]) => sample)).toEqual(words.map((_, index) => (index + 1) * 100));
});

test('marks that are doubtful give no time', () => {
  const text = 'one two three four';
  const marks = [
    { offset: 4, sample: 10 },
    // The same word again, a word before it, an earlier time, and a place behind the end.
    { offset: 5, sample: 20 },
    { offset: 0, sample: 30 },
    { offset: 8, sample: 5 },
    { offset: 99, sample: 40 },
    // The space before a word.
    { offset: 13, sample: 50 },
  ];
  expect(timesOf(text, text, marks)).toEqual([
    ['two', 10],
    ['four', 50],
  ]);
});

test('a number that was read as several begins with the first', () => {
  const read = 'It has 1 2 3 4 5 6 7 8 9 0 1 legs.';
  const times = timesOf(
    'It has 12345678901 legs.',
    read,
    marksAt(read, ['It', 'has', '1', '2', 'legs']),
  );
  expect(times.map(([word]) => word)).toEqual(['It', 'has', '12345678901', 'legs']);
});

test('offsets lead back through white space of every kind', () => {
  const source = 'One\r\n\t fox 🦊 , 東\n京';
  const text = 'One fox 🦊 , 東京';
  const offsets = sourceOffsets(text, source);
  const places = [...text].flatMap((character) =>
    character === ' ' ? [] : [source.indexOf(character)],
  );
  expect(places.length).toBeGreaterThan(8);
  for (const [index, character] of [...text].entries()) {
    const at = [...text].slice(0, index).join('').length;
    if (character !== ' ')
      expect(source.slice(offsets[at], (offsets[at] ?? 0) + character.length)).toBe(character);
  }
});

/** Three numbers for each of these words of the spoken text, a tenth of a second apart. */
const numbersFor = (spoken: string, words: readonly string[]): number[] =>
  marksAt(spoken, words).flatMap(({ offset, sample }, index) => [
    offset,
    offset + (words[index]?.length ?? 0),
    sample,
  ]);

test('words are told as they are stored: what stands for one is one, and what is shown before has none', () => {
  const content = 'Then:  \n“It  cost\n*$500*”, she said.';
  const start = content.indexOf('“');
  const source = content.slice(start);
  const text = `* * * ${source.replace(/\s+/g, ' ')}`;
  const spoken = spokenOf(source.replace(/\s+/g, ' '), 'en');
  const shifted = {
    text: spoken.text,
    at: Array.from({ length: spoken.text.length + 1 }, (_, at) => (spoken.at?.[at] ?? at) + 6),
  };
  const words = ['It', 'cost', 'five', 'hundred', 'dollars', 'she', 'said'];
  const numbers = numbersFor(spoken.text, words);
  const sentence = timedSentence(
    { text, start, end: content.length, lead: 6, source, spoken: shifted },
    { index: 4, startMs: 1000, endMs: 1650 },
    numbers,
  );
  expect(sentence.words.map(({ from, to }) => content.slice(from, to))).toEqual([
    'It',
    'cost',
    '$500',
    'she',
    'said',
  ]);
  expect(sentence.words.map(({ startMs }) => startMs)).toEqual([1100, 1200, 1300, 1600, 1650]);
  expect(unpacked(packed(sentence), 4)).toEqual(sentence);
});

test('captions have the times of words inside, in order and within their cues', () => {
  const text =
    'When the moon had gone over the hill & the owl had slept, the fox came home to the old tree, and it was <cold>.';
  const names = [...text.matchAll(/[a-z]+/giu)].map(([word]) => word);
  const spoken = { text, at: null };
  const words = shownWords({ text, spoken }, numbersFor(text, names));
  const whole = { startMs: 5000, endMs: 8000, text };
  const cues = withWords(cuesOf(whole, 'en'), { startMs: 5000, text, words });
  expect(cues.length).toBeGreaterThan(1);
  let latest = 5000;
  for (const [index, cue] of cues.entries()) {
    expect(cue.startMs).toBe(index === 0 ? 5000 : cues[index - 1]?.endMs);
    for (const { ms } of cue.words ?? []) {
      expect(ms).toBeGreaterThan(Math.max(cue.startMs, latest - 1));
      expect(ms).toBeLessThan(cue.endMs);
      latest = ms;
    }
  }
  expect(cues.at(-1)?.endMs).toBe(8000);
  const vtt = toWebVtt(cues);
  expect(vtt).toContain('When <00:00:05.200>the <00:00:05.300>moon');
  expect(vtt).toContain('&lt;<00:00:07.');
  expect(vtt).toContain('hill &amp; ');
  // Without the stamps it is the text.
  const shown = vtt
    .split('\n')
    .filter((line) => line !== '' && !/-->|^\d+$|WEBVTT/.test(line))
    .join(' ');
  expect(shown.replace(/<[\d:.]+>/g, '')).toBe(
    text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;'),
  );
});
