import type { Tx } from '../../infra/db.js';

export type AudioStatus = 'QUEUED' | 'PROCESSING' | 'READY' | 'FAILED' | 'CANCELLED';

/** What makes a narration the same one. */
export interface NarrationKey {
  readonly userId: string;
  readonly storyId: string;
  readonly textHash: string;
  readonly voiceId: string;
}

export interface NarrationStateRow extends NarrationKey {
  readonly id: string;
  readonly status: AudioStatus;
  readonly attempt: number;
}

/**
 * How asked-for narrations stand. Under the accounts' locks: only the holder of an account's lock
 * starts a new attempt. Index: audios_user_id_story_id_text_hash_voice_id_key; asking for the first one
 * from there on, in its order, leaves no other: a plan that was made while the table was small would go
 * through all of a user's narrations.
 */
export function readNarrationStates(
  tx: Tx,
  wanted: readonly NarrationKey[],
): Promise<NarrationStateRow[]> {
  return tx.$queryRaw<NarrationStateRow[]>`
    SELECT a.user_id AS "userId", a.story_id AS "storyId", a.text_hash AS "textHash",
           a.voice_id AS "voiceId", a.id, a.status::text, a.attempt
    FROM unnest(${wanted.map((one) => one.userId)}::uuid[], ${wanted.map((one) => one.storyId)}::uuid[],
                ${wanted.map((one) => one.textHash)}::text[], ${wanted.map((one) => one.voiceId)}::text[])
      AS w(user_id, story_id, text_hash, voice_id)
    CROSS JOIN LATERAL (
      SELECT * FROM audios
      WHERE user_id = w.user_id
        AND (story_id, text_hash, voice_id) >= (w.story_id, w.text_hash, w.voice_id)
      ORDER BY story_id, text_hash, voice_id LIMIT 1
    ) a
    WHERE (a.story_id, a.text_hash, a.voice_id) = (w.story_id, w.text_hash, w.voice_id)`;
}

export interface AudioRequestRow {
  readonly userId: string;
  readonly idempotencyKey: string;
  readonly requestHash: Uint8Array;
  readonly audioId: string;
  readonly debitSeq: number | null;
}

/** What these keys were first used for. Index: audio_requests_pkey. */
export function readAudioRequests(
  tx: Tx,
  wanted: readonly { userId: string; key: string }[],
): Promise<AudioRequestRow[]> {
  return tx.$queryRaw<AudioRequestRow[]>`
    SELECT r.user_id AS "userId", r.idempotency_key AS "idempotencyKey", r.request_hash AS "requestHash",
           r.audio_id AS "audioId", r.debit_seq AS "debitSeq"
    FROM unnest(${wanted.map((one) => one.userId)}::uuid[], ${wanted.map((one) => one.key)}::text[])
      AS w(user_id, idempotency_key)
    JOIN audio_requests r USING (user_id, idempotency_key)`;
}

export interface QueuedNarration extends NarrationKey {
  readonly id: string;
  readonly attempt: number;
  readonly jobId: string;
  readonly debitSeq: number;
  readonly now: Date;
}

/**
 * Writes narrations as QUEUED, new ones and new attempts of failed ones, and the keys they were asked
 * for with. Locks the rows, after the accounts.
 */
export async function writeNarrations(
  tx: Tx,
  queued: readonly QueuedNarration[],
  requests: readonly (Omit<AudioRequestRow, 'requestHash'> & { requestHash: string; now: Date })[],
): Promise<void> {
  await tx.$executeRaw`
    WITH requests AS (
      INSERT INTO audio_requests (user_id, idempotency_key, request_hash, audio_id, debit_seq, created_at)
      SELECT "userId", "idempotencyKey", decode("requestHash", 'hex'), "audioId", "debitSeq", now
      FROM json_to_recordset(${JSON.stringify(requests)}::json) AS r("userId" uuid, "idempotencyKey" text,
        "requestHash" text, "audioId" uuid, "debitSeq" int, now timestamptz)
    )
    INSERT INTO audios (user_id, id, story_id, text_hash, voice_id, status, attempt, job_id, debit_seq,
                        created_at, updated_at)
    SELECT "userId", id, "storyId", "textHash", "voiceId", 'QUEUED', attempt, "jobId", "debitSeq", now, now
    FROM json_to_recordset(${JSON.stringify(queued)}::json) AS r("userId" uuid, id uuid, "storyId" uuid,
      "textHash" text, "voiceId" text, attempt int, "jobId" uuid, "debitSeq" int, now timestamptz)
    ON CONFLICT (user_id, story_id, text_hash, voice_id) DO UPDATE
    SET status = 'QUEUED', attempt = excluded.attempt, job_id = excluded.job_id,
        debit_seq = excluded.debit_seq, progress = 0, failure_reason = NULL,
        updated_at = excluded.updated_at`;
}

