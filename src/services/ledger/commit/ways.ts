import { DomainError, notFound } from '../../../domain/errors.js';
import type { UserId } from '../../../domain/ids.js';
import { afterCommit } from '../../../infra/connections/transaction-steps.js';
import { transact, type Db, type Tx } from '../../../infra/db.js';
import type { Logger } from '../../../infra/log.js';
import type { Metrics } from '../../../infra/metrics.js';
import { settleInBulk } from './bulk.js';
import { observe, type LedgerCommand, type SourceOf } from './observer.js';
import { groupCommit, waitingRooms, type Command } from './policy.js';
import type { Settle, Settled, Settlement } from './settlement.js';

/** What every way to commit needs. */
export interface CommitPorts {
  readonly db: Db;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** The size of the connection pool. */
  readonly connections: number;
  /** Whether a transaction may move the points of one account only, because accounts are on several servers. */
  readonly byAccount: boolean;
}

/** A command for many requests, which a task or an order brings at once. */
export type BulkCommand<Request, Result> = (
  requests: readonly Request[],
  options: { readonly patient: boolean },
) => Promise<readonly Settlement<Result>[]>;

/** A command for one request, in the caller's transaction. */
export type JoinedCommand<Request, Result> = (tx: Tx, request: Request) => Promise<Result>;

/** A command for one request, in a transaction of its own. The caller reports it, because only it knows what ended. */
export type LoneCommand<Request, Result> = (request: Request) => Promise<Settled<Result>>;

interface Requested {
  readonly userId: UserId;
}

/** Makes commands of settlers, one function for each way to commit. */
export interface WaysToCommit {
  readonly grouped: <Request extends Requested, Result>(
    name: LedgerCommand,
    settle: Settle<Request, Result>,
    sourceOf?: SourceOf<Request>,
  ) => Command<Request, Result>;
  readonly inBulk: <Request extends Requested, Result>(
    name: LedgerCommand,
    settle: Settle<Request, Result>,
    sourceOf?: SourceOf<Request>,
  ) => BulkCommand<Request, Result>;
  readonly joined: <Request extends Requested, Result>(
    name: LedgerCommand,
    settle: Settle<Request, Result>,
    sourceOf?: SourceOf<Request>,
  ) => JoinedCommand<Request, Result>;
  readonly alone: <Request extends Requested, Result>(
    settle: Settle<Request, Result>,
  ) => LoneCommand<Request, Result>;
}

/** The ways of one process. Its commands share the limits on waiting for locks. */
export function waysToCommit({ db, connections, byAccount, ...facts }: CommitPorts): WaysToCommit {
  // A third of the pool is left to everything that moves no points, and to the requests that wait for rows.
  const atOnce = Math.max(1, Math.floor((connections * 2) / 3));
  const oneAccount = byAccount ? { atOnce } : undefined;
  const doors = { db, oneAccount, ...waitingRooms(connections) };
  return {
    grouped: (name, settle, sourceOf) => groupCommit(doors, settle, observe(facts, name, sourceOf)),
    inBulk: (name, settle, sourceOf) => {
      const observer = observe(facts, name, sourceOf);
      return (requests, options) =>
        settleInBulk({ db, oneAccount, log: facts.log }, settle, observer, requests, options);
    },
    joined: (name, settle, sourceOf) => {
      const observer = observe(facts, name, sourceOf);
      return async (tx, request) => {
        const startedAt = performance.now();
        const settled = await settleOne(tx, settle, request);
        if (settled === null) throw notFound('user');
        afterCommit(tx, () => {
          observer.settled(request, settled.entries, performance.now() - startedAt);
        });
        return settled.result;
      };
    },
    alone: (settle) => (request) =>
      transact(db, async (tx) => {
        const settled = await settleOne(tx, settle, request);
        if (settled === null) throw new Error('The account is gone.');
        return settled;
      }),
  };
}

/** Settles one request, and waits for its rows. @returns null when there is no such account. @throws its refusal */
async function settleOne<Request, Result>(
  tx: Tx,
  settle: Settle<Request, Result>,
  request: Request,
): Promise<Settled<Result> | null> {
  const [settlement] = await settle(tx, [request], { wait: true });
  if (settlement instanceof DomainError) throw settlement;
  return settlement === undefined || typeof settlement === 'symbol' ? null : settlement;
}
