import { Prisma, type Reader } from '../../infra/db.js';
import type { Window } from '../../domain/paging.js';
import { TRANSACTION_COLUMNS, type TransactionView } from '../credits/credits.sql.js';
import { COUNTED_AT } from '../credits/past/flows.sql.js';
import { withLateExpiries } from '../credits/past/balance-at.sql.js';
import { bySeq, keysetOf } from '../keyset.sql.js';

/** The end of an account's history as of an instant. */
export interface HistoryEnd {
  /** The number of the last transaction that was recorded by then. 0 for none. */
  readonly recordedSeq: number;
  /** The highest number of a transaction that counts by then. 0 for none. */
  readonly countedSeq: number;
  /** The hash of the transaction with the number `countedSeq`. */
  readonly headHash: Uint8Array | null;
}

/**
 * Reads the end of a history. No locks. Indexes: credit_accounts_pkey, credit_transactions_pkey,
 * credit_transactions_by_type, credit_transactions_late.
 */
export async function readHistoryEnd(db: Reader, userId: string, at: Date): Promise<HistoryEnd> {
  const [row] = await db.$queryRaw<HistoryEnd[]>`
    ${withLateExpiries(userId, at)}, ends AS (
      SELECT r.seq AS recorded, greatest(r.seq, (
        SELECT max(t.seq) FROM expired JOIN credit_transactions t ON t.user_id = ${userId}::uuid AND t.seq = expired.seq
        WHERE ${COUNTED_AT} <= ${at}::timestamptz
      )) AS counted FROM recorded r
    )
    SELECT ends.recorded AS "recordedSeq", ends.counted AS "countedSeq", t.hash AS "headHash"
    FROM ends LEFT JOIN credit_transactions t ON t.user_id = ${userId}::uuid AND t.seq = ends.counted`;
  return row ?? { recordedSeq: 0, countedSeq: 0, headHash: null };
}

/** Points in lots that lapsed after `from` and up to `to`, and whose expiry is not booked. Index: credit_lots_open. */
export async function readUnbookedLapses(
  db: Reader,
  { userId, from, to }: { userId: string; from: Date; to: Date },
): Promise<number> {
  const [row] = await db.$queryRaw<{ points: number }[]>`
    SELECT coalesce(sum(l.remaining), 0)::int AS points FROM credit_lots l
    WHERE l.user_id = ${userId}::uuid AND l.is_open AND l.revoked_at IS NULL
      AND coalesce(l.expires_at, 'infinity'::timestamptz) > ${from}::timestamptz
      AND coalesce(l.expires_at, 'infinity'::timestamptz) <= ${to}::timestamptz`;
  return row?.points ?? 0;
}

/** The transactions numbered after `afterSeq` and up to `untilSeq` that count after `from` and up to `to`. */
export interface StatementRange {
  readonly userId: string;
  readonly from: Date;
  readonly to: Date;
  readonly afterSeq: number;
  readonly untilSeq: number;
}

const inRange = ({
  userId,
  from,
  to,
  afterSeq,
  untilSeq,
}: StatementRange): Prisma.Sql => Prisma.sql`
  t.user_id = ${userId}::uuid AND t.seq > ${afterSeq} AND t.seq <= ${untilSeq}
  AND ${COUNTED_AT} > ${from}::timestamptz AND ${COUNTED_AT} <= ${to}::timestamptz`;

/** A query of the transactions of a statement. Index: credit_transactions_pkey. */
export const movementsQuery = (range: StatementRange): Prisma.Sql =>
  Prisma.sql`SELECT FROM credit_transactions t WHERE ${inRange(range)}`;

/** A page of a statement, newest first. Index: credit_transactions_pkey, read backwards. */
export function readStatementMovements(
  db: Reader,
  range: StatementRange,
  window: Window<number>,
): Promise<TransactionView[]> {
  const { within, page } = keysetOf(window, bySeq(Prisma.sql`t.seq`));
  return db.$queryRaw<TransactionView[]>`
    SELECT ${TRANSACTION_COLUMNS} FROM credit_transactions t
    WHERE ${inRange(range)} ${within} ${page}`;
}

/** Whether the account is open. It is closed when its user leaves. Index: credit_accounts_pkey. */
export async function isAccountOpen(db: Reader, userId: string): Promise<boolean> {
  const rows = await db.$queryRaw<unknown[]>`
    SELECT FROM credit_accounts WHERE user_id = ${userId}::uuid AND closed_at IS NULL`;
  return rows.length > 0;
}
