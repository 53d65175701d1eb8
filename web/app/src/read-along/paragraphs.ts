import type { Sentence } from '../player/logic/timeline.js';

/** A part of a paragraph: a sentence, or what stands between two. */
export interface Part {
  readonly from: number;
  readonly to: number;
  /** −1 for text that no sentence has. */
  readonly sentence: number;
}

export interface Paragraph {
  readonly from: number;
  readonly to: number;
  readonly parts: readonly Part[];
}

/** Cuts a text into paragraphs at blank lines, and each paragraph into the sentences that are spoken. */
export function paragraphsOf(content: string, sentences: readonly Sentence[]): Paragraph[] {
  const paragraphs: Paragraph[] = [];
  let next = 0;
  for (const { from, to } of blocksOf(content)) {
    const parts: Part[] = [];
    let at = from;
    // A sentence may go on in the next paragraph: then each has its own part of it.
    let index = next;
    for (; index < sentences.length; index += 1) {
      const sentence = sentences[index];
      if (sentence === undefined || sentence.from >= to) break;
      const [start, end] = [Math.max(at, sentence.from), Math.min(to, sentence.to)];
      if (end <= start) continue;
      if (start > at) parts.push({ from: at, to: start, sentence: -1 });
      parts.push({ from: start, to: end, sentence: index });
      at = end;
      if (sentence.to > to) break;
    }
    next = index;
    if (at < to) parts.push({ from: at, to, sentence: -1 });
    paragraphs.push({ from, to, parts });
  }
  return paragraphs;
}

function blocksOf(content: string): { from: number; to: number }[] {
  const blocks: { from: number; to: number }[] = [];
  let from = 0;
  for (const { index, 0: gap } of content.matchAll(/\n[^\S\n]*\n\s*/g)) {
    if (index > from) blocks.push({ from, to: index });
    from = index + gap.length;
  }
  if (from < content.length) blocks.push({ from, to: content.length });
  return blocks.filter((block) => content.slice(block.from, block.to).trim() !== '');
}
