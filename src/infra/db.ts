import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import { fromPrisma, type Db as QueueDb } from 'pg-boss';
import { Prisma, PrismaClient, type User } from '../generated/prisma/client.js';
import type * as Rows from '../generated/prisma/client.js';
import { busy, DomainError } from '../domain/errors.js';
import { inheritPlacement } from './citus/placement.js';
import type { MeasuredPool } from './connections/measured-pool.js';
import { createPool } from './connections/session.js';
import { needsOperator } from './connections/sql-states.js';
import type { Logger } from './log.js';
import { createSteps } from './connections/transaction-steps.js';
import { traceStatements } from './tracing/statements.js';
import { describe, answerOf } from './connections/database-errors.js';

export { Prisma, type User };
/** The rows of the tables, by the names of Prisma's models. */
export type { Rows };

/** The client outside of a transaction. */
export type Db = Omit<PrismaClient, '$transaction' | '$extends' | '$on'> & {
  readonly $transaction: PrismaClient['$transaction'];
};

declare const insideTransaction: unique symbol;
/** The client inside of a transaction. Only `transact` makes one. */
export type Tx = Prisma.TransactionClient & { readonly [insideTransaction]: true };

/** What reads either inside or outside of a transaction. */
export type Reader = Pick<Db, '$queryRaw'>;

/** How long a transaction waits for a free connection, and how long it may take. */
const WAIT_MS_MAX = 5_000;
const TIMEOUT_MS = 10_000;
/** How long a statement waits for a lock that someone else holds, before it is refused as BUSY. */
const LOCK_TIMEOUT_MS = 5_000;
/** A session that idles in a transaction for this long is ended, so that a hung process or lost host keeps no locks. */
const IDLE_IN_TRANSACTION_MS = 15_000;
const LARGE_READ_TIMEOUT_MS = 30 * 60_000;
const TRIES_MAX = 6;

/** @param options.onPool gets the pool, so that it can be watched */
export function createDb(options: {
  url: string;
  poolSize: number;
  log: Logger;
  onPool?: (pool: MeasuredPool) => void;
}): Db {
  const onLost = (error: Error): void => {
    options.log.warn({ event: 'database-connection-lost', err: error }, 'database connection lost');
  };
  const pool = createPool(
    options.url,
    {
      purpose: '',
      connectionsMax: options.poolSize,
      connectTimeoutMs: WAIT_MS_MAX,
      limits: { lockMs: LOCK_TIMEOUT_MS, idleInTransactionMs: IDLE_IN_TRANSACTION_MS },
    },
    onLost,
  );
  options.onPool?.(pool);
  const adapter = new PrismaPg(pool, {
    disposeExternalPool: true,
    statementNameGenerator: nameStatements(),
    onConnectionError: onLost,
  });
  const client = new PrismaClient({ adapter: traceStatements(adapter) });
  const warn = warnings(options.log);
  return client.$extends({
    query: {
      $allOperations: async ({ args, query }): Promise<unknown> => {
        try {
          return await query(args);
        } catch (error) {
          warn(error);
          throw answerOf(error) === 'BUSY' ? busy(error) : error;
        }
      },
    },
  }) as unknown as Db;
}

const WARNED_ONCE_MS = 60_000;

/** Logs what an operator must resolve, because clients only see BUSY. At most one line a minute for each state. */
function warnings(log: Logger): (error: unknown) => void {
  const warnedAt = new Map<string, number>();
  return (error) => {
    const { sqlState } = describe(error);
    if (sqlState === undefined || !needsOperator(sqlState)) return;
    const now = performance.now();
    if (now - (warnedAt.get(sqlState) ?? -Infinity) < WARNED_ONCE_MS) return;
    warnedAt.set(sqlState, now);
    log.warn(
      { event: 'database-refuses', err: error, sqlState },
      'the database refuses what it is asked for',
    );
  };
}

/** Marks a statement whose best plan depends on its values, so that Postgres plans it each time. */
export const PLANNED_ANEW = Prisma.raw('/* planned anew */');

/**
 * Names statements so that Postgres plans them once a connection. Lists of varying length and what is `PLANNED_ANEW` are
 * left out, and the number of names is bounded, because a connection keeps every statement that it named.
 */
function nameStatements(): (query: { sql: string }) => string {
  const mostNames = 500;
  const names = new Map<string, string>();
  return ({ sql }) => {
    const known = names.get(sql);
    if (known !== undefined) return known;
    if (names.size >= mostNames || /\(\$\d+,\s*\$\d+/.test(sql)) return '';
    if (sql.includes(PLANNED_ANEW.sql)) return '';
    const name = `t_${createHash('sha1').update(sql).digest('hex').slice(0, 16)}`;
    names.set(sql, name);
    return name;
  };
}

/**
 * Runs `work` in one transaction, read committed: everything that needs more takes the account's
 * lock. Conflicts and deadlocks are tried again, a bounded number of times; `work` must therefore be
 * safe to repeat and must not touch the network.
 * @throws BUSY when there is no connection, no answer, or no end to the conflicts
 */
export async function transact<Result>(
  db: Db,
  work: (tx: Tx) => Promise<Result>,
  options: { timeoutMs?: number; isolationLevel?: 'RepeatableRead' } = {},
): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    const steps = createSteps();
    const begin = (client: Prisma.TransactionClient): Promise<Result> => {
      inheritPlacement(db, client);
      return steps.around(client as Tx, work);
    };
    try {
      const result = await db.$transaction(begin, {
        isolationLevel: options.isolationLevel ?? 'ReadCommitted',
        maxWait: WAIT_MS_MAX,
        timeout: options.timeoutMs ?? TIMEOUT_MS,
      });
      steps.runAfterCommit();
      return result;
    } catch (error) {
      if (error instanceof DomainError) throw error;
      const answer = answerOf(error);
      if (answer === 'INTERNAL') throw error;
      if (answer === 'BUSY' || tries === TRIES_MAX) throw busy(error);
      await sleep(Math.random() * 5 * 2 ** tries);
    }
  }
}

/**
 * Runs one read of large parts of tables. Only hash joins are allowed, because the planner expects few rows where
 * statistics are missing or old, and then picks nested loops over whole tables, or merge joins on a part of the join
 * condition. The statement is planned each time, because the plan depends on the range.
 */
export function readAtLarge<Result>(db: Db, read: (tx: Tx) => Promise<Result>): Promise<Result> {
  return transact(
    db,
    async (tx) => {
      await tx.$queryRaw`
        SELECT set_config('enable_nestloop', 'off', true),
               set_config('enable_mergejoin', 'off', true),
               set_config('plan_cache_mode', 'force_custom_plan', true)`;
      return read(tx);
    },
    { timeoutMs: LARGE_READ_TIMEOUT_MS },
  );
}

/**
 * Runs several reads that must see the ledger at one instant. Nothing is locked, but while it takes, Postgres cannot clean up
 * what is deleted or changed.
 */
export function readSnapshot<Result>(db: Db, read: (tx: Tx) => Promise<Result>): Promise<Result> {
  const snapshot = async (tx: Tx): Promise<Result> => {
    await tx.$executeRaw`SET TRANSACTION READ ONLY`;
    return read(tx);
  };
  return transact(db, snapshot, {
    timeoutMs: LARGE_READ_TIMEOUT_MS,
    isolationLevel: 'RepeatableRead',
  });
}

/** The transaction as pg-boss takes it, so that a job is enqueued or finished with it or not at all. */
export const asQueueDb = (tx: Tx): QueueDb => fromPrisma(tx);
