import { DomainError } from '../../domain/errors.js';
import { refreshSession, type SignedIn } from '../../services/sessions/sessions.js';
import type { Context } from '../context.js';
import type { AuthPayload } from './auth.type.js';

/** Hands the tokens over: the refresh token in the payload or in the cookie, never in both. */
export function deliver(context: Context, signedIn: SignedIn): AuthPayload {
  const { transport, refreshToken, ...payload } = signedIn;
  context.justSignedIn.set(payload.userId, payload.sessionId);
  if (transport === 'BODY') return { ...payload, refreshToken };
  context.refreshCookie.write(refreshToken, signedIn.refreshTokenExpiresAt);
  return { ...payload, refreshToken: null };
}

/**
 * Hands the successor of a refresh token over, of the cookie's when none is given; a cookie that is good for nothing
 * any more is taken away, or it would be sent for ever.
 */
export async function deliverSuccessor(
  context: Context,
  given: string | null,
): Promise<AuthPayload> {
  const { app, device, refreshCookie } = context;
  try {
    return deliver(context, await refreshSession(app, given ?? refreshCookie.read(), device));
  } catch (error) {
    if (given === null && isDead(error)) refreshCookie.clear();
    throw error;
  }
}

const isDead = (error: unknown): boolean =>
  error instanceof DomainError &&
  (error.code === 'REFRESH_TOKEN_INVALID' || error.code === 'REFRESH_TOKEN_REUSED');
