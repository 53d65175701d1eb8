import { Prisma, readAtLarge, type Db } from '../../infra/db.js';
import { FLOW_SUMS, flowsBetween, type FlowRow } from '../credits/past/flows.sql.js';
import type { HeldRow, ReportRows } from '../credits/report.sql.js';

/** A row of the report with this number, counted from 1. */
type Numbered<Row> = Row & { readonly period: number };

/** How many of these ends of periods, which are in their order, are before an instant. A timestamp has whole microseconds. */
const countBefore =
  (ends: readonly Date[]) =>
  (instant: string): Prisma.Sql =>
    Prisma.sql`width_bucket(${Prisma.raw(instant)} - interval '1 microsecond', ${[...ends]}::timestamptz[])`;

/**
 * What `readReport` reads for each of the periods between consecutive instants, in one statement and from one snapshot. The
 * ledger is read once, and not once for each period: a lot holds points at consecutive ends, from its grant to its end, and
 * so does what has moved since an end. So each row is a span of periods, the spans are added up, and only the sums are spread
 * over the periods. No locks. Scans the lots, and the transactions since the first instant. Index:
 * credit_transactions_period.
 * @param instants at least two, in their order
 */
export async function readReports(db: Db, instants: readonly Date[]): Promise<ReportRows[]> {
  const [from, ...ends] = instants;
  const to = ends.at(-1);
  if (from === undefined || to === undefined) throw new Error('A period has two ends.');
  const endsBefore = countBefore(ends);
  const [row] = await readAtLarge(
    db,
    (tx) => tx.$queryRaw<{ flows: Numbered<FlowRow>[] | null; held: Numbered<HeldRow>[] | null }[]>`
    WITH ${flowsBetween(from, to)}, flows AS (
      SELECT period, s.source, ${FLOW_SUMS}
      FROM generate_series(1, ${ends.length}::int) AS p(period)
      CROSS JOIN unnest(enum_range(NULL::credit_source)) AS s(source)
      LEFT JOIN (
        SELECT ${endsBefore('m.at')} + 1 AS period, source, flow, sum(points) AS points
        FROM moved m GROUP BY 1, source, flow
      ) m USING (period, source)
      GROUP BY period, s.source ORDER BY period, s.source
    ), lots AS (
      SELECT l.user_id, l.id, l.source, l.remaining, to_char(l.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day,
        ${endsBefore('l.granted_at')} + 1 AS first,
        ${endsBefore("least(l.expires_at, l.revoked_at, 'infinity')")} AS last
      FROM credit_lots l WHERE l.granted_at <= ${to}::timestamptz
    ), later AS (
      SELECT user_id, lot_id, ${endsBefore('m.effective_at')} AS last, sum(amount) AS points
      FROM movements m GROUP BY 1, 2, 3
    ), spans AS (
      SELECT source, day, first, last, sum(remaining) AS points FROM lots GROUP BY 1, 2, 3, 4
      UNION ALL
      SELECT l.source, l.day, l.first, least(l.last, m.last), -sum(m.points)
      FROM later m JOIN lots l ON l.user_id = m.user_id AND l.id = m.lot_id GROUP BY 1, 2, 3, 4
    ), held AS (
      SELECT period, source, day, sum(points) AS points
      FROM spans CROSS JOIN LATERAL generate_series(first, last) AS p(period)
      GROUP BY period, source, day HAVING sum(points) > 0
    )
    SELECT (SELECT json_agg(flows) FROM flows) AS flows, (SELECT json_agg(held) FROM held) AS held`,
  );
  return ends.map((_, index) => ({
    flows: rowsOf(row?.flows ?? [], index + 1),
    held: rowsOf(row?.held ?? [], index + 1),
  }));
}

const rowsOf = <Row>(rows: readonly Numbered<Row>[], wanted: number): Row[] =>
  rows.filter(({ period }) => period === wanted);
