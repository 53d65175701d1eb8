import type { Tx } from '../../../infra/db.js';
import { heldBy, type Claim } from '../synthesis/claims.sql.js';
import type { AudioFailureCode } from '../synthesis/failure-code.js';

/** What becomes of a narration after a try that failed. */
export interface FailedTry {
  /** Kept for the case that no other try follows. */
  readonly code: AudioFailureCode;
  /** The job of the next try. */
  readonly jobId: string;
}

/** Queues the narration for another try. @returns whether the claim was valid. Index: audios_pkey. */
export async function writeFailedTry(tx: Tx, claim: Claim, failed: FailedTry): Promise<boolean> {
  const written = await tx.$executeRaw`
    UPDATE audios SET status = 'QUEUED', tries = tries + 1, failure_code = ${failed.code},
      job_id = ${failed.jobId}::uuid, updated_at = ledger_now()
    WHERE ${heldBy(claim)}`;
  return written === 1;
}

/** Queues the narration without a failed try. @returns whether the claim was valid. Index: audios_pkey. */
export async function writeQueued(tx: Tx, claim: Claim, jobId: string): Promise<boolean> {
  const written = await tx.$executeRaw`
    UPDATE audios SET status = 'QUEUED', job_id = ${jobId}::uuid, updated_at = ledger_now()
    WHERE ${heldBy(claim)}`;
  return written === 1;
}

/**
 * Queues the narration until the speech provider is asked again. Uses the machine's clock instead of the ledger's, because
 * the wait is about processes. @returns whether the claim was valid. Index: audios_pkey.
 */
export async function writeWaiting(tx: Tx, claim: Claim, jobId: string): Promise<boolean> {
  const written = await tx.$executeRaw`
    UPDATE audios SET status = 'QUEUED', waiting_for = 'SPEECH_PROVIDER',
      waiting_since = coalesce(waiting_since, clock.now), job_id = ${jobId}::uuid, updated_at = ledger_now()
    FROM (SELECT clock_timestamp() AS now) clock
    WHERE ${heldBy(claim)}`;
  return written === 1;
}

/**
 * How long ago the narration waited for the speech provider for the first time since its last progress.
 * @returns null when it has not waited. Index: audios_pkey.
 */
export async function readWaitedMs(
  db: Pick<Tx, '$queryRaw'>,
  claim: Claim,
): Promise<number | null> {
  const [row] = await db.$queryRaw<{ waitedMs: number | null }[]>`
    SELECT (extract(epoch FROM clock_timestamp() - waiting_since) * 1000)::float8 AS "waitedMs"
    FROM audios WHERE ${heldBy(claim)}`;
  return row?.waitedMs ?? null;
}

/** Keeps why the narration will fail, until it is settled. @returns whether the claim was valid. Index: audios_pkey. */
export async function writeGivenUp(
  tx: Tx,
  claim: Claim,
  code: AudioFailureCode | null,
): Promise<boolean> {
  const written = await tx.$executeRaw`
    UPDATE audios SET failure_code = coalesce(${code}::text, failure_code) WHERE ${heldBy(claim)}`;
  return written === 1;
}

/**
 * Marks a narration whose worker stops as QUEUED, so that the next delivery of its job does not count a death. Does
 * nothing when the claim is not valid any more. Index: audios_pkey.
 */
export const writeLaidDown = (db: Pick<Tx, '$executeRaw'>, claim: Claim): Promise<number> =>
  db.$executeRaw`
    UPDATE audios SET status = 'QUEUED', updated_at = ledger_now() WHERE ${heldBy(claim)}`;
