import { afterAll, expect, test } from '@jest/globals';
import pino from 'pino';
import type * as Sentences from '../../src/domain/sentences.js';
import type * as Espeak from '../../src/infra/speech/espeak.js';
import { compiled } from '../support/compiled.js';

const { createEspeakProvider } = await compiled<typeof Espeak>('infra/speech/espeak.js');
const { splitSentences } = await compiled<typeof Sentences>('domain/sentences.js');
const provider = createEspeakProvider({
  processes: 2,
  timeoutMs: 120_000,
  log: pino({ level: 'silent' }),
});
afterAll(() => provider.close());

const LETTERS_A_SECOND = 15;
const BREATH_SECONDS = 1;
/** As letters: the name of a digit, and what is written for a syllable. */
const DIGIT = 6;
const SYLLABLE = 4;

/** How long a person would take to read a sentence. */
function expectedSeconds(text: string): number {
  const digits = text.match(/\p{Nd}/gu)?.length ?? 0;
  const syllables = text.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/gu) ?? [];
  const letters = text.length + (DIGIT - 1) * digits + (SYLLABLE - 1) * syllables.length;
  return BREATH_SECONDS + letters / LETTERS_A_SECOND;
}

/** The loudest of enough samples, of which there are many millions. */
function peakOf(pcm: Int16Array): number {
  let peak = 0;
  for (let at = 0; at < pcm.length; at += 7) peak = Math.max(peak, Math.abs(pcm[at] ?? 0));
  return peak;
}

interface Heard {
  readonly sentences: number;
  readonly seconds: number;
  readonly expected: number;
}

/** Speaks a text sentence by sentence, each of which must be heard, in time. */
async function hear(text: string, language: string): Promise<Heard> {
  const sentences = [...splitSentences(text, language)];
  const voice = language === 'pl' ? 'pl' : 'en-gb';
  const spoken = await Promise.all(
    sentences.map(async (sentence) => {
      const request = { text: sentence.text, voice, language };
      const { pcm, sampleRateHz } = await provider.speak(request, new AbortController().signal);
      const seconds = pcm.length / sampleRateHz;
      const peak = peakOf(pcm);
      expect([sentence.text, peak > 3000]).toEqual([sentence.text, true]);
      const expected = expectedSeconds(sentence.text);
      expect([sentence.text, seconds, seconds <= 2 * expected]).toEqual([
        sentence.text,
        seconds,
        true,
      ]);
      return { seconds, expected };
    }),
  );
  return {
    sentences: sentences.length,
    seconds: spoken.reduce((sum, { seconds }) => sum + seconds, 0),
    expected: spoken.reduce((sum, { expected }) => sum + expected, 0),
  };
}

