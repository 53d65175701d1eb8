import {
  asLotId,
  asUserId,
  type LotId,
  rowKey,
  type RowKey,
  type UserId,
} from '../../domain/ids.js';
import { lotIn, type Book } from '../../domain/ledger/book.js';
import type { RefundableDebit } from '../../domain/ledger/refund.js';
import { CHAIN_FORMAT } from '../../domain/ledger/chain.js';
import type { Lot } from '../../domain/ledger/lots.js';
import type { Tx } from '../../infra/db.js';
import { writeAudit, type AuditAction } from '../audit.sql.js';
import { lockAccounts, readBalances, readExisting } from './accounts.sql.js';
import {
  readAllLots,
  readByKeys,
  readDebits,
  readLotsOf,
  readOpenLots,
  type DebitPartRow,
  type KeyedRow,
  type LotRow,
} from './books.sql.js';
import { writeBooks } from './write-books.sql.js';

/** The locked accounts of one batch. An account that is in neither `books` nor `held` does not exist. */
export interface OpenBooks {
  readonly books: ReadonlyMap<UserId, Book>;
  /** Accounts that another transaction holds. Empty with `wait`. */
  readonly held: ReadonlySet<UserId>;
  /** The `last_seq` of each account when it was read. `saveBooks` compares it with the row that it updates. */
  readonly readSeq: ReadonlyMap<UserId, number>;
  /** Audit entries of administrators' actions in this batch. */
  readonly actions: AuditAction[];
}

/** Adds an administrator's action to the audit entries of the batch. Commands without an actor have no audit entry. */
export function recordAction(open: OpenBooks, action: AuditAction): void {
  if (action.actorId !== null) open.actions.push(action);
}

/** Locks the accounts, reads the clock, then their balances. The result is valid only inside `tx`. */
export async function openBooks(
  tx: Tx,
  userIds: readonly UserId[],
  options: { wait: boolean },
): Promise<OpenBooks> {
  const wanted = new Set(userIds);
  const accounts = await lockAccounts(tx, [...wanted], options.wait);
  for (const { userId } of accounts) wanted.delete(asUserId(userId));
  const held = options.wait || wanted.size === 0 ? [] : await readExisting(tx, [...wanted]);
  // The whole batch has one clock, which is the latest reading under its locks.
  const now = new Date(Math.max(...accounts.map((account) => account.now.getTime())));
  const heads = new Map(
    (accounts.length === 0 ? [] : await readBalances(tx, accounts)).map((row) => [row.userId, row]),
  );
  const books = new Map<UserId, Book>();
  const readSeq = new Map<UserId, number>();
  for (const { userId, uncoveredRevocations, ...account } of accounts) {
    const { lastSeq, headHash, closed, closedUntil } = account;
    const id = asUserId(userId);
    const head = heads.get(userId);
    readSeq.set(id, lastSeq);
    books.set(id, {
      userId: id,
      now: notBefore(now, head?.recordedAt),
      closed,
      closedUntil,
      lastSeq,
      headHash,
      balance: head?.balance ?? 0,
      lots: new Map(),
      entries: [],
      newLots: new Set(),
      changedLots: new Set(),
      unsealedLots: [],
      uncoveredRevocations: uncoveredRevocations?.map(asLotId) ?? [],
    });
  }
  const older = [...heads.values()].filter(({ format }) => format < CHAIN_FORMAT);
  if (older.length > 0) {
    await loadUnsealed(
      tx,
      books,
      older.map(({ userId }) => userId),
    );
  }
  return { books, held: new Set(held.map(({ userId }) => asUserId(userId))), readSeq, actions: [] };
}

/**
 * After the upgrade from format 1, the next transaction of an account covers the terms of all its lots, and lists those
 * that are revoked. Until then, only the audit entry proves that a lot was revoked without a transaction.
 */
async function loadUnsealed(
  tx: Tx,
  books: ReadonlyMap<UserId, Book>,
  userIds: readonly string[],
): Promise<void> {
  for (const row of await readAllLots(tx, userIds)) {
    const book = books.get(asUserId(row.userId));
    if (book === undefined) continue;
    const lot = lotOfRow(row);
    book.unsealedLots = [...book.unsealedLots, lot];
    const isListed = lot.revokedAt === null || book.uncoveredRevocations.includes(lot.id);
    if (!isListed) book.uncoveredRevocations = [...book.uncoveredRevocations, lot.id];
  }
}

