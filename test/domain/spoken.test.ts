import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toWebVtt } from '../../src/domain/captions.js';
import { cuesOf } from '../../src/domain/segmentation/cues.js';
import { splitSentences } from '../../src/domain/sentences.js';
import { storedRangeOf } from '../../src/domain/spoken/draft.js';
import { canRead, countLetters, speaksLanguage } from '../../src/domain/spoken/scripts.js';
import { spokenOf, withSpoken } from '../../src/domain/spoken/spoken.js';
import { SPOKEN } from '../support/spoken.js';

const ROWS = Object.entries(SPOKEN).flatMap(([language, rows]) =>
  rows.map(([written, spoken]) => [language, written, spoken] as const),
);

test.each(ROWS)('%s: %j is spoken as %j', (language, written, spoken) => {
  expect(spokenOf(written, language).text).toBe(spoken);
});

test('each language has at least forty rows', () => {
  for (const rows of Object.values(SPOKEN)) expect(rows.length).toBeGreaterThanOrEqual(40);
  expect(Object.keys(SPOKEN)).toEqual(['en', 'pl', 'de', 'fr', 'es']);
});

test('American English has the month first', () => {
  expect(spokenOf('12/05/2024', 'en-US').text).toBe('December fifth, twenty twenty-four');
  expect(spokenOf('12/05/2024', 'en-GB').text).toBe('the twelfth of May twenty twenty-four');
});

test.each([
  ['en', 'The cat sat on the mat; it purred, and “slept”.'],
  ['en', 'In 1200 words or more, I said 42 things.'],
  ['pl', 'Chrząszcz brzmi w trzcinie — i to o 8 rano!'],
  ['de', 'Er war 2. Dann ging er nach Hause.'],
  ['fr', '« Ah ! c’est vous ? » dit-elle.'],
  ['es', '¿Qué hora es? ¡No lo sé!'],
  ['it', 'C’era una volta un re.'],
  ['he', 'הַשֶּׁמֶשׁ מְחַמֶּמֶת'],
  ['ar', 'الشَّمْسُ تُدْفِئُ الْبَيْتَ'],
  ['fa', 'می‌کند'],
])('%s: what a person reads as it is written stays: %s', (language, text) => {
  expect(spokenOf(text, language)).toEqual({ text, at: null });
});

test.each([
  ['it', '**Ciao** &amp; <i>bene</i> Ⅳ', 'Ciao e bene 4'],
  ['uk', 'Том & Джері [1]', 'Том і Джері'],
  ['ja', 'ＡＢＣ　かな', 'ABC かな'],
])('%s: without a table, marks and signs go all the same: %j', (language, written, spoken) => {
  expect(spokenOf(written, language).text).toBe(spoken);
});

const wordAt = (text: string, word: string, language: string): string => {
  const spoken = spokenOf(text, language);
  const start = spoken.text.indexOf(word);
  expect(start).toBeGreaterThanOrEqual(0);
  return text.slice(...storedRangeOf(spoken, start, start + word.length));
};

test('a spoken word leads back to what is stored', () => {
  const text = 'He **paid** $500 at &eacute;té, in Louis XIV’s oﬃce.';
  expect(wordAt(text, 'He', 'en')).toBe('He');
  expect(wordAt(text, 'paid', 'en')).toBe('paid');
  expect(wordAt(text, 'hundred', 'en')).toBe('$500');
  expect(wordAt(text, 'été', 'en')).toBe('&eacute;té');
  expect(wordAt(text, 'fourteenth', 'en')).toBe('XIV');
  expect(wordAt('I saw 5 km of it', 'of it', 'en')).toBe('of it');
});

