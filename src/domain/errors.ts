/**
 * All refusals of Talebank: the codes, their HTTP status, and one constructor for each. Every
 * `errors[].extensions.code` that leaves the server is one of these.
 */

import { types } from 'node:util';
import { isKeyOf, isObject, propertyOf, textOf } from './objects.js';

/** Code → HTTP status of the whole response. */
export const ERROR_CODES = {
  BAD_USER_INPUT: 200,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 200,
  NOT_FOUND: 200,
  INSUFFICIENT_CREDITS: 200,
  PRICE_CHANGED: 200,
  VOICE_CANNOT_READ: 200,
  IDEMPOTENCY_KEY_REUSED: 200,
  CONFLICT: 200,
  APPROVAL_REQUIRED: 200,
  EMAIL_TAKEN: 200,
  INVALID_CREDENTIALS: 200,
  ACCOUNT_SUSPENDED: 200,
  TOKEN_INVALID: 200,
  REFRESH_TOKEN_INVALID: 401,
  REFRESH_TOKEN_REUSED: 401,
  RATE_LIMITED: 429,
  QUERY_TOO_COMPLEX: 400,
  BUSY: 503,
  INTERNAL: 500,
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Whether a value is one of the codes in ERROR_CODES. Errors of libraries have other codes. */
export const isErrorCode = (code: unknown): code is ErrorCode =>
  typeof code === 'string' && isKeyOf(ERROR_CODES, code);

/** A refusal that the caller may see. `message` is for people, `code` and `details` are for programs. */
export class DomainError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: Readonly<Record<string, string | number | readonly string[]>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'DomainError';
  }
}

/** @param field the name of the argument as in the schema */
export const badUserInput = (field: string, message: string): DomainError =>
  new DomainError('BAD_USER_INPUT', `${field}: ${message}`, { field });

/** For a request that needs a signed-in user and has no valid access token. */
export const unauthenticated = (message = 'Sign in first.'): DomainError =>
  new DomainError('UNAUTHENTICATED', message);

/** For a signed-in user who may not do this, for example because of their role. */
export const forbidden = (message = 'You are not allowed to do that.'): DomainError =>
  new DomainError('FORBIDDEN', message);

/** The same error for objects that do not exist and for those of other users. */
export const notFound = (what: string): DomainError =>
  new DomainError('NOT_FOUND', `There is no such ${what}.`);

/** All values in points. */
export const insufficientCredits = (required: number, available: number): DomainError =>
  new DomainError(
    'INSUFFICIENT_CREDITS',
    `This costs ${String(required)} and ${String(available)} can be spent.`,
    { required, available, shortfall: required - available },
  );

/** @param required in points */
export const priceChanged = (required: number): DomainError =>
  new DomainError('PRICE_CHANGED', `This costs ${String(required)} now.`, { required });

/** @param able voices that can read the story, the best first */
export const voiceCannotRead = (
  voice: string,
  unread: 'language' | 'script',
  able: readonly { readonly id: string; readonly name: string }[],
): DomainError => {
  const advice =
    able.length === 0
      ? 'No voice on this server can read it.'
      : `Choose another voice: ${able.map(({ name }) => name).join(', ')}.`;
  return new DomainError(
    'VOICE_CANNOT_READ',
    `The voice ${voice} cannot read this story, because the story is in another ${unread}. ${advice}`,
    { voices: able.map(({ id }) => id) },
  );
};

/** For a key under which the same user has made a request with another content. */
export const idempotencyKeyReused = (): DomainError =>
  new DomainError(
    'IDEMPOTENCY_KEY_REUSED',
    'This idempotency key was used for a different request. Use a new key.',
  );

/** For a request that is valid, but that the present state of the object does not allow. The message says why. */
export const conflict = (message: string): DomainError => new DomainError('CONFLICT', message);

/** @param above the limit; both values in points */
export const approvalRequired = (proposalId: string, points: number, above: number): DomainError =>
  new DomainError(
    'APPROVAL_REQUIRED',
    `An administrator may give at most ${above.toLocaleString('en')} points a day (UTC) alone, and these ${points.toLocaleString('en')} would pass that. Proposal ${proposalId} was made: another administrator decides on it with approveProposal or declineProposal.`,
    { proposalId, points, above },
  );

