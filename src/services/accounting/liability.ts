import type { App } from '../app.js';
import { badUserInput } from '../../domain/errors.js';
import { CREDIT_SOURCES, type CreditSource } from '../../domain/ledger/lots.js';
import type { Flow } from '../credits/past/flows.sql.js';
import { inReportTurn } from '../credits/past/report-turns.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { requirePeriod } from '../validation.js';
import type { FlowRow } from '../credits/past/flows.sql.js';
import { deferredRevenueOf, type DeferredRevenue } from './deferred-revenue.js';
import { readLiability, type LapsingPoints, type LiabilityRows } from './liability.sql.js';

/** opening + granted + grace − debited + refunded − expired − revoked = closing, in points. */
export interface LiabilityFlows extends Omit<FlowRow, 'source'> {
  readonly opening: number;
  readonly closing: number;
}

/** Points that lapse in the same month. */
export interface LapseRow {
  readonly month: string | null;
  readonly source: CreditSource;
  readonly points: number;
  readonly paid: number;
  readonly free: number;
}

export interface CreditLiability {
  readonly from: Date;
  readonly to: Date;
  /** Points that could be spent at `from`, and at `to`. */
  readonly opening: number;
  readonly closing: number;
  /** A row for each source, with all its points, and with the paid and the free ones separately. */
  readonly rows: (LiabilityFlows & {
    readonly source: CreditSource;
    readonly paid: LiabilityFlows;
    readonly free: LiabilityFlows;
  })[];
  readonly lapses: readonly LapseRow[];
  /** A row for each currency, sorted by its code. */
  readonly deferredRevenue: readonly DeferredRevenue[];
}

const NAMES: Readonly<Record<Flow, Exclude<keyof LiabilityFlows, 'opening' | 'closing'>>> = {
  GRANT: 'granted',
  GRACE: 'grace',
  DEBIT: 'debited',
  REFUND: 'refunded',
  EXPIRY: 'expired',
  REVOCATION: 'revoked',
};

/**
 * The points owed to users at `from` and at `to`, the flows between, and the months in which the points owed at
 * `to` lapse. Sources are separate, and so are paid and free points. For each source, and for its paid and its free
 * points, opening + granted + grace − debited + refunded − expired − revoked = closing.
 * @throws BAD_USER_INPUT when the end lies before the beginning or in the future; BUSY when too many reports are
 * waiting
 */
export async function creditLiability(
  { db }: Pick<App, 'db'>,
  from: Date,
  to: Date,
): Promise<CreditLiability> {
  requirePeriod({ from, to });
  if (to > (await readLedgerClock(db))) throw badUserInput('to', 'must not be in the future');
  const found = await inReportTurn(() => readLiability(db, from, to));
  return {
    from,
    to,
    opening: totalOf(found.opening),
    closing: totalOf(found.closing),
    rows: CREDIT_SOURCES.map((source) => {
      const paid = flowsOf(found, (row) => row.source === source && row.currency !== null);
      const free = flowsOf(found, (row) => row.source === source && row.currency === null);
      return { source, ...sumOf(paid, free), paid, free };
    }),
    lapses: lapsesOf(found.closing),
    deferredRevenue: deferredRevenueOf(found),
  };
}

type Kind = Pick<LapsingPoints, 'source' | 'currency'>;

const totalOf = (rows: readonly { readonly points: number }[]): number =>
  rows.reduce((sum, { points }) => sum + points, 0);

function flowsOf(
  { opening, flows, closing }: LiabilityRows,
  isMeant: (row: Kind) => boolean,
): LiabilityFlows {
  const sums = { granted: 0, grace: 0, debited: 0, refunded: 0, expired: 0, revoked: 0 };
  for (const { flow, points } of flows.filter(isMeant)) sums[NAMES[flow]] += points;
  const [begun, ended] = [totalOf(opening.filter(isMeant)), totalOf(closing.filter(isMeant))];
  return { opening: begun, ...sums, closing: ended };
}

const sumOf = (paid: LiabilityFlows, free: LiabilityFlows): LiabilityFlows => ({
  opening: paid.opening + free.opening,
  granted: paid.granted + free.granted,
  grace: paid.grace + free.grace,
  debited: paid.debited + free.debited,
  refunded: paid.refunded + free.refunded,
  expired: paid.expired + free.expired,
  revoked: paid.revoked + free.revoked,
  closing: paid.closing + free.closing,
});

/** Sums up the rows of a month and source. Keeps their order, and leaves out sums of 0. */
function lapsesOf(closing: readonly LapsingPoints[]): LapseRow[] {
  const rows = new Map<string, LapseRow>();
  for (const { month, source, currency, points } of closing) {
    const key = `${month ?? ''} ${source}`;
    const row = rows.get(key) ?? { month, source, points: 0, paid: 0, free: 0 };
    const kind = currency === null ? 'free' : 'paid';
    rows.set(key, { ...row, points: row.points + points, [kind]: row[kind] + points });
  }
  return [...rows.values()].filter(({ points }) => points > 0);
}
