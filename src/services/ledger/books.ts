import { asLotId, asUserId, type LotId, type UserId } from '../../domain/ids.js';
import type { Book, RefundableDebit } from '../../domain/ledger/book.js';
import type { Lot } from '../../domain/ledger/lots.js';
import type { Tx } from '../../infra/db.js';
import { writeAudit, type AuditAction } from '../audit.sql.js';
import {
  lockAccounts,
  readBalances,
  readByKeys,
  readDebits,
  readLotsOf,
  readOpenLots,
  writeBooks,
  type DebitPartRow,
  type KeyedRow,
  type LotRow,
} from './books.sql.js';

/**
 * The locked accounts of one batch. `books` lacks the accounts that do not exist and, when the caller
 * did not want to wait, those that another transaction holds.
 */
export interface OpenBooks {
  readonly books: ReadonlyMap<UserId, Book>;
  /** last_seq as it was read, to find out at the end what was posted. */
  readonly readSeq: ReadonlyMap<UserId, number>;
  /** What administrators did with it. */
  readonly actions: AuditAction[];
}

/** Notes what an administrator did, to be written with it; what the product does by itself is no action. */
export function recordAction(open: OpenBooks, action: AuditAction): void {
  if (action.actorId !== null) open.actions.push(action);
}

/** Locks the accounts, reads the clock, then their balances. Hold the result only inside of `tx`. */
export async function openBooks(
  tx: Tx,
  userIds: readonly UserId[],
  options: { wait: boolean },
): Promise<OpenBooks> {
  const accounts = await lockAccounts(tx, [...new Set(userIds)], options.wait);
  // One clock for the batch: read after the last of its locks.
  const now = new Date(Math.max(...accounts.map((account) => account.now.getTime())));
  const heads = new Map(
    (accounts.length === 0 ? [] : await readBalances(tx, accounts)).map((row) => [row.userId, row]),
  );
  const books = new Map<UserId, Book>();
  const readSeq = new Map<UserId, number>();
  for (const { userId, lastSeq, headHash, closed } of accounts) {
    const id = asUserId(userId);
    const head = heads.get(userId);
    readSeq.set(id, lastSeq);
    books.set(id, {
      userId: id,
      now: notBefore(now, head?.recordedAt),
      closed,
      lastSeq,
      headHash,
      balance: head?.balance ?? 0,
      lots: new Map(),
      entries: [],
      newLots: new Set(),
      changedLots: new Set(),
    });
  }
  return { books, readSeq, actions: [] };
}

/** As far as a clock is set back by its synchronisation, or differs between a server and its stand-in. */
const SMALL_STEP_BACK_MS = 5 * 60_000;

/**
 * A history never runs backwards: while the clock has been set back a little, the account's time stands.
 * A clock that is further behind is believed, for then it was wrong before.
 */
function notBefore(now: Date, last: Date | undefined): Date {
  const stepMs = last === undefined ? 0 : last.getTime() - now.getTime();
  return last !== undefined && stepMs > 0 && stepMs <= SMALL_STEP_BACK_MS ? last : now;
}

/** Puts the lots that hold points into the books; a debit needs them. */
export async function loadOpenLots(tx: Tx, { books }: OpenBooks): Promise<void> {
  if (books.size === 0) return;
  for (const row of await readOpenLots(tx, [...books.keys()])) {
    books.get(asUserId(row.userId))?.lots.set(asLotId(row.id), lotOfRow(row));
  }
}

/** Puts these lots into the books, whatever has become of them. */
export async function loadLots(
  tx: Tx,
  { books }: OpenBooks,
  wanted: readonly { userId: UserId; lotId: LotId }[],
): Promise<void> {
  for (const row of wanted.length === 0 ? [] : await readLotsOf(tx, wanted)) {
    books.get(asUserId(row.userId))?.lots.set(asLotId(row.id), lotOfRow(row));
  }
}

/** The movements booked under these keys, by `userId key`. */
export async function loadKeyed(
  tx: Tx,
  wanted: readonly { userId: UserId; key: string }[],
): Promise<Map<string, KeyedRow>> {
  const rows = wanted.length === 0 ? [] : await readByKeys(tx, wanted);
  return new Map(rows.map((row) => [`${row.userId} ${row.idempotencyKey}`, row]));
}

/** Puts the lots of these debits into the books. @returns the debits, by `userId seq` */
export async function loadDebits(
  tx: Tx,
  { books }: OpenBooks,
  wanted: readonly { userId: UserId; seq: number }[],
): Promise<Map<string, RefundableDebit>> {
  const debits = new Map<string, RefundableDebit & { parts: DebitPart[] }>();
  for (const row of wanted.length === 0 ? [] : await readDebits(tx, wanted)) {
    const key = `${row.userId} ${String(row.seq)}`;
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

export function lotOfRow(row: LotRow): Lot {
  return {
    ...row,
    id: asLotId(row.id),
    parentLotId: row.parentLotId === null ? null : asLotId(row.parentLotId),
  };
}

/** Writes what was posted. Nothing was posted: nothing is written. */
export async function saveBooks(tx: Tx, { books, readSeq, actions }: OpenBooks): Promise<void> {
  const moved = [...books.values()].filter(
    (book) => book.entries.length > 0 || book.changedLots.size > 0,
  );
  if (actions.length > 0) await writeAudit(tx, actions);
  if (moved.length === 0) return;
  const written = await writeBooks(tx, {
    accounts: moved.map((book) => ({
      user_id: book.userId,
      read_seq: readSeq.get(book.userId),
      last_seq: book.lastSeq,
      head_hash: hex(book.headHash),
    })),
    newLots: moved.flatMap((book) => [...book.newLots].map((id) => lotRow(book, id))),
    changedLots: moved.flatMap((book) =>
      [...book.changedLots].map((id) => ({
        user_id: book.userId,
        id,
        remaining: book.lots.get(id)?.remaining,
        revoked_at: book.lots.get(id)?.revokedAt,
      })),
    ),
    transactions: moved.flatMap((book) => book.entries.map(transactionRow)),
    allocations: moved.flatMap((book) => book.entries.flatMap(allocationRows)),
  });
  if (written !== moved.length) throw new Error('An account moved although it was locked.');
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function lotRow(book: Book, id: Lot['id']): object {
  const lot = book.lots.get(id);
  if (lot === undefined) throw new Error(`Lot ${id} is not in its book.`);
  return {
    user_id: book.userId,
    id,
    source: lot.source,
    priority: lot.priority,
    granted: lot.granted,
    remaining: lot.remaining,
    granted_at: lot.grantedAt,
    expires_at: lot.expiresAt,
    parent_lot_id: lot.parentLotId,
    period: lot.period,
  };
}

function transactionRow(entry: Book['entries'][number]): object {
  return {
    user_id: entry.userId,
    seq: entry.seq,
    id: entry.id,
    type: entry.type,
    amount: entry.amount,
    balance_after: entry.balanceAfter,
    reason: entry.reason,
    audio_id: entry.audioId,
    story_id: entry.storyId,
    debit_seq: entry.debitSeq,
    actor_id: entry.actorId,
    idempotency_key: entry.idempotencyKey,
    request_hash: entry.requestHash === null ? null : hex(entry.requestHash),
    effective_at: entry.effectiveAt,
    recorded_at: entry.recordedAt,
    hash: hex(entry.hash),
  };
}

function allocationRows(entry: Book['entries'][number]): object[] {
  return entry.allocations.map(({ lotId, amount }, index) => ({
    user_id: entry.userId,
    seq: entry.seq,
    ordinal: index + 1,
    lot_id: lotId,
    amount,
  }));
}
