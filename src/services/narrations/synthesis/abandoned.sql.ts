import { FIRST_ID } from '../../../domain/ids.js';
import { readAtLarge, type Db } from '../../../infra/db.js';

/** An unfinished narration that no job makes. */
export interface AbandonedRow {
  readonly userId: string;
  readonly audioId: string;
  readonly attempt: number;
  readonly updatedAt: Date;
}

/**
 * Unfinished narrations without a live job, neither one that makes them nor one that settles them, oldest first after a
 * given row. No locks, because the state is read again when they are settled. Indexes: audios_unsettled, and pg-boss'
 * own indexes of jobs.
 */
export function readAbandoned(
  db: Db,
  queues: { readonly making: string; readonly failing: string },
  wanted: { readonly after: AbandonedRow | null; readonly forMs: number; readonly limit: number },
): Promise<AbandonedRow[]> {
  const { after, forMs, limit } = wanted;
  return readAtLarge(
    db,
    (tx) => tx.$queryRaw<AbandonedRow[]>`
    WITH making AS MATERIALIZED (
      SELECT id FROM pgboss.job WHERE name = ${queues.making} AND state IN ('created', 'retry', 'active')
    ), failing AS MATERIALIZED (
      SELECT data->>'audioId' AS audio_id, (data->>'attempt')::int AS attempt FROM pgboss.job
      WHERE name = ${queues.failing} AND state IN ('created', 'retry', 'active')
    )
    SELECT u.user_id AS "userId", u.id AS "audioId", u.attempt, u.updated_at AS "updatedAt"
    FROM audios u
    WHERE u.status IN ('QUEUED', 'PROCESSING')
      AND u.updated_at < ledger_now() - ${forMs} * interval '1 millisecond'
      AND (u.updated_at, u.user_id, u.id) > (coalesce(${after?.updatedAt ?? null}::timestamptz, '-infinity'),
        ${after?.userId ?? FIRST_ID}::uuid, ${after?.audioId ?? FIRST_ID}::uuid)
      AND NOT EXISTS (SELECT 1 FROM making j WHERE j.id = u.job_id)
      AND NOT EXISTS (SELECT 1 FROM failing j WHERE j.audio_id = u.id::text AND j.attempt = u.attempt)
    ORDER BY u.updated_at, u.user_id, u.id LIMIT ${limit}`,
  );
}
