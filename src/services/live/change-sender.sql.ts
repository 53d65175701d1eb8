import { PLANNED_ANEW, Prisma, type Reader, type Tx } from '../../infra/db.js';

/** The beginning of the statements that send changes, by which other processes recognise them. */
export const SENDS_CHANGES = Prisma.raw('/* sends changes */');

/**
 * The position up to which a process has read changes. An unread change was written by a transaction whose id is at
 * least `from`, or is in `open`. Every other transaction before `from` had ended, and its changes were sent and
 * deleted. So dead rows that are kept for other transactions' snapshots are not read again. The ids of rows would not
 * do as a position, because a transaction with a smaller id may commit later.
 */
export interface Seen {
  readonly from: string;
  readonly open: readonly string[];
}

export const NOTHING_SEEN: Seen = { from: '0', open: [] };

/**
 * Looks for unread changes. No locks. The statement is planned each time, because a plan that was made while the table
 * was empty would read all of it. Index: live_changes_writer_idx.
 * @returns the oldest transaction with unread changes, null when there are none; and the position after they are sent
 */
export async function lookForChanges(
  db: Reader,
  seen: Seen,
): Promise<{ readonly oldest: string | null; readonly seen: Seen }> {
  const [row] = await db.$queryRaw<
    [{ oldest: string | null; from: string; open: string[] }]
  >`${SENDS_CHANGES}
    WITH snapshot AS MATERIALIZED (SELECT pg_current_snapshot() AS now), changes AS MATERIALIZED (
      SELECT CASE WHEN late.writer < next.writer OR next.writer IS NULL THEN late.writer ELSE next.writer END AS oldest
      FROM (SELECT) one
      LEFT JOIN LATERAL (
        SELECT writer FROM live_changes WHERE writer = ANY(${seen.open}::xid8[]) ORDER BY writer LIMIT 1
      ) late ON true
      LEFT JOIN LATERAL (
        SELECT writer FROM live_changes WHERE writer >= ${seen.from}::xid8 ORDER BY writer LIMIT 1
      ) next ON true
    ), bound AS (
      SELECT now, oldest, CASE WHEN oldest < pg_snapshot_xmax(now) THEN oldest ELSE pg_snapshot_xmax(now) END AS "from"
      FROM snapshot, changes
    )
    SELECT oldest::text, "from"::text,
      ARRAY(SELECT id::text FROM pg_snapshot_xip(now) AS id WHERE id < "from") AS open
    FROM bound ${PLANNED_ANEW}`;
  return { oldest: row.oldest, seen: { from: row.from, open: row.open } };
}

/**
 * Deletes changes and notifies each topic once. Transactions with notifications commit one after the other, so this one
 * does not wait for the disk. That is safe, because notices are not needed after a crash. Locks its rows, and skips
 * rows that another process is sending. @returns the number of changes. Index: live_changes_writer_idx.
 */
export async function tellChanges(
  tx: Tx,
  wanted: { readonly channel: string; readonly oldest: string; readonly limit: number },
): Promise<number> {
  await tx.$queryRaw`${SENDS_CHANGES} SELECT set_config('synchronous_commit', 'off', true)`;
  const [row] = await tx.$queryRaw<{ taken: number }[]>`${SENDS_CHANGES}
    WITH taken AS (
      DELETE FROM live_changes WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM live_changes WHERE writer >= ${wanted.oldest}::xid8
        ORDER BY writer LIMIT ${wanted.limit} FOR UPDATE SKIP LOCKED))
      RETURNING topic
    ), told AS (
      SELECT pg_notify(${wanted.channel}, topic) FROM (SELECT DISTINCT topic FROM taken) topics
    )
    SELECT (SELECT count(*) FROM taken)::int AS taken, (SELECT count(*) FROM told)::int AS told
    ${PLANNED_ANEW}`;
  return row?.taken ?? 0;
}
