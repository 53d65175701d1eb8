import type { LiabilityRows, PricedPoints } from './liability.sql.js';

/** The deferred revenue in one currency, in minor units: opening + sold − spent − lapsed − revoked = closing. */
export interface DeferredRevenue {
  /** An ISO 4217 code. */
  readonly currency: string;
  /** The value of the points that could be spent at `from`. */
  readonly opening: number;
  /** The prices of the lots that were granted. */
  readonly sold: number;
  /** The value of the points that narrations cost, minus refunds. Includes the rounding differences. */
  readonly spent: number;
  /** The value of the points that lapsed, minus that of grace lots. */
  readonly lapsed: number;
  /** The value of the points that were revoked. */
  readonly revoked: number;
  /** The value of the points that could be spent at `to`. */
  readonly closing: number;
}

/**
 * The deferred revenue of each currency. The value of some points of a lot is price × points ÷ points granted,
 * rounded down. The balances are rounded for each lot, so that a total is the sum of its lots. The lapsed and the
 * revoked values are rounded for each movement. `spent` is the remainder of the equation, so it has the rounding
 * differences: less than one minor unit for each lot and movement. A currency whose sums are all 0 has no row.
 */
export function deferredRevenueOf({ opening, flows, closing }: LiabilityRows): DeferredRevenue[] {
  const all = [...opening, ...flows, ...closing];
  const currencies = new Set(all.flatMap(({ currency }) => currency ?? []));
  const rows = [...currencies].sort().map((currency) => {
    const valueOf = (rows: readonly PricedPoints[]): number =>
      rows.reduce((sum, row) => sum + (row.currency === currency ? (row.value ?? 0) : 0), 0);
    const of = (flow: string): number => valueOf(flows.filter((row) => row.flow === flow));
    const lapsed = of('EXPIRY') - of('GRACE');
    const [begun, sold, revoked] = [valueOf(opening), of('GRANT'), of('REVOCATION')];
    const ended = valueOf(closing);
    const spent = begun + sold - lapsed - revoked - ended;
    return { currency, opening: begun, sold, spent, lapsed, revoked, closing: ended };
  });
  return rows.filter(({ currency: _currency, ...sums }) =>
    Object.values(sums).some((sum) => sum !== 0),
  );
}
