import { readAtLarge, type Db } from '../../infra/db.js';
import type { CreditSource } from '../../domain/ledger/lots.js';
import { FLOWS_BY_SOURCE, flowsBetween, heldAt, type FlowRow } from './past/flows.sql.js';

export type { FlowRow };

/**
 * Points that could be spent, by source and by the day (UTC) of their expiry. A null day means that they never lapse.
 */
export interface HeldRow {
  readonly source: CreditSource;
  readonly day: string | null;
  readonly points: number;
}

/** What is read for the report of one period. */
export interface ReportRows {
  readonly flows: readonly FlowRow[];
  readonly held: readonly HeldRow[];
}

/**
 * The flows after `from` and up to `to`, and the points that could be spent at `to`, from one snapshot. Lapsed points
 * count at their expiry, whether or not the sweep has booked it. Points that a refund gave back to a lapsed lot expire
 * with the refund. So the report of a past period never changes. The points of a lot at `to` are what it holds now,
 * minus what has moved since. No locks. Scans the lots, and the transactions since `from`. Index:
 * credit_transactions_period.
 */
export async function readReport(db: Db, from: Date, to: Date): Promise<ReportRows> {
  const [row] = await readAtLarge(
    db,
    (tx) => tx.$queryRaw<{ flows: FlowRow[] | null; held: HeldRow[] | null }[]>`
    WITH ${flowsBetween(from, to)}, ${FLOWS_BY_SOURCE}, held AS (
      SELECT source, to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, sum(points) AS points
      FROM (${heldAt(to)}) l GROUP BY source, day HAVING sum(points) > 0
    )
    SELECT (SELECT json_agg(flows) FROM flows) AS flows, (SELECT json_agg(held) FROM held) AS held`,
  );
  return { flows: row?.flows ?? [], held: row?.held ?? [] };
}
