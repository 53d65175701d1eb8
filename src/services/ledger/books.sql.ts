import type { LotPrice } from '../../domain/ledger/lots.js';
import { Prisma, type Rows, type Tx } from '../../infra/db.js';
import { ofOneAccount } from './one-account.sql.js';

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

const OWNER = Prisma.sql`l.user_id`;

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
    JOIN credit_lots l ON l.user_id = w.user_id AND l.id = w.id ${ofOneAccount(tx, OWNER, wanted)}`;
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
    JOIN credit_allocations a ON a.user_id = t.user_id AND a.seq = t.seq AND a.ordinal = 1
    WHERE true ${ofOneAccount(tx, Prisma.sql`t.user_id`, wanted)}`;
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
    WHERE true ${ofOneAccount(tx, OWNER, wanted)}
    ORDER BY t.user_id, t.seq, a.ordinal`;
}
