import { FIRST_ID } from '../../domain/ids.js';
import type { Reader } from '../../infra/db.js';

/** Connections of this database, ours aside, that are in the middle of something. No locks. */
export async function countBusyConnections(db: Reader): Promise<number> {
  const [row] = await db.$queryRaw<{ busy: number }[]>`
    SELECT count(*)::int AS busy FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND backend_type = 'client backend' AND state <> 'idle'`;
  return row?.busy ?? 0;
}

/** Where a walk through lapsed lots has come to. */
export interface LapsedLot {
  readonly userId: string;
  readonly lotId: string;
  readonly expiresAt: Date;
}

/**
 * Lapsed lots that hold points, oldest first, after a place. No locks: what they hold is read again
 * under their accounts' locks. Index: credit_lots_lapsing.
 */
export function readLapsedLots(
  db: Reader,
  wanted: { after: LapsedLot | null; until: Date; limit: number },
): Promise<LapsedLot[]> {
  const { after, until, limit } = wanted;
  return db.$queryRaw<LapsedLot[]>`
    SELECT user_id AS "userId", id AS "lotId", expires_at AS "expiresAt" FROM credit_lots
    WHERE remaining > 0 AND revoked_at IS NULL AND expires_at IS NOT NULL
      AND expires_at <= ${until}::timestamptz
      AND (expires_at, user_id, id) > (coalesce(${after?.expiresAt ?? null}::timestamptz, '-infinity'),
        ${after?.userId ?? FIRST_ID}::uuid, ${after?.lotId ?? FIRST_ID}::uuid)
    ORDER BY expires_at, user_id, id LIMIT ${limit}`;
}

/** Points in lapsed lots that were not booked yet. Index: credit_lots_lapsing. */
export async function readLapsedPoints(db: Reader): Promise<number> {
  const [row] = await db.$queryRaw<{ points: number }[]>`
    SELECT coalesce(sum(remaining), 0)::float8 AS points
    FROM credit_lots, (SELECT ledger_now() AS now OFFSET 0) clock
    WHERE remaining > 0 AND revoked_at IS NULL AND expires_at IS NOT NULL AND expires_at <= clock.now`;
  return row?.points ?? 0;
}

/**
 * The next users who are to get a month's allowance and have not: active, verified, with an amount
 * above 0. No locks: a second grant is refused by the ledger. The sub-select with its LIMIT is looked up
 * for each user; as a join it would read every lot of the month for every batch. Indexes: users_monthly,
 * credit_lots_one_a_period.
 */
export function readMonthlyRecipients(
  db: Reader,
  wanted: { after: string; period: string; defaultAmount: number; limit: number },
): Promise<{ userId: string; amount: number }[]> {
  return db.$queryRaw`
    SELECT u.id AS "userId", coalesce(u.monthly_credits, ${wanted.defaultAmount}::int) AS amount
    FROM users u
    WHERE u.id > ${wanted.after}::uuid AND u.suspended_at IS NULL AND u.email_verified_at IS NOT NULL
      AND coalesce(u.monthly_credits, ${wanted.defaultAmount}::int) > 0
      AND (SELECT l.id FROM credit_lots l
        WHERE l.user_id = u.id AND l.source = 'MONTHLY' AND l.period = ${wanted.period} LIMIT 1) IS NULL
    ORDER BY u.id LIMIT ${wanted.limit}`;
}