/** A CONFLICT for a change that would leave the server without an administrator. */
export const lastAdministrator = (): DomainError =>
  conflict('This is the last administrator. Make someone else one first.');

/** For an address that another account has. */
export const emailTaken = (): DomainError =>
  new DomainError('EMAIL_TAKEN', 'There is an account with this e-mail address already.');

/**
 * For a failed sign-in. The message is the same for an unknown address, so that it does not tell which addresses have
 * accounts.
 */
export const invalidCredentials = (): DomainError =>
  new DomainError('INVALID_CREDENTIALS', 'The e-mail address or the password is wrong.');

/** For a signed-in user who must prove their identity again. */
export const wrongPassword = (): DomainError =>
  new DomainError('INVALID_CREDENTIALS', 'The password is wrong.');

/** For an account that an administrator has suspended. */
export const accountSuspended = (): DomainError =>
  new DomainError('ACCOUNT_SUSPENDED', 'This account is suspended.');

/** For a refresh token that is missing, malformed, unknown or expired, or whose session has ended. */
export const refreshTokenInvalid = (): DomainError =>
  new DomainError('REFRESH_TOKEN_INVALID', 'This refresh token is not valid. Sign in again.');

/** For a refresh token that was exchanged before. Its session ends, because the token may have been stolen. */
export const refreshTokenReused = (): DomainError =>
  new DomainError(
    'REFRESH_TOKEN_REUSED',
    'This refresh token was used before, so the device was signed out. Sign in again.',
  );

/** For a link that was mailed. */
export const tokenInvalid = (): DomainError =>
  new DomainError('TOKEN_INVALID', 'This link is not valid any more. Ask for a new one.');

/** For a request beyond a rate limit. Its answer also has the seconds in `extensions`. */
export const rateLimited = (retryAfterSeconds: number): DomainError =>
  new DomainError(
    'RATE_LIMITED',
    `Too many requests. Try again in ${String(retryAfterSeconds)} s.`,
    { retryAfterSeconds },
  );

/** The measures of a document and its answer that have a limit, as the message names them. */
const COMPLEXITIES = {
  lines: 'lines',
  length: 'characters when it is a subscription',
  tokens: 'tokens',
  nameLength: 'characters in a name or a number',
  depth: 'levels of fields',
  aliases: 'aliases',
  repetitions: 'fields that stand in a selection already',
  cost: 'objects in its answer',
  values: 'values in its answer',
  characters: 'characters in its answer',
} as const;

/** @param found undefined when counting stopped at the limit */
export const queryTooComplex = (
  what: keyof typeof COMPLEXITIES,
  limit: number,
  found?: number,
): DomainError => {
  const details = { what, limit, ...(found === undefined ? {} : { found }) };
  const got = found === undefined ? '' : `, got ${found.toLocaleString('en')}`;
  return new DomainError(
    'QUERY_TOO_COMPLEX',
    `A document may have at most ${limit.toLocaleString('en')} ${COMPLEXITIES[what]}${got}. Ask for less at once.`,
    details,
  );
};

/** For a request that may succeed if it is repeated. The cause is kept for the log and is not sent. */
export const busy = (cause?: unknown): DomainError =>
  new DomainError('BUSY', 'The service is busy. Try again in a moment.', {}, { cause });

/** For an unexpected error. The log has the details under the id of the request, and the answer has none. */
export const internal = (requestId: string): DomainError =>
  new DomainError('INTERNAL', 'Something went wrong on our side.', { requestId });

/** The message of what was thrown, which may come from another realm. */
export const messageOf = (thrown: unknown): string =>
  isObject(thrown) && 'message' in thrown ? String(thrown['message']) : String(thrown);

/** The message of what was thrown, and where, for the developers. */
export const stackOf = (thrown: unknown): string =>
  textOf(propertyOf(thrown, 'stack')) ?? String(thrown);

/** The code of an error of the system or of a library, such as ENOENT. Undefined when it has none. */
export const codeOf = (thrown: unknown): string | undefined => textOf(propertyOf(thrown, 'code'));

/** What was thrown, as an error. */
export const asError = (thrown: unknown): Error =>
  thrown instanceof Error || types.isNativeError(thrown)
    ? thrown
    : new Error(messageOf(thrown), { cause: thrown });
