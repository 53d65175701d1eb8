import type pg from 'pg';
import type { Db } from 'pg-boss';
import type { MeasuredPool } from '../connections/measured-pool.js';
import { createPool } from '../connections/session.js';
import type { WatchedPools } from '../connections/watched-pools.js';
import type { Logger } from '../log.js';
import { createNotices } from '../notices.js';

/** How long an idle transaction may hold its locks: pg-boss sends each of its own in one piece. */
const IDLE_IN_TRANSACTION_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** How often to check whether the session still listens. A notice that is missed until then is found by polling. */
const ASK_EVERY_MS = 5_000;

/**
 * Opens the connections of the job queue. An error of an idle connection is logged, because pg would otherwise end the
 * process.
 */
export function openPool(options: {
  url: string;
  poolSize: number;
  log: Logger;
  pools: WatchedPools;
}): MeasuredPool {
  const pool = createPool(
    options.url,
    {
      purpose: 'queue',
      connectionsMax: options.poolSize,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      limits: { idleInTransactionMs: IDLE_IN_TRANSACTION_MS },
    },
    (error) => {
      options.log.warn({ event: 'queue-error', err: error }, 'queue error');
    },
  );
  options.pools.watch('queue', pool);
  return pool;
}

/** Creating a schema needs a right on the database, even where the schema is there and nothing would be created. */
export async function hasSchema(pool: pg.Pool): Promise<boolean> {
  const { rowCount } = await pool.query("SELECT FROM pg_namespace WHERE nspname = 'pgboss'");
  return rowCount !== 0;
}

/** pg-boss would open sessions of its own, which have the settings of the role and the database. */
export const queueDatabase = (pool: pg.Pool, { url, log }: { url: string; log: Logger }): Db => ({
  executeSql: (text, values) => pool.query(text, values),
  listen: (channel, heard, missed) => {
    const notices = createNotices({ url, log, askEveryMs: ASK_EVERY_MS, purpose: 'queue-notices' });
    notices.listen(channel, { heard, missed });
    notices.open();
    return Promise.resolve({ close: () => notices.close() });
  },
});
