import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cuesOf } from '../../src/domain/segmentation/cues.js';
import { splitSentences } from '../../src/domain/sentences.js';
import { withSpoken } from '../../src/domain/spoken/spoken.js';
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

const TABLE = readFileSync(new URL('cases/sentences.txt', import.meta.url), 'utf8')
  .split(/^\[(?=[a-z]+\]$)/mu)
  .slice(1)
  .map((part) => {
    const [head = '', ...lines] = part.split('\n');
    return { language: head.slice(0, -1), cases: lines.filter((line) => line !== '') };
  });

describe('the table of sentences', () => {
  test('has hundreds of cases, in every language that is offered by default', () => {
    expect(TABLE.flatMap(({ cases }) => cases).length).toBeGreaterThan(450);
    expect(TABLE.map(({ language }) => language)).toEqual(
      expect.arrayContaining('en pl de fr es it pt nl cs sv uk ja zh ru el hi ar th'.split(' ')),
    );
  });

  test.each(TABLE)('$language', ({ language, cases }) => {
    const found = cases.map((line) => textsOf(line.replace(/¦ ?/gu, ''), language));
    const wanted = cases.map((line) =>
      line.split('¦').map((sentence) => sentence.trim().replace(/\s+/gu, ' ')),
    );
    expect(found).toEqual(wanted);
  });

  // A French mark has a plain, a no-break or a narrow space, or none.
  test.each([' ', '\u00a0', '\u202f', ''])('French spacing: %j', (space) => {
    const text = `«${space}Bonjour${space}!${space}» dit le renard. «${space}Bonsoir.${space}» Il sortit.`;
    const shown = space === '' ? '' : ' ';
    expect(textsOf(text, 'fr')).toEqual([
      `«${shown}Bonjour${shown}!${shown}» dit le renard.`,
      `«${shown}Bonsoir.${shown}»`,
      'Il sortit.',
    ]);
  });

  const QUOTES = [
    '""',
    '“”',
    '””',
    '„“',
    '„”',
    '«»',
    '»«',
    '»»',
    '‘’',
    '‚‘',
    "''",
    '‹›',
    '「」',
    '『』',
    '()',
  ];
  test.each(QUOTES)('marks stay with the words between them: %s', (marks) => {
    const [open = '', close = ''] = marks;
    const pieces = [
      `${open}The fox ran.${close}`,
      'The owl slept.',
      `${open}Did it?${close}`,
      'It did.',
    ];
    expect(textsOf(pieces.join(' '))).toEqual(pieces);
  });
});

const boundariesOf = (text: string, language = 'en'): [string, string][] =>
  [...splitSentences(text, language)].map((sentence) => [sentence.text, sentence.boundary]);

describe('boundaries', () => {
  test('of sentences, paragraphs and headings', () => {
    expect(boundariesOf('The Owl\n\nIt was night. The owl woke.\n\nIt flew.')).toEqual([
      ['The Owl', 'heading'],
      ['It was night.', 'sentence'],
      ['The owl woke.', 'paragraph'],
      ['It flew.', 'paragraph'],
    ]);
  });

  test.each([
    '* * *',
    '***',
    '—',
    '#',
    '⁂',
    '---',
    '___',
    '~',
    '• • •',
    '❦',
    '. . .',
    '◆ ◆ ◆',
    '* * *\n\n* * *',
  ])('a line of %j separates scenes, and nothing is spoken for it', (ornament) => {
    const scenes = [
      ['The owl slept.', 'scene'],
      ['It woke.', 'paragraph'],
    ];
    expect(boundariesOf(`The owl slept.\n\n${ornament}\n\nIt woke.`)).toEqual(scenes);
    expect(boundariesOf(`The owl slept.\r\n${ornament}\r\nIt woke.`)).toEqual(scenes);
    expect(boundariesOf(`${ornament}\n\nThe owl slept.\n\n${ornament}\n\nIt woke.`)).toEqual(
      scenes,
    );
  });

  test.each(['…', '?!', '“…”', '!!!'])('a line of %j is no scene break', (line) => {
    expect(boundariesOf(`The owl slept.\n\n${line}\n\nIt woke.`)).toEqual([
      ['The owl slept.', 'paragraph'],
      ['It woke.', 'paragraph'],
    ]);
  });

  test.each([
    '# The Owl',
    'The Owl\n=======',
    'The Owl\n---',
    'THE OWL.',
    'Chapter 1',
    'Chapter I.',
    'IV.',
    '12',
    'Rozdział pierwszy',
    'Kapitel 3',
    'Chapitre II',
    '第一章',
    'Chapter One\nThe Owl',
  ])('%j is a heading', (heading) => {
    const found = boundariesOf(`${heading}\n\nThe owl slept.`);
    expect(new Set(found.slice(0, -1).map(([, boundary]) => boundary))).toEqual(
      new Set(['heading']),
    );
  });

  test.each(['The owl slept.', '“Who is it?”', 'Stop!', 'She said:', 'and then', '— Who is it'])(
    '%j is no heading',
    (line) => {
      expect(boundariesOf(`${line}\n\nThe owl slept.`)[0]?.[1]).toBe('paragraph');
    },
  );

  test('headings and paragraphs of HTML, and emphasised headings, are found in one line, too', () => {
    expect(
      boundariesOf(
        '<h1>The Storm</h1><p class="a">It rained. It blew.</p><p>Then sun.<br/>Then moon.</p>',
      ),
    ).toEqual([
      ['<h1>The Storm</h1>', 'heading'],
      ['<p class="a">It rained.', 'sentence'],
      ['It blew.</p>', 'paragraph'],
      ['<p>Then sun.<br/>', 'line'],
      ['Then moon.</p>', 'paragraph'],
    ]);
    expect(boundariesOf('**The Storm**\n\nIt rained.').map(([, boundary]) => boundary)).toEqual([
      'heading',
      'paragraph',
    ]);
    expect(boundariesOf('**It rained.**\n\nIt blew.').map(([, boundary]) => boundary)).toEqual([
      'paragraph',
      'paragraph',
    ]);
  });

  test('a new line in verse is a boundary, and one in wrapped prose is a space', () => {
    expect(
      boundariesOf('The owl flies low,\nThe moon is new.\nThe fox below\nHas work to do.'),
    ).toEqual([
      ['The owl flies low,', 'line'],
      ['The moon is new.', 'sentence'],
      ['The fox below', 'line'],
      ['Has work to do.', 'paragraph'],
    ]);
    const prose =
      'It was a long and wet evening in the town, and the\nriver had risen to the third step of the stair. The\nferryman sat there and waited.';
    expect(boundariesOf(prose)).toEqual([
      [
        'It was a long and wet evening in the town, and the river had risen to the third step of the stair.',
        'sentence',
      ],
      ['The ferryman sat there and waited.', 'paragraph'],
    ]);
    expect(
      boundariesOf('— Who is it?\n— A fox.\n— Go away!').map(([, boundary]) => boundary),
    ).toEqual(['sentence', 'sentence', 'paragraph']);
  });

  test('long lines are paragraphs', () => {
    const line = 'The owl flew over the hill and looked for the fox. '.repeat(3).trim();
    const found = boundariesOf(`${line}\nShort.\n${line}`).map(([, boundary]) => boundary);
    expect(found.filter((boundary) => boundary === 'paragraph')).toHaveLength(3);
  });
});

