import { Prisma, type Reader, type Tx } from '../../../infra/db.js';

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

const asRows = (parts: readonly SentencePlace[]): Prisma.Sql => Prisma.sql`
  json_to_recordset(${JSON.stringify(parts)}::json) AS p(hash text, key text, "offsetBytes" int,
    "lengthBytes" int, samples int, "sampleRateHz" int)`;

/**
 * Says that sentences are parts of a recording now: those that had files of their own, and those that nobody knows a
 * place of. Locks rows in the order of their hashes, for recordings that share sentences may be finished at once.
 * @returns files of their own that nobody needs any more. Index: spoken_sentences_pkey.
 */
export async function placeInRendition(tx: Tx, parts: readonly SentencePlace[]): Promise<string[]> {
  const rows = await tx.$queryRaw<{ file: string }[]>`
    INSERT INTO spoken_sentences AS s (hash, leased_by, leased_until, key, offset_bytes, length_bytes,
                                       samples, sample_rate_hz)
    SELECT hash, gen_random_uuid(), clock_timestamp(), key, "offsetBytes", "lengthBytes", samples, "sampleRateHz"
    FROM ${asRows(parts)} ORDER BY hash
    ON CONFLICT (hash) DO UPDATE SET key = excluded.key, offset_bytes = excluded.offset_bytes
    WHERE s.key = s.hash || '.part' AND s.length_bytes = excluded.length_bytes
    RETURNING s.hash || '.part' AS file`;
  return rows.map(({ file }) => file);
}

/**
 * Before a recording takes the place of another one: forgets those sentences of the old one that do not stand where
 * they stand in the new one. Index: spoken_sentences_key_idx.
 */
export const forgetMisplaced = (
  db: Writer,
  key: string,
  parts: readonly SentencePlace[],
): Promise<number> => db.$executeRaw`
  DELETE FROM spoken_sentences s WHERE s.key = ${key} AND NOT EXISTS (
    SELECT FROM ${asRows(parts)}
    WHERE p.hash = s.hash AND "offsetBytes" = s.offset_bytes AND "lengthBytes" = s.length_bytes)`;

/** Forgets everything in a file that goes. Index: spoken_sentences_key_idx. */
export const forgetFile = (db: Writer, key: string): Promise<number> =>
  db.$executeRaw`DELETE FROM spoken_sentences WHERE key = ${key}`;
