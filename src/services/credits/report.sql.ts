import { readAtLarge, type Db } from '../../infra/db.js';
import type { CreditSource } from '../../domain/ledger/lots.js';

/** Points, by source. */
export interface FlowRow {
  readonly source: CreditSource;
  readonly granted: number;
  readonly debited: number;
  readonly refunded: number;
  readonly expired: number;
  readonly revoked: number;
}

/** Points that could be spent, by source and by the day (UTC) on which they lapse; null: never. */
export interface HeldRow {
  readonly source: CreditSource;
  readonly day: string | null;
  readonly points: number;
}

/**
 * Flows after `from` and up to `to`, and what could be spent at `to`, of one snapshot. What lapsed is
 * counted at the instant at which it lapsed, whether or not the sweep has booked it; what a refund gave
 * back to a dead lot lapses in the refund's own moment, so that a period that is over never changes.
 * What a lot held at `to` is what it holds now without what happened since. No locks. Scans the lots
 * and, of the transactions, those since `from`. Index: credit_transactions_period.
 */
export async function readReport(
  db: Db,
  from: Date,
  to: Date,
): Promise<{ flows: readonly FlowRow[]; held: readonly HeldRow[] }> {
  const [row] = await readAtLarge(
    db,
    (tx) => tx.$queryRaw<{ flows: FlowRow[] | null; held: HeldRow[] | null }[]>`
    WITH movements AS (
      SELECT a.user_id, a.lot_id, t.type, a.amount, t.effective_at,
        CASE WHEN t.idempotency_key LIKE 'refund:%' THEN t.recorded_at ELSE t.effective_at END AS at
      FROM credit_transactions t JOIN credit_allocations a USING (user_id, seq)
      -- Nothing takes effect after it is recorded.
      WHERE t.recorded_at > ${from}::timestamptz
    ), moved AS (
      SELECT l.source, m.type, sum(abs(m.amount)) AS points
      FROM movements m JOIN credit_lots l ON l.user_id = m.user_id AND l.id = m.lot_id
      WHERE m.at > ${from}::timestamptz AND m.at <= ${to}::timestamptz GROUP BY l.source, m.type
      UNION ALL
      SELECT source, 'EXPIRY', sum(remaining) FROM credit_lots
      WHERE remaining > 0 AND revoked_at IS NULL AND expires_at > ${from}::timestamptz
        AND expires_at <= ${to}::timestamptz GROUP BY source
    ), flows AS (
      SELECT s.source,
        coalesce(sum(points) FILTER (WHERE type = 'GRANT'), 0) AS granted,
        coalesce(sum(points) FILTER (WHERE type = 'DEBIT'), 0) AS debited,
        coalesce(sum(points) FILTER (WHERE type = 'REFUND'), 0) AS refunded,
        coalesce(sum(points) FILTER (WHERE type = 'EXPIRY'), 0) AS expired,
        coalesce(sum(points) FILTER (WHERE type = 'REVOCATION'), 0) AS revoked
      FROM unnest(enum_range(NULL::credit_source)) AS s(source) LEFT JOIN moved USING (source)
      GROUP BY s.source ORDER BY s.source
    ), later AS (
      SELECT user_id, lot_id, sum(amount) AS points FROM movements
      WHERE effective_at > ${to}::timestamptz GROUP BY user_id, lot_id
    ), held AS (
      SELECT l.source, to_char(l.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day,
        sum(l.remaining - coalesce(later.points, 0)) AS points
      FROM credit_lots l LEFT JOIN later ON later.user_id = l.user_id AND later.lot_id = l.id
      WHERE l.granted_at <= ${to}::timestamptz AND (l.expires_at IS NULL OR l.expires_at > ${to}::timestamptz)
        AND (l.revoked_at IS NULL OR l.revoked_at > ${to}::timestamptz)
      GROUP BY l.source, day HAVING sum(l.remaining - coalesce(later.points, 0)) > 0
    )
    SELECT (SELECT json_agg(flows) FROM flows) AS flows, (SELECT json_agg(held) FROM held) AS held`,
  );
  return { flows: row?.flows ?? [], held: row?.held ?? [] };
}
