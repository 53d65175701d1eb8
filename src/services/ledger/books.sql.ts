import { Prisma, type Tx } from '../../infra/db.js';
import type { CreditSource } from '../../domain/ledger/lots.js';

export interface AccountRow {
  readonly userId: string;
  readonly lastSeq: number;
  readonly headHash: Uint8Array;
  readonly closed: boolean;
  readonly now: Date;
}

/**
 * Locks accounts, in the order of their ids so that no two callers can wait for each other, and then
 * reads the ledger's clock. With `wait` false, accounts that someone else holds are left out. What the
 * transaction does from here on are look-ups by key: without the settings the planner, which must guess
 * how long our lists are, would read whole tables while they are small or their statistics are old.
 * Index: credit_accounts_pkey.
 */
export function lockAccounts(
  tx: Tx,
  userIds: readonly string[],
  wait: boolean,
): Promise<AccountRow[]> {
  return tx.$queryRaw<AccountRow[]>`
    WITH locked AS MATERIALIZED (
      SELECT user_id, last_seq, head_hash, closed_at FROM credit_accounts
      WHERE user_id = ANY(${userIds}::uuid[]) ORDER BY user_id
      FOR UPDATE ${wait ? Prisma.empty : Prisma.sql`SKIP LOCKED`}
    )
    SELECT user_id AS "userId", last_seq AS "lastSeq", head_hash AS "headHash",
           closed_at IS NOT NULL AS closed, ledger_now() AS now
    FROM locked, (
      SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
             set_config('enable_mergejoin', 'off', true)
    ) planner`;
}

export interface LotRow {
  readonly userId: string;
  readonly id: string;
  readonly source: CreditSource;
  readonly priority: number;
  readonly granted: number;
  readonly remaining: number;
  readonly grantedAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly parentLotId: string | null;
  readonly period: string | null;
}

export const LOT_COLUMNS = Prisma.sql`l.user_id AS "userId", l.id, l.source::text, l.priority, l.granted,
  l.remaining, l.granted_at AS "grantedAt", l.expires_at AS "expiresAt", l.revoked_at AS "revokedAt",
  l.parent_lot_id AS "parentLotId", l.period`;

/** The lots that hold points, lapsed ones included. Under the accounts' locks. Index: credit_lots_open. */
export function readOpenLots(tx: Tx, userIds: readonly string[]): Promise<LotRow[]> {
  return tx.$queryRaw<LotRow[]>`
    SELECT ${LOT_COLUMNS} FROM credit_lots l
    WHERE l.user_id = ANY(${userIds}::uuid[]) AND l.remaining > 0 AND l.revoked_at IS NULL`;
}

/** Lots by owner and id. Under the accounts' locks. Index: credit_lots_pkey. */
export function readLotsOf(
  tx: Tx,
  wanted: readonly { userId: string; lotId: string }[],
): Promise<LotRow[]> {
  return tx.$queryRaw<LotRow[]>`
    SELECT ${LOT_COLUMNS}
    FROM unnest(${wanted.map((one) => one.userId)}::uuid[], ${wanted.map((one) => one.lotId)}::uuid[])
      AS w(user_id, id)
    JOIN credit_lots l USING (user_id, id)`;
}

/** The sum of all lots' points after each account's newest movement, and when that was. Index: credit_transactions_pkey. */
export function readBalances(
  tx: Tx,
  heads: readonly { userId: string; lastSeq: number }[],
): Promise<{ userId: string; balance: number; recordedAt: Date }[]> {
  return tx.$queryRaw`
    SELECT t.user_id AS "userId", t.balance_after AS balance, t.recorded_at AS "recordedAt"
    FROM unnest(${heads.map((head) => head.userId)}::uuid[], ${heads.map((head) => head.lastSeq)}::int[])
      AS h(user_id, seq)
    JOIN credit_transactions t USING (user_id, seq)`;
}

export interface KeyedRow {
  readonly userId: string;
  readonly id: string;
  readonly seq: number;
  readonly idempotencyKey: string;
  readonly requestHash: Uint8Array | null;
  readonly amount: number;
  /** The first lot it fell on: of a grant, the lot that it made. */
  readonly lotId: string;
}

