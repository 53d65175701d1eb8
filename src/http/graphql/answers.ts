import type { GraphQLFormattedError } from 'graphql';
import type { App } from '../../app.js';
import { ERROR_CODES, type ErrorCode } from '../../domain/errors.js';
import { formatError, withoutHints } from '../../resolvers/format-error.js';
import { currentRequest } from '../requests.js';

/** Each is placed and described, and whoever mends the first few asks again anyway. */
export const MOST_ERRORS = 10;

export type FormattedErrors = readonly GraphQLFormattedError[];

/** An error as it leaves, whichever door it leaves by. */
export function sayError(
  app: App,
  formatted: GraphQLFormattedError,
  error: unknown,
): GraphQLFormattedError {
  const requestId = currentRequest.getStore()?.requestId ?? 'unknown';
  const said = formatError(formatted, error, requestId, (id, cause) => {
    app.log.error({ requestId: id, err: cause }, 'unexpected error');
  });
  // A hint would give away what introspection hides.
  return app.config.introspection ? said : withoutHints(said);
}

/** The status of an answer with errors is the gravest of theirs. */
export const statusOf = (errors: FormattedErrors): number =>
  Math.max(200, ...errors.map(({ extensions }) => ERROR_CODES[extensions?.['code'] as ErrorCode]));

/** Retry-After, where one of them says how long. */
export function waitOf(errors: FormattedErrors): Readonly<Record<string, string>> {
  const waits = errors.map(({ extensions }) => Number(extensions?.['retryAfterSeconds'] ?? 0));
  const longest = Math.max(0, ...waits);
  return longest > 0 ? { 'retry-after': String(longest) } : {};
}
