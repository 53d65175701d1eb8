import type { DomainError } from '../../domain/errors.js';
import type { UserId } from '../../domain/ids.js';
import { assertGrantable, grant, type Book, type GrantTerms } from '../../domain/ledger/book.js';
import type { CreditSource } from '../../domain/ledger/lots.js';
import { assertSameRequest } from '../../domain/ledger/idempotency.js';
import type { Tx } from '../../infra/db.js';
import type { AuditDetails } from '../audit.sql.js';
import { loadKeyed, recordAction, type OpenBooks } from './books.js';
import type { Settle } from './commit/settlement.js';
import { settling } from './settling.js';

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

/** What was booked under a key before. */
interface Known {
  readonly seq: number;
  readonly lotId: string;
  readonly requestHash: Uint8Array | null;
}

interface Loaded {
  /** The grants of these keys, by `userId key`. */
  readonly known: Map<string, Known>;
  /** Null when every grant may be made. */
  readonly gate: GrantGate | null;
}

const keyOf = ({ userId, idempotencyKey }: GrantRequest): string => `${userId} ${idempotencyKey}`;

/**
 * Grants lots.
 * Refusals: BAD_USER_INPUT (expiry not in the future, or an account that would hold more than 2,000,000,000 points),
 * NOT_FOUND (closed account), IDEMPOTENCY_KEY_REUSED, and the errors of the gate.
 * @param openGate null when every grant may be made
 */
export const grantSettler = (openGate: OpenGrantGate | null): Settle<GrantRequest, GrantOutcome> =>
  settling(async (tx, open, requests): Promise<Loaded> => {
    const wanted = requests.map(({ userId, idempotencyKey: key }) => ({ userId, key }));
    const known = new Map<string, Known>(await loadKeyed(tx, wanted));
    const fresh = requests.filter(
      (request) => open.books.has(request.userId) && !known.has(keyOf(request)),
    );
    const gate = openGate === null || fresh.length === 0 ? null : await openGate(tx, fresh);
    return { known, gate };
  }, decideGrant);

/** Grants lots without a gate. */
export const settleGrants = grantSettler(null);

/** The source for the metrics, also of a grant that is refused. */
export const sourceOfGrant = ({ terms }: GrantRequest): CreditSource => terms.source;

function decideGrant(
  book: Book,
  request: GrantRequest,
  { known, gate }: Loaded,
  open: OpenBooks,
): GrantOutcome {
  const { terms, requestHash } = request;
  const first = known.get(keyOf(request));
  if (first !== undefined) {
    assertSameRequest(first.requestHash, requestHash);
    return { seq: first.seq, lotId: first.lotId, replayed: true };
  }
  assertGrantable(book, terms);
  const refusal = gate?.check(request, book.now) ?? null;
  if (refusal !== null) throw refusal;
  const { seq, allocations } = grant(book, terms, request);
  gate?.count(request);
  const lotId = allocations[0]?.lotId ?? '';
  known.set(keyOf(request), { seq, lotId, requestHash });
  recordGrant(book, request, { seq, lotId }, open);
  return { seq, lotId, replayed: false };
}

function recordGrant(
  book: Book,
  { userId, terms, reason, actorId, action, approval }: GrantRequest,
  { seq, lotId }: { readonly seq: number; readonly lotId: string },
  open: OpenBooks,
): void {
  if (action === null) return;
  const { source, amount } = terms;
  const expiresAt = terms.expiresAt?.toISOString() ?? null;
  const price = priceOf(terms);
  const details = { userId, seq, source, amount, expiresAt, ...price, ...approval };
  recordAction(open, { actorId, action, target: lotId, reason, details, at: book.now });
}
