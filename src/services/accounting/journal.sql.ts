import type { CreditSource } from '../../domain/ledger/lots.js';
import { Prisma, readAtLarge, type Db } from '../../infra/db.js';
import { flowsBetween, heldAt, type Flow } from '../credits/past/flows.sql.js';
import { PRICED_LOTS } from '../credits/past/priced-lots.sql.js';

/** The free and the paid points of one source that could be spent at an instant. */
export interface SourcePoints {
  readonly source: CreditSource;
  readonly free: number;
  readonly paid: number;
}

/** The sum of one kind of flow on one day, for the paid or the free points of one source. */
export interface DayRow {
  /** yyyy-mm-dd in UTC. Points that count at midnight belong to the day that ends. */
  readonly day: string;
  readonly source: CreditSource;
  readonly paid: boolean;
  readonly flow: Flow;
  readonly points: number;
}

/** The points that could be spent at `at`: a SourcePoints for each source, in the order of the enum. */
const heldBySource = (at: Date): Prisma.Sql => Prisma.sql`
  SELECT s.source, coalesce(held.free, 0) AS free, coalesce(held.paid, 0) AS paid
  FROM unnest(enum_range(NULL::credit_source)) AS s(source)
  LEFT JOIN (
    SELECT source, sum(points) FILTER (WHERE currency IS NULL) AS free,
      sum(points) FILTER (WHERE currency IS NOT NULL) AS paid
    FROM (${heldAt(at, 'priced_lots')}) l GROUP BY source
  ) held USING (source)
  ORDER BY s.source`;

/** The rows of a journal. Sources are in their order, and days in the order of time. */
export interface JournalRows {
  /** The points that could be spent at the beginning and at the end: a row for each source. */
  readonly opening: readonly SourcePoints[];
  readonly days: readonly DayRow[];
  readonly closing: readonly SourcePoints[];
}

/**
 * Reads the journal after `from` and up to `to` in one snapshot. Postgres computes the sums, so a day and source
 * has at most twelve rows. Takes no locks. Scans the lots, the allocations and the transactions since `from`.
 * Indexes: credit_transactions_period, credit_lots_pkey.
 */
export async function readJournal(db: Db, from: Date, to: Date): Promise<JournalRows> {
  const [row] = await readAtLarge(
    db,
    (tx) => tx.$queryRaw<JournalRows[]>`
    WITH RECURSIVE ${PRICED_LOTS}, ${flowsBetween(from, to, 'priced_lots')}, opening AS (${heldBySource(from)}), closing AS (${heldBySource(to)}), sums AS (
      SELECT to_char((at - interval '1 millisecond') AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, source,
        currency IS NOT NULL AS paid, flow, sum(points) AS points
      FROM moved GROUP BY day, source, paid, flow
    ), days AS (
      -- Sorted in a separate CTE, because the planner would otherwise group the movements by sorting them.
      SELECT * FROM sums ORDER BY day, source, paid,
        array_position(ARRAY['GRANT', 'GRACE', 'DEBIT', 'REFUND', 'EXPIRY', 'REVOCATION'], flow)
    )
    SELECT (SELECT json_agg(opening) FROM opening) AS opening, (SELECT json_agg(closing) FROM closing) AS closing,
      (SELECT coalesce(json_agg(days), '[]') FROM days) AS days`,
  );
  return row ?? { opening: [], days: [], closing: [] };
}
