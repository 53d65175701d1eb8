import { Prisma, type Tx } from '../../../infra/db.js';
import type { AudioFailureCode } from './failure-code.js';
import type { Script } from './plan.js';

export interface ClaimRow extends Script {
  readonly claim: number;
  readonly voiceId: string;
  /** How long ago its job was enqueued, which was when it was requested. */
  readonly requestedMsAgo: number;
}

/** The delivery of a job for an attempt. */
export interface DeliveredAttempt {
  readonly userId: string;
  readonly audioId: string;
  readonly attempt: number;
  readonly queueName: string;
  readonly jobId: string;
  readonly retryCount: number;
}

/**
 * Claims the attempt for one delivery. From then on only this claim may write, because its number is a fencing token.
 * No row is returned if the attempt is settled, if a newer attempt has begun, or if this delivery is stale and must not
 * take the claim of the next one. Indexes: audios_pkey, and pg-boss' own indexes of jobs.
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
    RETURNING a.claim, a.voice_id AS "voiceId", a.text_hash AS "textHash", t.content, s.language, v.provider,
              v.provider_voice AS "providerVoice",
              (SELECT (extract(epoch FROM clock_timestamp() - j.created_on) * 1000)::float8 FROM pgboss.job j
                WHERE j.name = ${job.queueName} AND j.id = ${job.jobId}::uuid) AS "requestedMsAgo"`;
  return row;
}

/** The claim of one delivery. */
export interface Claim {
  readonly userId: string;
  readonly audioId: string;
  readonly claim: number;
}

/** The condition that a claim is valid. All writes of a delivery have it. Index: audios_pkey. */
export const heldBy = ({ userId, audioId, claim }: Claim): Prisma.Sql => Prisma.sql`
  user_id = ${userId}::uuid AND id = ${audioId}::uuid AND claim = ${claim} AND status = 'PROCESSING'`;

/** Writes the progress, 0 to 1. @returns whether the claim was valid. Index: audios_pkey. */
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

/**
 * Keeps why a try failed, for the case that no other try follows. Does nothing when the claim is not valid any more.
 * Index: audios_pkey.
 */
export const writeFailureCode = (
  tx: Pick<Tx, '$executeRaw'>,
  claim: Claim,
  code: AudioFailureCode,
): Promise<number> =>
  tx.$executeRaw`UPDATE audios SET failure_code = ${code} WHERE ${heldBy(claim)}`;

export interface FinishedRendition {
  readonly hash: string;
  readonly durationMs: number;
  readonly lengthBytes: number;
}

/** Marks the narration READY, and keeps the rendition for later requests. @returns whether the claim was valid */
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
      duration_ms = ${rendition.durationMs}, length_bytes = ${rendition.lengthBytes}, failure_code = NULL,
      ready_at = ledger_now(), updated_at = ledger_now()
    WHERE ${heldBy(claim)}`;
  return written === 1;
}
