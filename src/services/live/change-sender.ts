import { setTimeout as sleep } from 'node:timers/promises';
import { transact, type Db } from '../../infra/db.js';
import type { Logger } from '../../infra/log.js';
import { LIVE_CHANNEL, type Followers } from './followers.js';
import { lookForChanges, NOTHING_SEEN, tellChanges } from './change-sender.sql.js';

/**
 * The poll interval for changes while this process has followers, and the longer one without, which only deletes old
 * changes.
 */
const WHILE_FOLLOWED_MS = 40;
const OTHERWISE_MS = 2_000;
const AFTER_FAILURE_MS = 1_000;
const AT_ONCE = 1_000;
/** How long a position is used, because a database that replaced another one may have smaller transaction ids. */
const RELIED_ON_MS = 60_000;

/**
 * Makes the function that sends unread changes each time it is called. It remembers its position for a minute at most,
 * and forgets it after a failure.
 */
export function createTeller(db: Db, channel: string): () => Promise<void> {
  let seen = NOTHING_SEEN;
  let reliedOnSince = -Infinity;
  return async () => {
    const now = performance.now();
    const relies = now - reliedOnSince < RELIED_ON_MS;
    if (!relies) reliedOnSince = now;
    const before = relies ? seen : NOTHING_SEEN;
    // If this fails, the position is forgotten.
    seen = NOTHING_SEEN;
    const found = await lookForChanges(db, before);
    const { oldest } = found;
    const told = (): Promise<number> =>
      oldest === null
        ? Promise.resolve(0)
        : transact(db, (tx) => tellChanges(tx, { channel, oldest, limit: AT_ONCE }));
    while ((await told()) === AT_ONCE);
    seen = found.seen;
  };
}

/** Sends changes as long as the process lives. Any number of processes may do so. */
export function startTelling(
  db: Db,
  followers: Pick<Followers, 'count'>,
  log: Logger,
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const tellAll = createTeller(db, LIVE_CHANNEL);
  const failed = (error: unknown): boolean => {
    log.warn({ event: 'changes-not-told', err: error }, 'changes are not told');
    return false;
  };
  const keepTelling = async (): Promise<void> => {
    let waitedMs = 0;
    while (!stopping.signal.aborted) {
      const isTime = followers.count() > 0 || waitedMs >= OTHERWISE_MS;
      waitedMs = isTime ? 0 : waitedMs + WHILE_FOLLOWED_MS;
      const told = !isTime || (await tellAll().then(() => true, failed));
      const pauseMs = told ? WHILE_FOLLOWED_MS : AFTER_FAILURE_MS;
      await sleep(pauseMs, null, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const telling = keepTelling();
  return {
    stop: async () => {
      stopping.abort();
      await telling;
    },
  };
}
