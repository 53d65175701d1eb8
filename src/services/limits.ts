import type { App } from '../app.js';
import { busy, rateLimited, type DomainError } from '../domain/errors.js';
import type { Limit } from '../domain/limits.js';

/** What counts against a limit: an address, or an account by its id or its e-mail address. */
export interface Counted {
  readonly limit: Limit;
  readonly by: 'address' | 'account';
  readonly whose: string;
}

/**
 * What goes on while nobody can count, as it must not where passwords are guessed: what needs nothing but reading, or
 * is done by people who are trusted.
 */
const GO_ON_UNCOUNTED: readonly Limit[] = ['creditReads', 'adminWrites'];

/** What came of many that were counted at once. */
export interface Tally {
  /** So many of them, the first ones, are within the limit. */
  readonly within: number;
  /** RATE_LIMITED, for the others; null where there are none. */
  readonly refusal: DomainError | null;
}

/** @throws RATE_LIMITED when one of them is beyond the limit; BUSY when it cannot be counted and must be */
export async function countAgainstLimit(
  app: Pick<App, 'rateLimiter' | 'metrics' | 'log'>,
  counted: Counted,
  times = 1,
): Promise<void> {
  const { refusal } = await tallyAgainstLimit(app, counted, times);
  if (refusal !== null) throw refusal;
}

/** Counts many of which those within the limit go on. @throws BUSY when it cannot be counted and must be */
export async function tallyAgainstLimit(
  app: Pick<App, 'rateLimiter' | 'metrics' | 'log'>,
  { limit, by, whose }: Counted,
  times: number,
): Promise<Tally> {
  const excess = await app.rateLimiter.count(limit, by, whose, times).catch((error: unknown) => {
    app.log.warn({ err: error, limit }, 'limits cannot be counted');
    if (GO_ON_UNCOUNTED.includes(limit)) return null;
    throw busy(error);
  });
  if (excess === null) return { within: times, refusal: null };
  app.metrics.rateLimitRefusals.inc({ limit, by });
  return { within: excess.within, refusal: rateLimited(excess.retryAfterSeconds) };
}
