/** The scripts that voices read, by their ISO 15924 codes. Letters of all others count as `Zzzz`. */
const SCRIPTS: readonly (readonly [code: string, letters: RegExp])[] = [
  ['Latn', /^\p{Script=Latin}$/u],
  ['Cyrl', /^\p{Script=Cyrillic}$/u],
  ['Grek', /^\p{Script=Greek}$/u],
  ['Hani', /^\p{Script=Han}$/u],
  ['Hrkt', /^[\p{Script=Hiragana}\p{Script=Katakana}]$/u],
  ['Hang', /^\p{Script=Hangul}$/u],
  ['Arab', /^\p{Script=Arabic}$/u],
  ['Hebr', /^\p{Script=Hebrew}$/u],
  ['Deva', /^\p{Script=Devanagari}$/u],
  ['Beng', /^\p{Script=Bengali}$/u],
  ['Taml', /^\p{Script=Tamil}$/u],
  ['Telu', /^\p{Script=Telugu}$/u],
  ['Gujr', /^\p{Script=Gujarati}$/u],
  ['Guru', /^\p{Script=Gurmukhi}$/u],
  ['Knda', /^\p{Script=Kannada}$/u],
  ['Mlym', /^\p{Script=Malayalam}$/u],
  ['Orya', /^\p{Script=Oriya}$/u],
  ['Sinh', /^\p{Script=Sinhala}$/u],
  ['Thai', /^\p{Script=Thai}$/u],
  ['Laoo', /^\p{Script=Lao}$/u],
  ['Khmr', /^\p{Script=Khmer}$/u],
  ['Mymr', /^\p{Script=Myanmar}$/u],
  ['Tibt', /^\p{Script=Tibetan}$/u],
  ['Geor', /^\p{Script=Georgian}$/u],
  ['Armn', /^\p{Script=Armenian}$/u],
  ['Ethi', /^\p{Script=Ethiopic}$/u],
  // Signs of length and letters above the line belong to the letters around them.
  ['Zyyy', /^[\p{Script=Common}\p{Script=Inherited}]$/u],
];

/** Codes that stand for several scripts. */
const SEVERAL: Readonly<Record<string, readonly string[]>> = {
  Hans: ['Hani'],
  Hant: ['Hani'],
  Jpan: ['Hani', 'Hrkt'],
  Kore: ['Hang', 'Hani'],
};

/** How many letters of a text are in each script. */
export type LetterCounts = ReadonlyMap<string, number>;

/** Counts the letters of a text by their scripts. Takes time in proportion to the text. */
export function countLetters(text: string): LetterCounts {
  const byCharacter = new Map<string, number>();
  for (const character of text) byCharacter.set(character, (byCharacter.get(character) ?? 0) + 1);
  const counts = new Map<string, number>();
  for (const [character, count] of byCharacter) {
    if (!/^\p{L}$/u.test(character)) continue;
    const code = SCRIPTS.find(([, letters]) => letters.test(character))?.[0] ?? 'Zzzz';
    if (code !== 'Zyyy') counts.set(code, (counts.get(code) ?? 0) + count);
  }
  return counts;
}

/** The largest share of letters that may be in scripts that a voice does not read: words in another language. */
const FOREIGN_SHARE_MAX = 1 / 5;

/**
 * Whether a voice can read a text: whether most of its letters are in the scripts in which the voice's languages are
 * written. A voice of which no language is known can read everything.
 * @param languages BCP 47; `ja-Hrkt` is Japanese in kana alone
 */
export function canRead(languages: readonly string[], letters: LetterCounts): boolean {
  const scripts = new Set(languages.flatMap(scriptsOf));
  if (scripts.size === 0 || scripts.has('')) return true;
  let [all, foreign] = [0, 0];
  for (const [code, count] of letters) {
    all += count;
    if (!scripts.has(code)) foreign += count;
  }
  return foreign <= all * FOREIGN_SHARE_MAX;
}

/** The scripts in which a language is usually written, or those of its tag. '' when they are not known. */
function scriptsOf(language: string): readonly string[] {
  const code = likelyScriptOf(language);
  return Object.hasOwn(SEVERAL, code) ? (SEVERAL[code] ?? []) : [code];
}

function likelyScriptOf(language: string): string {
  try {
    return new Intl.Locale(language).maximize().script ?? '';
  } catch {
    return '';
  }
}

/** Languages whose speakers read each other's texts aloud, by the code under which they are compared. */
const READ_ALIKE: Readonly<Record<string, string>> = {
  ...{ nb: 'no', nn: 'no', hr: 'sr', bs: 'sr', cnr: 'sr', sh: 'sr', ms: 'id' },
};

/**
 * Whether one of a voice's languages is that of a story, in any region. Also true when the languages of the voice are
 * not known, or the story has no language.
 * @param languages BCP 47, of the voice
 * @param language BCP 47, of the story
 */
export function speaksLanguage(languages: readonly string[], language: string): boolean {
  const wanted = comparedCode(language);
  const spoken = languages.map(comparedCode);
  return (
    wanted === '' || spoken.length === 0 || spoken.some((code) => code === '' || code === wanted)
  );
}

/** Codes that do not name one language: several, undetermined, none, or without a code. */
const NO_LANGUAGE = new Set(['mul', 'und', 'zxx', 'mis']);

function comparedCode(tag: string): string {
  try {
    const language = new Intl.Locale(tag).language as string | undefined;
    if (language === undefined || NO_LANGUAGE.has(language)) return '';
    return READ_ALIKE[language] ?? language;
  } catch {
    return '';
  }
}
