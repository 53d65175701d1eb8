import type { Tx } from '../../../infra/db.js';
import { heldBy, type Claim, type FinishedRendition } from './claims.sql.js';

/** A recording that is there, or on its way out. */
interface HeldRendition extends FinishedRendition {
  readonly erasing: boolean;
}

/**
 * Says that a claim will use a rendition, and reads it. The lock makes whoever would erase it wait, and then
 * see that it is used. @returns `lost` when the claim does not hold any more; undefined when there is no such
 * rendition. Indexes: audios_pkey, renditions_pkey.
 */
export async function holdRendition(
  tx: Tx,
  claim: Claim,
  hash: string,
): Promise<HeldRendition | undefined | 'lost'> {
  const written = await tx.$executeRaw`
    UPDATE audios SET rendition_hash = ${hash}
    WHERE ${heldBy(claim)}`;
  if (written === 0) return 'lost';
  const [rendition] = await tx.$queryRaw<HeldRendition[]>`
    SELECT hash, duration_ms AS "durationMs", length_bytes AS "lengthBytes",
           erasing_since IS NOT NULL AS erasing
    FROM renditions WHERE hash = ${hash} FOR SHARE`;
  return rendition;
}

/** How long the job of another person who left is believed to be erasing a rendition. */
const ERASING_MINUTES = 5;

/**
 * Marks a rendition that nobody but this person has, and of those who left nobody is counted. A second
 * statement, after the lock, sees who has begun to use it meanwhile. Once it is marked nobody can: then it is erased
 * to the end, by one at a time.
 * @returns `marked`: its files are to be deleted; `shared`: others have it; `elsewhere`: someone is at it
 *   Indexes: renditions_pkey, audios_rendition_hash_idx
 */
export async function beginErasing(
  tx: Tx,
  { hash, userId }: { hash: string; userId: string },
): Promise<'marked' | 'shared' | 'elsewhere'> {
  const [held] = await tx.$queryRaw<{ elsewhere: boolean }[]>`
    SELECT coalesce(erasing_by <> ${userId}::uuid
      AND erasing_since > clock_timestamp() - ${ERASING_MINUTES} * interval '1 minute', false) AS elsewhere
    FROM renditions WHERE hash = ${hash} FOR UPDATE`;
  if (held?.elsewhere === true) return 'elsewhere';
  const marked = await tx.$executeRaw`
    UPDATE renditions SET erasing_since = clock_timestamp(), erasing_by = ${userId}::uuid
    WHERE hash = ${hash} AND (erasing_since IS NOT NULL OR NOT EXISTS (
      SELECT FROM audios a JOIN users u ON u.id = a.user_id
      WHERE a.rendition_hash = ${hash} AND a.user_id <> ${userId}::uuid
        AND a.status IN ('QUEUED', 'PROCESSING', 'READY') AND u.deleted_at IS NULL))`;
  return marked === 1 ? 'marked' : 'shared';
}