test('a new line inside of Chinese or Japanese is no space', () => {
  expect(textsOf('他走了很远的路，最后\n到了山里。', 'zh')).toEqual([
    '他走了很远的路，最后到了山里。',
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

const WORDS_OF = (language: string): Intl.Segmenter =>
  new Intl.Segmenter(language, { granularity: 'word' });

test.each([
  ['zh', '山里有一座庙，庙里有一个老和尚、一只猫；他们在讲故事：', /[，、；：]$/u],
  ['ja', '山の中に寺があり、寺の中に猫がいて、猫は話をして、', /、$/u],
  ['th', 'แมวตัวหนึ่งเดินทางไกลมากไปหาเพื่อนที่อยู่บนภูเขา ', /ขา$/u],
] as const)('a long sentence in %s is cut behind a clause', (language, clause, end) => {
  const pieces = textsOf(`${clause.repeat(40)}完`, language);
  expect(pieces.length).toBeGreaterThan(2);
  for (const piece of pieces.slice(0, -1)) expect(piece).toMatch(end);
});

test.each([
  ['zh', '从前有一座山山里有一座庙庙里有一个老和尚在讲故事'],
  ['ja', '山の中に古い寺があって寺の中に猫がいて猫は話をしていた'],
  ['th', 'แมวตัวหนึ่งเดินทางไกลมากไปหาเพื่อนที่อยู่บนภูเขาสูง'],
])('without a clause, a long sentence in %s is cut between words', (language, clause) => {
  const text = clause.repeat(40);
  const pieces = textsOf(text, language);
  expect(pieces.length).toBeGreaterThan(2);
  expect(pieces.join('')).toBe(text);
  const ends = new Set([...WORDS_OF(language).segment(text)].map(({ index }) => index));
  let at = 0;
  for (const piece of pieces.slice(0, -1)) expect(ends).toContain((at += piece.length));
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

test('sentences are in the story where they say, in order', () => {
  fc.assert(
    fc.property(anyText, fc.constantFrom('en', 'pl', 'zh'), (text, language) => {
      let last = 0;
      for (const sentence of splitSentences(text, language)) {
        expect(sentence.start).toBeGreaterThanOrEqual(last);
        const source = text.slice(sentence.start, sentence.end);
        expect(source.isWellFormed() || !text.isWellFormed()).toBe(true);
        expect(lettersOf(source)).toBe(lettersOf(sentence.text));
        expect(source.replace(/[\s\p{Cc}]+/gu, '')).toBe(sentence.text.replace(/\s/gu, ''));
        last = sentence.end;
      }
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

/** A book of all cases of a language, with the marks of Markdown and HTML, headings, verse and scene breaks in between. */
function bookOf(cases: readonly string[], language: string): string {
  const lines = cases.map((line) => line.replace(/¦ ?/gu, ''));
  const chapter = (number: number): string =>
    [
      `# ${String(number)}. **${lines[0] ?? ''}**`,
      ...lines.map((line, at) => (at % 7 === 0 ? `<p>${line}</p>` : line)),
      '* * *',
      lines.slice(0, 4).join('\n'),
      `***\n\n<br>\n\n[${lines[1] ?? ''}](https://example.com/${language}?a=1)\n\n&nbsp;`,
      lines.join(' '),
    ].join('\n\n');
  return Array.from({ length: 3 }, (_, index) => chapter(index + 1)).join('\n\n---\n\n');
}

test.each(TABLE)(
  '$language: every letter and digit of a book is in its captions, in order',
  ({ language, cases }) => {
    const book = bookOf(cases, language);
    const shown = [...withSpoken(splitSentences(book, language), language)].flatMap(({ text }) =>
      cuesOf({ text, startMs: 0, endMs: text.length * 70 }, language).map((cue) =>
        typeof cue.text === 'string' ? cue.text : cue.text.join(' '),
      ),
    );
    expect(book.length).toBeGreaterThan(300);
    expect(lettersOf(shown.join(' '))).toBe(lettersOf(book));
  },
);
