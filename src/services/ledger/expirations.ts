import type { LotId, UserId } from '../../domain/ids.js';
import { expire } from '../../domain/ledger/book.js';
import { mendBooks, type Mender } from '../repairs/mender.js';
import { loadLots } from './books.js';
import { HELD, type Settle } from './commit/settlement.js';
import { settling } from './settling.js';

export interface ExpireRequest {
  readonly userId: UserId;
  readonly lotId: LotId;
}

export interface ExpireOutcome {
  /** The number of the EXPIRY. Null when it was booked before, or when there was nothing to book. */
  readonly seq: number | null;
}

/**
 * Books the expiry of lapsed lots that still hold points. An account whose sums contradict its history, and cannot be
 * repaired now, is HELD, because the sweep books nothing from wrong sums and tries again.
 */
export const expirationSettler = (mender: Mender): Settle<ExpireRequest, ExpireOutcome> =>
  settling(
    async (tx, open, requests) => {
      const mismatched = await mendBooks(tx, open, mender);
      await loadLots(tx, open, requests);
      return mismatched;
    },
    (book, { userId, lotId }, mismatched) =>
      mismatched.has(userId) ? HELD : { seq: expire(book, lotId)?.seq ?? null },
  );
