import { PgBoss } from 'pg-boss';
import { createPool } from '../connections/session.js';

const CONNECT_TIMEOUT_MS = 10_000;

/** Makes the tables of pg-boss, of the version that this release has. It takes no job and makes no queue. */
export async function makeQueueSchema(databaseUrl: string): Promise<void> {
  const pool = createPool(
    databaseUrl,
    { purpose: 'restore', connectionsMax: 1, connectTimeoutMs: CONNECT_TIMEOUT_MS },
    // The next statement rejects.
    () => undefined,
  );
  const { rowCount } = await pool.query("SELECT FROM pg_namespace WHERE nspname = 'pgboss'");
  const boss = new PgBoss({
    db: { executeSql: (text, values) => pool.query(text, values) },
    createSchema: rowCount === 0,
    supervise: false,
    schedule: false,
    registerInstance: false,
  });
  boss.on('error', () => undefined);
  try {
    await boss.start();
    await boss.stop({ graceful: false });
  } finally {
    await pool.end();
  }
}
