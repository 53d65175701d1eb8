import type { App } from '../app.js';
import { accountSuspended, unauthenticated, type DomainError } from '../../domain/errors.js';
import { asUserId, isId, type UserId } from '../../domain/ids.js';
import type { SessionState } from './sessions.sql.js';

/** The signed-in user of a request. */
export interface Viewer {
  readonly userId: UserId;
  readonly sessionId: string;
  readonly role: SessionState['role'];
}

/** Whether a viewer may read private data of other users, the audit log and the reports. */
export const seesEverybody = (viewer: Pick<Viewer, 'role'> | null): boolean =>
  viewer?.role === 'ADMIN' || viewer?.role === 'AUDITOR';

/** @returns the viewer, or the reason to refuse the token: UNAUTHENTICATED, ACCOUNT_SUSPENDED */
export async function identifyViewer(app: App, accessToken: string): Promise<Viewer | DomainError> {
  const claims = await app.keys.verify(accessToken);
  const refused = unauthenticated('The access token is not valid or has expired.');
  if (claims === null || !isId(claims.userId) || !isId(claims.sessionId)) return refused;
  const { userId, sessionId } = claims;
  const state = await app.sessionStates.find(userId, sessionId);
  if (state === undefined) return refused;
  if (state.suspended) return accountSuspended();
  return { userId: asUserId(userId), sessionId, role: state.role };
}

/** The present state of a viewer's session. @throws UNAUTHENTICATED or ACCOUNT_SUSPENDED when it has ended */
export async function requireSession(
  app: Pick<App, 'sessionStates'>,
  { userId, sessionId }: Viewer,
): Promise<SessionState> {
  const state = await app.sessionStates.find(userId, sessionId);
  if (state === undefined) throw unauthenticated('The session has ended.');
  if (state.suspended) throw accountSuspended();
  return state;
}
