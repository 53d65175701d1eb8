import type { Book, BookedEntry } from '../../domain/ledger/book.js';
import { CHAIN_FORMAT } from '../../domain/ledger/chain.js';
import type { Lot, LotPrice } from '../../domain/ledger/lots.js';
import {
  column,
  hexColumn,
  jsonColumn,
  listColumn,
  textColumn,
  timeColumn,
} from '../../infra/connections/columns.js';
import { Prisma, type Rows, type Tx } from '../../infra/db.js';

export interface LotRow
  extends
    LotPrice,
    Readonly<
      Pick<
        Rows.CreditLot,
        | 'userId'
        | 'id'
        | 'source'
        | 'priority'
        | 'granted'
        | 'remaining'
        | 'grantedAt'
        | 'expiresAt'
        | 'revokedAt'
        | 'parentLotId'
        | 'period'
      >
    > {}

export const LOT_COLUMNS = Prisma.sql`l.user_id AS "userId", l.id, l.source::text, l.priority, l.granted,
  l.remaining, l.granted_at AS "grantedAt", l.expires_at AS "expiresAt", l.revoked_at AS "revokedAt",
  l.parent_lot_id AS "parentLotId", l.period, l.price_minor::float8 AS "priceMinor", l.currency`;

/** The lots that hold points, lapsed ones included. Under the accounts' locks. Index: credit_lots_open. */
export function readOpenLots(tx: Tx, userIds: readonly string[]): Promise<LotRow[]> {
  return tx.$queryRaw<LotRow[]>`
    SELECT ${LOT_COLUMNS} FROM credit_lots l
    WHERE l.user_id = ANY(${userIds}::uuid[]) AND l.is_open AND l.revoked_at IS NULL`;
}

/** A lot, with the facts about its expiry that were booked. */
export interface ClosableLotRow extends LotRow {
  readonly lapseBooked: boolean;
  readonly expireKeyTaken: boolean;
}

/**
 * Whether an EXPIRY of the lot was booked. Searches the user's expiries rather than the lot's allocations, because
 * expiries are few and have one allocation each. Indexes: credit_transactions_by_type, credit_allocations_pkey.
 */
const LAPSE_BOOKED = Prisma.sql`EXISTS (
    SELECT FROM credit_transactions e
    JOIN credit_allocations ea ON ea.user_id = e.user_id AND ea.seq = e.seq AND ea.ordinal = 1
    WHERE e.user_id = l.user_id AND e.type = 'EXPIRY' AND e.effective_at = l.expires_at AND ea.lot_id = l.id
  )`;

const EXPIRE_KEY_TAKEN = Prisma.sql`(l.expires_at IS NOT NULL AND EXISTS (
    SELECT FROM credit_transactions k WHERE k.user_id = l.user_id AND k.idempotency_key = 'expire:' || l.id
  )) AS "expireKeyTaken"`;

/**
 * Lots by owner and id. Under the accounts' locks. `lapseBooked` is false for lots that have lapsed by `now`, because it
 * does not matter for them, and a sweep need not search for it. Index: credit_lots_pkey.
 */
export function readLotsOf(
  tx: Tx,
  wanted: readonly { userId: string; lotId: string }[],
  now: Date,
): Promise<ClosableLotRow[]> {
  return tx.$queryRaw<ClosableLotRow[]>`
    SELECT ${LOT_COLUMNS}, (l.expires_at > ${now}::timestamptz AND ${LAPSE_BOOKED}) IS TRUE AS "lapseBooked",
           ${EXPIRE_KEY_TAKEN}
    FROM unnest(${wanted.map((one) => one.userId)}::uuid[], ${wanted.map((one) => one.lotId)}::uuid[])
      AS w(user_id, id)
    JOIN credit_lots l USING (user_id, id)`;
}

/** All lots of these accounts, in any state. Under the accounts' locks. Index: credit_lots_pkey. */
export function readAllLots(tx: Tx, userIds: readonly string[]): Promise<LotRow[]> {
  return tx.$queryRaw<LotRow[]>`
    SELECT ${LOT_COLUMNS} FROM credit_lots l
    WHERE l.user_id = ANY(${userIds}::uuid[]) ORDER BY l.user_id, l.id`;
}

export interface KeyedRow {
  readonly userId: string;
  readonly id: string;
  readonly seq: number;
  readonly idempotencyKey: string;
  readonly requestHash: Uint8Array | null;
  readonly amount: number;
  /** The lot of the first allocation. For a grant, this is the lot that it made. */
  readonly lotId: string;
}

