import type { LotId } from '../ids.js';

export const CREDIT_SOURCES = ['EVENT', 'MONTHLY', 'REFERRAL', 'ADD_ON', 'FREE'] as const;
export type CreditSource = (typeof CREDIT_SOURCES)[number];
export type CreditLotStatus = 'ACTIVE' | 'EXHAUSTED' | 'EXPIRED' | 'REVOKED';

/** Points that came in together: one source, one expiry. Amounts in points. */
export interface Lot {
  readonly id: LotId;
  readonly source: CreditSource;
  /** Lower burns first. */
  readonly priority: number;
  readonly granted: number;
  readonly remaining: number;
  readonly grantedAt: Date;
  /** The first instant at which the lot can no longer be spent; null for never. */
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** The lapsed lot that this one makes good for. */
  readonly parentLotId: LotId | null;
  /** yyyy-mm of a monthly grant. */
  readonly period: string | null;
}

type Lifetime = Pick<Lot, 'expiresAt' | 'revokedAt'>;

export const hasLapsed = (lot: Pick<Lot, 'expiresAt'>, at: Date): boolean =>
  lot.expiresAt !== null && at >= lot.expiresAt;

/**
 * Whether the lot can be spent at an instant. Half-open: at its expiry it is gone. The same predicate
 * stands in SQL as `SPENDABLE` in credits.sql.ts, and a test holds the two together.
 */
export const isSpendable = (lot: Lifetime, at: Date): boolean =>
  lot.revokedAt === null && !hasLapsed(lot, at);

export function lotStatus(lot: Lifetime & Pick<Lot, 'remaining'>, at: Date): CreditLotStatus {
  if (lot.revokedAt !== null) return 'REVOKED';
  if (hasLapsed(lot, at)) return 'EXPIRED';
  return lot.remaining === 0 ? 'EXHAUSTED' : 'ACTIVE';
}

/** The order in which lots burn: priority, soonest expiry, oldest grant, id. */
export function byBurnOrder(a: Lot, b: Lot): number {
  return (
    a.priority - b.priority ||
    compareExpiry(a.expiresAt, b.expiresAt) ||
    a.grantedAt.getTime() - b.grantedAt.getTime() ||
    (a.id < b.id ? -1 : 1)
  );
}

/** Never comes last. Infinity minus infinity is not a number, hence the cases. */
function compareExpiry(a: Date | null, b: Date | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return a.getTime() - b.getTime();
}
