import { Prisma, type Reader } from '../../infra/db.js';
import type { CreditTransactionType } from '../../domain/ledger/chain.js';
import type { CreditLotStatus, CreditSource } from '../../domain/ledger/lots.js';
import type { Window } from '../../domain/paging.js';
import { LOT_COLUMNS, type LotRow } from '../ledger/books.sql.js';

/** When a lot lapses. As an expression, so that nobody looks for a user's lots in the sweep's index of everyone's. */
const LAPSES_AT = Prisma.sql`coalesce(l.expires_at, 'infinity'::timestamptz)`;
/** The predicate of `isSpendable`, in SQL; `clock.now` is the ledger's clock, read once. */
const SPENDABLE = Prisma.sql`l.revoked_at IS NULL AND clock.now < ${LAPSES_AT}`;
const CLOCK = Prisma.sql`(SELECT ledger_now() AS now OFFSET 0) clock`;
/** `lotStatus`, in SQL. */
const STATUS = Prisma.sql`CASE
  WHEN l.revoked_at IS NOT NULL THEN 'REVOKED'
  WHEN l.expires_at IS NOT NULL AND clock.now >= l.expires_at THEN 'EXPIRED'
  WHEN l.remaining = 0 THEN 'EXHAUSTED' ELSE 'ACTIVE' END`;

export interface SourceBalanceRow {
  readonly userId: string;
  readonly source: CreditSource;
  readonly balance: number;
}

/** Spendable points by source. Index: credit_lots_open. */
export function readBalancesBySource(
  db: Reader,
  userIds: readonly string[],
): Promise<SourceBalanceRow[]> {
  return db.$queryRaw<SourceBalanceRow[]>`
    SELECT l.user_id AS "userId", l.source::text, sum(l.remaining)::int AS balance
    FROM credit_lots l, ${CLOCK}
    WHERE l.user_id = ANY(${userIds}::uuid[]) AND l.remaining > 0 AND ${SPENDABLE}
    GROUP BY l.user_id, l.source ORDER BY l.user_id, l.source`;
}

/** Spendable points by the instant at which they lapse, soonest first. Index: credit_lots_open. */
export function readExpiring(
  db: Reader,
  userId: string,
  days: number,
): Promise<{ at: Date; points: number }[]> {
  return db.$queryRaw`
    SELECT l.expires_at AS at, sum(l.remaining)::int AS points
    FROM credit_lots l, ${CLOCK}
    WHERE l.user_id = ${userId}::uuid AND l.remaining > 0 AND ${SPENDABLE}
      AND ${LAPSES_AT} <= clock.now + make_interval(days => ${days}::int)
    GROUP BY l.expires_at ORDER BY l.expires_at`;
}

/**
 * What could be spent at an instant in the past: of the lots that were alive then, what had been moved
 * by then. Null when the instant has not come yet. Indexes: credit_lots_pkey,
 * credit_allocations_user_id_lot_id_seq_idx.
 */
export async function readBalanceAt(db: Reader, userId: string, at: Date): Promise<number | null> {
  const [row] = await db.$queryRaw<{ balance: number | null }[]>`
    SELECT CASE WHEN ${at}::timestamptz <= ledger_now() THEN (
      SELECT coalesce(sum(a.amount), 0)::int
      FROM credit_lots l
      JOIN credit_allocations a ON a.user_id = l.user_id AND a.lot_id = l.id
      JOIN credit_transactions t ON t.user_id = a.user_id AND t.seq = a.seq
      WHERE l.user_id = ${userId}::uuid AND l.granted_at <= ${at}::timestamptz
        AND (l.expires_at IS NULL OR ${at}::timestamptz < l.expires_at)
        AND (l.revoked_at IS NULL OR ${at}::timestamptz < l.revoked_at)
        AND t.effective_at <= ${at}::timestamptz
    ) END AS balance`;
  return row?.balance ?? null;
}

export interface LotView extends LotRow {
  readonly status: CreditLotStatus;
}

