import type { CreditSource } from '../../domain/ledger/lots.js';
import { readAtLarge, type Db } from '../../infra/db.js';
import { flowsBetween, heldAt, type Flow } from '../credits/past/flows.sql.js';
import { PRICED_LOTS } from '../credits/past/priced-lots.sql.js';

/** Points of one source: those that were paid in one currency, or the free ones. */
export interface PricedPoints {
  readonly source: CreditSource;
  /** An ISO 4217 code. Null for free points. */
  readonly currency: string | null;
  readonly points: number;
  /** The share of these points in the prices of their lots, in minor units. Null for free points. */
  readonly value: number | null;
}

export interface FlowPoints extends PricedPoints {
  readonly flow: Flow;
}

export interface LapsingPoints extends PricedPoints {
  /**
   * yyyy-mm in UTC, or null when they never lapse. A lapse at the first instant of a month belongs to the month before.
   */
  readonly month: string | null;
}

export interface LiabilityRows {
  /** The points that could be spent at `from`. */
  readonly opening: readonly PricedPoints[];
  /** The flows after `from` and up to `to`. */
  readonly flows: readonly FlowPoints[];
  /** The points that could be spent at `to`, by month and then by source. Points that never lapse come last. */
  readonly closing: readonly LapsingPoints[];
}

/**
 * Reads the report after `from` and up to `to` in one snapshot, because it is one statement. Takes no locks. Scans
 * the lots, the allocations and the transactions since `from`. Indexes: credit_transactions_period,
 * credit_lots_pkey.
 */
export async function readLiability(db: Db, from: Date, to: Date): Promise<LiabilityRows> {
  const [row] = await readAtLarge(
    db,
    (tx) => tx.$queryRaw<LiabilityRows[]>`
    WITH RECURSIVE ${PRICED_LOTS}, ${flowsBetween(from, to, 'priced_lots')}, flows AS (
      SELECT source, flow, currency, sum(points) AS points, sum(value) AS value
      FROM moved GROUP BY source, flow, currency
    ), opening AS (
      SELECT source, currency, sum(points) AS points, sum(value) AS value
      FROM (${heldAt(from, 'priced_lots')}) l GROUP BY source, currency
    ), lapsing AS (
      SELECT to_char((expires_at - interval '1 millisecond') AT TIME ZONE 'UTC', 'YYYY-MM') AS month, source, currency,
        sum(points) AS points, sum(value) AS value
      FROM (${heldAt(to, 'priced_lots')}) l GROUP BY month, source, currency
    ), closing AS (
      -- Sorted in a separate CTE, because the planner would otherwise group the lots by sorting them.
      SELECT * FROM lapsing ORDER BY month NULLS LAST, source, currency NULLS LAST
    )
    SELECT (SELECT coalesce(json_agg(opening), '[]') FROM opening) AS opening,
      (SELECT coalesce(json_agg(flows), '[]') FROM flows) AS flows,
      (SELECT coalesce(json_agg(closing), '[]') FROM closing) AS closing`,
  );
  return row ?? { opening: [], flows: [], closing: [] };
}
