import { Prisma } from '../../../infra/db.js';
import type { PointsReader } from '../../ledger/allowances.js';
import { halvesOf, IS_LATE } from './recorded.sql.js';

/**
 * The balance that could be spent at a past instant. Null when the instant is in the future.
 *
 * An account's transactions are recorded one after the other. So a binary search finds the last one that was recorded
 * by the instant, and its `balance_after` is the sum of all lots. Lots that had lapsed by the instant are subtracted if
 * their expiry was booked later, or is not booked yet. Such a lot is either still open, or has an EXPIRY that took
 * effect by the instant and was recorded after it: within an hour, or among the late ones, which have an index of their
 * own. The points that such a lot held at the instant are the points that it holds now, minus what has moved since.
 *
 * No locks. Indexes: credit_transactions_pkey, credit_transactions_by_type, credit_transactions_late, credit_lots_open,
 * credit_lots_pkey, credit_allocations_user_id_lot_id_seq_idx.
 */
export async function readBalanceAt(
  points: PointsReader,
  userId: string,
  at: Date,
): Promise<number | null> {
  const [row] = await points.read<{ balance: number | null }>([userId], balanceAtQuery(userId, at));
  return row?.balance ?? null;
}

/**
 * An expression rather than the column, so that the planner does not use the sweep's index over all users for one
 * user's lots.
 */
const LAPSES_AT = Prisma.sql`coalesce(l.expires_at, 'infinity'::timestamptz)`;

/**
 * Opens a WITH list that the caller continues with a comma. `recorded` has the number of the last transaction that was
 * recorded by the instant. `expired` has the numbers of expiries that took effect by then but were recorded later.
 */
export const withLateExpiries = (userId: string, at: Date | Prisma.Sql): Prisma.Sql => Prisma.sql`
  WITH RECURSIVE ${halvesOf(
    userId,
    Prisma.sql`SELECT ${at}::timestamptz AS at UNION ALL SELECT ${at}::timestamptz + interval '01:00:00'`,
  )}, recorded AS MATERIALIZED (
    SELECT coalesce(min(low), 0) AS seq, coalesce(max(low), 0) AS hour_later FROM halves WHERE low = high
  ), expired AS (
    SELECT e.seq FROM credit_transactions e
    WHERE e.user_id = ${userId}::uuid AND e.type = 'EXPIRY' AND e.effective_at <= ${at}::timestamptz
      AND e.seq > (SELECT seq FROM recorded) AND e.seq <= (SELECT hour_later FROM recorded)
    UNION
    SELECT t.seq FROM credit_transactions t
    WHERE t.user_id = ${userId}::uuid AND ${IS_LATE} AND t.effective_at <= ${at}::timestamptz
      AND t.seq > (SELECT seq FROM recorded)
  )`;

/** @param at an instant, or an expression of type timestamptz */
export const balanceAtQuery = (userId: string, at: Date | Prisma.Sql): Prisma.Sql => Prisma.sql`
  ${withLateExpiries(userId, at)}, lapsed AS (
    SELECT l.id FROM credit_lots l
    WHERE l.user_id = ${userId}::uuid AND l.is_open AND l.revoked_at IS NULL AND ${LAPSES_AT} <= ${at}::timestamptz
    UNION
    SELECT l.id
    FROM expired CROSS JOIN LATERAL (
      SELECT a.lot_id FROM credit_allocations a WHERE a.user_id = ${userId}::uuid AND a.seq = expired.seq OFFSET 0
    ) a CROSS JOIN LATERAL (
      SELECT l.id FROM credit_lots l
      WHERE l.user_id = ${userId}::uuid AND l.id = a.lot_id AND l.expires_at <= ${at}::timestamptz OFFSET 0
    ) l
  ), held AS (
    SELECT sum(l.remaining - m.moved) AS points
    FROM lapsed CROSS JOIN LATERAL (
      SELECT l.remaining FROM credit_lots l WHERE l.user_id = ${userId}::uuid AND l.id = lapsed.id OFFSET 0
    ) l CROSS JOIN LATERAL (
      SELECT coalesce(sum(a.amount), 0) AS moved FROM credit_allocations a
      WHERE a.user_id = ${userId}::uuid AND a.lot_id = lapsed.id AND a.seq > (SELECT seq FROM recorded)
    ) m
  )
  SELECT CASE WHEN ${at}::timestamptz <= ledger_now() THEN (
    coalesce((SELECT t.balance_after FROM credit_transactions t
      WHERE t.user_id = ${userId}::uuid AND t.seq = (SELECT seq FROM recorded)), 0)
    - coalesce((SELECT points FROM held), 0)
  )::int END AS balance`;
