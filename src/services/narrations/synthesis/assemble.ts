import { pMapIterable } from 'p-map';
import type { App } from '../../app.js';
import { toWebVtt, type Cue } from '../../../domain/captions.js';
import { withWords } from '../../../domain/timing/captioned-words.js';
import { chaptersOf } from '../../../domain/timing/chapters.js';
import { cuesOf } from '../../../domain/segmentation/cues.js';
import { pauseBefore } from '../../../domain/sound/pauses.js';
import {
  addSentence,
  beginning,
  msAt,
  type TimedSentence,
} from '../../../domain/timing/timeline.js';
import { shownWords, timedSentence } from '../../../domain/timing/words.js';
import { storeWhole, type FileWriter } from '../../../infra/storage/storage.js';
import { storageKey } from '../addresses.js';
import { tagOfChapters } from '../tags/tags.js';
import { fitSentence } from '../resampling/fit-sentence.js';
import type { PlannedSentence } from './plan.js';
import { forgetMisplaced, readPlaces, type SentencePlace } from './sentences.sql.js';
import { readSentence } from './stored-sentences.js';

/** A recording whose files are stored. */
export interface Assembled {
  readonly durationMs: number;
  readonly lengthBytes: number;
  /** The first place of each sentence in the MP3. */
  readonly parts: readonly SentencePlace[];
  readonly sentences: readonly TimedSentence[];
}

export interface Assembly {
  readonly sentences: readonly PlannedSentence[];
  readonly language: string;
  /** Called when all is written, before the files get their names. @throws when they are not wanted any more */
  readonly confirm: () => Promise<void>;
}

type PlacedSentence = PlannedSentence & { readonly place: SentencePlace };

/**
 * Concatenates spoken sentences to the MP3, after a tag with its chapters and with the pauses between the sentences,
 * and writes their captions. This works because every sentence consists of whole MP3 frames that depend on no others.
 * Holds a few sentences in memory, however long the text is.
 * @throws when a sentence is missing, so that it is tried again
 */
export async function assemble(
  app: App,
  hash: string,
  { sentences, language, confirm }: Assembly,
): Promise<Assembled> {
  const placed = await placeAll(app, sentences);
  const timed = timeAll(placed);
  const durationMs = timed.at(-1)?.endMs ?? 0;
  const key = storageKey(hash, 'mp3');
  const file = await app.storage.openWriter(key);
  try {
    const tag = tagOfChapters(chaptersOf(timed, durationMs));
    if (tag.length > 0) await file.write(tag);
    const parts = await writeAll(app, file, placed, { key, offsetBytes: tag.length });
    await forgetMisplaced(app.db, key, parts);
    await confirm();
    await storeWhole(
      app.storage,
      storageKey(hash, 'vtt'),
      Buffer.from(toWebVtt(cuesOfAll(timed, language))),
    );
    return { durationMs, lengthBytes: await file.finish(), parts, sentences: timelineOf(timed) };
  } catch (error) {
    await file.abandon();
    throw error;
  }
}

async function placeAll(
  app: App,
  sentences: readonly PlannedSentence[],
): Promise<PlacedSentence[]> {
  const hashes = [...new Set(sentences.map(({ hash }) => hash))];
  const places = new Map((await readPlaces(app.db, hashes)).map((place) => [place.hash, place]));
  // The first sentence decides the sample rate, as it does in `listen-along.ts`.
  const rateHz = places.get(sentences[0]?.hash ?? '')?.sampleRateHz ?? 0;
  for (const [hash, place] of places)
    if (place.sampleRateHz !== rateHz) places.set(hash, await fitSentence(app, place, rateHz));
  return sentences.map((sentence) => {
    const place = places.get(sentence.hash);
    if (place === undefined) throw new Error('A sentence was forgotten while it was needed.');
    return { ...sentence, place };
  });
}

type Timed = PlacedSentence & { readonly startMs: number; readonly endMs: number };

/** @throws SpeechError for sentences that cannot be in one recording */
function timeAll(sentences: readonly PlacedSentence[]): Timed[] {
  const sampleRateHz = sentences[0]?.place.sampleRateHz ?? 1;
  let position = beginning(sampleRateHz);
  return sentences.map((sentence) => {
    const { samples } = sentence.place;
    const { start, end } = addSentence(position, { samples, boundary: sentence.boundary });
    position = end;
    return { ...sentence, startMs: msAt(start), endMs: msAt(end) };
  });
}

/** Those of the text, without the announcement. */
const timelineOf = (sentences: readonly Timed[]): TimedSentence[] =>
  sentences
    .filter(({ isAnnouncement }) => !isAnnouncement)
    .map((sentence, index) => {
      const { startMs, endMs, place } = sentence;
      return timedSentence(sentence, { index, startMs, endMs }, place.words);
    });

const cuesOfAll = (sentences: readonly Timed[], language: string): Cue[] =>
  sentences.flatMap(({ text, spoken, place, startMs, endMs }) => {
    const words = place.words === null ? [] : shownWords({ text, spoken }, place.words);
    return withWords(cuesOf({ startMs, endMs, text }, language), { startMs, text, words });
  });

/** How many sentences are read ahead of the one that is written. */
const READ_AHEAD = 8;

async function writeAll(
  app: App,
  file: FileWriter,
  sentences: readonly PlacedSentence[],
  { key, offsetBytes: startBytes }: { key: string; offsetBytes: number },
): Promise<Assembled['parts']> {
  const parts = new Map<string, SentencePlace>();
  let offsetBytes = startBytes;
  let last: PlacedSentence | null = null;
  const read = async (sentence: PlacedSentence): Promise<[PlacedSentence, Uint8Array]> => [
    sentence,
    await readSentence(app, sentence.place),
  ];
  for await (const [sentence, bytes] of pMapIterable(sentences, read, {
    concurrency: READ_AHEAD,
  })) {
    const { place } = sentence;
    if (last !== null) {
      const pause = pauseBefore(last.boundary, bytes, place.sampleRateHz);
      await file.write(pause);
      offsetBytes += pause.length;
    }
    last = sentence;
    if (!parts.has(place.hash)) parts.set(place.hash, { ...place, key, offsetBytes });
    await file.write(bytes);
    offsetBytes += bytes.length;
  }
  return [...parts.values()];
}
