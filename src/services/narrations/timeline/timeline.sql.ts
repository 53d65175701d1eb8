import type { PackedSentence } from '../../../domain/timing/timeline.js';
import type { Reader, Tx } from '../../../infra/db.js';
import type { Script } from '../synthesis/plan.js';
import { ANNOUNCEMENT } from '../synthesis/script.sql.js';

/** The times of a recording, and what is needed to learn from them how fast a voice reads. */
export interface NewTimeline {
  readonly recordingHash: string;
  readonly durationMs: number;
  readonly voiceId: string;
  /** Without regions. */
  readonly language: string;
  readonly characterCount: number;
  readonly sentences: readonly PackedSentence[];
}

/** Keeps the times of a recording that was just made, in its transaction. Index: rendition_timelines_pkey. */
export async function writeTimeline(tx: Tx, timeline: NewTimeline): Promise<void> {
  const { recordingHash, durationMs, voiceId, language, characterCount, sentences } = timeline;
  await tx.$executeRaw`
    INSERT INTO rendition_timelines (rendition_hash, duration_ms, voice_id, language, character_count, made_at, sentences)
    VALUES (${recordingHash}, ${durationMs}, ${voiceId}, ${language}, ${characterCount}, clock_timestamp(),
      ARRAY(SELECT value FROM json_array_elements(${JSON.stringify(sentences)}::json) WITH ORDINALITY AS s(value, at)
            ORDER BY at))
    ON CONFLICT (rendition_hash) DO UPDATE SET duration_ms = excluded.duration_ms, made_at = excluded.made_at,
      sentences = excluded.sentences`;
}

/** A part of a recording's sentences: those behind the index `after`. */
export interface WantedPart {
  readonly hash: string;
  readonly after: number;
}

/**
 * Sentences of recordings. A recording that was made anew by a process of an earlier release has none, because its
 * times are not those that are stored. Indexes: rendition_timelines_pkey, renditions_pkey.
 */
export async function readTimelineParts(
  db: Reader,
  wanted: readonly WantedPart[],
  limit: number,
): Promise<(WantedPart & { readonly sentences: PackedSentence[] })[]> {
  const rows = await db.$queryRaw<(WantedPart & { sentences: string })[]>`
    SELECT w.hash, w.after, array_to_json(t.sentences[w.after + 2 : w.after + 1 + ${limit}::int])::text AS sentences
    FROM unnest(${wanted.map(({ hash }) => hash)}::text[], ${wanted.map(({ after }) => after)}::int[]) AS w(hash, after)
    JOIN rendition_timelines t ON t.rendition_hash = w.hash
    JOIN renditions r ON r.hash = w.hash AND r.duration_ms = t.duration_ms`;
  return rows.map((row) => ({ ...row, sentences: JSON.parse(row.sentences) as PackedSentence[] }));
}

/** A narration's script without its text. */
export interface NarratedRow extends Omit<Script, 'content'> {
  readonly audioId: string;
  readonly voiceId: string;
  readonly characterCount: number;
}

/** The scripts of narrations, without their texts. Index: audios_id_idx. */
export const readNarrated = (db: Reader, audioIds: readonly string[]): Promise<NarratedRow[]> =>
  db.$queryRaw<NarratedRow[]>`
    SELECT a.id AS "audioId", a.text_hash AS "textHash", a.voice_id AS "voiceId", s.language, v.provider,
           v.provider_voice AS "providerVoice", t.character_count AS "characterCount",
           ${ANNOUNCEMENT} AS "announcement"
    FROM audios a
    JOIN story_texts t ON t.hash = a.text_hash JOIN voices v ON v.id = a.voice_id
    JOIN stories s ON s.id = a.story_id
    WHERE a.id = ANY(${[...audioIds]}::uuid[])`;

/** The texts with these hashes. Index: story_texts_pkey. */
export const readTexts = (
  db: Reader,
  hashes: readonly string[],
): Promise<{ hash: string; content: string }[]> =>
  db.$queryRaw`SELECT hash, content FROM story_texts WHERE hash = ANY(${[...hashes]}::text[])`;

/** A voice and a language that it reads. */
export interface Reading {
  readonly voiceId: string;
  /** Without regions. */
  readonly language: string;
}

/** The number of newest recordings from which the speed of a voice is computed. */
const NEWEST = 20;

/**
 * How fast voices have read languages lately, in code points a second; no row where there is no recording.
 * Index: rendition_timelines_voice_id_language_made_at_idx.
 */
export const readSpeeds = (
  db: Reader,
  wanted: readonly Reading[],
): Promise<(Reading & { speed: number })[]> =>
  db.$queryRaw<(Reading & { speed: number })[]>`
    SELECT w.voice_id AS "voiceId", w.language, n.speed
    FROM unnest(${wanted.map(({ voiceId }) => voiceId)}::text[], ${wanted.map(({ language }) => language)}::text[])
      AS w(voice_id, language)
    CROSS JOIN LATERAL (
      SELECT (sum(character_count) * 1000.0 / sum(duration_ms))::float8 AS speed
      FROM (SELECT character_count, duration_ms FROM rendition_timelines
            WHERE voice_id = w.voice_id AND language = w.language ORDER BY made_at DESC LIMIT ${NEWEST}::int) newest
    ) n
    WHERE n.speed IS NOT NULL`;
