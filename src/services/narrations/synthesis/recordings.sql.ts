import type { Tx } from '../../../infra/db.js';
import { heldBy, type Claim, type FinishedRecording } from './claims.sql.js';

/** A recording, which may be in the course of deletion. */
interface HeldRecording extends FinishedRecording {
  readonly erasing: boolean;
  /** Whether the deletion began so long ago that its job may have failed. */
  readonly overdue: boolean;
}

/**
 * Links a claimed narration to a recording, and reads the recording. A process that would erase it waits for the lock,
 * and then sees that it is used. @returns `lost` when the claim is not valid any more; undefined when there is no such
 * recording. Indexes: audios_pkey, renditions_pkey.
 */
export async function holdRecording(
  tx: Tx,
  claim: Claim,
  hash: string,
): Promise<HeldRecording | undefined | 'lost'> {
  const written = await tx.$executeRaw`
    UPDATE audios SET rendition_hash = ${hash}
    WHERE ${heldBy(claim)}`;
  if (written === 0) return 'lost';
  const [recording] = await tx.$queryRaw<HeldRecording[]>`
    SELECT hash, duration_ms AS "durationMs", length_bytes AS "lengthBytes",
           erasing_since IS NOT NULL AS erasing,
           coalesce(erasing_since < clock_timestamp() - ${ERASING_MINUTES} * interval '1 minute', false) AS overdue
    FROM renditions WHERE hash = ${hash} FOR SHARE`;
  return recording;
}

/** How long another account's erasure of a recording is taken for alive. */
const ERASING_MINUTES = 5;

/**
 * Marks a recording for deletion if no other account uses it. Deleted accounts do not count. The second statement runs
 * after the lock, so that it sees narrations that have begun to use the recording meanwhile. None can use it once it is
 * marked, and one job at a time deletes it.
 * @returns `marked`: its files must be deleted; `shared`: others use it; `elsewhere`: another job is deleting it
 * Indexes: renditions_pkey, audios_rendition_hash_idx
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
