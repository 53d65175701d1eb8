import { setImmediate } from 'node:timers/promises';
import type { App } from '../../app.js';
import {
  addSentence,
  beginning,
  msAt,
  type TimedSentence,
} from '../../../domain/timing/timeline.js';
import { timedSentence } from '../../../domain/timing/words.js';
import { SpeechError } from '../../../infra/speech/provider.js';
import { fittedHash } from '../resampling/fit-sentence.js';
import { planSentences, recordingHashOf } from '../synthesis/plan.js';
import { readPlaces, type SentencePlace } from '../synthesis/sentences.sql.js';
import { readTexts, type NarratedRow } from './timeline.sql.js';
import type { Growing } from './timelines.js';

/** A narration, and how many of its sentences are wanted, from the first one. */
export interface WantedGrowth {
  readonly narrated: NarratedRow;
  readonly count: number;
}

/** What is known of a recording that is being made. */
export interface Grown {
  readonly sentences: readonly TimedSentence[];
  readonly textLength: number;
}

/**
 * The sentences of narrations that are spoken already, without a gap, by the id of the narration. A narration in a
 * voice that this process cannot speak has none. A call plans only what is new, and sends a statement or two for each
 * PLANNED_AT_ONCE sentences of the longest answer. Each of these steps is a turn of its own, so that a long recording
 * does not keep others waiting.
 */
export async function growTimelines(
  app: App,
  wanted: readonly WantedGrowth[],
): Promise<Map<string, Grown>> {
  const { turn } = app.timelines;
  const counts = new Map<string, number>();
  const hashes = new Map<string, string>();
  for (const { narrated, count } of wanted) {
    const hash = hashOf(app, narrated);
    if (hash === null) continue;
    hashes.set(narrated.audioId, hash);
    counts.set(hash, Math.max(counts.get(hash) ?? 0, count));
  }
  const growing = await turn(() => open(app, wanted, hashes));
  for (let left: readonly Entry[] = [...growing]; left.length > 0;)
    left = await turn(() => growOnce(app, left, counts));
  const grown = [...hashes].map(([audioId, hash]) => [audioId, growing.get(hash)] as const);
  return new Map(grown.filter((entry): entry is [string, Growing] => entry[1] !== undefined));
}

function hashOf(app: App, narrated: NarratedRow): string | null {
  try {
    return recordingHashOf(app, narrated);
  } catch (error) {
    if (error instanceof SpeechError) return null;
    throw error;
  }
}

/** @param hashes by the id of the narration */
async function open(
  app: App,
  wanted: readonly WantedGrowth[],
  hashes: ReadonlyMap<string, string>,
): Promise<Map<string, Growing>> {
  const { known } = app.timelines;
  const found = new Map<string, Growing>();
  const missing = new Map<string, NarratedRow>();
  for (const { narrated } of wanted) {
    const hash = hashes.get(narrated.audioId);
    if (hash === undefined) continue;
    const growing = known.get(hash);
    if (growing === undefined) missing.set(hash, narrated);
    else found.set(hash, growing);
  }
  if (missing.size === 0) return found;
  const textHashes = [...new Set([...missing.values()].map(({ textHash }) => textHash))];
  const rows = await readTexts(app.db, textHashes);
  const texts = new Map(rows.map(({ hash, content }) => [hash, content]));
  for (const [hash, narrated] of missing) {
    const content = texts.get(narrated.textHash);
    if (content === undefined) continue;
    const plan = planSentences(app, { ...narrated, content });
    const textLength = content.length;
    const growing = { textLength, plan, waiting: [], sentences: [], position: null };
    known.set(hash, growing);
    found.set(hash, growing);
  }
  return found;
}

type Entry = readonly [hash: string, growing: Growing];

/**
 * @param counts how many sentences are wanted, by the hash of the recording
 * @returns those that can grow further
 */
async function growOnce(
  app: App,
  all: readonly Entry[],
  counts: ReadonlyMap<string, number>,
): Promise<Entry[]> {
  const short = all.filter(([hash, { sentences }]) => sentences.length < (counts.get(hash) ?? 0));
  for (const [, one] of short) await planMore(one);
  const growing = short.filter(([, { waiting }]) => waiting.length > 0);
  if (growing.length === 0) return [];
  const places = await placesOf(app, growing);
  // One whose next sentence is missing cannot grow further now.
  return growing.filter(([, one]) => advance(one, places));
}

/** The sample rate of a recording is that of its first sentence. Undefined while that one is missing. */
const rateOf = (
  { position, waiting }: Growing,
  places: ReadonlyMap<string, SentencePlace>,
): number | undefined => position?.sampleRateHz ?? places.get(waiting[0]?.hash ?? '')?.sampleRateHz;

/** The places of the sentences that wait, and of the resampled ones where they have another rate than their recording. */
async function placesOf(
  app: App,
  growing: readonly Entry[],
): Promise<ReadonlyMap<string, SentencePlace>> {
  const hashes = growing.flatMap(([, { waiting }]) => waiting.map(({ hash }) => hash));
  const rows = await readPlaces(app.db, [...new Set(hashes)]);
  const places = new Map(rows.map((place) => [place.hash, place]));
  const fitted = growing.flatMap(([, one]) => {
    const rateHz = rateOf(one, places);
    return one.waiting.flatMap(({ hash }) => {
      const place = places.get(hash);
      const isOther = place !== undefined && place.sampleRateHz !== rateHz;
      return isOther && rateHz !== undefined ? [fittedHash(hash, rateHz)] : [];
    });
  });
  if (fitted.length === 0) return places;
  for (const place of await readPlaces(app.db, [...new Set(fitted)])) places.set(place.hash, place);
  return places;
}

const PLANNED_AT_ONCE = 250;
/** The event loop runs in between, because a sentence takes a while to plan. */
const PLANNED_BETWEEN = 20;

async function planMore(growing: Growing): Promise<void> {
  const { plan, waiting } = growing;
  for (let count = 1; waiting.length < PLANNED_AT_ONCE; count += 1) {
    const next = plan.next();
    if (next.done === true) return;
    waiting.push(next.value);
    if (count % PLANNED_BETWEEN === 0) await setImmediate();
  }
}

/** Takes over the sentences that are spoken. @returns whether these were all that waited */
function advance(growing: Growing, places: ReadonlyMap<string, SentencePlace>): boolean {
  let spoken = 0;
  const rateHz = rateOf(growing, places);
  if (rateHz === undefined) return false;
  for (const sentence of growing.waiting) {
    const { hash } = sentence;
    const own = places.get(hash);
    // A sentence at another sample rate is resampled when the recording is put together. Its length is not known before.
    const place = own?.sampleRateHz === rateHz ? own : places.get(fittedHash(hash, rateHz));
    if (own === undefined || place === undefined) break;
    const position = growing.position ?? beginning(rateHz);
    const { samples } = place;
    const { start, end } = addSentence(position, { samples, boundary: sentence.boundary });
    growing.position = end;
    spoken += 1;
    if (sentence.isAnnouncement) continue;
    const times = { index: growing.sentences.length, startMs: msAt(start), endMs: msAt(end) };
    growing.sentences.push(timedSentence(sentence, times, place.words));
  }
  const isAll = spoken === growing.waiting.length;
  growing.waiting = growing.waiting.slice(spoken);
  return isAll;
}
