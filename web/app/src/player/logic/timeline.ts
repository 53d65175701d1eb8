/** A sentence of the recording: where it stands in the text, and when it is spoken. */
export interface Sentence {
  /** UTF-16 offsets into the text, end exclusive. */
  readonly from: number;
  readonly to: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly words?: readonly Word[];
}

export interface Word {
  readonly from: number;
  readonly to: number;
  readonly startMs: number;
}

/** The sentence that is spoken at this time, or was spoken last. −1 before the first. */
export function sentenceAt(sentences: readonly Sentence[], ms: number): number {
  return lastThat(sentences, (sentence) => sentence.startMs <= ms);
}

/** The word that is spoken at this time. −1 between sentences, and where words have no times. */
export function wordAt(sentence: Sentence | undefined, ms: number): number {
  const words = sentence?.words ?? [];
  if (sentence === undefined || ms >= sentence.endMs) return -1;
  return lastThat(words, (word) => word.startMs <= ms);
}

/** The last item for which this holds. It must hold for all items before it. */
function lastThat<Item>(items: readonly Item[], holds: (item: Item) => boolean): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    if (item !== undefined && holds(item)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** A press on “previous” within this time of a sentence's start goes to the one before, and later to its own start. */
const AGAIN_MS = 1500;

export function previousStart(sentences: readonly Sentence[], ms: number): number {
  const index = sentenceAt(sentences, ms);
  const sentence = sentences[index];
  if (sentence === undefined) return 0;
  if (ms - sentence.startMs > AGAIN_MS) return sentence.startMs;
  return sentences[index - 1]?.startMs ?? 0;
}

/** Null in the last sentence. */
export const nextStart = (sentences: readonly Sentence[], ms: number): number | null =>
  sentences[sentenceAt(sentences, ms) + 1]?.startMs ?? null;

/** When the sentence that is spoken now ends. */
export const endOfSentence = (sentences: readonly Sentence[], ms: number): number | null =>
  sentences[sentenceAt(sentences, ms)]?.endMs ?? null;
