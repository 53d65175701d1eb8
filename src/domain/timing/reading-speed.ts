/** Code points that a voice reads in a second at normal speed, pauses included, in most languages. */
const USUAL = 13;
/** The same for languages whose signs are syllables or words. Measured with eSpeak NG, and rounded. */
const UNUSUAL: Readonly<Record<string, number>> = { ja: 6, ko: 6, yue: 4, zh: 4 };

/** The weight of an expected reading speed against a measured one, in code points. */
const TRUST = 200;

/** The primary language of a BCP 47 tag. */
export const primaryLanguage = (tag: string): string => (tag.split('-')[0] ?? '').toLowerCase();

/** The reading speed of a voice of which nothing is known, in code points a second. */
export const usualSpeed = (tag: string): number => UNUSUAL[primaryLanguage(tag)] ?? USUAL;

/**
 * How long a text takes, in seconds.
 * @param speed what is expected, in characters a second
 * @param heard a part of the text that was spoken, which counts more the longer it is
 */
export function expectedSeconds(
  characters: number,
  speed: number,
  heard: { characters: number; seconds: number } = { characters: 0, seconds: 0 },
): number {
  const seen = heard.characters + TRUST;
  const spent = heard.seconds + TRUST / speed;
  return heard.seconds + (Math.max(0, characters - heard.characters) * spent) / seen;
}
