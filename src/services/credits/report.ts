import type { App } from '../app.js';
import { requirePeriod } from '../validation.js';
import { inReportTurn } from './past/report-turns.js';
import { readReport, type FlowRow, type HeldRow, type ReportRows } from './report.sql.js';

export type { FlowRow };

export interface CreditReport {
  readonly from: Date;
  readonly to: Date;
  /** Points that could be spent at `to`. */
  readonly outstanding: number;
  readonly rows: (FlowRow & { readonly outstanding: number })[];
  readonly runOff: { readonly day: string | null; readonly points: number }[];
}

const pointsOf = (rows: readonly HeldRow[]): number =>
  rows.reduce((sum, { points }) => sum + points, 0);

/**
 * The flows of points after `from` and up to `to`, by source, and the points outstanding at `to`. For each source,
 * outstanding at `from` + granted + grace − debited + refunded − expired − revoked = outstanding at `to`.
 * @throws BAD_USER_INPUT, BUSY (too many reports are waiting)
 */
export async function creditReport(app: App, from: Date, to: Date): Promise<CreditReport> {
  requirePeriod({ from, to });
  return reportOf(from, to, await inReportTurn(() => readReport(app.db, from, to)));
}

/** The report of what was read for a period. */
export function reportOf(from: Date, to: Date, { flows, held }: ReportRows): CreditReport {
  const days = [...new Set(held.map(({ day }) => day))].sort(neverLast);
  return {
    from,
    to,
    outstanding: pointsOf(held),
    rows: flows.map((flow) => ({
      ...flow,
      outstanding: pointsOf(held.filter(({ source }) => source === flow.source)),
    })),
    runOff: days.map((day) => ({ day, points: pointsOf(held.filter((row) => row.day === day)) })),
  };
}

function neverLast(a: string | null, b: string | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return a < b ? -1 : 1;
}
