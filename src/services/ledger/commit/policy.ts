import { setTimeout as sleep } from 'node:timers/promises';
import pLimit, { type LimitFunction } from 'p-limit';
import { busy, DomainError, notFound } from '../../../domain/errors.js';
import type { UserId } from '../../../domain/ids.js';
import type { Db } from '../../../infra/db.js';
import { tracedBatch, tracedRequest } from '../../../infra/tracing/batches.js';
import { gatherByKey, gatherWhileBusy } from './gathering.js';
import type { Observer } from './observer.js';
import { ABSENT, HELD, settleBatch, type Settle, type Settlement } from './settlement.js';

/*
 * Group commit: while one batch is committing, the next one gathers. An idle server does not wait for more requests.
 * Locked accounts do not delay others, however many there are, because a batch waits for no row lock.
 *
 * Where the accounts are distributed over several database servers, each account gathers in a queue of its own.
 *
 * A request of a command is in one of these states:
 *
 * GATHERING (gathering.ts)
 *   Entered: when the command is called.
 *   Ends: when the batch before it has been answered; then it is SETTLING, with all that have gathered.
 *   Bound: 256 requests a batch, and one batch of a command at a time. It waits as long as the transaction before it,
 *   which has a time-out. How many requests gather is bounded by the admission of requests, not here.
 * SETTLING (settlement.ts)
 *   Entered: with its batch, in one transaction.
 *   Ends: answered, when the transaction is committed or a rule refuses the request; POLLING, when another transaction
 *   holds a row that it needs. If the transaction fails, the batch is split, and each part is SETTLING again, so that a
 *   request that the database refuses does not affect the others.
 *   Bound: the time-outs of `transact`, and 50 ms for a lock. A batch is split into about its square root of parts, and
 *   each part again, until a request is alone; alone, it is answered with its error.
 * POLLING
 *   Entered: from SETTLING. It gathers with the requests of its account alone, and holds no connection in between.
 *   Ends: answered, as from SETTLING; WAITING, when the row is still held after POLLING_MS.
 *   Bound: POLLING_MS, with a backoff of at most PAUSE_MS_MAX. A third of the connection pool polls at the same time.
 * WAITING
 *   Entered: from POLLING. It waits for the lock in Postgres, and holds a connection.
 *   Ends: answered. BUSY, if the lock is not free within the lock time-out, or if as many are WAITING as may.
 *   Bound: the lock time-out, and another third of the connection pool.
 */

/** A command for one request. Concurrent requests are settled in one batch. */
export type Command<Request, Result> = (request: Request) => Promise<Result>;

/** How long requests for a locked account poll for its lock before they wait for it in Postgres. */
const POLLING_MS = 3_000;
/** The longest pause between two attempts. */
const PAUSE_MS_MAX = 100;

/**
 * Limits that all commands of a process share, so that requests for locked rows leave most of the connection pool to
 * others.
 */
export interface WaitingRooms {
  /** Requests that poll for free rows. Each attempt holds a connection for a moment. */
  readonly polling: LimitFunction;
  /** Requests that wait for a lock in Postgres. Each holds a connection while it waits. */
  readonly waiting: LimitFunction;
}

/** What all commands of a process share. */
type Doors = WaitingRooms & {
  readonly db: Db;
  /** Set where a transaction must move the points of one account only. */
  readonly oneAccount?: { readonly atOnce: number } | undefined;
};

const accountOf = ({ userId }: { readonly userId: UserId }): string => userId;

/**
 * Limits for a pool of this many connections. Requests that poll may use a third of them, and requests that wait may
 * use another third.
 */
export const waitingRooms = (connections: number): WaitingRooms => ({
  polling: pLimit(Math.max(1, Math.floor(connections / 3))),
  waiting: pLimit(Math.max(1, Math.floor(connections / 3))),
});

/**
 * A command whose concurrent requests are settled in one transaction.
 * @param settle what a batch does, in its transaction
 * @param observer is told of each request after its commit or refusal
 */
export function groupCommit<Request extends { userId: UserId }, Result>(
  doors: Doors,
  settle: Settle<Request, Result>,
  observer: Observer<Request>,
): Command<Request, Result> {
  const settleAll = (requests: readonly Request[]): Promise<readonly Settlement<Result>[]> =>
    tracedBatch(requests, () => settleBatch(doors.db, settle, requests, { wait: false }));
  const gathered = gatherWhileBusy(settleAll);
  const ask =
    doors.oneAccount === undefined
      ? (request: Request) => gathered.ask(request)
      : gatherByKey(accountOf, settleAll, doors.oneAccount);
  const settleHeld = waitForRows(doors, settle);

  const run: Command<Request, Result> = async (request) => {
    const startedAt = performance.now();
    let settlement = await ask(request);
    if (settlement === HELD) settlement = await settleHeld(request);
    if (settlement === HELD) settlement = busy();
    if (settlement === ABSENT) settlement = notFound('account');
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

/** @returns what settles a request whose rows another transaction holds: it is POLLING, and then WAITING */
function waitForRows<Request extends { userId: UserId }, Result>(
  { db, polling, waiting }: Doors,
  settle: Settle<Request, Result>,
): (request: Request) => Promise<Settlement<Result>> {
  type Batch = readonly Request[];
  type Settlements = readonly Settlement<Result>[];

  /** Settles the requests that are still HELD, because some of a batch may have been settled when it was split. */
  async function settleRest(
    requests: Batch,
    before: Settlements,
    options: { wait: boolean },
  ): Promise<Settlements> {
    const isOpen = (_: unknown, index: number): boolean => before[index] === HELD;
    const answers = (await settleBatch(db, settle, requests.filter(isOpen), options)).values();
    return before.map((settled) => (settled === HELD ? (answers.next().value ?? HELD) : settled));
  }

  /** Polls with backoff. A request that stays HELD until the deadline waits for the lock in Postgres. */
  async function settleWhenFree(requests: Batch): Promise<Settlements> {
    let settlements: Settlements = requests.map(() => HELD);
    const deadline = performance.now() + POLLING_MS;
    for (let tries = 0; settlements.includes(HELD) && performance.now() < deadline; tries += 1) {
      await sleep(Math.random() * Math.min(PAUSE_MS_MAX, 2 ** tries));
      const sofar = settlements;
      settlements = await polling(() => settleRest(requests, sofar, { wait: false }));
    }
    if (!settlements.includes(HELD)) return settlements;
    if (waiting.activeCount >= waiting.concurrency)
      return settlements.map((settled) => (settled === HELD ? busy() : settled));
    return waiting(() => settleRest(requests, settlements, { wait: true }));
  }

  /** Waits in the account's own queue. */
  return gatherByKey(accountOf, settleWhenFree);
}