/** The greatest step back that is expected from time synchronisation, or between a database server and its stand-in. */
const SMALL_STEP_BACK_MS = 5 * 60_000;

/**
 * Keeps `recorded_at` monotonic: after a small step back of the clock, the account's time stands still. A larger step
 * is accepted, because then the clock was wrong before.
 */
function notBefore(now: Date, last: Date | undefined): Date {
  const stepMs = last === undefined ? 0 : last.getTime() - now.getTime();
  return last !== undefined && stepMs > 0 && stepMs <= SMALL_STEP_BACK_MS ? last : now;
}

/** Adds the lots that hold points to the books. A debit needs them. */
export async function loadOpenLots(tx: Tx, { books }: OpenBooks): Promise<void> {
  if (books.size === 0) return;
  for (const row of await readOpenLots(tx, [...books.keys()])) {
    books.get(asUserId(row.userId))?.lots.set(asLotId(row.id), lotOfRow(row));
  }
}

/** Adds these lots to the books, in any state. */
export async function loadLots(
  tx: Tx,
  { books }: OpenBooks,
  wanted: readonly { userId: UserId; lotId: LotId }[],
): Promise<void> {
  if (wanted.length === 0 || books.size === 0) return;
  const earliest = Math.min(...[...books.values()].map(({ now }) => now.getTime()));
  for (const row of await readLotsOf(tx, wanted, new Date(earliest))) {
    books.get(asUserId(row.userId))?.lots.set(asLotId(row.id), lotOfRow(row));
  }
}

/** The transactions with these idempotency keys, by user and key. */
export async function loadKeyed(
  tx: Tx,
  wanted: readonly { userId: UserId; key: string }[],
): Promise<Map<RowKey, KeyedRow>> {
  const rows = wanted.length === 0 ? [] : await readByKeys(tx, wanted);
  return new Map(rows.map((row) => [rowKey(row.userId, row.idempotencyKey), row]));
}

/** Adds the lots of these debits to the books. @returns the debits, by user and number */
export async function loadDebits(
  tx: Tx,
  { books }: OpenBooks,
  wanted: readonly { userId: UserId; seq: number }[],
): Promise<Map<RowKey, RefundableDebit>> {
  const debits = new Map<RowKey, RefundableDebit & { parts: DebitPart[] }>();
  for (const row of wanted.length === 0 ? [] : await readDebits(tx, wanted)) {
    const key = rowKey(row.userId, row.seq);
    const debit = debits.get(key) ?? { ...debitOfRow(row), parts: [] };
    const lot = lotOfRow(row);
    books.get(asUserId(row.userId))?.lots.set(lot.id, lot);
    debit.parts.push({ lot, outstanding: -row.taken - row.returned });
    debits.set(key, debit);
  }
  return debits;
}

type DebitPart = RefundableDebit['parts'][number];

function debitOfRow(row: DebitPartRow): Omit<RefundableDebit, 'parts'> {
  return {
    seq: row.seq,
    effectiveAt: row.effectiveAt,
    audioId: row.audioId,
    storyId: row.storyId,
  };
}

/** A row as a lot, with its ids branded. */
export function lotOfRow(row: LotRow): Lot {
  return {
    ...row,
    id: asLotId(row.id),
    parentLotId: row.parentLotId === null ? null : asLotId(row.parentLotId),
  };
}

/** Writes the posted transactions, changed lots and audit entries. If there are none, it writes nothing. */
export async function saveBooks(tx: Tx, { books, readSeq, actions }: OpenBooks): Promise<void> {
  const moved = [...books.values()].filter(
    (book) => book.entries.length > 0 || book.changedLots.size > 0,
  );
  if (actions.length > 0) await writeAudit(tx, actions);
  if (moved.length === 0) return;
  const lotsOf = (book: Book, ids: Iterable<LotId>): (Lot & { userId: UserId })[] =>
    [...ids].map((id) => ({ ...lotIn(book, id), userId: book.userId }));
  const written = await writeBooks(tx, {
    accounts: moved.map((book) => ({ ...book, readSeq: readSeq.get(book.userId) })),
    newLots: moved.flatMap((book) => lotsOf(book, book.newLots)),
    changedLots: moved.flatMap((book) => lotsOf(book, book.changedLots)),
    entries: moved.flatMap((book) => book.entries),
  });
  if (written !== moved.length) throw new Error('An account moved although it was locked.');
}
