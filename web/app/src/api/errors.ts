import type { CombinedError } from '@urql/core';
import * as m from '../paraglide/messages.js';

/** What went wrong, for texts and decisions. `OFFLINE` means that no answer came. */
export interface Failure {
  readonly code: string;
  /** The argument that is not valid. */
  readonly field?: string;
  readonly retryAfterSeconds?: number;
  readonly details: Readonly<Record<string, unknown>>;
}

export function failureOf(error: CombinedError | undefined): Failure | null {
  if (error === undefined) return null;
  const [first] = error.graphQLErrors;
  if (first === undefined) return { code: 'OFFLINE', details: {} };
  const details = first.extensions;
  const { code, field, retryAfterSeconds } = details;
  return {
    code: typeof code === 'string' ? code : 'INTERNAL',
    ...(typeof field === 'string' ? { field } : {}),
    ...(typeof retryAfterSeconds === 'number' ? { retryAfterSeconds } : {}),
    details,
  };
}

const TEXTS: Readonly<Record<string, () => string>> = {
  ACCOUNT_SUSPENDED: m.error_account_suspended,
  BUSY: m.error_busy,
  CONFLICT: m.error_conflict,
  EMAIL_TAKEN: m.error_email_taken,
  FORBIDDEN: m.error_forbidden,
  IDEMPOTENCY_KEY_REUSED: m.error_conflict,
  INSUFFICIENT_CREDITS: m.error_insufficient_credits,
  INVALID_CREDENTIALS: m.error_invalid_credentials,
  NOT_FOUND: m.error_not_found,
  OFFLINE: m.error_offline,
  PRICE_CHANGED: m.error_price_changed,
  REFRESH_TOKEN_INVALID: m.error_signed_out,
  REFRESH_TOKEN_REUSED: m.error_signed_out,
  TOKEN_INVALID: m.error_token_invalid,
  UNAUTHENTICATED: m.error_signed_out,
  VOICE_CANNOT_READ: m.error_voice_cannot_read,
};

const FIELD_TEXTS: Readonly<Record<string, () => string>> = {
  email: m.error_field_email,
  password: m.error_field_password,
  newPassword: m.error_field_password,
  displayName: m.error_field_display_name,
};

/** The failure in words of the reader's language. The server's own message is never shown. */
export function textOf(failure: Failure): string {
  if (failure.code === 'RATE_LIMITED')
    return m.error_rate_limited({ seconds: failure.retryAfterSeconds ?? 60 });
  if (failure.code === 'BAD_USER_INPUT')
    return (FIELD_TEXTS[failure.field ?? ''] ?? m.error_bad_input)();
  return (TEXTS[failure.code] ?? m.error_internal)();
}
