import type { Tx } from '../../../infra/db.js';

/**
 * Marks a rendition for deletion if no other narration uses it. Those of deleted accounts do not count. A rendition that
 * is marked already is left to the job that deletes it. The second statement runs after the lock, so that it sees
 * narrations that have begun to use the rendition meanwhile. None can use it once it is marked.
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

/** Whether a rendition is marked for deletion. Index: renditions_pkey. */
export async function isMarked(tx: Pick<Tx, '$queryRaw'>, hash: string): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT FROM renditions WHERE hash = ${hash} AND erasing_since IS NOT NULL`;
  return rows.length > 0;
}
