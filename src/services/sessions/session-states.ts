import { LRUCache } from 'lru-cache';
import type { Db } from '../../infra/db.js';
import type { Listener } from '../../infra/notices.js';
import { readSessionState, readSessionStates, type SessionState } from './sessions.sql.js';

/** More than a person needs. It bounds the sessions of scripts that sign in and never sign out. */
export const DEVICES_MAX = 100;

/** The channel on which the database's triggers announce that a user's sessions, role or suspension have changed. */
export const STANDING_CHANNEL = 'talebank_standing';

/** A cache of session states. */
export interface SessionStates {
  /** @returns undefined when the session of the access token has ended */
  find(userId: string, sessionId: string): Promise<SessionState | undefined>;
  /**
   * Reads the cached sessions of these users again, in one statement.
   * @returns the users whose role, suspension or sessions have changed, and those who were not cached
   */
  refresh(userIds: readonly string[]): Promise<string[]>;
  /** Drops the cached sessions of a user. */
  forget(userId: string): void;
  /** Drops cached sessions when a notice announces a change. */
  readonly listener: Listener;
}

/**
 * How long a cached state is valid while notices are not received, because signing out, suspending and a change of role
 * must take effect on every process within one second.
 */
const TTL_WITHOUT_NOTICES_MS = 800;
/** How long a cached state is valid while notices are received. */
const TTL_WITH_NOTICES_MS = 60_000;
const REMEMBERED_MAX = 50_000;

interface Remembered {
  readonly readAt: number;
  readonly state: Promise<SessionState | undefined>;
}

/**
 * Caches session states: as long as notices of changes are received for a minute, and otherwise for less than a second.
 * So an access token is normally checked without a query.
 * @param heard whether notices are being received
 */
export function createSessionStates(db: Db, heard: () => boolean): SessionStates {
  // Keyed by user, because notices name a user. A read in progress is dropped with the entry.
  const people = new LRUCache<string, Map<string, Remembered>>({ max: REMEMBERED_MAX });

  const look = (userId: string, sessionId: string): Remembered => {
    const sessions = people.get(userId) ?? new Map<string, Remembered>();
    const remembered = {
      readAt: performance.now(),
      state: readSessionState(db, { userId, sessionId }),
    };
    // Users have few devices. The map is cleared at DEVICES_MAX, so that it is bounded in any case.
    if (sessions.size >= DEVICES_MAX) sessions.clear();
    sessions.set(sessionId, remembered);
    people.set(userId, sessions);
    remembered.state.catch(() => sessions.delete(sessionId));
    return remembered;
  };

  return {
    find: async (userId, sessionId) => {
      const known = people.get(userId)?.get(sessionId);
      const ttlMs = heard() ? TTL_WITH_NOTICES_MS : TTL_WITHOUT_NOTICES_MS;
      const ageMs = performance.now() - (known?.readAt ?? -Infinity);
      if (known === undefined || ageMs > ttlMs) return look(userId, sessionId).state;
      const state = await known.state;
      return state !== undefined && ageMs > state.endsInMs ? look(userId, sessionId).state : state;
    },
    refresh: (userIds) => refresh(db, people, userIds),
    forget: (userId) => people.delete(userId),
    listener: {
      heard: (userId) => people.delete(userId),
      missed: () => {
        people.clear();
      },
    },
  };
}

async function refresh(
  db: Db,
  people: LRUCache<string, Map<string, Remembered>>,
  userIds: readonly string[],
): Promise<string[]> {
  const remembered = userIds.flatMap((userId) =>
    [...(people.get(userId) ?? [])].map(([sessionId, known]) => ({ userId, sessionId, known })),
  );
  const readAt = performance.now();
  const rows = await readSessionStates(db, {
    userIds: remembered.map(({ userId }) => userId),
    sessionIds: remembered.map(({ sessionId }) => sessionId),
  });
  const states = new Map(rows.map((row) => [row.sessionId, row]));
  const changed = new Set(userIds.filter((userId) => !people.has(userId)));
  for (const { userId, sessionId, known } of remembered) {
    const now = states.get(sessionId);
    const before = await known.state.catch(() => undefined);
    if (before?.role !== now?.role || before?.suspended !== now?.suspended) changed.add(userId);
    const sessions = people.get(userId);
    // An entry that was read meanwhile is newer.
    if (sessions?.get(sessionId) === known)
      sessions.set(sessionId, { readAt, state: Promise.resolve(now) });
  }
  return [...changed];
}
