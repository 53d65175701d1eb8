import { createDb } from '../../infra/db.js';
import type { Logger } from '../../infra/log.js';
import { createNotices } from '../../infra/notices.js';
import { startTelling } from './change-sender.js';
import { LIVE_CHANNEL, type Followers } from './followers.js';

/**
 * Sends and receives the changes that the triggers of the shards have left on a worker of a Citus cluster, because a
 * notice reaches only sessions of its own server.
 */
export function hearWorker(
  url: string,
  followers: Pick<Followers, 'count' | 'live'>,
  log: Logger,
): { close(): Promise<void> } {
  const db = createDb({ url, poolSize: 1, log });
  const notices = createNotices({ url, log, purpose: 'worker-notices' });
  notices.listen(LIVE_CHANNEL, followers.live);
  notices.open();
  const telling = startTelling(db, followers, log);
  return {
    close: async () => {
      await telling.stop();
      await notices.close();
      await db.$disconnect();
    },
  };
}