/** The transactions with these idempotency keys. Index: credit_transactions_one_a_key. */
export function readByKeys(
  tx: Tx,
  wanted: readonly { userId: string; key: string }[],
): Promise<KeyedRow[]> {
  return tx.$queryRaw<KeyedRow[]>`
    SELECT t.user_id AS "userId", t.id, t.seq, t.idempotency_key AS "idempotencyKey",
           t.request_hash AS "requestHash", t.amount, a.lot_id AS "lotId"
    FROM unnest(${wanted.map((one) => one.userId)}::uuid[], ${wanted.map((one) => one.key)}::text[])
      AS w(user_id, key)
    JOIN credit_transactions t ON t.user_id = w.user_id AND t.idempotency_key = w.key
    JOIN credit_allocations a ON a.user_id = t.user_id AND a.seq = t.seq AND a.ordinal = 1`;
}

export interface DebitPartRow extends ClosableLotRow {
  readonly seq: number;
  readonly effectiveAt: Date;
  readonly audioId: string | null;
  readonly storyId: string | null;
  readonly ordinal: number;
  /** Points that the debit took from the lot, as a negative number. */
  readonly taken: number;
  /** Points that refunds of the debit have given back to the lot so far. */
  readonly returned: number;
}

/**
 * Debits, with the lots that paid and the points that were given back to them.
 * Indexes: credit_allocations_pkey, credit_lots_pkey, credit_transactions_of_debit.
 */
export function readDebits(
  tx: Tx,
  wanted: readonly { userId: string; seq: number }[],
): Promise<DebitPartRow[]> {
  return tx.$queryRaw<DebitPartRow[]>`
    SELECT ${LOT_COLUMNS}, (l.expires_at IS NOT NULL AND ${LAPSE_BOOKED}) AS "lapseBooked", ${EXPIRE_KEY_TAKEN},
           t.seq, t.effective_at AS "effectiveAt", t.audio_id AS "audioId", t.story_id AS "storyId", a.ordinal, a.amount AS taken,
           (SELECT coalesce(sum(ra.amount), 0)::int
              FROM credit_transactions r
              JOIN credit_allocations ra ON ra.user_id = r.user_id AND ra.seq = r.seq
             WHERE r.user_id = t.user_id AND r.debit_seq = t.seq AND ra.lot_id = a.lot_id) AS returned
    FROM unnest(${wanted.map((one) => one.userId)}::uuid[], ${wanted.map((one) => one.seq)}::int[])
      AS w(user_id, seq)
    JOIN credit_transactions t ON t.user_id = w.user_id AND t.seq = w.seq AND t.type = 'DEBIT'
    JOIN credit_allocations a ON a.user_id = t.user_id AND a.seq = t.seq
    JOIN credit_lots l ON l.user_id = a.user_id AND l.id = a.lot_id
    ORDER BY t.user_id, t.seq, a.ordinal`;
}

/** What a batch writes. */
export interface BookRows {
  /** With the `last_seq` that was read. */
  readonly accounts: readonly (Book & { readonly readSeq: number | undefined })[];
  readonly newLots: readonly OwnedLot[];
  readonly changedLots: readonly OwnedLot[];
  readonly entries: readonly BookedEntry[];
}

type OwnedLot = Lot & { readonly userId: string };

/** The transactions as rows, and hashes as hexadecimal digits. */
const transactionRows = (entries: readonly BookedEntry[]): Prisma.Sql => Prisma.sql`
  unnest(
    ${column(entries, (entry) => entry.userId)}::text::uuid[],
    ${column(entries, (entry) => entry.seq)}::text::int[],
    ${column(entries, (entry) => entry.id)}::text::uuid[],
    ${column(entries, (entry) => entry.type)}::text::credit_transaction_type[],
    ${column(entries, (entry) => entry.amount)}::text::int[],
    ${column(entries, (entry) => entry.balanceAfter)}::text::int[],
    ${textColumn(entries, (entry) => entry.reason)}::text::text[],
    ${column(entries, (entry) => entry.audioId)}::text::uuid[],
    ${column(entries, (entry) => entry.storyId)}::text::uuid[],
    ${column(entries, (entry) => entry.debitSeq)}::text::int[],
    ${column(entries, (entry) => entry.actorId)}::text::uuid[],
    ${textColumn(entries, (entry) => entry.idempotencyKey)}::text::text[],
    ${timeColumn(entries, (entry) => entry.effectiveAt)}::text::timestamptz[],
    ${timeColumn(entries, (entry) => entry.recordedAt)}::text::timestamptz[],
    ${hexColumn(entries, (entry) => entry.requestHash)}::text::text[],
    ${jsonColumn(entries, ({ lotTerms }) => (lotTerms.length === 0 ? null : lotTerms))}::text::text[],
    ${listColumn(entries, (entry) => entry.revokedLots)}::text::text[],
    ${hexColumn(entries, (entry) => entry.hash)}::text::text[]
  ) AS r(user_id, seq, id, type, amount, balance_after, reason, audio_id, story_id, debit_seq, actor_id,
    idempotency_key, effective_at, recorded_at, request_hash, lot_terms, revoked_lots, hash)`;

