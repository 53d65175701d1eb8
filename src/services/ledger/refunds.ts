import { notFound } from '../../domain/errors.js';
import type { UserId } from '../../domain/ids.js';
import { refund, type Book, type RefundableDebit } from '../../domain/ledger/book.js';
import type { RefundPolicy } from '../../domain/ledger/refund.js';
import type { Tx } from '../../infra/db.js';
import { mendBooks, type Mender } from '../repairs/mender.js';
import { loadDebits, recordAction, type OpenBooks } from './books.js';
import type { Settle } from './commit/settlement.js';
import { settling } from './settling.js';

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

/** Refunds debits. Refusals: NOT_FOUND (no such debit). */
export const refundSettler = (
  policy: RefundPolicy,
  mender: Mender,
): Settle<RefundRequest, RefundOutcome> =>
  settling(
    async (tx, open, requests) => {
      await mendBooks(tx, open, mender);
      return loadRefundable(tx, open, requests);
    },
    (book, request, debits, open) => decideRefund(book, request, { debits, policy }, open),
  );

type Debits = Map<string, RefundableDebit>;

/** Reads the debits of these requests, for commands that do more than refund. */
export const loadRefundable = (
  tx: Tx,
  open: OpenBooks,
  requests: readonly RefundRequest[],
): Promise<Debits> =>
  loadDebits(
    tx,
    open,
    requests.map(({ userId, debitSeq: seq }) => ({ userId, seq })),
  );

/** Decides one refund. @throws NOT_FOUND when there is no such debit */
export function decideRefund(
  book: Book,
  request: RefundRequest,
  { debits, policy }: { readonly debits: Debits; readonly policy: RefundPolicy },
  open: OpenBooks,
): RefundOutcome {
  const { userId, debitSeq, reason, actorId } = request;
  const key = `${userId} ${String(debitSeq)}`;
  const debited = debits.get(key);
  if (debited === undefined) throw notFound('debit');
  const booked = refund(book, debited, policy, request);
  // The debit is refunded now, so that another request for it in the same batch finds nothing outstanding.
  debits.set(key, { ...debited, parts: [] });
  if (booked === null) return { seq: null };
  const { seq, amount, audioId: target } = booked;
  const details = { userId, debitSeq, seq, amount };
  recordAction(open, { actorId, action: 'refundAudio', target, reason, details, at: book.now });
  return { seq };
}

/** The end of an attempt without a recording. */
export interface EndRequest {
  readonly userId: UserId;
  readonly reason: string;
  /** Marks the narration. @returns the debit to refund; undefined when the attempt was settled already */
  readonly end: (tx: Tx) => Promise<number | undefined>;
}

/** A refund that was made, with its request; null when the attempt was settled already. */
export type EndOutcome = (RefundOutcome & { readonly request: RefundRequest }) | null;

/** Ends attempts under their accounts' locks, and refunds them. */
export const endSettler = (policy: RefundPolicy, mender: Mender): Settle<EndRequest, EndOutcome> =>
  settling(
    async (tx, open, requests) => {
      const refunds = new Map<EndRequest, RefundRequest>();
      for (const request of requests) {
        const { userId, reason } = request;
        const debitSeq = await request.end(tx);
        if (debitSeq !== undefined)
          refunds.set(request, { userId, debitSeq, reason, actorId: null });
      }
      if (refunds.size > 0) await mendBooks(tx, open, mender);
      return { refunds, debits: await loadRefundable(tx, open, [...refunds.values()]) };
    },
    (book, asked, { refunds, debits }, open) => {
      const request = refunds.get(asked);
      if (request === undefined) return null;
      return { request, ...decideRefund(book, request, { debits, policy }, open) };
    },
  );
