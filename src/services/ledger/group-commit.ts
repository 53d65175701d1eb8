import DataLoader from 'dataloader';
import pLimit from 'p-limit';
import { DomainError, notFound } from '../../domain/errors.js';
import type { UserId } from '../../domain/ids.js';
import type { Book, BookedEntry } from '../../domain/ledger/book.js';
import { transact, type Db, type Tx } from '../../infra/db.js';

/** What one request came to, with the movements that it made. */
export interface Settled<Result> {
  readonly result: Result;
  readonly entries: readonly BookedEntry[];
}

/** The answer to one request of a batch. `LOCKED`: someone else holds the account at the moment. */
export type Settlement<Result> = Settled<Result> | DomainError | typeof LOCKED;
export const LOCKED = Symbol('locked');

/** Settles a list of requests, for any number of users, inside of the caller's transaction. */
export type Settle<Request, Result> = (
  tx: Tx,
  requests: readonly Request[],
  options: { wait: boolean },
) => Promise<readonly Settlement<Result>[]>;

/** A command in the singular: rides with whoever asks at the same time. */
export type Command<Request, Result> = (request: Request) => Promise<Result>;

/** Told of every command when it has been committed or refused. */
export interface Observer<Request> {
  settled(request: Request, entries: readonly BookedEntry[], durationMs: number): void;
  refused(request: Request, error: DomainError, durationMs: number): void;
}

/** Bounds the memory and the length of one transaction. */
const MOST_IN_A_BATCH = 256;
/** Each waits with a connection in its hand, so that they are few. */
const MOST_WAITING = 3;

/**
 * Group commit: while one batch is being committed the next one gathers, and an idle server waits for
 * nothing. A batch never waits for an account: requests for one that another process holds are
 * settled in transactions of their own, so that a busy account delays nobody else. A batch that fails
 * is tried again one by one, so that one poisoned request harms nobody.
 */
export function groupCommit<Request extends { userId: UserId }, Result>(
  db: Db,
  settle: Settle<Request, Result>,
  observer: Observer<Request>,
): Command<Request, Result> {
  const waiting = pLimit(MOST_WAITING);

  async function settleAlone(requests: readonly Request[]): Promise<readonly Settlement<Result>[]> {
    try {
      return await transact(db, (tx) => settle(tx, requests, { wait: true }));
    } catch (error) {
      return requests.map(() => refusalOf(error));
    }
  }

  async function settleOneByOne(requests: readonly Request[]): Promise<Settlement<Result>[]> {
    const settlements: Settlement<Result>[] = [];
    for (const request of requests) settlements.push(...(await settleAlone([request])));
    return settlements;
  }

  async function settleBatch(requests: readonly Request[]): Promise<readonly Settlement<Result>[]> {
    try {
      return await transact(db, (tx) => settle(tx, requests, { wait: false }));
    } catch (error) {
      if (error instanceof DomainError) return requests.map(() => error);
      return requests.length === 1 ? [refusalOf(error)] : settleOneByOne(requests);
    }
  }

  let last: Promise<unknown> = Promise.resolve();
  let running: Promise<unknown> = last;
  const door = new DataLoader<Request, { settlement: Settlement<Result> }>(
    async (requests) => {
      const batch = settleBatch(requests);
      running = batch;
      return (await batch).map((settlement) => ({ settlement }));
    },
    {
      cache: false,
      maxBatchSize: MOST_IN_A_BATCH,
      batchScheduleFn: (dispatch) => {
        last = last.then(() => {
          dispatch();
          return running;
        });
      },
    },
  );

  return async (request) => {
    const startedAt = performance.now();
    let { settlement } = await door.load(request);
    if (settlement === LOCKED) {
      [settlement = LOCKED] = await waiting(() => settleAlone([request]));
    }
    if (settlement === LOCKED) settlement = notFound('account');
    const durationMs = performance.now() - startedAt;
    if (settlement instanceof DomainError) {
      observer.refused(request, settlement, durationMs);
      throw settlement;
    }
    observer.settled(request, settlement.entries, durationMs);
    return settlement.result;
  };
}

/** Anything that is not a refusal is rethrown to its own caller only, as it is. */
function refusalOf(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  return new DomainError('INTERNAL', 'The command could not be settled.', {}, { cause: error });
}

/** Settles one request against its account; a refusal is its answer and touches no other. */
export function answer<Result>(
  book: Book | undefined,
  decide: (book: Book) => Result,
): Settlement<Result> {
  if (book === undefined) return LOCKED;
  const before = book.entries.length;
  try {
    return { result: decide(book), entries: book.entries.slice(before) };
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}
