import type { App } from '../../app.js';
import { badUserInput } from '../../domain/errors.js';
import { readReport, type FlowRow, type HeldRow } from './report.sql.js';

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
 * What came in and went out after `from` and up to `to`, by source, and what was owed at `to`. For each
 * source, what was owed at `from` and the flows come to what is owed at `to`.
 * @throws BAD_USER_INPUT
 */
export async function creditReport(app: App, from: Date, to: Date): Promise<CreditReport> {
  if (from > to) throw badUserInput('from', 'must not be after to');
  const { flows, held } = await readReport(app.db, from, to);
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
