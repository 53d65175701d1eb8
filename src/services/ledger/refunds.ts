import { notFound } from '../../domain/errors.js';
import type { UserId } from '../../domain/ids.js';
import { refund } from '../../domain/ledger/book.js';
import type { RefundPolicy } from '../../domain/ledger/refund.js';
import type { Tx } from '../../infra/db.js';
import { loadDebits, openBooks, recordAction, saveBooks, type OpenBooks } from './books.js';
import { mendBooks, type Mender } from '../repairs/mender.js';
import { answer, type Settle, type Settlement } from './commit/settlement.js';

export interface RefundRequest {
  readonly userId: UserId;
  /** The debit to give back. */
  readonly debitSeq: number;
  readonly reason: string;
  readonly actorId: UserId | null;
}

export interface RefundOutcome {
  /** The REFUND; null when nothing of the debit was outstanding any more. */
  readonly seq: number | null;
}

/** Refunds debits. Refusals: NOT_FOUND (no such debit); LOCKED also when there is no such account. */
export const refundSettler =
  (policy: RefundPolicy, mender: Mender): Settle<RefundRequest, RefundOutcome> =>
  async (tx, requests, options) => {
    const open = await openBooks(
      tx,
      requests.map((request) => request.userId),
      options,
    );
    await mendBooks(tx, open, mender);
    const settlements = await postRefunds(tx, open, requests, policy);
    await saveBooks(tx, open);
    return settlements;
  };

/** Posts refunds to books that are already open, for commands that do more than refund. */
export async function postRefunds(
  tx: Tx,
  open: OpenBooks,
  requests: readonly RefundRequest[],
  policy: RefundPolicy,
): Promise<Settlement<RefundOutcome>[]> {
  const debits = await loadDebits(
    tx,
    open,
    requests.map(({ userId, debitSeq: seq }) => ({ userId, seq })),
  );
  return requests.map((request) =>
    answer(open.books.get(request.userId), (book) => {
      const key = `${request.userId} ${String(request.debitSeq)}`;
      const debited = debits.get(key);
      if (debited === undefined) throw notFound('debit');
      const booked = refund(book, debited, policy, request);
      // The debit is refunded now, so that another request for it in the same batch finds nothing outstanding.
      debits.set(key, { ...debited, parts: [] });
      if (booked !== null) {
        recordAction(open, {
          actorId: request.actorId,
          action: 'refundAudio',
          target: booked.audioId,
          reason: request.reason,
          details: {
            userId: request.userId,
            debitSeq: request.debitSeq,
            seq: booked.seq,
            amount: booked.amount,
          },
          at: book.now,
        });
      }
      return { seq: booked?.seq ?? null };
    }),
  );
}
