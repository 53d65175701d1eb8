import type { UserId } from '../../domain/ids.js';
import { grant, type GrantTerms } from '../../domain/ledger/book.js';
import { assertSameRequest } from '../../domain/ledger/idempotency.js';
import { loadKeyed, openBooks, recordAction, saveBooks } from './books.js';
import { answer, type Settle } from './group-commit.js';

export interface GrantRequest {
  readonly userId: UserId;
  readonly terms: GrantTerms;
  readonly reason: string;
  /** Whole: with its operation in front. */
  readonly idempotencyKey: string;
  /** SHA-256 of what was asked for. */
  readonly requestHash: Uint8Array;
  readonly actorId: UserId | null;
  /** What the audit log calls it; null when it is no administrator's action of its own. */
  readonly action: string | null;
}

export interface GrantOutcome {
  readonly seq: number;
  readonly lotId: string;
  /** The key was known: this is the first result. */
  readonly replayed: boolean;
}

/**
 * Grants lots.
 * Refusals: BAD_USER_INPUT (expiry not in the future, or an account that would hold more than 2,000,000,000 points),
 * NOT_FOUND (closed account), IDEMPOTENCY_KEY_REUSED; LOCKED also when there is no such account.
 */
export const settleGrants: Settle<GrantRequest, GrantOutcome> = async (tx, requests, options) => {
  const open = await openBooks(
    tx,
    requests.map((request) => request.userId),
    options,
  );
  const known = new Map<string, { seq: number; lotId: string; requestHash: Uint8Array | null }>(
    await loadKeyed(
      tx,
      requests.map(({ userId, idempotencyKey: key }) => ({ userId, key })),
    ),
  );
  const settlements = requests.map((request) =>
    answer(open.books.get(request.userId), (book) => {
      const key = `${request.userId} ${request.idempotencyKey}`;
      const first = known.get(key);
      if (first !== undefined) {
        assertSameRequest(first.requestHash, request.requestHash);
        return { seq: first.seq, lotId: first.lotId, replayed: true };
      }
      const { seq, allocations } = grant(book, request.terms, request);
      const lotId = allocations[0]?.lotId ?? '';
      known.set(key, { seq, lotId, requestHash: request.requestHash });
      const { actorId, action, reason } = request;
      if (action !== null)
        recordAction(open, { actorId, action, target: lotId, reason, at: book.now });
      return { seq, lotId, replayed: false };
    }),
  );
  await saveBooks(tx, open);
  return settlements;
};
