import { conflict } from '../errors.js';
import { post, type Book, type BookedEntry, type Circumstances } from './book.js';
import { isSpendable, type Lot } from './lots.js';

/**
 * Forfeits a part of a lot. The lot can still be spent, even if nothing is left, so that points refunded to it can be
 * spent.
 * @param lot as it is in the book
 * @throws CONFLICT when fewer points are left. A lot that has lapsed or was revoked has none left.
 */
export function revokePart(
  book: Book,
  lot: Lot,
  amount: number,
  about: Circumstances,
): BookedEntry {
  const left = isSpendable(lot, book.now) ? lot.remaining : 0;
  if (amount > left) {
    throw conflict(`${String(left)} points are left of the lot, fewer than ${String(amount)}.`);
  }
  const allocations = [{ lotId: lot.id, amount: -amount }];
  return post(book, { ...about, type: 'REVOCATION', allocations });
}
