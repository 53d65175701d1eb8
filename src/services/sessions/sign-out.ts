import type { App } from '../app.js';
import { parseOpaqueToken, type OpaqueToken } from '../../infra/tokens.js';
import type { Viewer } from './viewer.js';

/**
 * Signs a device out by its access token, its refresh token, or both: its refresh tokens at once, its access token
 * within a second. Idempotent: it also succeeds when the device is signed out already, or is unknown.
 */
export async function signOut(
  app: App,
  device: { viewer: Viewer | null; refreshToken: string | null },
): Promise<void> {
  const { viewer, refreshToken } = device;
  const presented = refreshToken === null ? null : parseOpaqueToken(refreshToken);
  const ofToken = presented === null ? null : await findSessionOfToken(app, presented);
  for (const session of [viewer, ofToken]) if (session !== null) await endSession(app, session);
}

async function findSessionOfToken(
  app: App,
  { userId, hash }: OpaqueToken,
): Promise<{ userId: string; sessionId: string } | null> {
  const where = { userId_hash: { userId, hash } };
  return app.db.refreshToken.findUnique({ where, select: { userId: true, sessionId: true } });
}

async function endSession(
  app: App,
  { userId, sessionId: id }: { userId: string; sessionId: string },
): Promise<void> {
  await app.db.session.updateMany({
    where: { userId, id, revokedAt: null },
    data: { revokedAt: new Date() },
  });
  app.sessionStates.forget(userId);
}
