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
  readonly actorId: UserId;
}

export interface RevokeOutcome {
  /** The REVOCATION; null when there was nothing left to forfeit. */
  readonly seq: number | null;
}

/** What a REVOCATION that was booked before took. */
type Forfeited = Pick<{ seq: number; amount: number }, 'seq' | 'amount'> | undefined;

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
  const forfeited = new Map<string, Forfeited>(
    await loadKeyed(
      tx,
      requests.map(({ userId, lotId }) => ({ userId, key: keys.revoke(lotId) })),
    ),
  );
  const settlements = requests.map((request) =>
    answer(open.books.get(request.userId), (book) => {
      const key = `${request.userId} ${keys.revoke(request.lotId)}`;
      if (isRevoked(book, request.lotId)) return repeated(forfeited.get(key), request);
      assertExpected(request, book.lots.get(request.lotId)?.remaining ?? 0);
      const { userId: _userId, lotId: target, expectedRemaining: _expected, ...about } = request;
      const booked = revoke(book, request.lotId, about);
      forfeited.set(key, booked ?? undefined);
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

/** The first answer again; what was expected then is what the first one found. */
function repeated(first: Forfeited, request: RevokeRequest): RevokeOutcome {
  assertExpected(request, -(first?.amount ?? 0));
  return { seq: first?.seq ?? null };
}

function assertExpected({ expectedRemaining }: RevokeRequest, remaining: number): void {
  if (expectedRemaining !== null && expectedRemaining !== remaining) {
    throw conflict(
      `The lot holds ${String(remaining)} points, not ${String(expectedRemaining)} as expected.`,
    );
  }
}
