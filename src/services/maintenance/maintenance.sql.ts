import { FIRST_ID } from '../../domain/ids.js';
import type { Reader } from '../../infra/db.js';

/** The number of other connections to this database that are not idle. No locks. */
export async function countBusyConnections(db: Reader): Promise<number> {
  const [row] = await db.$queryRaw<{ busy: number }[]>`
    SELECT count(*)::int AS busy FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND backend_type = 'client backend' AND state <> 'idle'`;
  return row?.busy ?? 0;
}

/** The position of a walk over lapsed lots. */
export interface LapsedLot {
  readonly userId: string;
  readonly lotId: string;
  readonly expiresAt: Date;
}

/**
 * Lapsed lots that hold points, oldest first, after a given one. No locks, because their points are read again under
 * the accounts' locks. Index: credit_lots_lapsing.
 */
export function readLapsedLots(
  db: Reader,
  wanted: { after: LapsedLot | null; until: Date; limit: number },
): Promise<LapsedLot[]> {
  const { after, until, limit } = wanted;
  return db.$queryRaw<LapsedLot[]>`
    SELECT user_id AS "userId", id AS "lotId", expires_at AS "expiresAt" FROM credit_lots
    WHERE is_open AND revoked_at IS NULL AND expires_at IS NOT NULL
      AND expires_at <= ${until}::timestamptz
      AND (expires_at, user_id, id) > (coalesce(${after?.expiresAt ?? null}::timestamptz, '-infinity'),
        ${after?.userId ?? FIRST_ID}::uuid, ${after?.lotId ?? FIRST_ID}::uuid)
    ORDER BY expires_at, user_id, id LIMIT ${limit}`;
}

/** Points in lapsed lots whose expiry is not booked yet. Index: credit_lots_lapsing. */
export async function readLapsedPoints(db: Reader): Promise<number> {
  const [row] = await db.$queryRaw<{ points: number }[]>`
    SELECT coalesce(sum(remaining), 0)::float8 AS points
    FROM credit_lots, (SELECT ledger_now() AS now OFFSET 0) clock
    WHERE is_open AND revoked_at IS NULL AND expires_at IS NOT NULL AND expires_at <= clock.now`;
  return row?.points ?? 0;
}

/**
 * The next users who are entitled to a month's allowance and have not got it: active, verified, with an amount above 0.
 * No locks, because the ledger refuses a second grant. The sub-select with LIMIT is one look-up for each user. A join
 * would read every lot of the month for every batch. Indexes: users_monthly, credit_lots_one_a_period.
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
