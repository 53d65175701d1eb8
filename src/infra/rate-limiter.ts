import { createHash } from 'node:crypto';
import type pg from 'pg';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import { tableOf } from '../domain/objects.js';
import { LIMITS, type Limit, type Rate } from '../domain/limits.js';
import { networksOf } from '../domain/networks.js';
import type { MeasuredPool } from './connections/measured-pool.js';
import { createPool } from './connections/session.js';
import type { WatchedPools } from './connections/watched-pools.js';
import type { Logger } from './log.js';

/** How much of what was counted at once is beyond its limit. */
interface Excess {
  /** How many of them, counted from the first, are within the limit. */
  readonly within: number;
  /** After how many seconds to come again. */
  readonly retryAfterSeconds: number;
}

/** Counts what was asked for, in one table for all processes. */
export interface RateLimiter {
  /**
   * Counts `times` requests. An IPv6 address counts for its network of 64 bits and for its network of 48 bits, which has a
   * larger limit. What the first limit refuses does not count for the second, so that one customer cannot use up the limit
   * of all who share the larger network.
   * @param by what kind of name `whose` is, so that an address and an account are never the same key
   * @returns null when all of them are within the limit
   * @throws when the table is out of reach
   */
  count(
    limit: Limit,
    by: 'address' | 'account',
    whose: string,
    times: number,
  ): Promise<Excess | null>;
  /** Undoes one count for an account, because the request had no effect. */
  giveBack(limit: Limit, whose: string): Promise<void>;
  close(): Promise<void>;
}

const TIMEOUT_MS = 2_000;
export const LIMITER_CONNECTIONS = 2;

/**
 * The limiter has a few connections of its own, because counting must not wait for other queries.
 * @param options.siteFactor how many times the limit of an IPv6 network of 64 bits that of 48 bits is
 */
export function createRateLimiter(options: {
  url: string;
  rates: Readonly<Record<Limit, Rate>>;
  siteFactor: number;
  log: Logger;
  pools: WatchedPools;
}): RateLimiter {
  const pool = openPool(options);
  options.pools.watch('limits', pool);
  const limitersOf = (factor: number): Readonly<Record<Limit, RateLimiterPostgres>> =>
    tableOf(LIMITS, (limit) => limiterOf(pool, limit, options.rates[limit], factor));
  const limiters = limitersOf(1);
  const siteLimiters = limitersOf(options.siteFactor);
  return {
    count: async (limit, by, whose, times) => {
      if (by === 'account') return consume(limiters[limit], accountKey(whose), times);
      const { own, site } = networksOf(whose);
      const excess = await consume(limiters[limit], `address:${own}`, times);
      const within = excess?.within ?? times;
      if (site === null || within === 0 || !COUNTED_BY_SITE.includes(limit)) return excess;
      return (await consume(siteLimiters[limit], `address:${site}`, within)) ?? excess;
    },
    giveBack: async (limit, whose) => {
      await limiters[limit].reward(accountKey(whose), 1);
    },
    close: () => pool.end(),
  };
}

/**
 * Limits that also count the /48, because a stranger may have all of its 65,536 networks of 64 bits. Refreshing is not
 * one of them, because a mobile operator has many customers in a /48, whose devices all refresh, and because a refresh
 * token cannot be guessed.
 */
const COUNTED_BY_SITE: readonly Limit[] = ['login', 'register', 'reset', 'mailedTokens'];

const openPool = (options: { url: string; log: Logger }): MeasuredPool =>
  createPool(
    options.url,
    {
      purpose: 'limits',
      connectionsMax: LIMITER_CONNECTIONS,
      connectTimeoutMs: TIMEOUT_MS,
      answerTimeoutMs: TIMEOUT_MS,
      limits: { statementMs: TIMEOUT_MS, lockMs: TIMEOUT_MS, idleInTransactionMs: TIMEOUT_MS },
    },
    (error) => {
      options.log.warn(
        { event: 'database-connection-lost', err: error },
        'database connection lost',
      );
    },
  );

function limiterOf(
  pool: pg.Pool,
  limit: Limit,
  { times, seconds }: Rate,
  factor: number,
): RateLimiterPostgres {
  const points = times * factor;
  return new RateLimiterPostgres({
    storeClient: pool,
    storeType: 'pool',
    tableName: 'rate_limits',
    tableCreated: true,
    // What has lapsed is pruned once a day, with everything else that has.
    clearExpiredByTimeout: false,
    keyPrefix: limit,
    points,
    duration: seconds,
    // A client over its limit is refused from memory, so that it causes no more queries.
    inMemoryBlockOnConsumed: points + 1,
  });
}

async function consume(
  limiter: RateLimiterPostgres,
  key: string,
  times: number,
): Promise<Excess | null> {
  try {
    await limiter.consume(key, times);
    return null;
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused;
    return excessOf(refused, times, limiter.points);
  }
}

/** A refusal from memory has no consumed points. All requests are beyond the limit then, because it was reached before. */
function excessOf(refused: RateLimiterRes, times: number, most: number): Excess {
  const beyond = refused.consumedPoints === 0 ? times : refused.consumedPoints - most;
  return {
    within: Math.max(0, times - beyond),
    retryAfterSeconds: Math.max(1, Math.ceil(refused.msBeforeNext / 1000)),
  };
}

/** Hashed, because the names of accounts must not be stored and may be of any length. */
const accountKey = (whose: string): string =>
  `account:${createHash('sha256').update(whose).digest('base64url').slice(0, 24)}`;