/** The movements that were booked under these keys. Index: credit_transactions_one_a_key. */
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

export interface DebitPartRow extends LotRow {
  readonly seq: number;
  readonly effectiveAt: Date;
  readonly audioId: string | null;
  readonly storyId: string | null;
  readonly ordinal: number;
  /** Negative: what the debit took. */
  readonly taken: number;
  /** What refunds of that debit gave back to the lot so far. */
  readonly returned: number;
}

/**
 * Debits with the lots that paid and what came back already.
 * Indexes: credit_allocations_pkey, credit_lots_pkey, credit_transactions_of_debit.
 */
export function readDebits(
  tx: Tx,
  wanted: readonly { userId: string; seq: number }[],
): Promise<DebitPartRow[]> {
  return tx.$queryRaw<DebitPartRow[]>`
    SELECT ${LOT_COLUMNS}, t.seq, t.effective_at AS "effectiveAt", t.audio_id AS "audioId",
           t.story_id AS "storyId", a.ordinal, a.amount AS taken,
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

/** Rows as JSON, for one parameter a table. */
export interface BookRows {
  readonly accounts: readonly object[];
  readonly newLots: readonly object[];
  readonly changedLots: readonly object[];
  readonly transactions: readonly object[];
  readonly allocations: readonly object[];
}

/**
 * Writes everything that a batch decided, in one statement. Under the accounts' locks; the account
 * rows are compared with what was read, so that a lost lock writes nothing.
 * @returns how many accounts were moved on
 */
export async function writeBooks(tx: Tx, rows: BookRows): Promise<number> {
  return tx.$executeRaw`
    WITH new_lots AS (
      INSERT INTO credit_lots (user_id, id, source, priority, granted, remaining, granted_at, expires_at,
                               parent_lot_id, period)
      SELECT user_id, id, source::credit_source, priority, granted, remaining, granted_at, expires_at,
             parent_lot_id, period
      FROM json_to_recordset(${JSON.stringify(rows.newLots)}::json) AS r(user_id uuid, id uuid, source text,
        priority int, granted int, remaining int, granted_at timestamptz, expires_at timestamptz,
        parent_lot_id uuid, period text)
    ), changed_lots AS (
      UPDATE credit_lots l SET remaining = r.remaining, revoked_at = r.revoked_at
      FROM json_to_recordset(${JSON.stringify(rows.changedLots)}::json)
        AS r(user_id uuid, id uuid, remaining int, revoked_at timestamptz)
      WHERE l.user_id = r.user_id AND l.id = r.id
    ), new_transactions AS (
      INSERT INTO credit_transactions (user_id, seq, id, type, amount, balance_after, reason, audio_id,
        story_id, debit_seq, actor_id, idempotency_key, request_hash, effective_at, recorded_at, hash)
      SELECT user_id, seq, id, type::credit_transaction_type, amount, balance_after, reason, audio_id,
             story_id, debit_seq, actor_id, idempotency_key, decode(request_hash, 'hex'), effective_at,
             recorded_at, decode(hash, 'hex')
      FROM json_to_recordset(${JSON.stringify(rows.transactions)}::json) AS r(user_id uuid, seq int, id uuid,
        type text, amount int, balance_after int, reason text, audio_id uuid, story_id uuid, debit_seq int,
        actor_id uuid, idempotency_key text, request_hash text, effective_at timestamptz,
        recorded_at timestamptz, hash text)
    ), new_allocations AS (
      INSERT INTO credit_allocations (user_id, seq, ordinal, lot_id, amount)
      SELECT user_id, seq, ordinal, lot_id, amount
      FROM json_to_recordset(${JSON.stringify(rows.allocations)}::json)
        AS r(user_id uuid, seq int, ordinal int, lot_id uuid, amount int)
    )
    UPDATE credit_accounts a SET last_seq = r.last_seq, head_hash = decode(r.head_hash, 'hex')
    FROM json_to_recordset(${JSON.stringify(rows.accounts)}::json)
      AS r(user_id uuid, read_seq int, last_seq int, head_hash text)
    WHERE a.user_id = r.user_id AND a.last_seq = r.read_seq`;
}
