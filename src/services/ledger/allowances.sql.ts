import { isDistributed } from '../../infra/citus/placement.js';
import { Prisma, type Reader } from '../../infra/db.js';

/** A user whose allowance of the month has not been granted yet. */
export interface DueAllowance {
  readonly userId: string;
  /** Points. */
  readonly amount: number;
  /** The ledger's clock in milliseconds since 1970, which decides the month. */
  readonly nowMs: number;
}

/**
 * Those of these users who are entitled to this month's allowance and have not got it: active, verified, with an amount
 * above 0. One JSON array, or null when there are none. The month is the calendar month in UTC by the ledger's clock.
 * Indexes: users_pkey, credit_lots_one_a_period.
 */
const dueAllowances = (userIds: readonly string[], amountDefault: number): Prisma.Sql => Prisma.sql`
  SELECT json_agg(json_build_object('userId', u.id, 'amount', coalesce(u.monthly_credits, ${amountDefault}::int),
    'nowMs', floor(extract(epoch FROM clock.now) * 1000)))
  FROM users u, (SELECT ledger_now() AS now OFFSET 0) clock
  WHERE u.id = ANY(${userIds}::uuid[]) AND u.deleted_at IS NULL AND u.suspended_at IS NULL
    AND u.email_verified_at IS NOT NULL AND coalesce(u.monthly_credits, ${amountDefault}::int) > 0
    AND u.id NOT IN (
      SELECT l.user_id FROM credit_lots l WHERE l.user_id = ANY(${userIds}::uuid[]) AND l.source = 'MONTHLY'
        AND l.period = (SELECT to_char(ledger_now() AT TIME ZONE 'UTC', 'YYYY-MM')))`;

/** The allowances of these users that are due. No locks. */
export async function readDueAllowances(
  db: Reader,
  { userIds, amountDefault }: { userIds: readonly string[]; amountDefault: number },
): Promise<readonly DueAllowance[]> {
  const [row] = await db.$queryRaw<{ due: DueAllowance[] | null }[]>`
    SELECT (${dueAllowances(userIds, amountDefault)}) AS due`;
  return row?.due ?? [];
}

/**
 * Runs a read of points, and looks for due allowances in the same statement and snapshot, so that the hot path needs no
 * additional round trip. The rows keep their order, because a join without a condition can only be a nested loop. No
 * locks.
 */
export async function readWithDueAllowances(
  db: Reader,
  wanted: { userIds: readonly string[]; amountDefault: number; query: Prisma.Sql },
): Promise<{ rows: object[]; due: readonly DueAllowance[] }> {
  const { userIds, amountDefault, query } = wanted;
  // The two halves may be on several servers, or have to be sent to one by themselves.
  if (isDistributed(db))
    return { due: await readDueAllowances(db, wanted), rows: await db.$queryRaw<object[]>(query) };
  const found = await db.$queryRaw<{ due: DueAllowance[] | null; isRow: true | null }[]>`
    SELECT allowance.due, points.*
    FROM (SELECT (${dueAllowances(userIds, amountDefault)}) AS due) allowance
    LEFT JOIN (SELECT true AS "isRow", q.* FROM (${query}) q) points ON true`;
  const rows = found.filter(({ isRow }) => isRow === true);
  return {
    rows: rows.map(({ due: _due, isRow: _isRow, ...row }) => row),
    due: found[0]?.due ?? [],
  };
}
