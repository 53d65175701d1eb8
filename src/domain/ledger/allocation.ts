import type { LotId } from '../ids.js';
import { byBurnOrder, isSpendable, type Lot } from './lots.js';

/** The part of a transaction that falls on one lot, in points: positive in, negative out. */
export interface Allocation {
  readonly lotId: LotId;
  readonly amount: number;
}

interface DebitPlan {
  /** Points that could be spent before the debit. */
  readonly available: number;
  /** Negative amounts in burn order. Null when there are too few points, because a debit is all or nothing. */
  readonly allocations: readonly Allocation[] | null;
}

/** Decides which lots pay `amount` points at an instant. */
export function planDebit(lots: Iterable<Lot>, amount: number, at: Date): DebitPlan {
  const spendable = [...lots].filter((lot) => lot.remaining > 0 && isSpendable(lot, at));
  const available = spendable.reduce((sum, lot) => sum + lot.remaining, 0);
  if (available < amount) return { available, allocations: null };

  const allocations: Allocation[] = [];
  let missing = amount;
  for (const lot of spendable.sort(byBurnOrder)) {
    if (missing === 0) break;
    const taken = Math.min(lot.remaining, missing);
    allocations.push({ lotId: lot.id, amount: -taken });
    missing -= taken;
  }
  return { available, allocations };
}
