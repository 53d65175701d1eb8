import type { LotId } from '../ids.js';
import { termsOf, type LedgerEntry } from './chain.js';
import type { Lot } from './lots.js';

/**
 * The facts about lots that the hashes of an account do not cover yet. Its next transaction, of any type, covers them.
 */
export interface Uncovered {
  /** Lots from before format 2, because the hashes of their grants do not cover their terms. */
  unsealedLots: readonly Lot[];
  /** Lots that were revoked without a transaction, because they held nothing. */
  uncoveredRevocations: readonly LotId[];
}

/**
 * The facts about lots that a transaction covers, besides its allocations. Clears the uncovered ones of the book.
 * @param made the lots that it makes
 * @param revoked the lot that it revokes
 */
export function cover(
  book: Uncovered,
  made: readonly Lot[],
  revoked: LotId | undefined,
): Pick<LedgerEntry, 'lotTerms' | 'revokedLots'> {
  const { unsealedLots, uncoveredRevocations } = book;
  [book.unsealedLots, book.uncoveredRevocations] = [[], []];
  return {
    lotTerms: [...unsealedLots, ...made].map(termsOf),
    revokedLots: [...uncoveredRevocations, ...(revoked === undefined ? [] : [revoked])],
  };
}
