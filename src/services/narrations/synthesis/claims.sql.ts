import { Prisma, type Tx } from '../../../infra/db.js';
import type { Script } from './plan.js';

export interface ClaimRow extends Script {
  readonly claim: number;
  readonly voiceId: string;
  /** When the first job of the attempt was enqueued, which was when it was requested. */
  readonly requestedAt: Date;
  readonly requestedMsAgo: number;
  /** The tries of the attempt that have failed. */
  readonly tries: number;
  /** The deliveries of the attempt whose worker has died. */
  readonly deaths: number;
  /** How long ago it waited for the speech provider for the first time in the attempt; null when it never has. */
  readonly waitedMs: number | null;
}

type ClaimedRow = Omit<ClaimRow, 'announcement'> & {
  readonly announced: boolean;
  readonly title: string;
  readonly author: string;
};

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
 * take the claim of the next one. A worker that fails puts the narration back as QUEUED, so one that is PROCESSING was
 * claimed by a worker that has ended. Indexes: audios_pkey, and pg-boss' own indexes of jobs.
 */
export async function claimNarration(tx: Tx, job: DeliveredAttempt): Promise<ClaimRow | undefined> {
  const [row] = await tx.$queryRaw<ClaimedRow[]>`
    WITH delivered AS MATERIALIZED (
      SELECT coalesce((j.data->>'requestedAt')::timestamptz, j.created_on) AS requested_at, clock_timestamp() AS now
      FROM pgboss.job j
      WHERE j.name = ${job.queueName} AND j.id = ${job.jobId}::uuid AND j.retry_count = ${job.retryCount}
        AND j.state = 'active'
    )
    UPDATE audios a SET status = 'PROCESSING', claim = a.claim + 1, waiting_for = NULL,
      updated_at = ledger_now(),
      deaths = a.deaths + CASE WHEN a.status = 'PROCESSING' THEN 1 ELSE 0 END
    FROM story_texts t, voices v, stories s, delivered j
    WHERE a.user_id = ${job.userId}::uuid AND a.id = ${job.audioId}::uuid AND a.attempt = ${job.attempt}
      AND a.job_id = ${job.jobId}::uuid AND a.status IN ('QUEUED', 'PROCESSING')
      AND t.hash = a.text_hash AND v.id = a.voice_id AND s.id = a.story_id
    RETURNING a.claim, a.tries, a.deaths, a.voice_id AS "voiceId", a.text_hash AS "textHash", t.content, s.language,
              v.provider, v.provider_voice AS "providerVoice",
              s.announced, s.title, s.author, j.requested_at AS "requestedAt",
              (extract(epoch FROM j.now - j.requested_at) * 1000)::float8 AS "requestedMsAgo",
              (extract(epoch FROM j.now - a.waiting_since) * 1000)::float8 AS "waitedMs"`;
  if (row === undefined) return undefined;
  const { announced, title, author, ...claimed } = row;
  return { ...claimed, announcement: announced ? { title, author } : null };
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

/** Whether a claim is valid. */
export async function isHeld(tx: Pick<Tx, '$queryRaw'>, claim: Claim): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`SELECT FROM audios WHERE ${heldBy(claim)}`;
  return rows.length === 1;
}

/**
 * Writes the progress, 0 to 1. It never decreases, because a later delivery begins with what was spoken before. New
 * progress ends a wait for the speech provider, and clears deaths of workers, because the text did not cause them.
 * @returns whether the claim was valid. Index: audios_pkey.
 */
export async function writeProgress(
  tx: Pick<Tx, '$executeRaw'>,
  claim: Claim,
  progress: number,
): Promise<boolean> {
  const written = await tx.$executeRaw`
    UPDATE audios SET progress = greatest(progress, ${progress}::real), updated_at = ledger_now(),
      waiting_since = CASE WHEN ${progress}::real > progress THEN NULL ELSE waiting_since END,
      deaths = CASE WHEN ${progress}::real > progress THEN 0 ELSE deaths END
    WHERE ${heldBy(claim)}`;
  return written === 1;
}

export interface FinishedRecording {
  readonly hash: string;
  readonly durationMs: number;
  readonly lengthBytes: number;
}

/** Marks the narration READY, and keeps the recording for later requests. @returns whether the claim was valid */
export async function writeReady(
  tx: Tx,
  claim: Claim,
  recording: FinishedRecording,
): Promise<boolean> {
  const written = await tx.$executeRaw`
    WITH kept AS (
      INSERT INTO renditions (hash, duration_ms, length_bytes)
      VALUES (${recording.hash}, ${recording.durationMs}, ${recording.lengthBytes})
      ON CONFLICT (hash) DO UPDATE SET duration_ms = excluded.duration_ms, length_bytes = excluded.length_bytes
    )
    UPDATE audios SET status = 'READY', progress = 1, rendition_hash = ${recording.hash},
      duration_ms = ${recording.durationMs}, length_bytes = ${recording.lengthBytes}, failure_code = NULL,
      ready_at = ledger_now(), updated_at = ledger_now()
    WHERE ${heldBy(claim)}`;
  return written === 1;
}
