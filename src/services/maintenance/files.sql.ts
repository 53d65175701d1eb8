import type { Reader } from '../../infra/db.js';

/**
 * Those of these files that belong neither to a recording, finished or in progress, nor to a sentence. No locks.
 * Indexes: renditions_pkey, spoken_sentences_key_idx, audios_rendition_hash_idx.
 */
export async function readUnknownFiles(db: Reader, keys: readonly string[]): Promise<string[]> {
  const rows = await db.$queryRaw<{ key: string }[]>`
    SELECT f.key FROM unnest(${[...keys]}::text[]) AS f(key)
    WHERE NOT EXISTS (SELECT FROM spoken_sentences s WHERE s.key = f.key)
      AND (f.key LIKE '%.part' OR (
        NOT EXISTS (SELECT FROM renditions r WHERE r.hash = split_part(f.key, '.', 1))
        AND NOT EXISTS (SELECT FROM audios a
          WHERE a.rendition_hash = split_part(f.key, '.', 1) AND a.status = 'PROCESSING')))`;
  return rows.map(({ key }) => key);
}

/**
 * The hashes of those of these files that are samples of voices: only a sample is in a file with its own hash. No locks.
 * Index: spoken_sentences_key_idx.
 */
export async function readSampleHashes(db: Reader, keys: readonly string[]): Promise<string[]> {
  const rows = await db.$queryRaw<{ hash: string }[]>`
    SELECT s.hash FROM unnest(${[...keys]}::text[]) AS f(key)
    JOIN spoken_sentences s ON s.key = f.key AND f.key = s.hash || '.mp3'`;
  return rows.map(({ hash }) => hash);
}

/**
 * Deletes a batch of rows that are older than `days`: sentences that are in no recording, and leases that were never
 * released.
 * @returns their files; null for a row without a file. Index: spoken_sentences_loose.
 */
export async function dropLoose(
  db: Reader,
  { days, limit }: { days: number; limit: number },
): Promise<(string | null)[]> {
  const rows = await db.$queryRaw<{ key: string | null }[]>`
    DELETE FROM spoken_sentences WHERE hash IN (
      SELECT hash FROM spoken_sentences
      WHERE (key IS NULL OR key = hash || '.part') AND leased_until < now() - ${days} * interval '1 day'
      ORDER BY leased_until LIMIT ${limit} FOR UPDATE SKIP LOCKED)
    RETURNING key`;
  return rows.map(({ key }) => key);
}
