import type { LotId } from '../ids.js';
import type { Allocation } from './allocation.js';
import { isSpendable, type Lot } from './lots.js';

/** GRACE: points of a lot that lapsed in the meantime come back in a short-lived lot. FORFEIT: they are lost. */
export type RefundPolicy = 'GRACE' | 'FORFEIT';

const DAY_MS = 86_400_000;
/** A lot that makes good for a lapsed one lives at least and at most this long. */
export const GRACE_AT_LEAST_MS = DAY_MS;
const GRACE_AT_MOST_MS = 7 * DAY_MS;

export interface RefundablePart {
  readonly lot: Lot;
  /** What the debit took from the lot and no refund has given back, in points. */
  readonly outstanding: number;
}

export interface RefundPlan {
  /** What comes back to the lots that paid, last taken first. */
  readonly returned: readonly Allocation[];
  /** What a lot that can no longer be spent loses again at once, so that it never comes alive. */
  readonly closings: readonly (Allocation & { readonly type: 'EXPIRY' | 'REVOCATION' })[];
  /** New lots for what lapsed after the debit. Our failure never costs the user a point. */
  readonly grace: readonly {
    readonly parent: Lot;
    readonly amount: number;
    readonly expiresAt: Date;
  }[];
}

/**
 * Decides how a debit is given back.
 * @param parts in the order in which the debit took them
 * @param debitedAt when the debit took effect
 */
export function planRefund(
  parts: readonly RefundablePart[],
  debitedAt: Date,
  at: Date,
  policy: RefundPolicy,
): RefundPlan {
  const open = parts.filter((part) => part.outstanding > 0).reverse();
  const dead = open.filter((part) => !isSpendable(part.lot, at));
  return {
    returned: open.map(({ lot, outstanding }) => ({ lotId: lot.id, amount: outstanding })),
    closings: dead.map(({ lot, outstanding }) => ({
      lotId: lot.id,
      amount: -outstanding,
      type: diedOfAge(lot) ? ('EXPIRY' as const) : ('REVOCATION' as const),
    })),
    grace: dead.flatMap(({ lot, outstanding }) =>
      policy === 'GRACE' && diedOfAge(lot) && lot.expiresAt !== null
        ? [
            {
              parent: lot,
              amount: outstanding,
              expiresAt: graceExpiry(lot.expiresAt, debitedAt, at),
            },
          ]
        : [],
    ),
  };
}

/**
 * Of a dead lot: whether it lapsed, rather than being revoked before it could. What an administrator has
 * forfeited stays forfeited, also when the lot would have lapsed since.
 */
const diedOfAge = ({ expiresAt, revokedAt }: Lot): boolean =>
  revokedAt === null || (expiresAt !== null && revokedAt >= expiresAt);

/** As long as the old lot still had to live when it was debited, within the bounds. */
function graceExpiry(expiresAt: Date, debitedAt: Date, at: Date): Date {
  const leftMs = expiresAt.getTime() - debitedAt.getTime();
  const graceMs = Math.min(GRACE_AT_MOST_MS, Math.max(GRACE_AT_LEAST_MS, leftMs));
  return new Date(at.getTime() + graceMs);
}

/** The debit's allocations less what earlier refunds gave back, lot by lot. */
export function outstandingByLot(
  debited: readonly Allocation[],
  refunded: readonly Allocation[],
): ReadonlyMap<LotId, number> {
  const outstanding = new Map<LotId, number>();
  for (const { lotId, amount } of debited) {
    outstanding.set(lotId, (outstanding.get(lotId) ?? 0) - amount);
  }
  for (const { lotId, amount } of refunded) {
    outstanding.set(lotId, (outstanding.get(lotId) ?? 0) - amount);
  }
  return outstanding;
}
