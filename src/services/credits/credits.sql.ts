import { Prisma, type Reader, type Rows } from '../../infra/db.js';
import type { CreditLotStatus, CreditSource } from '../../domain/ledger/lots.js';
import type { Window } from '../../domain/paging.js';
import type { PointsReader } from '../ledger/allowances.js';
import { LOT_COLUMNS, type LotRow } from '../ledger/books.sql.js';
import { keysetOf, type ListOrder } from '../keyset.sql.js';

/**
 * The instant at which a lot lapses. An expression rather than the column, so that the planner does not use the sweep's
 * index over all users for one user's lots.
 */
const LAPSES_AT = Prisma.sql`coalesce(l.expires_at, 'infinity'::timestamptz)`;
/** The predicate of `isSpendable` in SQL. `clock.now` is the ledger's clock, which is read once. */
const SPENDABLE = Prisma.sql`l.revoked_at IS NULL AND clock.now < ${LAPSES_AT}`;
const CLOCK = Prisma.sql`(SELECT ledger_now() AS now OFFSET 0) clock`;
/** `lotStatus` in SQL. */
const STATUS = Prisma.sql`CASE
  WHEN l.revoked_at IS NOT NULL THEN 'REVOKED'
  WHEN l.expires_at IS NOT NULL AND clock.now >= l.expires_at THEN 'EXPIRED'
  WHEN l.remaining = 0 THEN 'EXHAUSTED' ELSE 'ACTIVE' END`;

export interface SourceBalanceRow {
  readonly userId: string;
  readonly source: CreditSource;
  readonly balance: number;
}

/** A row of `readBalancesBySource`: the balance of a source, or an account whose lots contradict its history. */
type BalanceRow = SourceBalanceRow & { readonly isMismatch: boolean };

/**
 * Spendable points by source. The same statement compares the sum of all open lots with the balance after the last
 * transaction, which costs two look-ups by key for each account. Indexes: credit_lots_open, credit_accounts_pkey,
 * credit_transactions_pkey.
 */
export const readBalancesBySource = (
  points: PointsReader,
  userIds: readonly string[],
): Promise<BalanceRow[]> =>
  points.read<BalanceRow>(
    userIds,
    Prisma.sql`
    WITH held AS MATERIALIZED (
      SELECT l.user_id, l.source, l.remaining, ${SPENDABLE} AS is_spendable
      FROM credit_lots l, ${CLOCK}
      WHERE l.user_id = ANY(${userIds}::uuid[]) AND l.is_open AND l.revoked_at IS NULL
    )
    (SELECT user_id AS "userId", source::text, sum(remaining)::int AS balance, false AS "isMismatch"
    FROM held WHERE is_spendable GROUP BY user_id, source ORDER BY held.user_id, held.source)
    UNION ALL
    SELECT a.user_id, 'FREE', 0, true
    FROM credit_accounts a
    LEFT JOIN LATERAL (
      SELECT balance_after FROM credit_transactions
      WHERE user_id = a.user_id AND seq = a.last_seq OFFSET 0
    ) t ON true
    LEFT JOIN (SELECT user_id, sum(remaining) AS points FROM held GROUP BY user_id) h ON h.user_id = a.user_id
    WHERE a.user_id = ANY(${userIds}::uuid[]) AND coalesce(h.points, 0) <> coalesce(t.balance_after, 0)`,
  );

/** Spendable points by their expiry, soonest first. Index: credit_lots_open. */
export const readExpiring = (
  points: PointsReader,
  userId: string,
  days: number,
): Promise<{ at: Date; points: number }[]> =>
  points.read(
    [userId],
    Prisma.sql`
    SELECT l.expires_at AS at, sum(l.remaining)::int AS points
    FROM credit_lots l, ${CLOCK}
    WHERE l.user_id = ${userId}::uuid AND l.is_open AND ${SPENDABLE}
      AND ${LAPSES_AT} <= clock.now + make_interval(days => ${days}::int)
    GROUP BY l.expires_at ORDER BY l.expires_at`,
  );

export interface LotView extends LotRow {
  readonly status: CreditLotStatus;
}

const LOTS_NEWEST_FIRST: ListOrder<readonly [string, string]> = {
  columns: [Prisma.sql`l.granted_at`, Prisma.sql`l.id`],
  direction: 'descending',
  valuesOf: ([at, id]) => [Prisma.sql`${at}::timestamptz`, Prisma.sql`${id}::uuid`],
};

/** A user's lots, newest first. Index: credit_lots_user_id_granted_at_id_idx. */
export function readLots(
  points: PointsReader,
  wanted: {
    readonly userId: string;
    readonly window: Window<readonly [string, string]>;
    readonly status: readonly CreditLotStatus[] | null;
    readonly source: readonly CreditSource[] | null;
  },
): Promise<LotView[]> {
  const { within, page } = keysetOf(wanted.window, LOTS_NEWEST_FIRST);
  const query = Prisma.sql`
    SELECT ${LOT_COLUMNS}, ${STATUS} AS status
    FROM credit_lots l, ${CLOCK}
    WHERE l.user_id = ${wanted.userId}::uuid
      ${within}
      ${wanted.status === null ? Prisma.empty : Prisma.sql`AND ${STATUS} = ANY(${wanted.status}::text[])`}
      ${wanted.source === null ? Prisma.empty : Prisma.sql`AND l.source::text = ANY(${wanted.source}::text[])`}
    ${page}`;
  return points.read([wanted.userId], query);
}

