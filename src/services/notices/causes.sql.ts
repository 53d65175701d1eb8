import { skippingLocked } from '../../infra/citus/locks.js';
import { PLANNED_ANEW, Prisma, type Tx } from '../../infra/db.js';

/** A part of the ledger's time: after `from` and up to `to`. */
export interface Slice {
  readonly from: Date;
  readonly to: Date;
}

/**
 * Locks the mark, so that one process at a time makes notices, and reads the ledger's clock.
 * @returns null while another process has it
 */
export async function lockMark(tx: Tx): Promise<{ readUntil: Date; now: Date } | null> {
  const [row] = await tx.$queryRaw<{ readUntil: Date; now: Date }[]>`
    SELECT read_until AS "readUntil", ledger_now() AS now FROM notice_marks WHERE id = 1 FOR UPDATE SKIP LOCKED`;
  return row ?? null;
}

/** Notes that notices were made for the ledger up to this time. The transaction holds the lock of `lockMark`. */
export const moveMark = (tx: Tx, to: Date): Promise<number> =>
  tx.$executeRaw`UPDATE notice_marks SET read_until = ${to} WHERE id = 1`;

/**
 * Transactions that were recorded in the slice, or in the two minutes before it, because a transaction may commit a while
 * after its `recorded_at`. A notice is made once, so those that were read before make none. The plan depends on
 * the length of the slice. Index: credit_transactions_period.
 */
const recordedIn = ({ from, to }: Slice): Prisma.Sql => Prisma.sql`
  t.recorded_at > ${from}::timestamptz - interval '2 minutes' AND t.recorded_at <= ${to}::timestamptz
  ${PLANNED_ANEW}`;

/** Grants, except the welcome points and grace lots. Indexes: credit_transactions_period, credit_allocations_pkey. */
export const grantsIn = (slice: Slice): Prisma.Sql => Prisma.sql`
  SELECT t.user_id, 'granted:' || t.seq AS key, 'POINTS_GRANTED' AS kind, t.recorded_at AS at, t.amount AS points,
    l.expires_at AS lapses_at, NULL::uuid AS audio_id, t.seq
  FROM credit_transactions t
  JOIN credit_allocations a ON a.user_id = t.user_id AND a.seq = t.seq AND a.ordinal = 1
  JOIN credit_lots l ON l.user_id = a.user_id AND l.id = a.lot_id
  WHERE t.type = 'GRANT' AND ${recordedIn(slice)}
    AND coalesce(t.idempotency_key, '') NOT LIKE 'refund:%' AND coalesce(t.idempotency_key, '') <> 'signup'`;

/** Debits that took a balance below `lowBelow`, at most one a day (UTC) for a user. Index: credit_transactions_period. */
export const lowBalancesIn = (slice: Slice, lowBelow: number): Prisma.Sql => Prisma.sql`
  SELECT DISTINCT ON (t.user_id, (t.recorded_at AT TIME ZONE 'UTC')::date) t.user_id,
    'low:' || (t.recorded_at AT TIME ZONE 'UTC')::date AS key, 'POINTS_LOW' AS kind, t.recorded_at AS at,
    t.balance_after AS points, NULL::timestamptz AS lapses_at, NULL::uuid AS audio_id, t.seq
  FROM credit_transactions t
  WHERE t.type = 'DEBIT' AND ${recordedIn(slice)}
    AND t.balance_after < ${lowBelow} AND t.balance_after - t.amount >= ${lowBelow}
  ORDER BY t.user_id, (t.recorded_at AT TIME ZONE 'UTC')::date, t.seq`;

/** One notice for each instant to come at which open lots of a user lapse. @param lots from where they are, and which */
const lapsesOf = (lots: Prisma.Sql, { to }: Slice): Prisma.Sql => Prisma.sql`
  SELECT l.user_id, 'lapse:' || (extract(epoch FROM l.expires_at) * 1000)::int8 AS key, 'POINTS_LAPSE' AS kind,
    ${to}::timestamptz AS at, sum(l.remaining)::int AS points, l.expires_at AS lapses_at, NULL::uuid AS audio_id,
    NULL::int AS seq
  FROM ${lots} AND l.is_open AND l.revoked_at IS NULL AND l.expires_at > (SELECT ledger_now())
  GROUP BY l.expires_at, l.user_id`;

/**
 * Points that came within a week of their lapse in the slice. Points that are granted for less than a week have the
 * notice of their grant, which tells the lapse. Index: credit_lots_lapsing.
 */
export const lapsesIn = (slice: Slice): Prisma.Sql =>
  lapsesOf(
    Prisma.sql`credit_lots l
      WHERE l.expires_at > ${slice.from}::timestamptz + interval '168 hours'
        AND l.expires_at <= ${slice.to}::timestamptz + interval '168 hours' ${PLANNED_ANEW}`,
    slice,
  );

/**
 * Points of the grace lots of the slice, because these live for a week at most and have no notice of a grant. Indexes:
 * credit_transactions_period, credit_allocations_pkey.
 */
export const graceLapsesIn = (slice: Slice): Prisma.Sql =>
  lapsesOf(
    Prisma.sql`credit_transactions t
      JOIN credit_allocations a ON a.user_id = t.user_id AND a.seq = t.seq AND a.ordinal = 1
      JOIN credit_lots l ON l.user_id = a.user_id AND l.id = a.lot_id
      WHERE t.type = 'GRANT' AND ${recordedIn(slice)} AND l.parent_lot_id IS NOT NULL`,
    slice,
  );

/** Takes notices that are to be mailed. Index: notices_mail_due. */
export const takeMailDue = (
  tx: Tx,
  limit: number,
): Promise<{ userId: string; noticeId: string }[]> =>
  tx.$queryRaw`
    UPDATE notices SET mail_due = false
    WHERE mail_due AND (user_id, id) IN (
      SELECT user_id, id FROM notices WHERE mail_due ORDER BY id LIMIT ${limit} ${skippingLocked(tx)})
    RETURNING user_id AS "userId", id AS "noticeId"`;