/** Newest first. Index: credit_lots_user_id_granted_at_id_idx. */
export function readLots(
  db: Reader,
  wanted: {
    readonly userId: string;
    readonly window: Window<readonly [string, string]>;
    readonly status: readonly CreditLotStatus[] | null;
    readonly source: readonly CreditSource[] | null;
  },
): Promise<LotView[]> {
  const { window } = wanted;
  const [afterAt = null, afterId = null] = window.after ?? [];
  const [beforeAt = null, beforeId = null] = window.before ?? [];
  return db.$queryRaw<LotView[]>`
    SELECT ${LOT_COLUMNS}, ${STATUS} AS status
    FROM credit_lots l, ${CLOCK}
    WHERE l.user_id = ${wanted.userId}::uuid
      ${window.after === null ? Prisma.empty : Prisma.sql`AND (l.granted_at, l.id) < (${afterAt}::timestamptz, ${afterId}::uuid)`}
      ${window.before === null ? Prisma.empty : Prisma.sql`AND (l.granted_at, l.id) > (${beforeAt}::timestamptz, ${beforeId}::uuid)`}
      ${wanted.status === null ? Prisma.empty : Prisma.sql`AND ${STATUS} = ANY(${wanted.status}::text[])`}
      ${wanted.source === null ? Prisma.empty : Prisma.sql`AND l.source::text = ANY(${wanted.source}::text[])`}
    ORDER BY ${window.backward ? Prisma.sql`l.granted_at, l.id` : Prisma.sql`l.granted_at DESC, l.id DESC`}
    LIMIT ${window.limit + 1}`;
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

export interface TransactionView {
  readonly userId: string;
  readonly seq: number;
  readonly id: string;
  readonly type: CreditTransactionType;
  readonly amount: number;
  readonly balanceAfter: number;
  readonly reason: string | null;
  readonly audioId: string | null;
  readonly storyId: string | null;
  readonly debitSeq: number | null;
  readonly actorId: string | null;
  readonly effectiveAt: Date;
  readonly recordedAt: Date;
  readonly hash: Uint8Array;
}

const TRANSACTION_COLUMNS = Prisma.sql`t.user_id AS "userId", t.seq, t.id, t.type::text, t.amount,
  t.balance_after AS "balanceAfter", t.reason, t.audio_id AS "audioId", t.story_id AS "storyId",
  t.debit_seq AS "debitSeq", t.actor_id AS "actorId", t.effective_at AS "effectiveAt",
  t.recorded_at AS "recordedAt", t.hash`;

/**
 * Newest first. Index: credit_transactions_pkey, read backwards; by type, credit_transactions_by_type,
 * a page of each type that is asked for.
 */
export function readHistory(
  db: Reader,
  wanted: {
    readonly userId: string;
    readonly window: Window<number>;
    readonly type: readonly TransactionView['type'][] | null;
    /** Half-open: from included, to excluded. */
    readonly from: Date | null;
    readonly to: Date | null;
  },
): Promise<TransactionView[]> {
  const { window } = wanted;
  const order = Prisma.sql`ORDER BY t.seq ${window.backward ? Prisma.sql`ASC` : Prisma.sql`DESC`}
    LIMIT ${window.limit + 1}`;
  const where = Prisma.sql`t.user_id = ${wanted.userId}::uuid
      ${window.after === null ? Prisma.empty : Prisma.sql`AND t.seq < ${window.after}`}
      ${window.before === null ? Prisma.empty : Prisma.sql`AND t.seq > ${window.before}`}
      ${wanted.from === null ? Prisma.empty : Prisma.sql`AND t.effective_at >= ${wanted.from}::timestamptz`}
      ${wanted.to === null ? Prisma.empty : Prisma.sql`AND t.effective_at < ${wanted.to}::timestamptz`}`;
  if (wanted.type === null) {
    return db.$queryRaw<TransactionView[]>`
      SELECT ${TRANSACTION_COLUMNS} FROM credit_transactions t WHERE ${where} ${order}`;
  }
  return db.$queryRaw<TransactionView[]>`
    SELECT ${TRANSACTION_COLUMNS}
    FROM unnest(${[...new Set(wanted.type)]}::credit_transaction_type[]) AS w(type)
    CROSS JOIN LATERAL (
      SELECT * FROM credit_transactions t WHERE t.type = w.type AND ${where} ${order}
    ) t
    ${order}`;
}

/** The movements of one lot, newest first. Index: credit_allocations_user_id_lot_id_seq_idx. */
export function readLotHistory(
  db: Reader,
  wanted: { readonly userId: string; readonly lotId: string; readonly window: Window<number> },
): Promise<TransactionView[]> {
  const { window } = wanted;
  return db.$queryRaw<TransactionView[]>`
    SELECT ${TRANSACTION_COLUMNS}
    FROM credit_allocations a JOIN credit_transactions t USING (user_id, seq)
    WHERE a.user_id = ${wanted.userId}::uuid AND a.lot_id = ${wanted.lotId}::uuid
      ${window.after === null ? Prisma.empty : Prisma.sql`AND a.seq < ${window.after}`}
      ${window.before === null ? Prisma.empty : Prisma.sql`AND a.seq > ${window.before}`}
    ORDER BY a.seq ${window.backward ? Prisma.sql`ASC` : Prisma.sql`DESC`}
    LIMIT ${window.limit + 1}`;
}

/** Movements by owner and number. Index: credit_transactions_pkey. */
export function readTransactions(
  db: Reader,
  wanted: readonly { userId: string; seq: number }[],
): Promise<TransactionView[]> {
  return db.$queryRaw<TransactionView[]>`
    SELECT ${TRANSACTION_COLUMNS}
    FROM unnest(${wanted.map((one) => one.userId)}::uuid[], ${wanted.map((one) => one.seq)}::int[]) AS w(user_id, seq)
    JOIN credit_transactions t USING (user_id, seq)`;
}

export interface AllocationView {
  readonly userId: string;
  readonly seq: number;
  readonly lotId: string;
  readonly amount: number;
}

/** In the order in which they were taken. Index: credit_allocations_pkey. */
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

/** The lots that could pay at this moment, with the moment. Index: credit_lots_open. */
export function readQuotableLots(db: Reader, userId: string): Promise<(LotRow & { now: Date })[]> {
  return db.$queryRaw`
    SELECT ${LOT_COLUMNS}, clock.now FROM credit_lots l, ${CLOCK}
    WHERE l.user_id = ${userId}::uuid AND l.remaining > 0 AND ${SPENDABLE}`;
}

/**
 * What a person's points depend on: the newest movement and the next lapse, with the milliseconds until then; null
 * when none will. Indexes: credit_accounts_pkey, credit_lots_open.
 */
export async function readCreditsVersion(
  db: Reader,
  userId: string,
): Promise<{ version: string; lapsesInMs: number | null }> {
  const [row] = await db.$queryRaw<{ version: string; lapsesInMs: number | null }[]>`
    SELECT concat_ws(' ', a.last_seq, next.at) AS version,
           (extract(epoch FROM next.at - next.now) * 1000)::float8 AS "lapsesInMs"
    FROM credit_accounts a CROSS JOIN LATERAL (
      SELECT min(l.expires_at) AS at, min(clock.now) AS now FROM credit_lots l, ${CLOCK}
      WHERE l.user_id = a.user_id AND l.remaining > 0 AND ${SPENDABLE}
    ) next
    WHERE a.user_id = ${userId}::uuid`;
  return row ?? { version: '', lapsesInMs: null };
}

/** Index: credit_transactions_user_id_id_key. */
export async function readTransactionById(
  db: Reader,
  userId: string,
  id: string,
): Promise<TransactionView | null> {
  const [row] = await db.$queryRaw<TransactionView[]>`
    SELECT ${TRANSACTION_COLUMNS} FROM credit_transactions t
    WHERE t.user_id = ${userId}::uuid AND t.id = ${id}::uuid`;
  return row ?? null;
}
