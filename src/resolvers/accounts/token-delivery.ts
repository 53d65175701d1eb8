import { badUserInput, DomainError } from '../../domain/errors.js';
import type { DeviceFacts } from '../../services/accounts/accounts.js';
import { refreshSession, type SignedIn } from '../../services/sessions/sessions.js';
import type { Context } from '../context.js';
import type { AuthPayload } from './auth.type.js';

/**
 * The device that signs in, and how it gets its refresh token.
 * @throws BAD_USER_INPUT for a cookie that its browser would not keep, before anything is done
 */
export function signingIn(
  { device, refreshCookie }: Context,
  transport: DeviceFacts['transport'] | null = 'BODY',
): DeviceFacts {
  if (transport === 'COOKIE' && !refreshCookie.isKept())
    throw badUserInput(
      'transport',
      'must be BODY on a page of another site than the API, because browsers do not keep its cookie there. Serve both under one domain to use COOKIE.',
    );
  return { ...device, transport: transport ?? 'BODY' };
}

/** Hands the tokens over: the refresh token in the payload or in the cookie, never in both. */
export function deliver(context: Context, signedIn: SignedIn): AuthPayload {
  const { transport, refreshToken, ...payload } = signedIn;
  context.justSignedIn.set(payload.userId, payload.sessionId);
  if (transport === 'BODY') return { ...payload, refreshToken };
  context.refreshCookie.write(refreshToken, signedIn.refreshTokenExpiresAt);
  return { ...payload, refreshToken: null };
}

/**
 * Delivers the successor of the given refresh token, or of the cookie's when none is given. An invalid cookie is cleared,
 * because the browser would send it for ever.
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
