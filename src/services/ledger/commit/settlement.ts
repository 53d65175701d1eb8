import { DomainError } from '../../../domain/errors.js';
import type { Book, BookedEntry } from '../../../domain/ledger/book.js';
import { isLockRefused, transact, type Db, type Tx } from '../../../infra/db.js';

/** The result of one request, with the ledger transactions that it made. */
export interface Settled<Result> {
  readonly result: Result;
  readonly entries: readonly BookedEntry[];
}

/** The answer to one request of a batch: what it did, the refusal of a rule, or why it was not decided. */
export type Settlement<Result> = Settled<Result> | DomainError | typeof HELD | typeof ABSENT;
/** Another transaction holds a row that the request needs, so the request can be tried again. */
export const HELD = Symbol('held');
/** There is no such account, so trying again is of no use. */
export const ABSENT = Symbol('absent');

/** Settles a list of requests, for any number of users, in the caller's transaction. */
export type Settle<Request, Result> = (
  tx: Tx,
  requests: readonly Request[],
  options: { wait: boolean },
) => Promise<readonly Settlement<Result>[]>;

/** Settles one request against its account. A refusal is the answer to this request only. */
export function answer<Result>(
  book: Book,
  decide: (book: Book) => Result | typeof HELD,
): Settlement<Result> {
  const before = book.entries.length;
  try {
    const result = decide(book);
    return result === HELD ? HELD : { result, entries: book.entries.slice(before) };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    // A half-booked command must not be saved with the others.
    if (book.entries.length > before)
      throw new Error('A command was refused after it had booked.', { cause: error });
    return error;
  }
}

/**
 * Settles a batch in one transaction. Without `wait` it does not wait for other transactions: their accounts and
 * narrations are skipped, and any other lock is refused after a moment (`lockAccounts` sets the timeout). A batch that
 * fails, or that a lock refuses, is split, so that one request with locked or invalid rows does not affect the others.
 * A single request whose rows are locked is HELD or, with `wait`, BUSY.
 * @param onSplit is called with the error whenever a batch is split
 */
export async function settleBatch<Request, Result>(
  db: Db,
  settle: Settle<Request, Result>,
  requests: readonly Request[],
  options: { readonly wait: boolean; readonly onSplit?: (error: unknown) => void },
): Promise<readonly Settlement<Result>[]> {
  try {
    return await transact(db, (tx) => settle(tx, requests, options));
  } catch (error) {
    const isHeld = isLockRefused(error);
    if (requests.length === 1) return [isHeld && !options.wait ? HELD : refusalOf(error)];
    // The database cannot be reached, so smaller batches would fail as well.
    if (error instanceof DomainError && !isHeld) return requests.map(() => error);
    options.onSplit?.(error);
    const settlements: Settlement<Result>[] = [];
    // The batch has already waited for the lock once, so its parts do not wait again.
    const wait = options.wait && !isHeld;
    for (const part of split(requests))
      settlements.push(...(await settleBatch(db, settle, part, { ...options, wait })));
    if (!options.wait || wait) return settlements;
    return settlements.map((settlement) => (settlement === HELD ? refusalOf(error) : settlement));
  }
}

/**
 * Splits a batch into about as many parts as each part has requests, because this takes fewer transactions than one for
 * each request if a single request of a large batch fails.
 */
function split<Request>(requests: readonly Request[]): (readonly Request[])[] {
  const length = Math.max(1, Math.floor(Math.sqrt(requests.length)));
  const parts: (readonly Request[])[] = [];
  for (let start = 0; start < requests.length; start += length)
    parts.push(requests.slice(start, start + length));
  return parts;
}

/** An error that is no refusal becomes INTERNAL with its cause, and only its own request gets it. */
function refusalOf(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  return new DomainError('INTERNAL', 'The command could not be settled.', {}, { cause: error });
}