/** Lots by owner and id. Index: credit_lots_pkey. */
export function readLotsById(
  db: Reader,
  wanted: readonly { userId: string; id: string }[],
): Promise<LotView[]> {
  return db.$queryRaw<LotView[]>`
    SELECT ${LOT_COLUMNS}, ${STATUS} AS status
    FROM unnest(${wanted.map((one) => one.userId)}::uuid[], ${wanted.map((one) => one.id)}::uuid[]) AS w(user_id, id)
    JOIN credit_lots l USING (user_id, id), ${CLOCK}`;
}

export type TransactionView = Readonly<
  Pick<
    Rows.CreditTransaction,
    | 'userId'
    | 'seq'
    | 'id'
    | 'type'
    | 'amount'
    | 'balanceAfter'
    | 'reason'
    | 'audioId'
    | 'storyId'
    | 'debitSeq'
    | 'actorId'
    | 'effectiveAt'
    | 'recordedAt'
    | 'hash'
  >
>;

export const TRANSACTION_COLUMNS = Prisma.sql`t.user_id AS "userId", t.seq, t.id, t.type::text, t.amount,
  t.balance_after AS "balanceAfter", t.reason, t.audio_id AS "audioId", t.story_id AS "storyId",
  t.debit_seq AS "debitSeq", t.actor_id AS "actorId", t.effective_at AS "effectiveAt",
  t.recorded_at AS "recordedAt", t.hash`;

/** Transactions by owner and number. Index: credit_transactions_pkey. */
export function readTransactions(
  db: Reader,
  wanted: readonly { userId: string; seq: number }[],
): Promise<TransactionView[]> {
  return db.$queryRaw<TransactionView[]>`
    SELECT ${TRANSACTION_COLUMNS}
    FROM unnest(${wanted.map((one) => one.userId)}::uuid[], ${wanted.map((one) => one.seq)}::int[]) AS w(user_id, seq)
    JOIN credit_transactions t USING (user_id, seq)`;
}

export type AllocationView = Readonly<
  Pick<Rows.CreditAllocation, 'userId' | 'seq' | 'lotId' | 'amount'>
>;

/** Allocations, in the order in which their transaction took them. Index: credit_allocations_pkey. */
export function readAllocations(
  db: Reader,
  wanted: readonly { userId: string; seq: number }[],
): Promise<AllocationView[]> {
  return db.$queryRaw<AllocationView[]>`
    SELECT a.user_id AS "userId", a.seq, a.lot_id AS "lotId", a.amount
    FROM unnest(${wanted.map((one) => one.userId)}::uuid[], ${wanted.map((one) => one.seq)}::int[]) AS w(user_id, seq)
    JOIN credit_allocations a USING (user_id, seq)
    ORDER BY a.user_id, a.seq, a.ordinal`;
}

/** The debits and refunds of narrations, oldest first. Index: credit_transactions_of_audio. */
export function readAudioTransactions(
  db: Reader,
  wanted: readonly { userId: string; id: string }[],
): Promise<(TransactionView & { audioId: string })[]> {
  return db.$queryRaw`
    SELECT ${TRANSACTION_COLUMNS}
    FROM unnest(${wanted.map((one) => one.userId)}::uuid[], ${wanted.map((one) => one.id)}::uuid[]) AS w(user_id, audio_id)
    JOIN credit_transactions t USING (user_id, audio_id)
    WHERE t.audio_id IS NOT NULL AND t.type IN ('DEBIT', 'REFUND')
    ORDER BY t.user_id, t.seq`;
}

/** The lots that can be spent now, with the instant of the read. Index: credit_lots_open. */
export const readQuotableLots = (
  points: PointsReader,
  userId: string,
): Promise<(LotRow & { now: Date })[]> =>
  points.read(
    [userId],
    Prisma.sql`
    SELECT ${LOT_COLUMNS}, clock.now FROM credit_lots l, ${CLOCK}
    WHERE l.user_id = ${userId}::uuid AND l.is_open AND ${SPENDABLE}`,
  );

/**
 * The version of a user's points: the number of the newest transaction, the next expiry, and the points that can be
 * spent, because a repair changes them without a transaction. `changesInMs` is the time until the points change without
 * a transaction: until that expiry, or until the next month's allowance is due.
 * Indexes: credit_accounts_pkey, credit_lots_open.
 */
export async function readCreditsVersion(
  points: PointsReader,
  userId: string,
): Promise<{ version: string; changesInMs: number | null }> {
  const query = Prisma.sql`
    SELECT concat_ws(' ', a.last_seq, next.at, next.points) AS version,
           (extract(epoch FROM least(next.at, date_trunc('month', clock.now AT TIME ZONE 'UTC')
             AT TIME ZONE 'UTC' + interval '1 month') - clock.now) * 1000)::float8 AS "changesInMs"
    FROM ${CLOCK}, credit_accounts a CROSS JOIN LATERAL (
      SELECT min(l.expires_at) AS at, sum(l.remaining) AS points FROM credit_lots l
      WHERE l.user_id = a.user_id AND l.user_id = ${userId}::uuid AND l.is_open AND ${SPENDABLE}
    ) next
    WHERE a.user_id = ${userId}::uuid`;
  const [row] = await points.read<{ version: string; changesInMs: number }>([userId], query);
  return row ?? { version: '', changesInMs: null };
}

/**
 * A transaction by its id.
 * @param userId the owner; null for a transaction of any user. Index: credit_transactions_id_idx.
 */
export async function readTransactionById(
  db: Reader,
  userId: string | null,
  id: string,
): Promise<TransactionView | null> {
  const [row] = await db.$queryRaw<TransactionView[]>`
    SELECT ${TRANSACTION_COLUMNS} FROM credit_transactions t
    WHERE t.id = ${id}::uuid ${userId === null ? Prisma.empty : Prisma.sql`AND t.user_id = ${userId}::uuid`}`;
  return row ?? null;
}
