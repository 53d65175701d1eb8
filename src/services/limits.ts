import type { App } from './app.js';
import { busy, rateLimited, type DomainError } from '../domain/errors.js';
import type { Limit } from '../domain/limits.js';
import type { Logger } from '../infra/log.js';

/** The key of a limit: a client address, or an account by its id or its e-mail address. */
export interface Counted {
  readonly limit: Limit;
  readonly by: 'address' | 'account';
  readonly whose: string;
}

/**
 * These limits let requests pass while counting fails, because they only protect reads, actions of administrators and
 * small writes.
 * The others refuse requests, because passwords could otherwise be guessed meanwhile.
 */
const UNCOUNTED_ALLOWED: readonly Limit[] = ['creditReads', 'adminWrites', 'listening', 'samples'];

/** The result of counting several requests at once. */
export interface Tally {
  /** How many of the requests, from the first on, are within the limit. */
  readonly within: number;
  /** RATE_LIMITED for the rest. Null when all are within the limit. */
  readonly refusal: DomainError | null;
}

/**
 * Counts requests. @throws RATE_LIMITED when one of them is beyond the limit; BUSY when counting fails and the limit
 * requires it
 */
export async function countAgainstLimit(
  app: Pick<App, 'rateLimiter' | 'metrics' | 'log'>,
  counted: Counted,
  times = 1,
): Promise<void> {
  const { refusal } = await tallyAgainstLimit(app, counted, times);
  if (refusal !== null) throw refusal;
}

/** Uncounts one request of an account, because it had no effect. If that fails, the request stays counted. */
export async function giveBackToLimit(
  app: Pick<App, 'rateLimiter' | 'log'>,
  { limit, whose }: Pick<Counted, 'limit' | 'whose'>,
): Promise<void> {
  await app.rateLimiter.giveBack(limit, whose).catch((error: unknown) => {
    logRefusal(app.log, { event: 'limits-not-counted', limit }, 'limits cannot be counted', error);
  });
}

/**
 * Counts several requests, of which those within the limit may go on. @throws BUSY when counting fails and the limit
 * requires it
 */
export async function tallyAgainstLimit(
  app: Pick<App, 'rateLimiter' | 'metrics' | 'log'>,
  { limit, by, whose }: Counted,
  times: number,
): Promise<Tally> {
  const excess = await app.rateLimiter.count(limit, by, whose, times).catch((error: unknown) => {
    logRefusal(app.log, { event: 'limits-not-counted', limit }, 'limits cannot be counted', error);
    if (UNCOUNTED_ALLOWED.includes(limit)) return null;
    throw busy(error);
  });
  if (excess === null) return { within: times, refusal: null };
  app.metrics.rateLimitRefusals.inc({ limit, by });
  logRefusal(app.log, { event: 'rate-limit-exceeded', limit, by }, 'rate limit exceeded');
  return { within: excess.within, refusal: rateLimited(excess.retryAfterSeconds) };
}

const LOGGED_ONCE_MS = 60_000;

interface Refusals {
  loggedAt: number;
  /** Since `loggedAt`. */
  count: number;
}

/** What is logged of a refusal, besides how often it occurred. */
type Refusal =
  | { readonly event: 'request-refused'; readonly code: string }
  | { readonly event: 'rate-limit-exceeded'; readonly limit: string; readonly by: string }
  | { readonly event: 'limits-not-counted'; readonly limit: string }
  | { readonly event: 'sessions-not-rechecked' };

/** By logger, of which a process has one. */
const refusalsOf = new WeakMap<Logger, Map<string, Refusals>>();

/**
 * Logs refusals that strangers can cause at any rate. It writes one line a minute for each message and kind, with the
 * number of refusals since the last line.
 * @param line has few possible values, and no client can choose them
 * @param cause the internal error that is the reason
 */
export function logRefusal(log: Logger, line: Refusal, message: string, cause?: unknown): void {
  const refusals = refusalsOf.get(log) ?? new Map<string, Refusals>();
  refusalsOf.set(log, refusals);
  const key = Object.values(line).join(' ');
  const known = refusals.get(key) ?? { loggedAt: -Infinity, count: 0 };
  refusals.set(key, known);
  known.count += 1;
  const now = performance.now();
  if (now - known.loggedAt < LOGGED_ONCE_MS) return;
  log.warn(
    { ...line, refused: known.count, ...(cause === undefined ? {} : { err: cause }) },
    message,
  );
  known.loggedAt = now;
  known.count = 0;
}
