import { newId, newLotId, type LotId, type UserId } from '../ids.js';
import { planDebit, type Allocation } from './allocation.js';
import { chainHash, type CreditTransactionType, type LedgerEntry } from './chain.js';
import { hasLapsed, type CreditSource, type Lot } from './lots.js';
import { planRefund, type RefundablePart, type RefundPolicy } from './refund.js';
import { badUserInput, insufficientCredits, notFound } from '../errors.js';
import { keys } from './idempotency.js';

/**
 * No grant may lift an account above this. Well below what GraphQL's Int and the database's integer can
 * say, so that there is always room for what must come back.
 */
export const MOST_POINTS = 2_000_000_000;

/** One movement as it is stored. */
export interface BookedEntry extends LedgerEntry {
  readonly id: string;
  readonly requestHash: Uint8Array | null;
  readonly hash: Uint8Array;
  /** Of the allocations' lots, in their order. */
  readonly sources: readonly CreditSource[];
}

/**
 * One user's locked account while a batch of commands is settled: what was read, and what is to be
 * written. Commands post to it in memory, one after the other; nothing else may change it.
 */
export interface Book {
  readonly userId: UserId;
  /** The ledger's clock, read after the account was locked. */
  readonly now: Date;
  /** Its person has left: what was taken can still come back, but nothing else comes in or goes out. */
  readonly closed: boolean;
  lastSeq: number;
  headHash: Uint8Array;
  /** All lots' remaining points, spendable or not. */
  balance: number;
  /** The lots that were read or made, with what remains in them by now. */
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
}

/** Writes one movement into the book: its lots, its number, its link of the chain. */
export function post(book: Book, movement: Movement): BookedEntry {
  const lots = movement.allocations.map((part) => moveLot(book, part));
  const amount = movement.allocations.reduce((sum, part) => sum + part.amount, 0);
  const entry: LedgerEntry = {
    userId: book.userId,
    seq: book.lastSeq + 1,
    type: movement.type,
    amount,
    balanceAfter: book.balance + amount,
    effectiveAt: movement.effectiveAt ?? book.now,
    recordedAt: book.now,
    reason: movement.reason,
    idempotencyKey: movement.idempotencyKey,
    audioId: movement.audioId ?? null,
    storyId: movement.storyId ?? null,
    debitSeq: movement.debitSeq ?? null,
    actorId: movement.actorId ?? null,
    allocations: movement.allocations,
  };
  const hash = chainHash(book.headHash, entry);
  const booked: BookedEntry = {
    ...entry,
    id: newId(),
    requestHash: movement.requestHash ?? null,
    hash,
    sources: lots.map(({ source }) => source),
  };
  book.entries.push(booked);
  book.lastSeq = entry.seq;
  book.headHash = hash;
  book.balance = entry.balanceAfter;
  return booked;
}

function moveLot(book: Book, { lotId, amount }: Allocation): Lot {
  const lot = lotIn(book, lotId);
  const remaining = lot.remaining + amount;
  if (remaining < 0 || remaining > lot.granted) {
    throw new Error(
      `Lot ${lotId} would hold ${String(remaining)} of ${String(lot.granted)} points.`,
    );
  }
  changeLot(book, { ...lot, remaining });
  return lot;
}

function lotIn(book: Book, lotId: LotId): Lot {
  const lot = book.lots.get(lotId);
  if (lot === undefined) throw new Error(`Lot ${lotId} was not read into the book.`);
  return lot;
}

function changeLot(book: Book, lot: Lot): void {
  book.lots.set(lot.id, lot);
  if (!book.newLots.has(lot.id)) book.changedLots.add(lot.id);
}

export interface GrantTerms {
  readonly source: CreditSource;
  readonly priority: number;
  /** Points. */
  readonly amount: number;
  readonly expiresAt: Date | null;
  readonly period?: string | null;
  readonly parentLotId?: LotId | null;
}

type Circumstances = Omit<Movement, 'type' | 'allocations' | 'debitSeq' | 'effectiveAt'>;

/**
 * Gives points, in a lot of their own.
 * @throws NOT_FOUND for an account that is closed; BAD_USER_INPUT for an expiry that is not in the future, or a balance beyond what can be said
 */
export function grant(book: Book, terms: GrantTerms, about: Circumstances): BookedEntry {
  if (book.closed) throw notFound('user');
  if (terms.expiresAt !== null && terms.expiresAt <= book.now) {
    throw badUserInput('expiresAt', 'must be in the future');
  }
  if (book.balance + terms.amount > MOST_POINTS) {
    throw badUserInput('amount', `the account would hold more than ${String(MOST_POINTS)} points`);
  }
  return addLot(book, terms, about);
}

