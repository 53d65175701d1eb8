import { LRUCache } from 'lru-cache';

/** Making a segmenter takes as long as segmenting a paragraph, and a story has many paragraphs in one language. */
const segmenters = new LRUCache<string, Intl.Segmenter>({ max: 100 });

/**
 * The segmenter of a language.
 * @param tag BCP 47
 */
export function segmenterOf(tag: string, granularity: 'sentence' | 'word'): Intl.Segmenter {
  const key = `${granularity} ${tag}`;
  const known = segmenters.get(key) ?? new Intl.Segmenter(tag, { granularity });
  segmenters.set(key, known);
  return known;
}
