import type { LotId } from '../ids.js';
import type { Allocation } from './allocation.js';
import { isSpendable, lapseTakesEffectAt, type Lot } from './lots.js';
import { keys } from './idempotency.js';
import { post, lotIn, addLot, revoke, type BookedEntry, type Book, type Movement } from './book.js';

/** GRACE: points of a lot that lapsed in the meantime come back in a short-lived lot. FORFEIT: they are lost. */
export type RefundPolicy = 'GRACE' | 'FORFEIT';

const DAY_MS = 86_400_000;
/** The shortest and the longest lifetime of a lot that replaces a lapsed one. */
export const GRACE_AT_LEAST_MS = DAY_MS;
const GRACE_AT_MOST_MS = 7 * DAY_MS;

export interface RefundablePart {
  readonly lot: Lot;
  /** Points that the debit took from the lot and that no refund has given back. */
  readonly outstanding: number;
}

export interface RefundPlan {
  /** Points to give back to the lots that paid, last taken first. */
  readonly returned: readonly Allocation[];
  /** Points to take back at once from lots that can no longer be spent, so that they do not become spendable. */
  readonly closings: readonly (Allocation & { readonly type: 'EXPIRY' | 'REVOCATION' })[];
  /** New lots for points that lapsed after the debit, because a failure of ours must not cost the user a point. */
  readonly grace: readonly {
    readonly parent: Lot;
    readonly amount: number;
    readonly expiresAt: Date;
  }[];
}

/**
 * Plans the refund of a debit.
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
 * Whether a lot that cannot be spent has lapsed, rather than being revoked before its expiry. Points that an
 * administrator has forfeited stay forfeited, even if the lot would have lapsed since.
 */
const diedOfAge = ({ expiresAt, revokedAt }: Lot): boolean =>
  revokedAt === null || (expiresAt !== null && revokedAt >= expiresAt);

/** The end of a lot that lives as long as the old one still had to live when it was debited, within the bounds. */
function graceExpiry(expiresAt: Date, debitedAt: Date, at: Date): Date {
  const leftMs = expiresAt.getTime() - debitedAt.getTime();
  const graceMs = Math.min(GRACE_AT_MOST_MS, Math.max(GRACE_AT_LEAST_MS, leftMs));
  return new Date(at.getTime() + graceMs);
}

/** The debit's allocations minus the refunds so far, by lot. */
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

export interface RefundableDebit {
  readonly seq: number;
  readonly effectiveAt: Date;
  readonly audioId: string | null;
  readonly storyId: string | null;
  /** In the order in which the debit took them. */
  readonly parts: readonly RefundablePart[];
}

/**
 * Refunds the outstanding part of a debit, closes the points that came back to lots which cannot be spent any more, and
 * grants new lots for points that have lapsed since the debit. A closed account keeps none of the refunded points.
 * @returns the REFUND; null when nothing was outstanding
 */
export function refund(
  book: Book,
  debited: RefundableDebit,
  policy: RefundPolicy,
  about: Pick<Movement, 'reason' | 'actorId'>,
): BookedEntry | null {
  const parts = debited.parts.map(({ lot, outstanding }) => ({
    lot: book.lots.get(lot.id) ?? lot,
    outstanding,
  }));
  const plan = planRefund(parts, debited.effectiveAt, book.now, book.closed ? 'FORFEIT' : policy);
  if (plan.returned.length === 0) return null;
  const booked = post(book, {
    ...about,
    type: 'REFUND',
    allocations: plan.returned,
    debitSeq: debited.seq,
    idempotencyKey: keys.refund(debited.seq),
    audioId: debited.audioId,
    storyId: debited.storyId,
  });
  for (const { lotId, amount, type } of plan.closings) {
    post(book, {
      type,
      allocations: [{ lotId, amount }],
      reason: about.reason,
      idempotencyKey: keys.refundClosing(debited.seq, lotId),
      effectiveAt: type === 'EXPIRY' ? lapseTakesEffectAt(lotIn(book, lotId), book) : book.now,
    });
  }
  for (const { parent, amount, expiresAt } of plan.grace) {
    const { source, priority } = parent;
    addLot(
      book,
      { source, priority, amount, expiresAt, parentLotId: parent.id },
      { reason: about.reason, idempotencyKey: keys.refundGrace(debited.seq, parent.id) },
    );
  }
  if (book.closed) for (const { lotId } of plan.returned) forfeit(book, lotId, about);
  return booked;
}

/** Forfeits points that are refunded to a closed account in the same commit, because its user cannot spend them. */
function forfeit(book: Book, lotId: LotId, { reason }: Pick<Movement, 'reason'>): void {
  if (lotIn(book, lotId).remaining > 0) revoke(book, lotId, { reason, actorId: null });
}
