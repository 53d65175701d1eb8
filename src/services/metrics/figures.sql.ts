import type { Reader, Tx } from '../../infra/db.js';

/** How many jobs of a queue and state are counted at most, so that a count is bounded. */
const JOBS_COUNTED_MAX = 500_000;

export interface QueueFigures {
  readonly queue: string;
  readonly waiting: number;
  readonly active: number;
  readonly failed: number;
  /** How long the oldest job that is due has not been taken. 0 when none is due. */
  readonly oldestSeconds: number;
}

/**
 * The jobs of each queue, without pg-boss' internal queues. No locks. Index: pg-boss' job_i14, which has the jobs that
 * are waiting, active or failed by name, state and start.
 */
export const readQueueFigures = (db: Reader): Promise<QueueFigures[]> =>
  db.$queryRaw<QueueFigures[]>`
    SELECT q.name AS queue, waiting.count AS waiting, active.count AS active, failed.count AS failed,
           greatest(0, extract(epoch FROM clock_timestamp() - least(new.due, again.due)))::float8 AS "oldestSeconds"
    FROM pgboss.queue q
    CROSS JOIN LATERAL (SELECT count(*)::float8 AS count FROM (
      SELECT FROM pgboss.job WHERE name = q.name AND state IN ('created', 'retry') LIMIT ${JOBS_COUNTED_MAX}) jobs) waiting
    CROSS JOIN LATERAL (SELECT count(*)::float8 AS count FROM (
      SELECT FROM pgboss.job WHERE name = q.name AND state = 'active' LIMIT ${JOBS_COUNTED_MAX}) jobs) active
    CROSS JOIN LATERAL (SELECT count(*)::float8 AS count FROM (
      SELECT FROM pgboss.job WHERE name = q.name AND state = 'failed' LIMIT ${JOBS_COUNTED_MAX}) jobs) failed
    CROSS JOIN LATERAL (SELECT min(start_after) AS due FROM pgboss.job
      WHERE name = q.name AND state = 'created' AND NOT blocked) new
    CROSS JOIN LATERAL (SELECT min(start_after) AS due FROM pgboss.job
      WHERE name = q.name AND state = 'retry' AND NOT blocked) again
    WHERE q.name NOT LIKE '\\_\\_%'`;

/** Unfinished narrations by status. No locks. Index: audios_unsettled. */
export const readUnfinished = (db: Reader): Promise<{ status: string; count: number }[]> =>
  db.$queryRaw<{ status: string; count: number }[]>`
    SELECT status::text, count(*)::float8 AS count FROM (
      SELECT status FROM audios WHERE status IN ('QUEUED', 'PROCESSING') LIMIT ${JOBS_COUNTED_MAX}) unfinished
    GROUP BY status`;

/** Points that can be spent, by source. Reads all open lots, so it has a limit of time. No locks. */
export async function readOutstanding(tx: Tx): Promise<{ source: string; points: number }[]> {
  await tx.$executeRaw`SET LOCAL statement_timeout = '10s'`;
  return tx.$queryRaw<{ source: string; points: number }[]>`
    SELECT source::text, sum(remaining)::float8 AS points
    FROM credit_lots, (SELECT ledger_now() AS now OFFSET 0) clock
    WHERE is_open AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock.now)
    GROUP BY source`;
}

/** The bytes of the database on its disk. */
export async function readDatabaseSize(db: Reader): Promise<number> {
  const [row] = await db.$queryRaw<{ bytes: number }[]>`
    SELECT pg_database_size(current_database())::float8 AS bytes`;
  return row?.bytes ?? 0;
}

/** The newest migration that was applied. */
export async function readNewestMigration(db: Reader): Promise<string> {
  const [row] = await db.$queryRaw<{ name: string }[]>`
    SELECT migration_name AS name FROM _prisma_migrations
    WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY migration_name DESC LIMIT 1`;
  return row?.name ?? 'none';
}

/** When the keys were made that sign now, in seconds since 1970. Null for a key that the database does not have. */
export async function readKeyAges(
  db: Reader,
): Promise<{ accessTokens: number | null; anchors: number | null; addresses: number | null }> {
  const [row] = await db.$queryRaw<Awaited<ReturnType<typeof readKeyAges>>[]>`
    SELECT
      (SELECT extract(epoch FROM max(created_at))::float8 FROM signing_keys WHERE retired_at IS NULL) AS "accessTokens",
      (SELECT extract(epoch FROM max(created_at))::float8 FROM anchor_keys WHERE retired_at IS NULL) AS anchors,
      (SELECT extract(epoch FROM max(created_at))::float8 FROM secrets
       WHERE name LIKE 'url-signing%' AND retired_at IS NULL) AS addresses`;
  return row ?? { accessTokens: null, anchors: null, addresses: null };
}
