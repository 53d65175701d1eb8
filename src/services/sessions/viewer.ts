import { LRUCache } from 'lru-cache';
import type { App } from '../../app.js';
import { accountSuspended, unauthenticated, type DomainError } from '../../domain/errors.js';
import { asUserId, isId, type UserId } from '../../domain/ids.js';
import type { Db } from '../../infra/db.js';
import { readSessionState, type SessionState } from './sessions.sql.js';

/** Who is asking. */
export interface Viewer {
  readonly userId: UserId;
  readonly sessionId: string;
  readonly role: SessionState['role'];
}

/** By `userId sessionId`; `ended` when the access token is worth nothing any more. */
export type SessionStates = LRUCache<string, SessionState | 'ended'>;

/** Signing out, suspending and a change of role must hold on every process within one second. */
const BELIEVED_MS = 800;
const MOST_REMEMBERED = 50_000;

/** Remembers for a moment how sessions stand, so that a busy one costs one look a second. */
export function createSessionStates(db: Db): SessionStates {
  return new LRUCache<string, SessionState | 'ended'>({
    max: MOST_REMEMBERED,
    ttl: BELIEVED_MS,
    fetchMethod: async (key) => {
      const [userId = '', sessionId = ''] = key.split(' ');
      return (await readSessionState(db, { userId, sessionId })) ?? 'ended';
    },
  });
}

/** @returns the viewer, or why the token is refused: UNAUTHENTICATED, ACCOUNT_SUSPENDED */
export async function identifyViewer(app: App, accessToken: string): Promise<Viewer | DomainError> {
  const claims = await app.keys.verify(accessToken);
  const refused = unauthenticated('The access token is not valid or has expired.');
  if (claims === null || !isId(claims.userId) || !isId(claims.sessionId)) return refused;
  const { userId, sessionId } = claims;
  const state = await app.sessionStates.fetch(`${userId} ${sessionId}`);
  if (state === undefined || state === 'ended') return refused;
  if (state.suspended) return accountSuspended();
  return { userId: asUserId(userId), sessionId, role: state.role };
}
