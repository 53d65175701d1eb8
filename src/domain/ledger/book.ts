import { newId, newLotId, type LotId, type UserId } from '../ids.js';
import { planDebit, type Allocation } from './allocation.js';
import { chainHash, type CreditTransactionType, type LedgerEntry } from './chain.js';
import { cover, type Uncovered } from './coverage.js';
import { hasLapsed, lapseTakesEffectAt, type CreditSource, type Lot } from './lots.js';
import { badUserInput, insufficientCredits, notFound } from '../errors.js';
import { keys } from './idempotency.js';

/**
 * The greatest balance that a grant may lead to. It is well below the greatest Int of GraphQL and of the database, so
 * that there is always room for refunds.
 */
export const POINTS_MAX = 2_000_000_000;

/** A transaction as it is stored. */
export interface BookedEntry extends LedgerEntry {
  readonly hash: Uint8Array;
  /** The sources of the allocations' lots, in the order of the allocations. */
  readonly sources: readonly CreditSource[];
}

/**
 * One user's locked account while a batch of commands is settled: the rows that were read, and the changes to be
 * written. Commands post to it in memory, one after the other, and nothing else may change it.
 */
export interface Book extends Uncovered {
  readonly userId: UserId;
  /** The ledger's clock, read after the account was locked. */
  readonly now: Date;
  /** Whether its user has left. Then debits can still be refunded, but no other points are added or taken. */
  readonly closed: boolean;
  /** The end of the newest closed month, by which no transaction may take effect. Null when no month is closed. */
  readonly closedUntil: Date | null;
  lastSeq: number;
  headHash: Uint8Array;
  /** The sum of `remaining` over all lots, spendable or not. */
  balance: number;
  /** The lots that were read or made, with their present `remaining`. */
  readonly lots: Map<LotId, Lot>;
  readonly entries: BookedEntry[];
  readonly newLots: Set<LotId>;
  readonly changedLots: Set<LotId>;
}

export interface Movement {
  readonly type: CreditTransactionType;
  readonly allocations: readonly Allocation[];
  readonly reason: string | null;
  readonly idempotencyKey: string;
  readonly requestHash?: Uint8Array;
  readonly audioId?: string | null;
  readonly storyId?: string | null;
  readonly debitSeq?: number;
  readonly actorId?: string | null;
  /** Default: now. */
  readonly effectiveAt?: Date;
  /** The lot that this transaction revokes. */
  readonly revokes?: LotId | undefined;
}

/** Posts one transaction to the book: it changes its lots, and takes the next number and the next link of the chain. */
export function post(book: Book, movement: Movement): BookedEntry {
  const lots = movement.allocations.map((part) => moveLot(book, part, movement.type));
  const amount = movement.allocations.reduce((sum, part) => sum + part.amount, 0);
  const entry: LedgerEntry = {
    userId: book.userId,
    seq: book.lastSeq + 1,
    id: newId(),
    type: movement.type,
    amount,
    balanceAfter: book.balance + amount,
    effectiveAt: movement.effectiveAt ?? book.now,
    recordedAt: book.now,
    reason: movement.reason,
    idempotencyKey: movement.idempotencyKey,
    requestHash: movement.requestHash ?? null,
    audioId: movement.audioId ?? null,
    storyId: movement.storyId ?? null,
    debitSeq: movement.debitSeq ?? null,
    actorId: movement.actorId ?? null,
    allocations: movement.allocations,
    ...cover(book, movement.type === 'GRANT' ? lots : [], movement.revokes),
  };
  const hash = chainHash(book.headHash, entry);
  const booked: BookedEntry = { ...entry, hash, sources: lots.map(({ source }) => source) };
  book.entries.push(booked);
  book.lastSeq = entry.seq;
  book.headHash = hash;
  book.balance = entry.balanceAfter;
  return booked;
}

function moveLot(book: Book, { lotId, amount }: Allocation, type: CreditTransactionType): Lot {
  const lot = lotIn(book, lotId);
  const remaining = lot.remaining + amount;
  if (remaining < 0 || remaining > lot.granted) {
    throw new Error(
      `Lot ${lotId} would hold ${String(remaining)} of ${String(lot.granted)} points.`,
    );
  }
  changeLot(book, { ...lot, remaining, ...(type === 'EXPIRY' ? { lapseBooked: true } : {}) });
  return lot;
}

/** A lot that was read or made. */
export function lotIn(book: Book, lotId: LotId): Lot {
  const lot = book.lots.get(lotId);
  if (lot === undefined) throw new Error(`Lot ${lotId} was not read into the book.`);
  return lot;
}

function changeLot(book: Book, lot: Lot): void {
  book.lots.set(lot.id, lot);
  if (!book.newLots.has(lot.id)) book.changedLots.add(lot.id);
}

