import { Prisma, type Reader, type Tx } from '../../../infra/db.js';

/** The place of a spoken sentence's bytes, which are whole MP3 frames. */
export interface SentencePlace {
  readonly hash: string;
  readonly key: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly samples: number;
  readonly sampleRateHz: number;
  /** When its words are heard, as `src/domain/timing/timeline.ts` packs them. Null when that is not known. */
  readonly words: readonly number[] | null;
}

/** The places of those of these sentences that have been spoken. Index: spoken_sentences_pkey. */
export function readPlaces(db: Reader, hashes: readonly string[]): Promise<SentencePlace[]> {
  return db.$queryRaw<SentencePlace[]>`
    SELECT hash, key, offset_bytes AS "offsetBytes", length_bytes AS "lengthBytes", samples,
           sample_rate_hz AS "sampleRateHz", words
    FROM spoken_sentences WHERE hash = ANY(${[...hashes]}::text[]) AND key IS NOT NULL`;
}

type Writer = Pick<Tx, '$executeRaw'>;

/** The process that speaks a sentence. */
export interface Lease {
  readonly hash: string;
  readonly leasedBy: string;
}

/**
 * Leases a sentence in order to speak it, unless it has been spoken or another lease is valid. Uses the machine's clock
 * instead of the ledger's, because a lease is about processes. @returns whether the lease was taken. Index:
 * spoken_sentences_pkey.
 */
export async function leaseSentence(
  db: Writer,
  { hash, leasedBy }: Lease,
  forMs: number,
): Promise<boolean> {
  const taken = await db.$executeRaw`
    INSERT INTO spoken_sentences AS s (hash, leased_by, leased_until)
    VALUES (${hash}, ${leasedBy}::uuid, clock_timestamp() + ${forMs} * interval '1 millisecond')
    ON CONFLICT (hash) DO UPDATE SET leased_by = excluded.leased_by, leased_until = excluded.leased_until
    WHERE s.key IS NULL AND s.leased_until < clock_timestamp()`;
  return taken === 1;
}

/** Renews the lease of a sentence that is still being spoken. */
export const keepLease = (db: Writer, { hash, leasedBy }: Lease, forMs: number): Promise<number> =>
  db.$executeRaw`
    UPDATE spoken_sentences SET leased_until = clock_timestamp() + ${forMs} * interval '1 millisecond'
    WHERE hash = ${hash} AND leased_by = ${leasedBy}::uuid AND key IS NULL`;

/** Releases the lease of a sentence that could not be spoken, so that another process may try at once. */
export const releaseSentence = (db: Writer, { hash, leasedBy }: Lease): Promise<number> =>
  db.$executeRaw`
    DELETE FROM spoken_sentences
    WHERE hash = ${hash} AND leased_by = ${leasedBy}::uuid AND key IS NULL`;

/** Records the place of a spoken sentence, even if the lease has been lost, because it is paid for. */
export async function writeSpoken(db: Writer, place: SentencePlace, by: string): Promise<void> {
  await db.$executeRaw`
    INSERT INTO spoken_sentences AS s (hash, leased_by, leased_until, key, offset_bytes,
                                       length_bytes, samples, sample_rate_hz, words)
    VALUES (${place.hash}, ${by}::uuid, clock_timestamp(), ${place.key},
            ${place.offsetBytes}, ${place.lengthBytes}, ${place.samples}, ${place.sampleRateHz},
            ${place.words === null ? null : [...place.words]}::int[])
    ON CONFLICT (hash) DO UPDATE SET leased_until = excluded.leased_until,
      key = excluded.key, offset_bytes = excluded.offset_bytes, length_bytes = excluded.length_bytes,
      samples = excluded.samples, sample_rate_hz = excluded.sample_rate_hz, words = excluded.words
    WHERE s.key IS NULL`;
}

const asRows = (parts: readonly SentencePlace[]): Prisma.Sql => Prisma.sql`
  json_to_recordset(${JSON.stringify(parts)}::json) AS p(hash text, key text, "offsetBytes" int,
    "lengthBytes" int, samples int, "sampleRateHz" int, words int[])`;

/**
 * Records that sentences are now parts of a recording: those with a file of their own, and those without a known place.
 * Locks rows in the order of their hashes, because recordings that share sentences may finish at the same time.
 * @returns the sentences' own files, which are not needed any more. Index: spoken_sentences_pkey.
 */
export async function placeInRecording(tx: Tx, parts: readonly SentencePlace[]): Promise<string[]> {
  const rows = await tx.$queryRaw<{ file: string }[]>`
    INSERT INTO spoken_sentences AS s (hash, leased_by, leased_until, key, offset_bytes, length_bytes,
                                       samples, sample_rate_hz, words)
    SELECT hash, gen_random_uuid(), clock_timestamp(), key, "offsetBytes", "lengthBytes", samples, "sampleRateHz", words
    FROM ${asRows(parts)} ORDER BY hash
    ON CONFLICT (hash) DO UPDATE SET key = excluded.key, offset_bytes = excluded.offset_bytes
    WHERE s.key = s.hash || '.part' AND s.length_bytes = excluded.length_bytes
    RETURNING s.hash || '.part' AS file`;
  return rows.map(({ file }) => file);
}

/**
 * Before a recording replaces an older one: forgets the sentences of the old one that are not at the same place in the
 * new one. Locks rows in the order of their hashes, as `placeInRecording` does. Index: spoken_sentences_key_idx.
 */
export const forgetMisplaced = (
  db: Writer,
  key: string,
  parts: readonly SentencePlace[],
): Promise<number> => db.$executeRaw`
  DELETE FROM spoken_sentences WHERE hash IN (
    SELECT s.hash FROM spoken_sentences s WHERE s.key = ${key} AND NOT EXISTS (
      SELECT FROM ${asRows(parts)}
      WHERE p.hash = s.hash AND "offsetBytes" = s.offset_bytes AND "lengthBytes" = s.length_bytes)
    ORDER BY s.hash FOR UPDATE)`;

/**
 * Forgets the sentences in a file that is lost or will be deleted. Locks rows in the order of their hashes, as
 * `placeInRecording` does. Index: spoken_sentences_key_idx.
 */
export const forgetFile = (db: Writer, key: string): Promise<number> =>
  db.$executeRaw`
    DELETE FROM spoken_sentences WHERE hash IN (
      SELECT hash FROM spoken_sentences WHERE key = ${key} ORDER BY hash FOR UPDATE)`;
