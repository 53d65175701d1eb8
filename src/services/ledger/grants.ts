import type { DomainError } from '../../domain/errors.js';
import type { UserId } from '../../domain/ids.js';
import { assertGrantable, grant, type GrantTerms } from '../../domain/ledger/book.js';
import { assertSameRequest } from '../../domain/ledger/idempotency.js';
import type { Tx } from '../../infra/db.js';
import type { AuditDetails } from '../audit.sql.js';
import { loadKeyed, openBooks, recordAction, saveBooks } from './books.js';
import { answer, type Settle, type Settlement } from './commit/settlement.js';

export interface GrantRequest {
  readonly userId: UserId;
  readonly terms: GrantTerms;
  readonly reason: string;
  /** With the operation as its prefix. */
  readonly idempotencyKey: string;
  /** SHA-256 of the request. */
  readonly requestHash: Uint8Array;
  readonly actorId: UserId | null;
  /** The action in the audit log. Null when the grant has no audit entry of its own. */
  readonly action: string | null;
  /** Additional details of the audit entry: the proposal, its proposer and its approver. */
  readonly approval?: AuditDetails;
}

export interface GrantOutcome {
  readonly seq: number;
  readonly lotId: string;
  /** Whether the key was known. Then this is the first result. */
  readonly replayed: boolean;
}

const priceOf = ({ priceMinor, currency }: GrantTerms): object =>
  priceMinor == null || currency == null ? {} : { priceMinor, currency };

/** Decides which new grants of a batch may be made. */
export interface GrantGate {
  /** @param now by the ledger's clock. @returns the error of a grant that may not be made; otherwise null */
  check(request: GrantRequest, now: Date): DomainError | null;
  /** Called for each grant that was made. */
  count(request: GrantRequest): void;
}

/** Opens the gate for the new grants of a batch. Called after the accounts are locked. */
export type OpenGrantGate = (tx: Tx, requests: readonly GrantRequest[]) => Promise<GrantGate>;

/**
 * Grants lots.
 * Refusals: BAD_USER_INPUT (expiry not in the future, or an account that would hold more than 2,000,000,000 points),
 * NOT_FOUND (closed account), IDEMPOTENCY_KEY_REUSED, and the errors of the gate; LOCKED also when there is no such
 * account.
 * @param openGate null when every grant may be made
 */
export const grantSettler =
  (openGate: OpenGrantGate | null): Settle<GrantRequest, GrantOutcome> =>
  (...asked) =>
    settle(openGate, ...asked);

/** Grants lots without a gate. */
export const settleGrants = grantSettler(null);

async function settle(
  openGate: OpenGrantGate | null,
  ...[tx, requests, options]: Parameters<Settle<GrantRequest, GrantOutcome>>
): Promise<readonly Settlement<GrantOutcome>[]> {
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
  const isNew = ({ userId, idempotencyKey: key }: GrantRequest): boolean =>
    open.books.has(userId) && !known.has(`${userId} ${key}`);
  const fresh = requests.filter(isNew);
  const gate = openGate === null || fresh.length === 0 ? null : await openGate(tx, fresh);
  const settlements = requests.map((request) =>
    answer(open.books.get(request.userId), (book) => {
      const key = `${request.userId} ${request.idempotencyKey}`;
      const first = known.get(key);
      if (first !== undefined) {
        assertSameRequest(first.requestHash, request.requestHash);
        return { seq: first.seq, lotId: first.lotId, replayed: true };
      }
      assertGrantable(book, request.terms);
      const refusal = gate?.check(request, book.now) ?? null;
      if (refusal !== null) throw refusal;
      const { seq, allocations } = grant(book, request.terms, request);
      gate?.count(request);
      const lotId = allocations[0]?.lotId ?? '';
      known.set(key, { seq, lotId, requestHash: request.requestHash });
      const { actorId, action, reason, terms, userId } = request;
      if (action !== null) {
        const { source, amount } = terms;
        const expiresAt = terms.expiresAt?.toISOString() ?? null;
        const price = priceOf(terms);
        const details = { userId, seq, source, amount, expiresAt, ...price, ...request.approval };
        recordAction(open, { actorId, action, target: lotId, reason, details, at: book.now });
      }
      return { seq, lotId, replayed: false };
    }),
  );
  await saveBooks(tx, open);
  return settlements;
}
