import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../infra/log.js';
import { logRefusal } from '../limits.js';
import type { SessionStates } from '../sessions/session-states.js';
import type { Followers } from './followers.js';

/** How soon this process notices that notices are not received any more. */
const LOOK_EVERY_MS = 100;
/** How often the sessions of followers are read while notices are not received. */
const RECHECK_EVERY_MS = 300;

/** The pause after a failure, because the database will probably be unreachable for a while. */
const RETRY_AFTER_MS = 1_000;

/**
 * Reads the sessions of all followers from the database while notices are not received, because a notice would
 * otherwise report that a session has ended. Followers whose sessions have changed are woken, so that a subscription
 * ends within a second of its session even if the connection for notices hangs. Sends no query while notices are
 * received.
 */
export function startRechecking(
  { sessionStates, followers }: { sessionStates: SessionStates; followers: Followers },
  heard: () => boolean,
  log: Logger,
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const pause = (ms: number): Promise<void> =>
    sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);
  const recheck = async (): Promise<void> => {
    for (const userId of await sessionStates.refresh(followers.people()))
      followers.standing.heard(userId);
  };
  /** @returns the pause before the next check */
  const recheckOnce = async (): Promise<number> => {
    try {
      await recheck();
      return RECHECK_EVERY_MS;
    } catch (error) {
      logRefusal(
        log,
        { event: 'sessions-not-rechecked' },
        'sessions of subscriptions are not checked',
        error,
      );
      return RETRY_AFTER_MS;
    }
  };
  const keepRechecking = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await pause(!heard() && followers.count() > 0 ? await recheckOnce() : LOOK_EVERY_MS);
    }
  };
  const rechecking = keepRechecking();
  return {
    stop: async () => {
      stopping.abort();
      await rechecking;
    },
  };
}
