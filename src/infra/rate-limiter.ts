import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import pg from 'pg';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import { LIMITS, type Limit, type Rate } from '../domain/limits.js';
import type { Logger } from './log.js';

/** How much of what was counted at once is beyond its limit. */
interface Excess {
  /** So many of them, the first ones, are within it. */
  readonly within: number;
  /** After how many seconds to come again. */
  readonly retryAfterSeconds: number;
}

/** Counts what was asked for, in one table for all processes. */
export interface RateLimiter {
  /**
   * Counts so many more.
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
  close(): Promise<void>;
}

const TIMEOUT_MS = 2_000;

/** Has a few connections of its own: whoever counts must not wait for those who work. */
export function createRateLimiter(options: {
  url: string;
  rates: Readonly<Record<Limit, Rate>>;
  log: Logger;
}): RateLimiter {
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: 'talebank-limits',
    max: 2,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  });
  // Without a listener, a database that restarts would end the process.
  pool.on('error', (error) => {
    options.log.warn({ err: error }, 'database connection lost');
  });
  const limiters = Object.fromEntries(
    LIMITS.map((limit) => {
      const { times, seconds } = options.rates[limit];
      const limiter = new RateLimiterPostgres({
        storeClient: pool,
        storeType: 'pool',
        tableName: 'rate_limits',
        tableCreated: true,
        // What has lapsed is pruned once a day, with everything else that has.
        clearExpiredByTimeout: false,
        keyPrefix: limit,
        points: times,
        duration: seconds,
        // Who is over the limit is refused from memory, and cannot make the table work.
        inMemoryBlockOnConsumed: times + 1,
      });
      return [limit, limiter];
    }),
  ) as Record<Limit, RateLimiterPostgres>;
  return {
    count: async (limit, by, whose, times) => {
      try {
        const key = `${by}:${by === 'address' ? networkOf(whose) : hashOf(whose)}`;
        await limiters[limit].consume(key, times);
        return null;
      } catch (refused) {
        if (!(refused instanceof RateLimiterRes)) throw refused;
        return excessOf(refused, times, limiters[limit].points);
      }
    },
    close: () => pool.end(),
  };
}

/** Who is refused from memory was over the limit before, and is told of nothing consumed. */
function excessOf(refused: RateLimiterRes, times: number, most: number): Excess {
  const beyond = refused.consumedPoints === 0 ? times : refused.consumedPoints - most;
  return {
    within: Math.max(0, times - beyond),
    retryAfterSeconds: Math.max(1, Math.ceil(refused.msBeforeNext / 1000)),
  };
}

/** Names of people are not kept, and are of any length. */
const hashOf = (text: string): string =>
  createHash('sha256').update(text).digest('base64url').slice(0, 24);

/** An IPv4 address; of an IPv6 address its first 64 bits, for one customer has all that share them. */
function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array<string>(8 - front.length - back.length).fill('0');
  const groups = [...front, ...zeros, ...back].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}
