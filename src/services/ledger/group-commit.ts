import { setTimeout as sleep } from 'node:timers/promises';
import DataLoader from 'dataloader';
import pLimit, { type LimitFunction } from 'p-limit';
import { busy, DomainError, notFound } from '../../domain/errors.js';
import type { UserId } from '../../domain/ids.js';
import type { Book, BookedEntry } from '../../domain/ledger/book.js';
import { isLockRefused, transact, type Db, type Tx } from '../../infra/db.js';
import { tracedBatch, tracedRequest } from '../../infra/tracing/batches.js';

/** The result of one request, with the ledger transactions that it made. */
export interface Settled<Result> {
  readonly result: Result;
  readonly entries: readonly BookedEntry[];
}

/** The answer to one request of a batch. `LOCKED` means that another transaction holds a row that the request needs. */
export type Settlement<Result> = Settled<Result> | DomainError | typeof LOCKED;
export const LOCKED = Symbol('locked');

/** Settles a list of requests, for any number of users, in the caller's transaction. */
export type Settle<Request, Result> = (
  tx: Tx,
  requests: readonly Request[],
  options: { wait: boolean },
) => Promise<readonly Settlement<Result>[]>;

/** A command for one request. Concurrent requests are settled in one batch. */
export type Command<Request, Result> = (request: Request) => Promise<Result>;

/** Is told of every command after it has been committed or refused. */
export interface Observer<Request> {
  settled(request: Request, entries: readonly BookedEntry[], durationMs: number): void;
  refused(request: Request, error: DomainError, durationMs: number): void;
}

/** Bounds the memory and the duration of one transaction. */
const MOST_IN_A_BATCH = 256;
/**
 * How long requests for a locked account poll for its lock before they wait for it in Postgres, and the longest pause
 * between two attempts.
 */
const LOOKING_MS = 3_000;
const LONGEST_PAUSE_MS = 100;

/**
 * Limits that all commands of a process share, so that requests for locked rows leave most of the connection pool to
 * others.
 */
export interface WaitingRooms {
  /** Requests that poll for free rows. Each attempt holds a connection for a moment. */
  readonly looking: LimitFunction;
  /** Requests that wait for a lock in Postgres. Each holds a connection while it waits. */
  readonly waiting: LimitFunction;
}

export const waitingRooms = (connections: number): WaitingRooms => ({
  looking: pLimit(Math.max(1, Math.floor(connections / 3))),
  waiting: pLimit(Math.max(1, Math.floor(connections / 3))),
});

/**
 * Group commit: while one batch is committing, the next one gathers. An idle server does not wait for more requests. A
 * batch never waits for a row lock. Requests for a locked account, or for a locked narration, gather for that account
 * alone and are tried again with backoff, without holding a connection in between. So locked accounts do not delay
 * others, however many there are. A batch that fails is split, so that a request that the database refuses does not
 * affect the others.
 */
export function groupCommit<Request extends { userId: UserId }, Result>(
  { db, looking, waiting }: WaitingRooms & { readonly db: Db },
  settle: Settle<Request, Result>,
  observer: Observer<Request>,
): Command<Request, Result> {
  type Batch = readonly Request[];
  type Settlements = readonly Settlement<Result>[];

  const door = gatherWhileBusy((requests: Batch) =>
    tracedBatch(requests, () => settleBatch(db, settle, requests, { wait: false })),
  );
  const busyAccounts = new Map<UserId, Gatherer<Request, Settlement<Result>>>();

  /** Settles the requests that are still LOCKED, because some of a batch may have been settled when it was split. */
  async function settleRest(
    requests: Batch,
    before: Settlements,
    options: { wait: boolean },
  ): Promise<Settlements> {
    const isOpen = (_: unknown, index: number): boolean => before[index] === LOCKED;
    const answers = (await settleBatch(db, settle, requests.filter(isOpen), options)).values();
    return before.map((settled) =>
      settled === LOCKED ? (answers.next().value ?? LOCKED) : settled,
    );
  }

  /** Polls with backoff. A request that stays LOCKED until the deadline waits for the lock in Postgres. */
  async function settleWhenFree(requests: Batch): Promise<Settlements> {
    let settlements: Settlements = requests.map(() => LOCKED);
    const deadline = performance.now() + LOOKING_MS;
    for (let tries = 0; settlements.includes(LOCKED) && performance.now() < deadline; tries += 1) {
      await sleep(Math.random() * Math.min(LONGEST_PAUSE_MS, 2 ** tries));
      const sofar = settlements;
      settlements = await looking(() => settleRest(requests, sofar, { wait: false }));
    }
    if (!settlements.includes(LOCKED)) return settlements;
    if (waiting.activeCount >= waiting.concurrency)
      return settlements.map((settled) => (settled === LOCKED ? busy() : settled));
    return waiting(() => settleRest(requests, settlements, { wait: true }));
  }

  /** Waits in the account's own queue, which exists only while a request waits in it. */
  async function waitFor(request: Request): Promise<Settlement<Result>> {
    const { userId } = request;
    const doorOfOne = busyAccounts.get(userId) ?? gatherWhileBusy(settleWhenFree);
    busyAccounts.set(userId, doorOfOne);
    const settlement = await doorOfOne.ask(request);
    if (doorOfOne.isIdle()) busyAccounts.delete(userId);
    return settlement;
  }

  const run: Command<Request, Result> = async (request) => {
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
  return (request) => tracedRequest(request, () => run(request));
}

/**
 * Settles a batch in one transaction. Without `wait` it does not wait for other transactions: their accounts and
 * narrations are skipped, and any other lock is refused after a moment (`lockAccounts` sets the timeout). A batch that
 * fails, or that a lock refuses, is split, so that one request with locked or invalid rows does not affect the others.
 * A single request whose rows are locked is LOCKED or, with `wait`, BUSY.
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
    if (requests.length === 1) return [isHeld && !options.wait ? LOCKED : refusalOf(error)];
    // The database cannot be reached, so smaller batches would fail as well.
    if (error instanceof DomainError && !isHeld) return requests.map(() => error);
    options.onSplit?.(error);
    const settlements: Settlement<Result>[] = [];
    // The batch has already waited for the lock once, so its parts do not wait again.
    const wait = options.wait && !isHeld;
    for (const part of split(requests))
      settlements.push(...(await settleBatch(db, settle, part, { ...options, wait })));
    if (!options.wait || wait) return settlements;
    return settlements.map((settlement) => (settlement === LOCKED ? refusalOf(error) : settlement));
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

interface Gatherer<Request, Answer> {
  ask(request: Request): Promise<Answer>;
  /** Whether no request waits for an answer. */
  isIdle(): boolean;
}

/** Passes requests on in batches. Requests that arrive while a batch is being answered make the next one. */
function gatherWhileBusy<Request, Answer>(
  answerAll: (requests: readonly Request[]) => Promise<readonly Answer[]>,
): Gatherer<Request, Answer> {
  let asking = 0;
  let last: Promise<unknown> = Promise.resolve();
  let running: Promise<unknown> = last;
  // Answers are wrapped, because the loader would throw an answer that is an Error.
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

/** Settles one request against its account. A refusal is the answer to this request only. */
export function answer<Result>(
  book: Book | undefined,
  decide: (book: Book) => Result,
): Settlement<Result> {
  if (book === undefined) return LOCKED;
  const before = book.entries.length;
  try {
    return { result: decide(book), entries: book.entries.slice(before) };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    // A half-booked command must not be saved with the others.
    if (book.entries.length > before)
      throw new Error('A command was refused after it had booked.', { cause: error });
    return error;
  }
}