const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom(...ROWS.map(([, written]) => written)),
      fc.constantFrom(' ', '. ', '\n', '**', '_', '<b>', '&amp;', '<', '&', '(', '5', 'XIV', '°C'),
      fc.string({ unit: 'binary', maxLength: 8 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

test('every offset leads back into the text, in order, and the end to the end', () => {
  fc.assert(
    fc.property(anyText, fc.constantFrom('en', 'pl', 'de', 'fr', 'es', 'it'), (text, language) => {
      const { text: spoken, at } = spokenOf(text, language);
      if (at === null) {
        expect(spoken).toBe(text);
        return;
      }
      expect(at).toHaveLength(spoken.length + 1);
      expect(at.at(-1)).toBe(text.length);
      for (let offset = 0; offset < spoken.length; offset += 1)
        expect(at[offset]).toBeLessThanOrEqual(at[offset + 1] ?? 0);
      expect(spoken).not.toMatch(/\p{Cc}|^\s|\s$|\s\s/u);
    }),
    { numRuns: 300 },
  );
});

/** Letters and digits, as a listener compares what is shown with what is stored. */
const lettersOf = (text: string): string => text.replace(/[^\p{L}\p{M}\p{N}]/gu, '');

/** The signs that a file of captions writes as entities. */
const unescaped = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

/** A short text for each language that has abbreviations, markup and a line without words in it. */
const MADE: Readonly<Record<string, string>> = {
  en: '# One\n\nMr. Fox paid **$5.50** on May 5, 1939.\n\n<br>\n\n* * *\n\nSee www.example.com &amp; go.\n\n<hr/>',
  pl: 'I\n\nW XIX w. dr Kret miał 2,50 zł, tj. mało.\n\n<br>\n\nNp. o 10:30 spał.',
  de: '<p>\n\nAm 2. Oktober kam z. B. Ludwig XIV. an.\n\n&nbsp;\n\nEr blieb 5 km fort.',
  fr: 'M. Dupont, né le 1er mai, dit : « 3,50 € ! »\n\n<br/>\n\nFin du XIXe siècle.',
  es: 'El Sr. Gómez pagó 5 €.\n\n<br>\n\nSiglo XIX, n.º 3: ½ litro.',
};

const shown = (text: string, language: string): string =>
  [...withSpoken(splitSentences(text, language), language)].map((one) => one.text).join('\n');

test.each(Object.entries(MADE))(
  '%s: every letter and digit of a text is in the captions, in order',
  (language, text) => {
    expect(lettersOf(shown(text, language))).toBe(lettersOf(text));
  },
);

test('every letter and digit of the library is in the captions, in order, and is speakable', async () => {
  const files = (await readdir('prisma/library')).filter((name) => name.endsWith('.md'));
  expect(files.length).toBeGreaterThan(10);
  for (const file of files) {
    const content = await readFile(`prisma/library/${file}`, 'utf8');
    const language = /\.(\w+)\.md$/u.exec(file)?.[1] ?? '';
    expect([file, lettersOf(shown(content, language))]).toEqual([file, lettersOf(content)]);
    // As a player shows it: in the file of captions, without its times.
    const cues = [...withSpoken(splitSentences(content, language), language)].flatMap(
      ({ text }, at) =>
        cuesOf({ text, startMs: at * 10_000, endMs: at * 10_000 + 70 * text.length }, language),
    );
    // A cue is its number, its times and its lines.
    const lines = toWebVtt(cues)
      .split('\n\n')
      .slice(1)
      .flatMap((cue) => cue.split('\n').slice(2));
    expect([file, lettersOf(unescaped(lines.join(' ')))]).toEqual([file, lettersOf(content)]);
    for (const { spoken } of withSpoken(splitSentences(content, language), language))
      expect(spoken.text).toMatch(/[\p{L}\p{N}]/u);
  }
});

test('a sentence with nothing to speak is shown with its neighbour', () => {
  const texts = (...all: string[]): string[] =>
    [
      ...withSpoken(
        all.map((text) => ({ text })),
        'en',
      ),
    ].map(({ text }) => text);
  expect(texts('<br>', 'One.', '<hr>', 'Two.', '<p>')).toEqual(['<br> One.', '<hr> Two. <p>']);
  expect(texts('<br>', '&nbsp;')).toEqual([]);
});

test.each([
  [['en', 'en-GB'], 'Once upon a time, said Привет, мир the cat to the dog and the mouse.', true],
  [['en'], 'Жила-была кошка.', false],
  [['en'], 'The cat sat on it, сказала.', false],
  [['ru'], 'Жила-была кошка.', true],
  [['hi'], 'Once upon a time', false],
  [['zh'], '太阳温暖着房子', true],
  [['ja'], 'たいようが 家を あたため', true],
  [['ja-Hrkt'], 'たいようが いえを あたため', true],
  [['ja-Hrkt'], '太陽が家を温め、子供達は眠る', false],
  [['ko'], '해가 집을', true],
  [['sr', 'sr-Latn'], 'Sunce greje kuću', true],
  [['pa'], 'ਸੂਰਜ ਘਰ', true],
  [['en'], 'ᚠᚢᚦᚨᚱᚲ', false],
  [['en'], '123 — 456!', true],
  [['en'], '', true],
  [[], 'ᚠᚢᚦᚨᚱᚲ', true],
  [['not a tag'], 'ᚠᚢᚦᚨᚱᚲ', true],
])('a voice of %j reads %s: %s', (languages, text, expected) => {
  expect(canRead(languages, countLetters(text))).toBe(expected);
});

test.each([
  [['en'], 'en-GB', true],
  [['en-US', 'pl'], 'pl', true],
  [['en'], 'de', false],
  [['pt-BR'], 'pt-PT', true],
  [['nb'], 'no', true],
  [['no'], 'nn', true],
  [['hr'], 'sr-Latn', true],
  [['cmn'], 'zh', true],
  [['ja-Hrkt'], 'ja', true],
  [['yue'], 'zh', false],
  [[], 'de', true],
  [['mul'], 'de', true],
  [['en'], 'und', true],
  [['en'], 'deutsch sprache', true],
])('a voice of %j speaks %s: %s', (languages, language, expected) => {
  expect(speaksLanguage(languages, language)).toBe(expected);
});
