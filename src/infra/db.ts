import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import { fromPrisma, type Db as QueueDb } from 'pg-boss';
import { Prisma, PrismaClient, type User } from '../generated/prisma/client.js';
import { busy, DomainError } from '../domain/errors.js';
import type { Logger } from './log.js';

export { Prisma, type User };

/** The client outside of a transaction. */
export type Db = Omit<PrismaClient, '$transaction' | '$extends'> & {
  readonly $transaction: PrismaClient['$transaction'];
};

declare const insideTransaction: unique symbol;
/** The client inside of a transaction. Only `transact` makes one. */
export type Tx = Prisma.TransactionClient & { readonly [insideTransaction]: true };

/** What reads either inside or outside of a transaction. */
export type Reader = Pick<Db, '$queryRaw'>;

/** How long a transaction waits for a free connection, and how long it may take. */
const MAX_WAIT_MS = 5_000;
const TIMEOUT_MS = 10_000;
/** How long a statement waits for a lock that someone else holds, before it is refused as BUSY. */
const LOCK_TIMEOUT_MS = 5_000;
/** A process that stands still in a transaction, or whose host has gone, loses its locks after this long. */
const IDLE_IN_TRANSACTION_MS = 15_000;
const LARGE_READ_TIMEOUT_MS = 30 * 60_000;
const MOST_TRIES = 6;

export function createDb(options: { url: string; poolSize: number; log: Logger }): Db {
  const adapter = new PrismaPg(
    {
      connectionString: options.url,
      max: options.poolSize,
      connectionTimeoutMillis: MAX_WAIT_MS,
      application_name: 'talebank',
      lock_timeout: LOCK_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    },
    {
      statementNameGenerator: nameStatements(),
      // Without a listener, a database that restarts would end the process.
      onPoolError: (error) => {
        options.log.warn({ err: error }, 'database connection lost');
      },
      onConnectionError: (error) => {
        options.log.warn({ err: error }, 'database connection lost');
      },
    },
  );
  const client = new PrismaClient({ adapter });
  return client.$extends({
    query: {
      $allOperations: async ({ args, query }): Promise<unknown> => {
        try {
          return await query(args);
        } catch (error) {
          throw isUnreachable(error) ? busy(error) : error;
        }
      },
    },
  }) as unknown as Db;
}

/**
 * Names statements so that Postgres plans them once a connection. Lists of varying length are left
 * out, and the number of names is bounded, because a connection keeps every statement that it named.
 */
function nameStatements(): (query: { sql: string }) => string {
  const mostNames = 500;
  const names = new Map<string, string>();
  return ({ sql }) => {
    const known = names.get(sql);
    if (known !== undefined) return known;
    if (names.size >= mostNames || /\(\$\d+,\s*\$\d+/.test(sql)) return '';
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
  options: { timeoutMs?: number } = {},
): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await db.$transaction((tx) => work(tx as unknown as Tx), {
        isolationLevel: 'ReadCommitted',
        maxWait: MAX_WAIT_MS,
        timeout: options.timeoutMs ?? TIMEOUT_MS,
      });
    } catch (error) {
      if (error instanceof DomainError) throw error;
      if (isUnreachable(error)) throw busy(error);
      if (!isConflict(error)) throw error;
      if (tries === MOST_TRIES) throw busy(error);
      await sleep(Math.random() * 5 * 2 ** tries);
    }
  }
}

/**
 * Runs one read that goes through large parts of tables. Without statistics, or with old ones, the planner
 * takes what it does not know for a handful of rows, and loops over whole tables or merges them by half of
 * what joins them; here it may only hash. And it plans each time for the range that is asked for.
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

/** The transaction as pg-boss takes it, so that a job is enqueued or finished with it or not at all. */
export const asQueueDb = (tx: Tx): QueueDb => fromPrisma(tx);

interface DatabaseError {
  /** Prisma's own. */
  readonly code: string | undefined;
  /** Postgres' own, where Prisma has none of its own for it. */
  readonly sqlState: string | undefined;
  readonly kind: string | undefined;
}

function describe(error: unknown): DatabaseError {
  const { code, cause, meta } = error as {
    code?: unknown;
    cause?: { kind?: unknown; code?: unknown };
    meta?: { driverAdapterError?: { cause?: { kind?: unknown; code?: unknown } } };
  };
  const inner = meta?.driverAdapterError?.cause ?? cause;
  const textOr = (value: unknown): string | undefined =>
    typeof value === 'string' ? value : undefined;
  return { code: textOr(code), sqlState: textOr(inner?.code), kind: textOr(inner?.kind) };
}

function isConflict(error: unknown): boolean {
  const { code, kind } = describe(error);
  return code === 'P2034' || kind === 'TransactionWriteConflict';
}

const UNREACHABLE_CODES = new Set([
  // Prisma: cannot reach, timed out, closed, no free connection, transaction lost or over time.
  'P1001',
  'P1002',
  'P1008',
  'P1017',
  'P2024',
  'P2028',
  'P2037',
  // Postgres: connection failed or lost, shutting down, crashed, starting up, database dropped, idle for too long,
  // too many clients, lock not available, and no writes, as after a failover.
  '08001',
  '08003',
  '08006',
  '57P01',
  '57P02',
  '57P03',
  '57P04',
  '57P05',
  '53300',
  '55P03',
  '25006',
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
]);
const UNREACHABLE_KINDS = new Set([
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TooManyConnections',
  'TlsConnectionError',
]);

/** Of pg, and of Postgres where the same code means other things as well. */
const UNREACHABLE_MESSAGES =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|is not currently accepting connections/;

function isUnreachable(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, sqlState, kind } = describe(error);
  if (code !== undefined && UNREACHABLE_CODES.has(code)) return true;
  if (sqlState !== undefined && UNREACHABLE_CODES.has(sqlState)) return true;
  if (kind !== undefined && UNREACHABLE_KINDS.has(kind)) return true;
  const message = error instanceof Error ? error.message : '';
  return UNREACHABLE_MESSAGES.test(message);
}

/** Whether a row could not be written because another one has its unique value. */
export function isUniqueViolation(error: unknown): boolean {
  const { code, kind } = describe(error);
  return code === 'P2002' || kind === 'UniqueConstraintViolation';
}
