import { LRUCache } from 'lru-cache';
import pLimit, { type LimitFunction } from 'p-limit';
import type { Position, TimedSentence } from '../../../domain/timing/timeline.js';
import type { PlannedSentence } from '../synthesis/plan.js';

/** The sentences of a recording that is being made, as far as they are known to be spoken. */
export interface Growing {
  /** UTF-16 units of the text. */
  readonly textLength: number;
  readonly plan: Iterator<PlannedSentence>;
  /** Planned, and not known to be spoken. */
  waiting: PlannedSentence[];
  /** Without a gap, from the first one. */
  readonly sentences: TimedSentence[];
  /** Null before the first sentence. */
  position: Position | null;
}

/** What a process knows of recordings that are being made, so that each query plans only what is new. */
export interface Timelines {
  readonly known: LRUCache<string, Growing>;
  /** One at a time, so that planning takes little from other requests. */
  readonly turn: LimitFunction;
}

const REMEMBERED_MAX = 20;
const REMEMBERED_MS = 10 * 60_000;

/** An empty memory for at most 20 recordings. Each is forgotten ten minutes after its last use. */
export const createTimelines = (): Timelines => ({
  known: new LRUCache({ max: REMEMBERED_MAX, ttl: REMEMBERED_MS, updateAgeOnGet: true }),
  turn: pLimit(1),
});