export interface GrantTerms extends Partial<Pick<Lot, 'priceMinor' | 'currency'>> {
  readonly source: CreditSource;
  readonly priority: number;
  /** Points. */
  readonly amount: number;
  readonly expiresAt: Date | null;
  readonly period?: string | null;
  readonly parentLotId?: LotId | null;
}

export type Circumstances = Omit<Movement, 'type' | 'allocations' | 'debitSeq' | 'effectiveAt'>;

/**
 * @throws NOT_FOUND for a closed account; BAD_USER_INPUT for an expiry that is not in the future, or for a balance
 * above POINTS_MAX
 */
export function assertGrantable(book: Book, terms: GrantTerms): void {
  if (book.closed) throw notFound('user');
  if (terms.expiresAt !== null && terms.expiresAt <= book.now) {
    throw badUserInput('expiresAt', 'must be in the future');
  }
  if (book.balance + terms.amount > POINTS_MAX) {
    throw badUserInput('amount', `the account would hold more than ${String(POINTS_MAX)} points`);
  }
}

/** Grants points as a new lot. @throws the errors of `assertGrantable` */
export function grant(book: Book, terms: GrantTerms, about: Circumstances): BookedEntry {
  assertGrantable(book, terms);
  return addLot(book, terms, about);
}

/** Makes one lot, one transaction and one allocation, without the checks of `grant`. */
export function addLot(book: Book, terms: GrantTerms, about: Circumstances): BookedEntry {
  const id = newLotId();
  book.lots.set(id, {
    id,
    source: terms.source,
    priority: terms.priority,
    granted: terms.amount,
    remaining: 0,
    grantedAt: book.now,
    expiresAt: terms.expiresAt,
    revokedAt: null,
    parentLotId: terms.parentLotId ?? null,
    period: terms.period ?? null,
    priceMinor: terms.priceMinor ?? null,
    currency: terms.currency ?? null,
  });
  book.newLots.add(id);
  const allocations = [{ lotId: id, amount: terms.amount }];
  return post(book, { ...about, type: 'GRANT', allocations });
}

/**
 * Debits spendable lots in burn order, all or nothing.
 * @throws NOT_FOUND for a closed account; INSUFFICIENT_CREDITS
 */
export function debit(book: Book, amount: number, about: Circumstances): BookedEntry {
  if (book.closed) throw notFound('user');
  const plan = planDebit(book.lots.values(), amount, book.now);
  if (plan.allocations === null) throw insufficientCredits(amount, plan.available);
  return post(book, { ...about, type: 'DEBIT', allocations: plan.allocations });
}

/**
 * Books the expiry of a lapsed lot that still holds points. It is effective at the lot's expiry, or now if the books of
 * that time are closed.
 * @returns null when the lot can still be spent, was revoked, or holds nothing
 */
export function expire(
  book: Book,
  lotId: LotId,
  about: Pick<Movement, 'revokes'> = {},
): BookedEntry | null {
  const lot = lotIn(book, lotId);
  const { remaining, revokedAt } = lot;
  if (remaining === 0 || revokedAt !== null || !hasLapsed(lot, book.now)) return null;
  const booked = post(book, {
    ...about,
    type: 'EXPIRY',
    allocations: [{ lotId, amount: -remaining }],
    reason: null,
    idempotencyKey:
      lot.expireKeyTaken === true ? keys.expireAgain(lotId, book.lastSeq + 1) : keys.expire(lotId),
    effectiveAt: lapseTakesEffectAt(lot, book),
  });
  changeLot(book, { ...lotIn(book, lotId), expireKeyTaken: true });
  return booked;
}

/**
 * Forfeits the remaining points of a lot. Debits stay. A lot that had lapsed is booked as EXPIRY.
 * @returns the REVOCATION; null when there was nothing left to forfeit
 */
export function revoke(
  book: Book,
  lotId: LotId,
  about: Pick<Movement, 'reason' | 'actorId' | 'requestHash'>,
): BookedEntry | null {
  const expired = expire(book, lotId, { revokes: lotId });
  const { remaining, revokedAt } = lotIn(book, lotId);
  const booked =
    remaining === 0
      ? null
      : post(book, {
          ...about,
          type: 'REVOCATION',
          allocations: [{ lotId, amount: -remaining }],
          idempotencyKey: keys.revoke(lotId),
          revokes: lotId,
        });
  if (expired === null && booked === null) {
    // Only an audit entry proves when an empty lot was revoked, and the server itself writes none.
    if ((about.actorId ?? null) === null) return null;
    book.uncoveredRevocations = [...book.uncoveredRevocations, lotId];
  }
  changeLot(book, { ...lotIn(book, lotId), revokedAt: revokedAt ?? book.now });
  return booked;
}
