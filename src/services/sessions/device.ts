import type { App } from '../app.js';
import { accountSuspended } from '../../domain/errors.js';
import { asUserId } from '../../domain/ids.js';
import { parseOpaqueToken } from '../../infra/tokens.js';
import { readDeviceOfToken } from './sessions.sql.js';
import type { Viewer } from './viewer.js';

/**
 * The signed-in device that a refresh token belongs to. The token is not used up.
 * @returns null when it is not the newest token of a live session
 * @throws ACCOUNT_SUSPENDED
 */
export async function findDevice(app: App, refreshToken: string | null): Promise<Viewer | null> {
  const token = refreshToken === null ? null : parseOpaqueToken(refreshToken);
  const device = token === null ? undefined : await readDeviceOfToken(app.db, token);
  if (token === null || device === undefined) return null;
  if (device.suspended) throw accountSuspended();
  const { sessionId, role } = device;
  return { userId: asUserId(token.userId), sessionId, role };
}
