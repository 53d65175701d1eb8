import { Prisma, type Reader, type Tx } from '../../../infra/db.js';

/**
 * Marks a recording for deletion if no other narration uses it. Those of deleted accounts do not count. A recording that
 * is marked already is left to the job that deletes it. The second statement runs after the lock, so that it sees
 * narrations that have begun to use the recording meanwhile. None can use it once it is marked.
 * @returns whether it was marked. Indexes: renditions_pkey, audios_rendition_hash_idx.
 */
export async function markUnused(
  tx: Tx,
  { hash, userId, audioId }: { hash: string; userId: string; audioId: string },
): Promise<boolean> {
  await tx.$queryRaw`SELECT FROM renditions WHERE hash = ${hash} FOR UPDATE`;
  const marked = await tx.$executeRaw`
    UPDATE renditions SET erasing_since = clock_timestamp(), erasing_by = ${userId}::uuid
    WHERE hash = ${hash} AND erasing_since IS NULL AND NOT EXISTS (
      SELECT FROM audios a JOIN users u ON u.id = a.user_id
      WHERE a.rendition_hash = ${hash} AND (a.user_id, a.id) <> (${userId}::uuid, ${audioId}::uuid)
        AND a.status IN ('QUEUED', 'PROCESSING', 'READY') AND u.deleted_at IS NULL)`;
  return marked === 1;
}

/** The condition that no narration has or makes a recording. Those of deleted accounts count, until they are erased. */
const ABANDONED = Prisma.sql`NOT EXISTS (
  SELECT FROM audios a WHERE a.rendition_hash = r.hash AND a.status IN ('QUEUED', 'PROCESSING', 'READY'))`;

/** Neither marked, nor marked so long ago that the job which deletes it must have been lost. */
const UNMARKED = Prisma.sql`(r.erasing_since IS NULL OR r.erasing_since < clock_timestamp() - interval '1 day')`;

/**
 * Recordings that are older than `days` and that no narration uses. The whole table is read, because nearly all of it is
 * used. Index: audios_rendition_hash_idx.
 */
export async function readAbandoned(
  db: Reader,
  { days, limit }: { days: number; limit: number },
): Promise<string[]> {
  const rows = await db.$queryRaw<{ hash: string }[]>`
    SELECT r.hash FROM renditions r
    WHERE r.created_at < now() - ${days} * interval '1 day' AND ${UNMARKED} AND ${ABANDONED}
    LIMIT ${limit}`;
  return rows.map(({ hash }) => hash);
}

/**
 * Marks a recording for deletion if no narration uses it. The second statement runs after the lock, as in `markUnused`.
 * @returns whether it was marked. Indexes: renditions_pkey, audios_rendition_hash_idx.
 */
export async function markAbandoned(tx: Tx, hash: string): Promise<boolean> {
  await tx.$queryRaw`SELECT FROM renditions WHERE hash = ${hash} FOR UPDATE`;
  const marked = await tx.$executeRaw`
    UPDATE renditions r SET erasing_since = clock_timestamp()
    WHERE r.hash = ${hash} AND ${UNMARKED} AND ${ABANDONED}`;
  return marked === 1;
}

/** Whether a recording is marked for deletion. Index: renditions_pkey. */
export async function isMarked(tx: Pick<Tx, '$queryRaw'>, hash: string): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT FROM renditions WHERE hash = ${hash} AND erasing_since IS NOT NULL`;
  return rows.length > 0;
}
