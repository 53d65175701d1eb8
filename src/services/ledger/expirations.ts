import type { LotId, UserId } from '../../domain/ids.js';
import { expire } from '../../domain/ledger/book.js';
import { loadLots, openBooks, saveBooks } from './books.js';
import { mendBooks, type Mender } from '../repairs/mender.js';
import { answer, type Settle } from './commit/settlement.js';

export interface ExpireRequest {
  readonly userId: UserId;
  readonly lotId: LotId;
}

export interface ExpireOutcome {
  /** The number of the EXPIRY. Null when it was booked before, or when there was nothing to book. */
  readonly seq: number | null;
}

/**
 * Books the expiry of lapsed lots that still hold points. Refusals: LOCKED also when there is no such account, and when
 * the sums of an account contradict its history and cannot be repaired now.
 */
export const expirationSettler =
  (mender: Mender): Settle<ExpireRequest, ExpireOutcome> =>
  async (tx, requests, options) => {
    const open = await openBooks(
      tx,
      requests.map((request) => request.userId),
      options,
    );
    const mismatched = await mendBooks(tx, open, mender);
    await loadLots(tx, open, requests);
    const settlements = requests.map(({ userId, lotId }) =>
      answer(mismatched.has(userId) ? undefined : open.books.get(userId), (book) => ({
        seq: expire(book, lotId)?.seq ?? null,
      })),
    );
    await saveBooks(tx, open);
    return settlements;
  };
