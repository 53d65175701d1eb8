import { LRUCache } from 'lru-cache';
import type { App } from '../../app.js';
import { accountSuspended, unauthenticated, type DomainError } from '../../domain/errors.js';
import { asUserId, isId, type UserId } from '../../domain/ids.js';
import type { Db } from '../../infra/db.js';
import type { Listener } from '../../infra/notices.js';
import { MOST_DEVICES } from './sessions.js';
import { readSessionState, type SessionState } from './sessions.sql.js';

/** Who is asking. */
export interface Viewer {
  readonly userId: UserId;
  readonly sessionId: string;
  readonly role: SessionState['role'];
}

/** The channel on which the database's triggers tell whose sessions or standing have changed. */
export const STANDING_CHANNEL = 'talebank_standing';

/** How sessions stood when they were last looked at. */
export interface SessionStates {
  /** @returns undefined when the access token is worth nothing any more */
  find(userId: string, sessionId: string): Promise<SessionState | undefined>;
  /** What is remembered of a person is looked at anew. */
  forget(userId: string): void;
  /** What to do when somebody tells of a change. */
  readonly listener: Listener;
}

/** Signing out, suspending and a change of role must hold on every process within one second. */
const BELIEVED_UNHEARD_MS = 800;
/** While every change is heard of, a session is looked at this often all the same. */
const BELIEVED_HEARD_MS = 60_000;
const MOST_REMEMBERED = 50_000;

interface Remembered {
  readonly readAt: number;
  readonly state: Promise<SessionState | undefined>;
}

/**
 * Remembers how sessions stand for as long as every change is heard of; without that, for less than a
 * second. A token is so checked without asking the database.
 * @param heard whether changes are heard of at the moment
 */
export function createSessionStates(db: Db, heard: () => boolean): SessionStates {
  // By person, for that is what changes are told of. A look that is under way is dropped with the rest.
  const people = new LRUCache<string, Map<string, Remembered>>({ max: MOST_REMEMBERED });

  const look = (userId: string, sessionId: string): Remembered => {
    const sessions = people.get(userId) ?? new Map<string, Remembered>();
    const remembered = {
      readAt: performance.now(),
      state: readSessionState(db, { userId, sessionId }),
    };
    // Nobody has more than a few devices; whoever makes tokens for many shall not fill the memory.
    if (sessions.size >= MOST_DEVICES) sessions.clear();
    sessions.set(sessionId, remembered);
    people.set(userId, sessions);
    remembered.state.catch(() => sessions.delete(sessionId));
    return remembered;
  };

  return {
    find: async (userId, sessionId) => {
      const known = people.get(userId)?.get(sessionId);
      const believedMs = heard() ? BELIEVED_HEARD_MS : BELIEVED_UNHEARD_MS;
      const ageMs = performance.now() - (known?.readAt ?? -Infinity);
      if (known === undefined || ageMs > believedMs) return look(userId, sessionId).state;
      const state = await known.state;
      return state !== undefined && ageMs > state.endsInMs ? look(userId, sessionId).state : state;
    },
    forget: (userId) => people.delete(userId),
    listener: {
      heard: (userId) => people.delete(userId),
      missed: () => {
        people.clear();
      },
    },
  };
}

/** @returns the viewer, or why the token is refused: UNAUTHENTICATED, ACCOUNT_SUSPENDED */
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