export interface ClaimRow {
  readonly claim: number;
  readonly textHash: string;
  readonly content: string;
  readonly language: string;
  readonly provider: string;
  readonly providerVoice: string;
}

/**
 * Takes the attempt for one delivery: from now on only this claim may write. No row: the attempt is
 * settled, or another one has begun. Index: audios_pkey.
 */
export async function claimNarration(
  tx: Tx,
  job: { userId: string; audioId: string; attempt: number },
): Promise<ClaimRow | undefined> {
  const [row] = await tx.$queryRaw<ClaimRow[]>`
    UPDATE audios a SET status = 'PROCESSING', claim = a.claim + 1, progress = 0, updated_at = ledger_now()
    FROM story_texts t, voices v, stories s
    WHERE a.user_id = ${job.userId}::uuid AND a.id = ${job.audioId}::uuid AND a.attempt = ${job.attempt}
      AND a.status IN ('QUEUED', 'PROCESSING')
      AND t.hash = a.text_hash AND v.id = a.voice_id AND s.id = a.story_id
    RETURNING a.claim, a.text_hash AS "textHash", t.content, s.language, v.provider,
              v.provider_voice AS "providerVoice"`;
  return row;
}

/** A claim that one delivery holds. */
export interface Claim {
  readonly userId: string;
  readonly audioId: string;
  readonly claim: number;
}

/** @returns whether the claim still held. Index: audios_pkey. */
export async function writeProgress(
  tx: Pick<Tx, '$executeRaw'>,
  claim: Claim,
  progress: number,
): Promise<boolean> {
  const written = await tx.$executeRaw`
    UPDATE audios SET progress = ${progress}::real, updated_at = ledger_now()
    WHERE user_id = ${claim.userId}::uuid AND id = ${claim.audioId}::uuid AND claim = ${claim.claim}
      AND status = 'PROCESSING'`;
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
    WHERE user_id = ${claim.userId}::uuid AND id = ${claim.audioId}::uuid AND claim = ${claim.claim}
      AND status = 'PROCESSING'`;
  if (written === 0) return 'lost';
  const [rendition] = await tx.$queryRaw<HeldRendition[]>`
    SELECT hash, duration_ms AS "durationMs", length_bytes AS "lengthBytes",
           erasing_since IS NOT NULL AS erasing
    FROM renditions WHERE hash = ${hash} FOR SHARE`;
  return rendition;
}

/**
 * Marks a rendition that nobody but this person has, and of those who left nobody is counted. A second
 * statement, after the lock, sees who has begun to use it meanwhile.
 * @returns whether its files are to be deleted. Indexes: renditions_pkey, audios_rendition_hash_idx
 */
export async function beginErasing(
  tx: Tx,
  { hash, userId }: { hash: string; userId: string },
): Promise<boolean> {
  await tx.$queryRaw`SELECT hash FROM renditions WHERE hash = ${hash} FOR UPDATE`;
  const marked = await tx.$executeRaw`
    UPDATE renditions SET erasing_since = coalesce(erasing_since, ledger_now())
    WHERE hash = ${hash} AND NOT EXISTS (
      SELECT FROM audios a JOIN users u ON u.id = a.user_id
      WHERE a.rendition_hash = ${hash} AND a.user_id <> ${userId}::uuid
        AND a.status IN ('PROCESSING', 'READY') AND u.deleted_at IS NULL)`;
  return marked === 1;
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
      ON CONFLICT (hash) DO NOTHING
    )
    UPDATE audios SET status = 'READY', progress = 1, rendition_hash = ${rendition.hash},
      duration_ms = ${rendition.durationMs}, length_bytes = ${rendition.lengthBytes},
      ready_at = ledger_now(), updated_at = ledger_now()
    WHERE user_id = ${claim.userId}::uuid AND id = ${claim.audioId}::uuid AND claim = ${claim.claim}
      AND status = 'PROCESSING'`;
  return written === 1;
}

/**
 * FAILED with a reason for people, unless the attempt is settled already. With `claim`, only while
 * that claim holds. Locks the row, after the account. @returns the debit to give back
 */
export async function writeFailed(
  tx: Tx,
  job: { userId: string; audioId: string; attempt: number; claim?: number },
  reason: string,
): Promise<number | undefined> {
  const [row] = await tx.$queryRaw<{ debitSeq: number }[]>`
    UPDATE audios SET status = 'FAILED', failure_reason = ${reason}, claim = claim + 1,
      updated_at = ledger_now()
    WHERE user_id = ${job.userId}::uuid AND id = ${job.audioId}::uuid AND attempt = ${job.attempt}
      AND status IN ('QUEUED', 'PROCESSING')
      AND (${job.claim ?? null}::int IS NULL OR claim = ${job.claim ?? null}::int)
    RETURNING debit_seq AS "debitSeq"`;
  return row?.debitSeq;
}
