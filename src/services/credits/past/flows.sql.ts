import type { CreditSource } from '../../../domain/ledger/lots.js';
import { Prisma } from '../../../infra/db.js';
import { valueOf } from './priced-lots.sql.js';

/**
 * The instant at which a transaction `t` counts in reports: its effective time. The transactions that follow from a
 * refund count with the refund, because their points did not exist before it.
 */
export const COUNTED_AT = Prisma.sql`CASE WHEN t.idempotency_key LIKE 'refund:%' THEN t.recorded_at ELSE t.effective_at END`;

/** The kinds of flow in reports. A grace lot is no GRANT, because it replaces points that were granted before. */
export type Flow = 'GRANT' | 'GRACE' | 'DEBIT' | 'REFUND' | 'EXPIRY' | 'REVOCATION';

/** The relation of the lots: the table, or `priced_lots` of `PRICED_LOTS` when prices are needed. */
type LotsFrom = 'credit_lots' | 'priced_lots';

/**
 * The columns `currency` and `value` for some points of a lot. `value` is their share of the lot's price. Both are
 * null for free points. For the table `credit_lots` it adds no columns.
 */
const priceOf = (lots: LotsFrom, lot: string, points: string): Prisma.Sql =>
  lots === 'credit_lots'
    ? Prisma.empty
    : Prisma.sql`, ${Prisma.raw(lot)}.currency, ${valueOf(lot, points)} AS value`;

/**
 * Two common table expressions. `movements` has all allocations since `from`, by lot. `moved` has the points that count
 * after `from` and up to `to`, with their source, flow and instant. Lapsed points count at their expiry, whether or not
 * the sweep has booked it. Index: credit_transactions_period.
 */
export const flowsBetween = (
  from: Date,
  to: Date,
  lots: LotsFrom = 'credit_lots',
): Prisma.Sql => Prisma.sql`
  movements AS (
    SELECT a.user_id, a.lot_id, a.amount, t.effective_at, ${COUNTED_AT} AS at,
      CASE WHEN t.type = 'GRANT' AND t.idempotency_key LIKE 'refund:%' THEN 'GRACE' ELSE t.type::text END AS flow
    FROM credit_transactions t JOIN credit_allocations a USING (user_id, seq)
    -- Nothing takes effect after it is recorded.
    WHERE t.recorded_at > ${from}::timestamptz
  ), moved AS (
    SELECT l.source, m.flow, m.at, abs(m.amount) AS points ${priceOf(lots, 'l', 'abs(m.amount)')}
    FROM movements m JOIN ${Prisma.raw(lots)} l ON l.user_id = m.user_id AND l.id = m.lot_id
    WHERE m.at > ${from}::timestamptz AND m.at <= ${to}::timestamptz
    UNION ALL
    SELECT l.source, 'EXPIRY', l.expires_at, l.remaining ${priceOf(lots, 'l', 'l.remaining')}
    FROM ${Prisma.raw(lots)} l
    WHERE l.is_open AND l.revoked_at IS NULL AND l.expires_at > ${from}::timestamptz
      AND l.expires_at <= ${to}::timestamptz
  )`;

/**
 * The points that could be spent at `at`, by lot: `source`, `expires_at`, `points` and, for priced lots, `currency`
 * and `value`. They are the present points of the lot minus the allocations after `at`, so `movements` must go back
 * to `at`. Scans the lots.
 */
export const heldAt = (at: Date, lots: LotsFrom = 'credit_lots'): Prisma.Sql => Prisma.sql`
  SELECT l.source, l.expires_at, l.remaining - coalesce(later.points, 0) AS points
    ${priceOf(lots, 'l', 'l.remaining - coalesce(later.points, 0)')}
  FROM ${Prisma.raw(lots)} l LEFT JOIN (
    SELECT user_id, lot_id, sum(amount) AS points FROM movements
    WHERE effective_at > ${at}::timestamptz GROUP BY user_id, lot_id
  ) later ON later.user_id = l.user_id AND later.lot_id = l.id
  WHERE l.granted_at <= ${at}::timestamptz AND (l.expires_at IS NULL OR l.expires_at > ${at}::timestamptz)
    AND (l.revoked_at IS NULL OR l.revoked_at > ${at}::timestamptz)`;

/** Points, by source. */
export interface FlowRow {
  readonly source: CreditSource;
  /** Without grace lots. */
  readonly granted: number;
  /** Points of grace lots: points that were refunded after their lot had lapsed. */
  readonly grace: number;
  readonly debited: number;
  readonly refunded: number;
  readonly expired: number;
  readonly revoked: number;
}

/** The columns of a FlowRow besides the source: the sums of the rows of a group, which have a `flow` and `points`. */
export const FLOW_SUMS = Prisma.sql`
  coalesce(sum(points) FILTER (WHERE flow = 'GRANT'), 0) AS granted,
  coalesce(sum(points) FILTER (WHERE flow = 'GRACE'), 0) AS grace,
  coalesce(sum(points) FILTER (WHERE flow = 'DEBIT'), 0) AS debited,
  coalesce(sum(points) FILTER (WHERE flow = 'REFUND'), 0) AS refunded,
  coalesce(sum(points) FILTER (WHERE flow = 'EXPIRY'), 0) AS expired,
  coalesce(sum(points) FILTER (WHERE flow = 'REVOCATION'), 0) AS revoked`;

/** The sums of `moved` as `flows`: a FlowRow for each source, in the order of the enum. */
export const FLOWS_BY_SOURCE = Prisma.sql`
  flows AS (
    SELECT s.source, ${FLOW_SUMS}
    FROM unnest(enum_range(NULL::credit_source)) AS s(source)
    LEFT JOIN (SELECT source, flow, sum(points) AS points FROM moved GROUP BY source, flow) m USING (source)
    GROUP BY s.source ORDER BY s.source
  )`;
