import type { App } from '../app.js';
import { busy, rateLimited } from '../domain/errors.js';
import type { Limit } from '../domain/limits.js';

/** What counts against a limit: an address, or an account by its id or its e-mail address. */
export interface Counted {
  readonly limit: Limit;
  readonly by: 'address' | 'account';
  readonly whose: string;
  /** Whether to go on when nobody can count, as one must not where passwords are guessed. */
  readonly goOnUncounted?: boolean;
}

/** @throws RATE_LIMITED; BUSY when it cannot be counted and must be */
export async function countAgainstLimit(
  app: Pick<App, 'rateLimiter' | 'metrics' | 'log'>,
  { limit, by, whose, goOnUncounted = false }: Counted,
  times = 1,
): Promise<void> {
  const retryAfterSeconds = await app.rateLimiter
    .count(limit, by, whose, times)
    .catch((error: unknown) => {
      app.log.warn({ err: error, limit }, 'limits cannot be counted');
      if (goOnUncounted) return null;
      throw busy(error);
    });
  if (retryAfterSeconds === null) return;
  app.metrics.rateLimitRefusals.inc({ limit, by });
  throw rateLimited(retryAfterSeconds);
}
