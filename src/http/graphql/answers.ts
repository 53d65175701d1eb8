import type { GraphQLFormattedError } from 'graphql';
import { ERROR_CODES, type ErrorCode } from '../../domain/errors.js';

export type FormattedErrors = readonly GraphQLFormattedError[];

/** The status of an answer with errors is the gravest of theirs. */
export const statusOf = (errors: FormattedErrors): number =>
  Math.max(200, ...errors.map(({ extensions }) => ERROR_CODES[extensions?.['code'] as ErrorCode]));

/** Retry-After, where one of them says how long. */
export function waitOf(errors: FormattedErrors): Readonly<Record<string, string>> {
  const waits = errors.map(({ extensions }) => Number(extensions?.['retryAfterSeconds'] ?? 0));
  const longest = Math.max(0, ...waits);
  return longest > 0 ? { 'retry-after': String(longest) } : {};
}
