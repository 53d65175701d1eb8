import { setTimeout as sleep } from 'node:timers/promises';
import { transact, type Db } from '../../infra/db.js';
import type { Logger } from '../../infra/log.js';
import { LIVE_CHANNEL, type Followers } from './followers.js';
import { anythingChanged, tellChanges } from './tell.sql.js';

/** How often changes are looked for while anybody follows anything in this process; otherwise, to clear them away. */
const WHILE_FOLLOWED_MS = 40;
const OTHERWISE_MS = 2_000;
const AFTER_FAILURE_MS = 1_000;
const AT_ONCE = 1_000;

/** Tells what has changed, as long as the process lives. Any number of processes may. */
export function startTelling(
  db: Db,
  followers: Pick<Followers, 'count'>,
  log: Logger,
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const tellAll = async (): Promise<void> => {
    if (!(await anythingChanged(db))) return;
    while ((await transact(db, (tx) => tellChanges(tx, LIVE_CHANNEL, AT_ONCE))) === AT_ONCE);
  };
  const failed = (error: unknown): boolean => {
    log.warn({ err: error }, 'changes are not told');
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
