import type { App } from '../../app.js';
import { columnsOf, rowKey, type RowKey } from '../../../domain/ids.js';
import { isCleanText } from '../../../domain/text.js';
import {
  expectedSeconds,
  primaryLanguage,
  usualSpeed,
} from '../../../domain/timing/reading-speed.js';
import type { Story } from '../../stories/stories.js';
import { durationSeconds, type AudioView } from '../audios.js';
import { growTimelines, type Grown } from './partial-timelines.js';
import { readNarrated, readSpeeds, type NarratedRow, type Reading } from './timeline.sql.js';

/** The first sentences say enough about a recording. */
const SENTENCES = 250;

const keyOf = ({ voiceId, language }: Reading): RowKey => rowKey(language, voiceId);

/**
 * The key of the loader of reading speeds.
 * @param language BCP 47
 */
export const speedKey = (voiceId: string, language: string): RowKey =>
  keyOf({ voiceId, language: primaryLanguage(language) });

/**
 * How fast voices have read languages lately, in code points a second. Nothing where there is no recording.
 * @param keys `speedKey(voiceId, language)`
 */
export async function speedsByKey(app: App, keys: readonly RowKey[]): Promise<Map<RowKey, number>> {
  const wanted = keys.map((key) => {
    const [language = '', voiceId = ''] = columnsOf(key);
    return { language, voiceId };
  });
  const rows = await readSpeeds(app.db, wanted);
  return new Map(rows.map((row) => [keyOf(row), row.speed]));
}

/** No voice has a longer id. A document may ask about one voice thousands of times. */
const VOICE_ID_MAX = 300;

/** The seconds that a narration of a story takes, by the newest recordings of the voice where there are any. */
export async function secondsOfStory(
  loader: { load(key: RowKey): Promise<number | undefined> },
  { characterCount, language }: Pick<Story, 'characterCount' | 'language'>,
  voiceId: string | null,
): Promise<number> {
  const isPossible = voiceId !== null && voiceId.length <= VOICE_ID_MAX && isCleanText(voiceId);
  const speed = isPossible ? await loader.load(speedKey(voiceId, language)) : undefined;
  return Math.max(1, Math.round(expectedSeconds(characterCount, speed ?? usualSpeed(language))));
}

/** The playing time in seconds: exact when READY, expected while it is made, and null when there is no recording. */
export async function secondsOfAudio(
  loader: { load(key: RowKey): Promise<number | undefined> },
  audio: AudioView,
): Promise<number | null> {
  const { id, status } = audio;
  if (status === 'READY') return durationSeconds(audio);
  if (status !== 'QUEUED' && status !== 'PROCESSING') return null;
  return (await loader.load(rowKey(id, status))) ?? null;
}

/** The expected playing times of narrations that are being made, in seconds. @param keys as `secondsOfAudio` makes them */
export async function secondsByAudio(
  app: App,
  keys: readonly RowKey[],
): Promise<Map<RowKey, number>> {
  const asked = keys.map((key) => {
    const [id = '', status] = columnsOf(key);
    return { key, id, status };
  });
  const rows = await readNarrated(
    app.db,
    asked.map(({ id }) => id),
  );
  const narrated = new Map(rows.map((row) => [row.audioId, row]));
  const speeds = await speedsByKey(app, [
    ...new Set(rows.map(({ voiceId, language }) => speedKey(voiceId, language))),
  ]);
  const begun = asked.filter(({ status }) => status === 'PROCESSING');
  const wanted = begun.flatMap(({ id }) => {
    const row = narrated.get(id);
    return row === undefined ? [] : [{ narrated: row, count: SENTENCES }];
  });
  const grown = wanted.length === 0 ? new Map<string, Grown>() : await growTimelines(app, wanted);
  return new Map(
    asked.flatMap(({ key, id }) => {
      const row = narrated.get(id);
      return row === undefined ? [] : [[key, secondsOf(row, speeds, grown.get(id))] as const];
    }),
  );
}

function secondsOf(
  { characterCount, voiceId, language }: NarratedRow,
  speeds: ReadonlyMap<RowKey, number>,
  grown: Grown | undefined,
): number {
  const speed = speeds.get(speedKey(voiceId, language)) ?? usualSpeed(language);
  const last = grown?.sentences.at(-1);
  // The announcement is before the text.
  const announcedMs = grown?.sentences[0]?.startMs ?? 0;
  const seconds = ((last?.endMs ?? 0) - announcedMs) / 1000;
  // The part of the text that was heard, in code points, as the speed has them.
  const share = grown === undefined || last === undefined ? 0 : last.to / grown.textLength;
  const heard = { characters: characterCount * share, seconds };
  return announcedMs / 1000 + expectedSeconds(characterCount, speed, heard);
}
