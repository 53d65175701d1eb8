import { Prisma, readAtLarge, type Db, type Reader, type Tx } from '../../../infra/db.js';
import type { AudioStatus } from '../narrations.sql.js';
import type { Script } from './plan.js';

export interface ClaimRow extends Script {
  readonly claim: number;
}

/** A job's delivery of an attempt. */
export interface DeliveredAttempt {
  readonly userId: string;
  readonly audioId: string;
  readonly attempt: number;
  readonly queueName: string;
  readonly jobId: string;
  readonly retryCount: number;
}

/**
 * Takes the attempt for one delivery: from now on only this claim may write. No row: the attempt is settled, or
 * another one has begun, or the job has been taken from this delivery, which must not take the claim of the next
 * one. Indexes: audios_pkey, and pg-boss' own for the job.
 */
export async function claimNarration(tx: Tx, job: DeliveredAttempt): Promise<ClaimRow | undefined> {
  const [row] = await tx.$queryRaw<ClaimRow[]>`
    UPDATE audios a SET status = 'PROCESSING', claim = a.claim + 1, progress = 0, updated_at = ledger_now()
    FROM story_texts t, voices v, stories s
    WHERE a.user_id = ${job.userId}::uuid AND a.id = ${job.audioId}::uuid AND a.attempt = ${job.attempt}
      AND a.status IN ('QUEUED', 'PROCESSING')
      AND EXISTS (SELECT FROM pgboss.job j
        WHERE j.name = ${job.queueName} AND j.id = ${job.jobId}::uuid AND j.retry_count = ${job.retryCount}
          AND j.state = 'active')
      AND t.hash = a.text_hash AND v.id = a.voice_id AND s.id = a.story_id
    RETURNING a.claim, a.text_hash AS "textHash", t.content, s.language, v.provider,
              v.provider_voice AS "providerVoice"`;
  return row;
}

/** What a narration is to say, and how it stands. */
export interface ScriptRow extends Script {
  readonly userId: string;
  readonly audioId: string;
  readonly status: AudioStatus;
}

/** Index: audios_id_idx. */
export async function readScript(db: Reader, audioId: string): Promise<ScriptRow | undefined> {
  const [row] = await db.$queryRaw<ScriptRow[]>`
    SELECT a.user_id AS "userId", a.id AS "audioId", a.status::text, a.text_hash AS "textHash", t.content,
           s.language, v.provider, v.provider_voice AS "providerVoice"
    FROM audios a
    JOIN story_texts t ON t.hash = a.text_hash JOIN voices v ON v.id = a.voice_id
    JOIN stories s ON s.id = a.story_id
    WHERE a.id = ${audioId}::uuid`;
  return row;
}

/** A claim that one delivery holds. */
export interface Claim {
  readonly userId: string;
  readonly audioId: string;
  readonly claim: number;
}

/** Nobody writes whose claim was taken over. Index: audios_pkey. */
const heldBy = ({ userId, audioId, claim }: Claim): Prisma.Sql => Prisma.sql`
  user_id = ${userId}::uuid AND id = ${audioId}::uuid AND claim = ${claim} AND status = 'PROCESSING'`;

/** @returns whether the claim still held. Index: audios_pkey. */
export async function writeProgress(
  tx: Pick<Tx, '$executeRaw'>,
  claim: Claim,
  progress: number,
): Promise<boolean> {
  const written = await tx.$executeRaw`
    UPDATE audios SET progress = ${progress}::real, updated_at = ledger_now()
    WHERE ${heldBy(claim)}`;
  return written === 1;
}

export interface FinishedRendition {
  readonly hash: string;
  readonly durationMs: number;
  readonly lengthBytes: number;
}

/** A recording that is there, or on its way out. */
export interface HeldRendition extends FinishedRendition {
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

/** READY, and the rendition is kept for whoever asks next. @returns whether the claim still held */
export async function writeReady(
  tx: Tx,
  claim: Claim,
  rendition: FinishedRendition,
): Promise<boolean> {
  const written = await tx.$executeRaw`
    WITH kept AS (
      INSERT INTO renditions (hash, duration_ms, length_bytes)
      VALUES (${rendition.hash}, ${rendition.durationMs}, ${rendition.lengthBytes})
      ON CONFLICT (hash) DO UPDATE SET duration_ms = excluded.duration_ms, length_bytes = excluded.length_bytes
    )
    UPDATE audios SET status = 'READY', progress = 1, rendition_hash = ${rendition.hash},
      duration_ms = ${rendition.durationMs}, length_bytes = ${rendition.lengthBytes},
      ready_at = ledger_now(), updated_at = ledger_now()
    WHERE ${heldBy(claim)}`;
  return written === 1;
}

/** A narration in the making that nobody makes. */
export interface AbandonedRow {
  readonly userId: string;
  readonly audioId: string;
  readonly attempt: number;
  readonly updatedAt: Date;
}

/**
 * Narrations in the making without a live job, neither one that makes them nor one that settles them, oldest first
 * after a place. No locks: how they stand is looked at again when they are settled. Indexes: audios_unsettled,
 * and pg-boss' own for the jobs.
 */
export function readAbandoned(
  db: Db,
  queues: { readonly making: string; readonly failing: string },
  wanted: { readonly after: AbandonedRow | null; readonly forMs: number; readonly limit: number },
): Promise<AbandonedRow[]> {
  const { after, forMs, limit } = wanted;
  const nil = '00000000-0000-0000-0000-000000000000';
  return readAtLarge(
    db,
    (tx) => tx.$queryRaw<AbandonedRow[]>`
    SELECT u.user_id AS "userId", u.id AS "audioId", u.attempt, u.updated_at AS "updatedAt"
    FROM audios u
    WHERE u.status IN ('QUEUED', 'PROCESSING')
      AND u.updated_at < ledger_now() - ${forMs} * interval '1 millisecond'
      AND (u.updated_at, u.user_id, u.id) > (coalesce(${after?.updatedAt ?? null}::timestamptz, '-infinity'),
        ${after?.userId ?? nil}::uuid, ${after?.audioId ?? nil}::uuid)
      AND NOT EXISTS (
        SELECT FROM pgboss.job j WHERE j.name = ${queues.making} AND j.id = u.job_id
          AND j.state IN ('created', 'retry', 'active'))
      AND NOT EXISTS (
        SELECT FROM pgboss.job j WHERE j.name = ${queues.failing}
          AND j.state IN ('created', 'retry', 'active')
          AND j.data->>'audioId' = u.id::text AND (j.data->>'attempt')::int = u.attempt)
    ORDER BY u.updated_at, u.user_id, u.id LIMIT ${limit}`,
  );
}
