import DataLoader from 'dataloader';
import pLimit from 'p-limit';
import { DomainError, notFound } from '../../domain/errors.js';
import type { UserId } from '../../domain/ids.js';
import { transact, type Db, type Tx } from '../../infra/db.js';

/** The answer to one request of a batch. `LOCKED`: someone else holds the account at the moment. */
export type Settlement<Result> = Result | DomainError | typeof LOCKED;
export const LOCKED = Symbol('locked');

/** Settles a list of requests, for any number of users, inside of the caller's transaction. */
export type Settle<Request, Result> = (
  tx: Tx,
  requests: readonly Request[],
  options: { wait: boolean },
) => Promise<readonly Settlement<Result>[]>;

/** A command in the singular: rides with whoever asks at the same time. */
export type Command<Request, Result> = (request: Request) => Promise<Result>;

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
    let { settlement } = await door.load(request);
    if (settlement === LOCKED) {
      [settlement = LOCKED] = await waiting(() => settleAlone([request]));
    }
    if (settlement === LOCKED) throw notFound('account');
    if (settlement instanceof DomainError) throw settlement;
    return settlement;
  };
}

/** Anything that is not a refusal is rethrown to its own caller only, as it is. */
function refusalOf(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  return new DomainError('INTERNAL', 'The command could not be settled.', {}, { cause: error });
}

/** Settles one request; a refusal is its answer and touches no other. */
export function answer<Result>(decide: () => Result): Result | DomainError {
  try {
    return decide();
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}