/**
 * Writes all decisions of a batch in one statement. Under the accounts' locks. The account rows are compared with the
 * `last_seq` that was read, so that an account whose lock was lost is not updated.
 * @returns the number of accounts that were updated
 */
export async function writeBooks(tx: Tx, rows: BookRows): Promise<number> {
  const { accounts, newLots, changedLots, entries } = rows;
  const parts = entries.flatMap(({ userId, seq, allocations }) =>
    allocations.map(({ lotId, amount }, index) => ({ userId, seq, index, lotId, amount })),
  );
  return tx.$executeRaw`
    WITH new_lots AS (
      INSERT INTO credit_lots (user_id, id, source, priority, granted, remaining, granted_at, expires_at,
                               parent_lot_id, period, price_minor, currency)
      SELECT * FROM unnest(
        ${column(newLots, (lot) => lot.userId)}::text::uuid[],
        ${column(newLots, (lot) => lot.id)}::text::uuid[],
        ${column(newLots, (lot) => lot.source)}::text::credit_source[],
        ${column(newLots, (lot) => lot.priority)}::text::int[],
        ${column(newLots, (lot) => lot.granted)}::text::int[],
        ${column(newLots, (lot) => lot.remaining)}::text::int[],
        ${timeColumn(newLots, (lot) => lot.grantedAt)}::text::timestamptz[],
        ${timeColumn(newLots, (lot) => lot.expiresAt)}::text::timestamptz[],
        ${column(newLots, (lot) => lot.parentLotId)}::text::uuid[],
        ${textColumn(newLots, (lot) => lot.period)}::text::text[],
        ${column(newLots, (lot) => lot.priceMinor)}::text::bigint[],
        ${textColumn(newLots, (lot) => lot.currency)}::text::text[])
    ), changed_lots AS (
      UPDATE credit_lots l SET remaining = r.remaining, revoked_at = r.revoked_at
      FROM unnest(
        ${column(changedLots, (lot) => lot.userId)}::text::uuid[],
        ${column(changedLots, (lot) => lot.id)}::text::uuid[],
        ${column(changedLots, (lot) => lot.remaining)}::text::int[],
        ${timeColumn(changedLots, (lot) => lot.revokedAt)}::text::timestamptz[]
      ) AS r(user_id, id, remaining, revoked_at)
      WHERE l.user_id = r.user_id AND l.id = r.id
    ), new_transactions AS (
      INSERT INTO credit_transactions (user_id, seq, id, type, amount, balance_after, reason, audio_id, story_id,
        debit_seq, actor_id, idempotency_key, effective_at, recorded_at, format, request_hash, lot_terms,
        revoked_lots, hash)
      SELECT user_id, seq, id, type, amount, balance_after, reason, audio_id, story_id, debit_seq, actor_id,
        idempotency_key, effective_at, recorded_at, ${CHAIN_FORMAT}, decode(request_hash, 'hex'), lot_terms::json,
        revoked_lots::uuid[], decode(hash, 'hex')
      FROM ${transactionRows(entries)}
    ), new_allocations AS (
      INSERT INTO credit_allocations (user_id, seq, ordinal, lot_id, amount)
      SELECT * FROM unnest(
        ${column(parts, (part) => part.userId)}::text::uuid[],
        ${column(parts, (part) => part.seq)}::text::int[],
        ${column(parts, (part) => part.index + 1)}::text::int[],
        ${column(parts, (part) => part.lotId)}::text::uuid[],
        ${column(parts, (part) => part.amount)}::text::int[])
    )
    UPDATE credit_accounts a SET last_seq = r.last_seq, head_hash = decode(r.head_hash, 'hex'),
      uncovered_revocations = coalesce(r.uncovered_revocations::uuid[], '{}')
    FROM unnest(
      ${column(accounts, (account) => account.userId)}::text::uuid[],
      ${column(accounts, (account) => account.readSeq)}::text::int[],
      ${column(accounts, (account) => account.lastSeq)}::text::int[],
      ${hexColumn(accounts, (account) => account.headHash)}::text::text[],
      ${listColumn(accounts, (account) => account.uncoveredRevocations)}::text::text[]
    ) AS r(user_id, read_seq, last_seq, head_hash, uncovered_revocations)
    WHERE a.user_id = r.user_id AND a.last_seq = r.read_seq`;
}
