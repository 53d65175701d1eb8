import type { Tx } from '../../../infra/db.js';
import type { Prune } from '../../maintenance/prune.sql.js';

/** The sum of the points that an administrator gave on a day without an approval. */
export interface GrantingDay {
  readonly actorId: string;
  /** yyyy-mm-dd, in UTC. */
  readonly day: string;
  readonly points: number;
}

/**
 * Locks the rows of the present day of these administrators, in the order of their ids. Concurrent grants of an
 * administrator therefore wait for each other. The rows are locked after the accounts and before the end of the audit
 * log. Index: granting_days_pkey.
 */
export function lockDays(tx: Tx, actorIds: readonly string[]): Promise<GrantingDay[]> {
  return tx.$queryRaw<GrantingDay[]>`
    INSERT INTO granting_days AS d (actor_id, day, points)
    SELECT a.id, (clock.now AT TIME ZONE 'UTC')::date, 0
    FROM unnest(${actorIds}::uuid[]) AS a(id), (SELECT ledger_now() AS now OFFSET 0) clock
    ORDER BY a.id
    ON CONFLICT (actor_id, day) DO UPDATE SET points = d.points
    RETURNING actor_id AS "actorId", day::text, points::float8`;
}

/** Does `work` with another lock timeout than the rest of the transaction. */
export async function withLockTimeout<T>(tx: Tx, ms: number, work: () => Promise<T>): Promise<T> {
  const [usual] = await tx.$queryRaw<{ timeout: string }[]>`
    SELECT before.timeout, set_config('lock_timeout', ${String(ms)}, true)
    FROM (SELECT current_setting('lock_timeout') AS timeout OFFSET 0) before`;
  const result = await work();
  await tx.$executeRaw`SELECT set_config('lock_timeout', ${usual?.timeout ?? '0'}, true)`;
  return result;
}

/** Writes rows that `lockDays` has locked. Index: granting_days_pkey. */
export async function writeDays(tx: Tx, days: readonly GrantingDay[]): Promise<void> {
  await tx.$executeRaw`
    UPDATE granting_days d SET points = r.points
    FROM json_to_recordset(${JSON.stringify(days)}::json) AS r("actorId" uuid, day date, points bigint)
    WHERE d.actor_id = r."actorId" AND d.day = r.day`;
}

/**
 * Deletes days that are more than seven days old. Newer ones are kept, because the clock may be set back to them.
 * Index: granting_days_day_idx.
 */
export const pruneGrantingDays: Prune = (db, limit) => db.$executeRaw`
  DELETE FROM granting_days WHERE (actor_id, day) IN (
    SELECT actor_id, day FROM granting_days, (SELECT ledger_now() AS now OFFSET 0) clock
    WHERE day < (clock.now AT TIME ZONE 'UTC')::date - 7 ORDER BY day LIMIT ${limit}
    FOR UPDATE OF granting_days SKIP LOCKED)`;
