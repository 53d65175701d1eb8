import type { Reader, Tx } from '../../../infra/db.js';

/** Where the bytes of a spoken sentence are: MP3 frames, whole ones. */
export interface SentencePlace {
  readonly hash: string;
  readonly key: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly samples: number;
  readonly sampleRateHz: number;
}

/** Which of these sentences have been spoken, and where they are. Index: spoken_sentences_pkey. */
export function readPlaces(db: Reader, hashes: readonly string[]): Promise<SentencePlace[]> {
  return db.$queryRaw<SentencePlace[]>`
    SELECT hash, key, offset_bytes AS "offsetBytes", length_bytes AS "lengthBytes", samples,
           sample_rate_hz AS "sampleRateHz"
    FROM spoken_sentences WHERE hash = ANY(${[...hashes]}::text[]) AND key IS NOT NULL`;
}

type Writer = Pick<Tx, '$executeRaw'>;

/** Who speaks a sentence. */
export interface Lease {
  readonly hash: string;
  readonly leasedBy: string;
}

/**
 * Takes a sentence to speak it, for so long, unless it is spoken already or someone else is at it. By the
 * machine's clock, for it is about processes. @returns whether it is ours. Index: spoken_sentences_pkey.
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

/** Keeps what is still being spoken. */
export const keepLease = (db: Writer, { hash, leasedBy }: Lease, forMs: number): Promise<number> =>
  db.$executeRaw`
    UPDATE spoken_sentences SET leased_until = clock_timestamp() + ${forMs} * interval '1 millisecond'
    WHERE hash = ${hash} AND leased_by = ${leasedBy}::uuid AND key IS NULL`;

/** Gives back what could not be spoken, so that someone else may try at once. */
export const releaseSentence = (db: Writer, { hash, leasedBy }: Lease): Promise<number> =>
  db.$executeRaw`
    DELETE FROM spoken_sentences
    WHERE hash = ${hash} AND leased_by = ${leasedBy}::uuid AND key IS NULL`;

/** Says that a sentence is spoken, whoever holds the lease by now: it is paid for, and need not be again. */
export async function writeSpoken(db: Writer, place: SentencePlace, by: string): Promise<void> {
  await db.$executeRaw`
    INSERT INTO spoken_sentences AS s (hash, leased_by, leased_until, key, offset_bytes,
                                       length_bytes, samples, sample_rate_hz)
    VALUES (${place.hash}, ${by}::uuid, clock_timestamp(), ${place.key},
            ${place.offsetBytes}, ${place.lengthBytes}, ${place.samples}, ${place.sampleRateHz})
    ON CONFLICT (hash) DO UPDATE SET leased_until = excluded.leased_until,
      key = excluded.key, offset_bytes = excluded.offset_bytes, length_bytes = excluded.length_bytes,
      samples = excluded.samples, sample_rate_hz = excluded.sample_rate_hz
    WHERE s.key IS NULL`;
}

/**
 * Says that sentences which had files of their own are parts of a recording now. Locks their rows in the order
 * of their hashes, for recordings that share sentences may be finished at once.
 * @returns the files that nobody needs any more. Index: spoken_sentences_pkey.
 */
export async function placeInRendition(
  tx: Tx,
  key: string,
  parts: readonly { readonly hash: string; readonly offsetBytes: number }[],
): Promise<string[]> {
  const rows = await tx.$queryRaw<{ key: string }[]>`
    WITH loose AS (
      SELECT s.hash, s.key, p.offset_bytes
      FROM unnest(${parts.map((part) => part.hash)}::text[], ${parts.map((part) => part.offsetBytes)}::int[])
        AS p(hash, offset_bytes)
      JOIN spoken_sentences s ON s.hash = p.hash AND s.key = s.hash || '.part'
      ORDER BY s.hash FOR UPDATE OF s
    )
    UPDATE spoken_sentences s SET key = ${key}, offset_bytes = loose.offset_bytes
    FROM loose WHERE s.hash = loose.hash
    RETURNING loose.key`;
  return rows.map((row) => row.key);
}

/** Forgets everything in a file that goes. Index: spoken_sentences_key_idx. */
export const forgetFile = (db: Writer, key: string): Promise<number> =>
  db.$executeRaw`DELETE FROM spoken_sentences WHERE key = ${key}`;
