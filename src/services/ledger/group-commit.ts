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
 * nothing. A batch never waits for an account: requests for one that another process holds are settled
 * in batches of that account alone, which wait, so that a busy account delays nobody else. A batch that
 * fails is tried again one by one, so that one poisoned request harms nobody.
 */
export function groupCommit<Request extends { userId: UserId }, Result>(
  db: Db,
  settle: Settle<Request, Result>,
  observer: Observer<Request>,
): Command<Request, Result> {
  type Batch = readonly Request[];
  type Settlements = readonly Settlement<Result>[];

  async function settleBatch(requests: Batch, options: { wait: boolean }): Promise<Settlements> {
    try {
      return await transact(db, (tx) => settle(tx, requests, options));
    } catch (error) {
      if (error instanceof DomainError || requests.length === 1) {
        return requests.map(() => refusalOf(error));
      }
      const settlements: Settlement<Result>[] = [];
      for (const request of requests) {
        settlements.push(...(await settleBatch([request], { wait: true })));
      }
      return settlements;
    }
  }

  const door = gatherWhileBusy((requests: Batch) => settleBatch(requests, { wait: false }));
  const limit = pLimit(MOST_WAITING);
  const busyAccounts = new Map<UserId, Gatherer<Request, Settlement<Result>>>();

  /** At the account's own door, which is there for as long as someone stands at it. */
  async function waitFor(request: Request): Promise<Settlement<Result>> {
    const { userId } = request;
    const waiting =
      busyAccounts.get(userId) ??
      gatherWhileBusy((requests: Batch) => limit(() => settleBatch(requests, { wait: true })));
    busyAccounts.set(userId, waiting);
    const settlement = await waiting.ask(request);
    if (waiting.isIdle()) busyAccounts.delete(userId);
    return settlement;
  }

  return async (request) => {
    const startedAt = performance.now();
    let settlement = await door.ask(request);
    if (settlement === LOCKED) settlement = await waitFor(request);
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

interface Gatherer<Request, Answer> {
  ask(request: Request): Promise<Answer>;
  /** Nobody waits for an answer. */
  isIdle(): boolean;
}

/** Hands requests over in batches: those that come while one is being answered make the next. */
function gatherWhileBusy<Request, Answer>(
  answerAll: (requests: readonly Request[]) => Promise<readonly Answer[]>,
): Gatherer<Request, Answer> {
  let asking = 0;
  let last: Promise<unknown> = Promise.resolve();
  let running: Promise<unknown> = last;
  // An answer that is an Error would be thrown by the loader: it is wrapped.
  const door = new DataLoader<Request, { answer: Answer }>(
    async (requests) => {
      const batch = answerAll(requests);
      running = batch;
      return (await batch).map((answered) => ({ answer: answered }));
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
  return {
    ask: async (request) => {
      asking += 1;
      try {
        return (await door.load(request)).answer;
      } finally {
        asking -= 1;
      }
    },
    isIdle: () => asking === 0,
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
