import type { Reader, Tx } from '../../infra/db.js';

/** Whether something waits to be told. No locks. Index: live_changes_pkey. */
export async function anythingChanged(db: Reader): Promise<boolean> {
  const [row] = await db.$queryRaw<{ any: boolean }[]>`
    SELECT EXISTS (SELECT FROM live_changes) AS any`;
  return row?.any === true;
}

/**
 * Takes what has changed, and tells each topic once. Transactions that notify commit one by one: this one does not
 * wait for the disk, for what is told is worth nothing after a crash. Locks its rows, and skips what another process
 * tells at this moment. @returns how many changes it took. Index: live_changes_pkey.
 */
export async function tellChanges(tx: Tx, channel: string, limit: number): Promise<number> {
  await tx.$queryRaw`SELECT set_config('synchronous_commit', 'off', true)`;
  const [row] = await tx.$queryRaw<{ taken: number }[]>`
    WITH taken AS (
      DELETE FROM live_changes WHERE id IN (
        SELECT id FROM live_changes ORDER BY id LIMIT ${limit} FOR UPDATE SKIP LOCKED)
      RETURNING topic
    ), told AS (
      SELECT pg_notify(${channel}, topic) FROM (SELECT DISTINCT topic FROM taken) topics
    )
    SELECT (SELECT count(*) FROM taken)::int AS taken, (SELECT count(*) FROM told)::int AS told`;
  return row?.taken ?? 0;
}
