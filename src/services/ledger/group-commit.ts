import { setTimeout as sleep } from 'node:timers/promises';
import DataLoader from 'dataloader';
import pLimit, { type LimitFunction } from 'p-limit';
import { busy, DomainError, notFound } from '../../domain/errors.js';
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
/** How often, and at most how many milliseconds apart, a held account is looked at before that. */
const MOST_LOOKS = 60;
const LONGEST_LOOK_MS = 100;

/**
 * Who waits in the database's own queue does so with a connection in their hand: of all commands together only so
 * many may that most connections stay free.
 */
export const waitingRoom = (connections: number): LimitFunction =>
  pLimit(Math.max(1, Math.floor(connections / 3)));

/**
 * Group commit: while one batch is being committed the next one gathers, and an idle server waits for
 * nothing. A batch never waits for an account: requests for one that another process holds gather for
 * that account alone and are tried again in a moment, without a connection in their hands, so that busy
 * accounts delay nobody else, however many there are. A batch that fails is tried again one by one, so
 * that one poisoned request harms nobody.
 * @param waiting shared by all commands of the process
 */
export function groupCommit<Request extends { userId: UserId }, Result>(
  { db, waiting }: { readonly db: Db; readonly waiting: LimitFunction },
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
      for (const request of requests) settlements.push(...(await settleBatch([request], options)));
      return settlements;
    }
  }

  const door = gatherWhileBusy((requests: Batch) => settleBatch(requests, { wait: false }));
  const busyAccounts = new Map<UserId, Gatherer<Request, Settlement<Result>>>();

  /** Settles those that have not been: of a batch that had to be tried one by one some may have been let in. */
  async function settleRest(
    requests: Batch,
    before: Settlements,
    options: { wait: boolean },
  ): Promise<Settlements> {
    const isOpen = (_: unknown, index: number): boolean => before[index] === LOCKED;
    const answers = (await settleBatch(requests.filter(isOpen), options)).values();
    return before.map((settled) =>
      settled === LOCKED ? (answers.next().value ?? LOCKED) : settled,
    );
  }

  /** Looks again and again; whoever is never let in waits in the database's own queue, at last. */
  async function settleWhenFree(requests: Batch): Promise<Settlements> {
    let settlements: Settlements = requests.map(() => LOCKED);
    for (let tries = 0; tries < MOST_LOOKS && settlements.includes(LOCKED); tries += 1) {
      await sleep(Math.random() * Math.min(LONGEST_LOOK_MS, 2 ** tries));
      settlements = await settleRest(requests, settlements, { wait: false });
    }
    if (!settlements.includes(LOCKED)) return settlements;
    if (waiting.activeCount >= waiting.concurrency)
      return settlements.map((settled) => (settled === LOCKED ? busy() : settled));
    return waiting(() => settleRest(requests, settlements, { wait: true }));
  }

  /** At the account's own door, which is there for as long as someone stands at it. */
  async function waitFor(request: Request): Promise<Settlement<Result>> {
    const { userId } = request;
    const doorOfOne = busyAccounts.get(userId) ?? gatherWhileBusy(settleWhenFree);
    busyAccounts.set(userId, doorOfOne);
    const settlement = await doorOfOne.ask(request);
    if (doorOfOne.isIdle()) busyAccounts.delete(userId);
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

/** What is no refusal is INTERNAL, with its cause, and thrown to its own caller only. */
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
    if (!(error instanceof DomainError)) throw error;
    // What is half booked must not be saved with the others.
    if (book.entries.length > before)
      throw new Error('A command was refused after it had booked.', { cause: error });
    return error;
  }
}
