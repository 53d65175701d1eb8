import { conflict, notFound } from '../../domain/errors.js';
import type { LotId, UserId } from '../../domain/ids.js';
import { revoke, type Book } from '../../domain/ledger/book.js';
import { keys } from '../../domain/ledger/idempotency.js';
import { loadKeyed, loadLots, openBooks, recordAction, saveBooks } from './books.js';
import { answer, type Settle } from './group-commit.js';

export interface RevokeRequest {
  readonly userId: UserId;
  readonly lotId: LotId;
  /** Refuse when the lot holds another number of points by now; null: whatever it holds. */
  readonly expectedRemaining: number | null;
  readonly reason: string;
  /** Null when the product does it by itself. */
  readonly actorId: UserId | null;
}

export interface RevokeOutcome {
  /** The REVOCATION; null when there was nothing left to forfeit. */
  readonly seq: number | null;
}

/** A movement that was booked before. */
type Booked = { readonly seq: number; readonly amount: number } | undefined;

/**
 * Revokes lots. Twice is once: the second is answered with what the first one did.
 * Refusals: NOT_FOUND (no such lot), CONFLICT (expectedRemaining differs); LOCKED also when there is no
 * such account.
 */
export const settleRevocations: Settle<RevokeRequest, RevokeOutcome> = async (
  tx,
  requests,
  options,
) => {
  const open = await openBooks(
    tx,
    requests.map((request) => request.userId),
    options,
  );
  await loadLots(tx, open, requests);
  const known = new Map<string, Booked>(
    await loadKeyed(
      tx,
      requests.flatMap(({ userId, lotId }) => [
        { userId, key: keys.revoke(lotId) },
        { userId, key: keys.expire(lotId) },
      ]),
    ),
  );
  const settlements = requests.map((request) =>
    answer(open.books.get(request.userId), (book) => {
      const bookedUnder = (key: string): Booked => known.get(`${request.userId} ${key}`);
      if (isRevoked(book, request.lotId)) return repeated(bookedUnder, request);
      assertExpected(request, book.lots.get(request.lotId)?.remaining ?? 0);
      const { userId: _userId, lotId: target, expectedRemaining: _expected, ...about } = request;
      const booked = revoke(book, request.lotId, about);
      for (const entry of book.entries)
        known.set(`${entry.userId} ${entry.idempotencyKey ?? ''}`, entry);
      recordAction(open, { ...about, action: 'revokeCreditLot', target, at: book.now });
      return { seq: booked?.seq ?? null };
    }),
  );
  await saveBooks(tx, open);
  return settlements;
};

function isRevoked(book: Book, lotId: LotId): boolean {
  const lot = book.lots.get(lotId);
  if (lot === undefined) throw notFound('lot');
  return lot.revokedAt !== null;
}

/** The first answer again. What was expected then is what the first one found: alive, or lapsed. */
function repeated(bookedUnder: (key: string) => Booked, request: RevokeRequest): RevokeOutcome {
  const revocation = bookedUnder(keys.revoke(request.lotId));
  const found = revocation ?? bookedUnder(keys.expire(request.lotId));
  if (request.expectedRemaining !== 0 || revocation !== undefined) {
    assertExpected(request, -(found?.amount ?? 0));
  }
  return { seq: revocation?.seq ?? null };
}

function assertExpected({ expectedRemaining }: RevokeRequest, remaining: number): void {
  if (expectedRemaining !== null && expectedRemaining !== remaining) {
    throw conflict(
      `The lot holds ${String(remaining)} points, not ${String(expectedRemaining)} as expected.`,
    );
  }
}
