import type { SignedIn } from '../../services/sessions/sessions.js';
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