/** One lot, one transaction, one allocation, whatever the account holds already. */
function addLot(book: Book, terms: GrantTerms, about: Circumstances): BookedEntry {
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
  });
  book.newLots.add(id);
  return post(book, {
    ...about,
    type: 'GRANT',
    allocations: [{ lotId: id, amount: terms.amount }],
  });
}

/**
 * Burns spendable lots, all or nothing.
 * @throws INSUFFICIENT_CREDITS
 */
export function debit(book: Book, amount: number, about: Circumstances): BookedEntry {
  if (book.closed) throw notFound('user');
  const plan = planDebit(book.lots.values(), amount, book.now);
  if (plan.allocations === null) throw insufficientCredits(amount, plan.available);
  return post(book, { ...about, type: 'DEBIT', allocations: plan.allocations });
}

export interface RefundableDebit {
  readonly seq: number;
  readonly effectiveAt: Date;
  readonly audioId: string | null;
  readonly storyId: string | null;
  /** In the order in which the debit took them. */
  readonly parts: readonly RefundablePart[];
}

/**
 * Gives back what of a debit is outstanding, closes what came back to dead lots, and makes good for
 * what lapsed meanwhile, to whom is still there to spend it.
 * @returns the REFUND; null when nothing was outstanding
 */
export function refund(
  book: Book,
  debited: RefundableDebit,
  policy: RefundPolicy,
  about: Pick<Movement, 'reason' | 'actorId'>,
): BookedEntry | null {
  const parts = debited.parts.map(({ lot, outstanding }) => ({
    lot: book.lots.get(lot.id) ?? lot,
    outstanding,
  }));
  const plan = planRefund(parts, debited.effectiveAt, book.now, book.closed ? 'FORFEIT' : policy);
  if (plan.returned.length === 0) return null;
  const booked = post(book, {
    ...about,
    type: 'REFUND',
    allocations: plan.returned,
    debitSeq: debited.seq,
    idempotencyKey: keys.refund(debited.seq),
    audioId: debited.audioId,
    storyId: debited.storyId,
  });
  for (const { lotId, amount, type } of plan.closings) {
    const expiresAt = type === 'EXPIRY' ? book.lots.get(lotId)?.expiresAt : null;
    post(book, {
      type,
      allocations: [{ lotId, amount }],
      reason: about.reason,
      idempotencyKey: keys.refundClosing(debited.seq, lotId),
      ...(expiresAt ? { effectiveAt: expiresAt } : {}),
    });
  }
  for (const { parent, amount, expiresAt } of plan.grace) {
    const { source, priority } = parent;
    addLot(
      book,
      { source, priority, amount, expiresAt, parentLotId: parent.id },
      { reason: about.reason, idempotencyKey: keys.refundGrace(debited.seq, parent.id) },
    );
  }
  return booked;
}

/**
 * Takes what a lapsed lot still holds out of the books, effective at its expiry.
 * @returns null when the lot can still be spent, was revoked, or holds nothing
 */
export function expire(book: Book, lotId: LotId): BookedEntry | null {
  const { remaining, expiresAt, revokedAt } = lotIn(book, lotId);
  if (remaining === 0 || revokedAt !== null) return null;
  if (expiresAt === null || !hasLapsed({ expiresAt }, book.now)) return null;
  return post(book, {
    type: 'EXPIRY',
    allocations: [{ lotId, amount: -remaining }],
    reason: null,
    idempotencyKey: keys.expire(lotId),
    effectiveAt: expiresAt,
  });
}

/**
 * Forfeits what is left of a lot; debits already taken stay. What had lapsed before is booked as that.
 * @returns the REVOCATION; null when there was nothing left to forfeit
 */
export function revoke(
  book: Book,
  lotId: LotId,
  about: Pick<Movement, 'reason' | 'actorId'>,
): BookedEntry | null {
  expire(book, lotId);
  const { remaining } = lotIn(book, lotId);
  const booked =
    remaining === 0
      ? null
      : post(book, {
          ...about,
          type: 'REVOCATION',
          allocations: [{ lotId, amount: -remaining }],
          idempotencyKey: keys.revoke(lotId),
        });
  changeLot(book, { ...lotIn(book, lotId), revokedAt: book.now });
  return booked;
}
