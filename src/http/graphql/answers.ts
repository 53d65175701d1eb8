import type { GraphQLError, GraphQLFormattedError } from 'graphql';
import type { App } from '../../services/app.js';
import { ERROR_CODES, isErrorCode, type ErrorCode } from '../../domain/errors.js';
import { formatError } from '../../resolvers/format-error.js';
import { withoutHint } from '../../resolvers/refusal-message.js';
import { ERRORS_MAX } from '../../resolvers/documents/variables.js';
import { logRefusal } from '../../services/limits.js';
import { currentWork } from '../../services/observability/current-work.js';
import { BUSY_SECONDS } from '../requests.js';

/** One less than ERRORS_MAX, because graphql-js adds an error which says that there are more. */
export const VALIDATION_OPTIONS = { maxErrors: ERRORS_MAX - 1 };

export type FormattedErrors = readonly GraphQLFormattedError[];

const LOGGED: readonly ErrorCode[] = ['UNAUTHENTICATED', 'FORBIDDEN', 'QUERY_TOO_COMPLEX'];

/** Logs the refusals that show that a client tries what it may not. */
export function logRefused(app: App, code: ErrorCode): void {
  if (LOGGED.includes(code))
    logRefusal(app.log, { event: 'request-refused', code }, 'request refused');
}

/** Formats an error for the client, and logs it if it is unexpected or a notable refusal. */
export function sayError(
  app: App,
  formatted: GraphQLFormattedError,
  error: unknown,
): GraphQLFormattedError {
  const requestId = currentWork.getStore()?.requestId ?? 'unknown';
  const said = formatError(formatted, error, requestId, (id, cause) => {
    app.log.error({ event: 'unexpected-error', requestId: id, err: cause }, 'unexpected error');
  });
  logRefused(app, codeIn(said.extensions));
  // Hints are removed, because they name parts of the schema that introspection hides.
  return app.config.introspection ? said : { ...said, message: withoutHint(said.message) };
}

/**
 * Formats an error that does not pass through Apollo Server.
 * @param code of an error that GraphQL itself has found; undefined when the error may wrap one of ours
 */
export const sayRefusal = (app: App, error: GraphQLError, code?: string): GraphQLFormattedError =>
  sayError(
    app,
    { ...error.toJSON(), ...(code === undefined ? {} : { extensions: { code } }) },
    error,
  );

/**
 * The status of an answer is that of its gravest error. An answer with data is 200, because GraphQL over HTTP (6.4)
 * requires that: the errors say what is missing. Data without any value counts as no data, so that an operation without
 * a valid token is 401, whether or not its fields may be null.
 */
export const statusOf = (errors: FormattedErrors, data?: Data): number =>
  hasValue(data)
    ? 200
    : Math.max(200, ...errors.map(({ extensions }) => ERROR_CODES[codeIn(extensions)]));

type Data = Readonly<Record<string, unknown>> | null | undefined;

const hasValue = (data: Data): boolean =>
  data != null && Object.values(data).some((value) => value !== null);

/** Every error has one of our codes after it was formatted. */
export function codeIn(extensions: GraphQLFormattedError['extensions']): ErrorCode {
  const code = extensions?.['code'];
  return isErrorCode(code) ? code : 'INTERNAL';
}

/** The header Retry-After when some of the errors are temporary. It has the longest of their waits. */
export function waitOf(errors: FormattedErrors): Readonly<Record<string, string>> {
  const waits = errors.map(({ extensions }) =>
    codeIn(extensions) === 'BUSY' ? BUSY_SECONDS : Number(extensions?.['retryAfterSeconds'] ?? 0),
  );
  const longest = Math.max(0, ...waits);
  return longest > 0 ? { 'retry-after': String(longest) } : {};
}
