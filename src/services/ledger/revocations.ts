import { conflict, notFound } from '../../domain/errors.js';
import { type LotId, rowKey, type RowKey, type UserId } from '../../domain/ids.js';
import { revoke, type Book } from '../../domain/ledger/book.js';
import { assertSameRequest, keys } from '../../domain/ledger/idempotency.js';
import type { CreditSource, Lot } from '../../domain/ledger/lots.js';
import { revokePart } from '../../domain/ledger/revoke-part.js';
import { changed } from '../audit.sql.js';
import { mendBooks, type Mender } from '../repairs/mender.js';
import { loadKeyed, loadLots, recordAction, type OpenBooks } from './books.js';
import type { Settle } from './commit/settlement.js';
import { settling } from './settling.js';

export interface RevokeRequest {
  readonly userId: UserId;
  readonly lotId: LotId;
  /** Undefined revokes all that is left. That needs no key, because a lot is revoked as a whole only once. */
  readonly part?: RevokedPart;
  /** The request is refused when the lot holds another number of points. Null accepts any number. */
  readonly expectedRemaining: number | null;
  readonly reason: string;
  /** Null when the server revokes by itself. */
  readonly actorId: UserId | null;
  /**
   * SHA-256 of the order, when the lot is revoked by an order for many. Then the order's audit entry covers the lot.
   */
  readonly orderHash?: Uint8Array;
}

/** The revocation of a lot that an order for many revokes, with the lot's source for the metrics. */
export type LotRevokeRequest = RevokeRequest & { readonly source: CreditSource };

/** The source under which the metrics count a request. */
export const sourceOfLot = ({ source }: LotRevokeRequest): CreditSource => source;

export interface RevokedPart {
  /** Points. */
  readonly amount: number;
  /** With the operation as its prefix. */
  readonly idempotencyKey: string;
  /** SHA-256 of the request. */
  readonly requestHash: Uint8Array;
}

export interface RevokeOutcome {
  /** The number of the REVOCATION. Null when there was nothing left to forfeit. */
  readonly seq: number | null;
  /** Whether the lot had been revoked, or the key of the part was known. Then this is the first result. */
  readonly replayed: boolean;
}

/** A transaction that was booked before. */
interface Booked {
  readonly seq: number;
  readonly amount: number;
  readonly requestHash: Uint8Array | null;
}

/** A request with the open book of its account. */
interface Asked {
  readonly open: OpenBooks;
  readonly book: Book;
  readonly request: RevokeRequest;
  readonly bookedUnder: (key: string) => Booked | undefined;
}

/**
 * Revokes lots, or parts of them. Idempotent: a repeated request is answered with the first result.
 * Refusals: NOT_FOUND (no such lot), CONFLICT (expectedRemaining differs, or less is left than the part),
 * IDEMPOTENCY_KEY_REUSED.
 */
export const revocationSettler = (mender: Mender): Settle<RevokeRequest, RevokeOutcome> =>
  settling(
    async (tx, open, requests) => {
      await mendBooks(tx, open, mender);
      await loadLots(tx, open, requests);
      return new Map<RowKey, Booked>(await loadKeyed(tx, requests.flatMap(keysOf)));
    },
    (book, request, known, open) => {
      const { userId, part } = request;
      const bookedUnder = (key: string): Booked | undefined => known.get(rowKey(userId, key));
      const asked = { open, book, request, bookedUnder };
      const outcome = part === undefined ? revokeAll(asked) : revokeSome(asked, part);
      for (const entry of book.entries) known.set(rowKey(userId, entry.idempotencyKey), entry);
      return outcome;
    },
  );

/** The keys under which the request may have been booked before. */
function keysOf({ userId, lotId, part }: RevokeRequest): { userId: UserId; key: string }[] {
  const wanted =
    part === undefined ? [keys.revoke(lotId), keys.expire(lotId)] : [part.idempotencyKey];
  return wanted.map((key) => ({ userId, key }));
}

function lotOf({ book, request }: Asked): Lot {
  const lot = book.lots.get(request.lotId);
  if (lot === undefined) throw notFound('lot');
  return lot;
}

function revokeAll(asked: Asked): RevokeOutcome {
  const { book, request, bookedUnder } = asked;
  const lot = lotOf(asked);
  if (lot.revokedAt !== null) return repeated(bookedUnder, request);
  assertExpected(request, lot.remaining);
  const { reason, actorId, orderHash } = request;
  const requestHash = orderHash === undefined ? {} : { requestHash: orderHash };
  const seq = revoke(book, lot.id, { reason, actorId, ...requestHash })?.seq ?? null;
  if (orderHash === undefined) recordRevocation(asked, lot, seq);
  return { seq, replayed: false };
}

function revokeSome(asked: Asked, part: RevokedPart): RevokeOutcome {
  const { book, request, bookedUnder } = asked;
  const { amount, idempotencyKey, requestHash } = part;
  const first = bookedUnder(idempotencyKey);
  if (first !== undefined) {
    assertSameRequest(first.requestHash, requestHash);
    return { seq: first.seq, replayed: true };
  }
  const lot = lotOf(asked);
  assertExpected(request, lot.remaining);
  const { reason, actorId } = request;
  const about = { reason, actorId, idempotencyKey, requestHash };
  const { seq } = revokePart(book, lot, amount, about);
  recordRevocation(asked, lot, seq);
  return { seq, replayed: false };
}

/** @param lot as it was before the revocation */
function recordRevocation(asked: Asked, lot: Lot, seq: number | null): void {
  const { open, book, request } = asked;
  const { userId, actorId, reason, part } = request;
  const remaining = changed(lot.remaining, lotOf(asked).remaining);
  // The amount tells reconciliation that this entry does not revoke the whole lot.
  const details = { userId, seq, ...(part && { amount: part.amount }), remaining };
  const [action, target] = ['revokeCreditLot', lot.id];
  recordAction(open, { actorId, action, target, reason, details, at: book.now });
}

/**
 * The first result again. `expectedRemaining` is compared with the lot as the first request found it, spendable or
 * lapsed.
 */
function repeated(bookedUnder: Asked['bookedUnder'], request: RevokeRequest): RevokeOutcome {
  const revocation = bookedUnder(keys.revoke(request.lotId));
  const found = revocation ?? bookedUnder(keys.expire(request.lotId));
  if (request.expectedRemaining !== 0 || revocation !== undefined) {
    assertExpected(request, -(found?.amount ?? 0));
  }
  return { seq: revocation?.seq ?? null, replayed: true };
}

function assertExpected({ expectedRemaining }: RevokeRequest, remaining: number): void {
  if (expectedRemaining !== null && expectedRemaining !== remaining) {
    throw conflict(
      `The lot holds ${String(remaining)} points, not ${String(expectedRemaining)} as expected.`,
    );
  }
}
