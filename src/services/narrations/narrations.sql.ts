import { Prisma, type Rows, type Tx } from '../../infra/db.js';
import { ofOneAccount } from '../ledger/one-account.sql.js';
import type { AudioFailureCode } from './synthesis/failure-code.js';

export type AudioStatus = 'QUEUED' | 'PROCESSING' | 'READY' | 'FAILED' | 'CANCELLED';

/** The unique key of a narration. */
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
 * The states of the requested narrations. Under the accounts' locks, because only the holder of an account's lock
 * starts a new attempt. Index: audios_user_id_story_id_text_hash_voice_id_key. The query takes the first row from the
 * key on in the order of this index, so that the planner can use no other. A plan made while the table was small would
 * scan all narrations of a user.
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
      WHERE user_id = w.user_id ${ofOneAccount(tx, Prisma.sql`user_id`, wanted)}
        AND (story_id, text_hash, voice_id) >= (w.story_id, w.text_hash, w.voice_id)
      ORDER BY story_id, text_hash, voice_id LIMIT 1
    ) a
    WHERE (a.story_id, a.text_hash, a.voice_id) = (w.story_id, w.text_hash, w.voice_id)`;
}

/**
 * Locks narrations that a new attempt may be written to, and reads their states again. Without `wait`, narrations that
 * another transaction holds are left out. Under the accounts' locks. Index: audios_pkey.
 */
export function lockNarrations(
  tx: Tx,
  wanted: readonly Pick<NarrationStateRow, 'userId' | 'id'>[],
  wait: boolean,
): Promise<NarrationStateRow[]> {
  return tx.$queryRaw<NarrationStateRow[]>`
    SELECT a.user_id AS "userId", a.story_id AS "storyId", a.text_hash AS "textHash",
           a.voice_id AS "voiceId", a.id, a.status::text, a.attempt
    FROM unnest(${wanted.map((one) => one.userId)}::uuid[], ${wanted.map((one) => one.id)}::uuid[]) AS w(user_id, id)
    JOIN audios a ON a.user_id = w.user_id AND a.id = w.id ${ofOneAccount(tx, Prisma.sql`a.user_id`, wanted)}
    ORDER BY a.user_id, a.id FOR NO KEY UPDATE OF a ${wait ? Prisma.empty : Prisma.sql`SKIP LOCKED`}`;
}

export interface AudioRequestRow extends Readonly<
  Pick<Rows.AudioRequest, 'userId' | 'idempotencyKey' | 'audioId' | 'debitSeq'>
> {
  readonly requestHash: Uint8Array;
}

/** The requests that these keys were first used for. Index: audio_requests_pkey. */
export function readAudioRequests(
  tx: Tx,
  wanted: readonly { userId: string; key: string }[],
): Promise<AudioRequestRow[]> {
  return tx.$queryRaw<AudioRequestRow[]>`
    SELECT r.user_id AS "userId", r.idempotency_key AS "idempotencyKey", r.request_hash AS "requestHash",
           r.audio_id AS "audioId", r.debit_seq AS "debitSeq"
    FROM unnest(${wanted.map((one) => one.userId)}::uuid[], ${wanted.map((one) => one.key)}::text[])
      AS w(user_id, idempotency_key)
    JOIN audio_requests r ON r.user_id = w.user_id AND r.idempotency_key = w.idempotency_key
      ${ofOneAccount(tx, Prisma.sql`r.user_id`, wanted)}`;
}

export interface QueuedNarration extends NarrationKey {
  readonly id: string;
  readonly attempt: number;
  readonly jobId: string;
  readonly debitSeq: number;
  readonly now: Date;
}

/**
 * Writes narrations as QUEUED, which are new ones or new attempts of ended ones, and the keys of their requests. Locks
 * the rows, after the accounts.
 */
export async function writeNarrations(
  tx: Tx,
  queued: readonly QueuedNarration[],
  requests: readonly (Omit<AudioRequestRow, 'requestHash'> & { requestHash: string; now: Date })[],
): Promise<void> {
  await tx.$queryRaw`
    WITH requests AS (
      INSERT INTO audio_requests (user_id, idempotency_key, request_hash, audio_id, debit_seq, created_at)
      SELECT "userId", "idempotencyKey", decode("requestHash", 'hex'), "audioId", "debitSeq", now
      FROM json_to_recordset(${JSON.stringify(requests)}::json) AS r("userId" uuid, "idempotencyKey" text,
        "requestHash" text, "audioId" uuid, "debitSeq" int, now timestamptz)
    ), narrations AS (
      INSERT INTO audios (user_id, id, story_id, text_hash, voice_id, status, attempt, job_id, debit_seq,
                          created_at, updated_at)
      SELECT "userId", id, "storyId", "textHash", "voiceId", 'QUEUED', attempt, "jobId", "debitSeq", now, now
      FROM json_to_recordset(${JSON.stringify(queued)}::json) AS r("userId" uuid, id uuid, "storyId" uuid,
        "textHash" text, "voiceId" text, attempt int, "jobId" uuid, "debitSeq" int, now timestamptz)
      ON CONFLICT (user_id, story_id, text_hash, voice_id) DO UPDATE
      SET status = 'QUEUED', attempt = excluded.attempt, job_id = excluded.job_id,
          debit_seq = excluded.debit_seq, progress = 0, tries = 0, deaths = 0, waiting_for = NULL,
          waiting_since = NULL, failure_reason = NULL, failure_code = NULL, updated_at = excluded.updated_at
    )
    SELECT true AS written`;
}

/**
 * Queues a READY narration again, as the same attempt with a new job. Locks only the row.
 * @param audio.readyAt when it became READY; a narration that was remade since then is left alone
 * @returns the attempt; undefined when the state has changed or the user has left. Indexes: audios_pkey, users_pkey.
 */
export async function writeQueuedAgain(
  tx: Tx,
  audio: { userId: string; audioId: string; jobId: string; readyAt: Date },
): Promise<number | undefined> {
  const [row] = await tx.$queryRaw<{ attempt: number }[]>`
    UPDATE audios SET status = 'QUEUED', remade = true, progress = 0, tries = 0, deaths = 0, waiting_for = NULL,
      waiting_since = NULL, job_id = ${audio.jobId}::uuid,
      ready_at = NULL, duration_ms = NULL, length_bytes = NULL, updated_at = ledger_now()
    WHERE user_id = ${audio.userId}::uuid AND id = ${audio.audioId}::uuid
      AND status = 'READY' AND ready_at = ${audio.readyAt}
      AND EXISTS (SELECT FROM users WHERE id = ${audio.userId}::uuid AND deleted_at IS NULL)
    RETURNING attempt`;
  return row?.attempt;
}

/** The end of an attempt without a recording. */
export type Ending =
  | {
      readonly status: 'FAILED';
      /** Shown to users. */
      readonly reason: string;
      /** Null for the code of the last try. */
      readonly code: AudioFailureCode | null;
    }
  | { readonly status: 'CANCELLED' };

/**
 * Ends an attempt without a recording, unless it is settled already. With `claim`, it does so only while that claim is
 * valid. The claim is incremented as a fencing token, so that another delivery cannot write any more. Locks the row,
 * after the account.
 * @returns the debit to refund; undefined when nothing was written. Index: audios_pkey.
 */
export async function writeEnding(
  tx: Tx,
  job: { userId: string; audioId: string; attempt: number; claim?: number },
  ending: Ending,
): Promise<number | undefined> {
  const { reason, code } = ending.status === 'FAILED' ? ending : { reason: null, code: null };
  const [row] = await tx.$queryRaw<{ debitSeq: number }[]>`
    UPDATE audios SET status = ${ending.status}::audio_status, failure_reason = ${reason},
      failure_code = ${code === null ? Prisma.sql`failure_code` : Prisma.sql`${code}`},
      claim = claim + 1, tries = 0, deaths = 0, waiting_for = NULL, waiting_since = NULL,
      remade = false, updated_at = ledger_now()
    WHERE user_id = ${job.userId}::uuid AND id = ${job.audioId}::uuid AND attempt = ${job.attempt}
      AND status IN ('QUEUED', 'PROCESSING')
      AND (${job.claim ?? null}::int IS NULL OR claim = ${job.claim ?? null}::int)
    RETURNING debit_seq AS "debitSeq"`;
  return row?.debitSeq;
}

/** The state of a narration that is to be cancelled. */
interface StoppableRow {
  readonly status: AudioStatus;
  readonly attempt: number;
  readonly jobId: string;
  /** Whether it is being remade without a charge, because its recording was lost. */
  readonly remade: boolean;
}

/** Locks the row, after the account, so that the narration cannot finish or fail meanwhile. Index: audios_pkey. */
export async function lockNarration(
  tx: Tx,
  audio: { userId: string; audioId: string },
): Promise<StoppableRow | undefined> {
  const [row] = await tx.$queryRaw<StoppableRow[]>`
    SELECT status::text, attempt, job_id AS "jobId", remade FROM audios
    WHERE user_id = ${audio.userId}::uuid AND id = ${audio.audioId}::uuid FOR UPDATE`;
  return row;
}