const TEXTS: readonly (readonly [string, string, string?])[] = [
  ['plain', 'Once upon a time there was a cat who lived in a small house by the river.'],
  ['plain, Polish', 'Chrząszcz brzmi w trzcinie w Szczebrzeszynie.', 'pl'],
  ['SSML', 'Wait <break time="3000000ms"/> <prosody rate="x-slow">now</prosody>.'],
  ['phonemes', "[[ [[h@l'oU_:_:_:_:]] hello"],
  ['braces', '{{ a }}'],
  ['control characters', 'Hello\u0000\u0001\u0007\u001b[31m\u0085 there'],
  ['a long row of digits', '1234567890'.repeat(2000)],
  ['a number of twenty digits', '12345678901234567890'],
  ['a number of twenty digits, Polish', '12345678901234567890', 'pl'],
  ['many numbers', '1984, 1985; 1,234,567,890.12 and +48 123 456 789. '.repeat(5)],
  ['digits in a row of their own', '7 '.repeat(500)],
  ['decimals', '3.14159265358979323846264338327950288'],
  ['decimals without end', `0.${'3'.repeat(380)}`],
  ['percent', '100% '.repeat(60)],
  ['Arabic digits', '٠١٢٣٤٥٦٧٨٩'],
  ['a hash', 'deadbeef0123456789abcdef 0191a2b3-c4d5-7e6f-8a9b-0c1d2e3f4a5b'],
  ['base64', 'aGVsbG8gd29ybGQgdGhpcyBpcyBhIHRlc3Q5OTk='],
  ['Arabic', 'مرحبا بالعالم كيف حالك اليوم في هذا البيت الكبير'],
  ['Arabic, by a Polish voice', 'مرحبا بالعالم كيف حالك اليوم', 'pl'],
  ['Hebrew', 'שלום עולם מה שלומך היום בבית הגדול הזה'],
  ['Chinese', '你好世界今天天气很好我们去公园玩吧'],
  ['Japanese', 'こんにちは世界今日はいい天気ですね'],
  ['Korean', '안녕하세요 세계 오늘 날씨가 좋네요'],
  ['Russian', 'Привет мир как дела сегодня в этом большом доме'],
  ['Greek', 'Γειά σου Κόσμε πώς είσαι σήμερα'],
  ['Thai', 'สวัสดีชาวโลกวันนี้อากาศดี'],
  ['Hindi', 'नमस्ते दुनिया आज मौसम अच्छा है'],
  ['Georgian and Armenian', 'გამარჯობა მსოფლიო, բարև աշխարհ'],
  ['mixed', 'Ala ma kota, 你好, hello and Привет мир. Then שלום.'],
  ['mixed, Polish', 'Ala ma kota, 你好, hello and Привет мир.', 'pl'],
  ['letter by letter of other scripts', 'a α b 你 c ж d א e ก '.repeat(15)],
  ['runes', 'ᚠᚢᚦᚨᚱᚲ'.repeat(50)],
  ['runes among words', 'The stone said ᚠᚢᚦᚨᚱᚲ and fell.'],
  ['letters that no dictionary has', '𠀀𠀁𠀂𠀃𠀄 and 𓀀𓀁𓀂'],
  ['phonetics', 'ʜᴇʟʟᴏ ᴡᴏʀʟᴅ, həˈləʊ'],
  ['mathematical letters', '𝐇𝐞𝐥𝐥𝐨 𝕨𝕠𝕣𝕝𝕕 𝟙𝟚𝟛'],
  ['wide letters', 'Ｈｅｌｌｏ ｗｏｒｌｄ'],
  ['ligatures', 'The ﬁne ﬂow of an oﬃce'],
  ['an emoji', 'Hello 😀 there'],
  ['many emoji', `Hi ${'😀🎉🐢'.repeat(60)} there`],
  ['families', `Hi ${'👨‍👩‍👧‍👦'.repeat(30)} there`],
  ['flags', `Hi ${'🇵🇱'.repeat(50)} there`],
  ['hearts and suns', '❤️ love ☀️ sun ✨'],
  ['zalgo', `H${'\u0336\u0321\u034a'.repeat(9)}e${'\u0300'.repeat(30)}llo there`],
  [
    'invisible characters',
    '\ufeffHe\u200bllo wo\u200d\u200crld\u2060, ex\u00adtra\u00ador\u00addi\u00adnary',
  ],
  ['the wrong direction', '\u202eHello world\u202c and \u2067back\u2069'],
  ['tags', `a${'\u{e0041}\u{e0042}'.repeat(50)}b`],
  ['private and unassigned', 'a \ue000\ue001\u0378\u0379 b'],
  ['dots', `Hello ${'.'.repeat(380)} world`],
  ['signs', `Hello ${'#$%^*'.repeat(70)} yes`],
  ['a row of one sign', `Hello ${'='.repeat(380)} yes`],
  ['signs with spaces', `Hello ${': '.repeat(180)} yes`],
  ['short clauses', 'a; b: '.repeat(60)],
  ['quotes', `${'"'.repeat(300)} hi ${"'".repeat(90)}`],
  ['boxes', 'a ┌─┐│└┘█▓▒░ b'],
  ['mathematics', '∑∫√∞≈≠≤≥±×÷∂∇∈∉⊂⊃∪∩ then x² = ½'],
  ['an address', 'See https://www.example.com/path/to/page?query=1&other=two#frag now.'],
  ['an e-mail address', 'Write to john.smith@example.com today.'],
  ['capitals', 'ABCDEFGH'.repeat(45)],
  ['no vowels', 'bcdfghjklm'.repeat(40)],
  ['one letter', 'x'.repeat(399)],
  ['a very long line', 'The cat sat on the mat, and slept; '.repeat(200)],
];

test.each(TEXTS.map(([name, text, language = 'en']) => [name, text, language]))(
  '%s: is heard, in about the time that it takes to read',
  async (_, text, language) => {
    const { sentences } = await hear(text, language);
    expect(sentences).toBeGreaterThan(0);
  },
);

test('one endless word is spoken piece by piece', async () => {
  const { sentences, seconds, expected } = await hear('lorem'.repeat(6000), 'en');
  expect(sentences).toBe(75);
  expect(seconds).toBeLessThan(expected);
});

test.each(['?!… — — …', '👩‍👩‍👧‍👦 🎉', '\u200b\u00ad\ufeff', '⠓⠑⠇⠇⠕'])(
  'a text without a letter has no sentences: %j',
  (text) => {
    expect([...splitSentences(text, 'en')]).toEqual([]);
  },
);

test.each(['<>[]{}', '', '😀', '\u0000', '#', '\u{e0041}'])(
  'a sentence without anything to speak is refused in words: %j',
  async (text) => {
    const speaking = provider.speak(
      { text, voice: 'en-gb', language: 'en' },
      new AbortController().signal,
    );
    await expect(speaking).rejects.toMatchObject({
      name: 'SpeechError',
      permanent: true,
      kind: 'silent',
      message: 'There is nothing to speak.',
    });
  },
);
