import { Prisma, type Tx } from '../../infra/db.js';
import { ofOneAccount } from './one-account.sql.js';

export interface AccountRow {
  readonly userId: string;
  readonly lastSeq: number;
  readonly headHash: Uint8Array;
  readonly closed: boolean;
  /**
   * Lots that were revoked without a transaction since the newest one. Null for none, because null is the cheapest to
   * read.
   */
  readonly uncoveredRevocations: readonly string[] | null;
  /** The end of the newest closed month. Null when no month is closed. */
  readonly closedUntil: Date | null;
  readonly now: Date;
}

/** The lock timeout of a batch that does not wait, for rows and keys that another transaction holds. */
const HELD_UP_MS = 50;

/**
 * Locks accounts in the order of their ids, so that two callers cannot deadlock, and then reads the ledger's clock.
 * Without `wait`, accounts that another transaction holds are left out, and every later statement of the transaction
 * that must wait for a lock fails after HELD_UP_MS (55P03). The rest of the transaction looks rows up by key. It
 * switches sequential scans and the hash and merge joins off, because the planner guesses the length of our lists, and
 * would otherwise read whole tables while they are small or their statistics are old.
 * Indexes: credit_accounts_pkey, closed_months_ends_at_key.
 */
export function lockAccounts(
  tx: Tx,
  userIds: readonly string[],
  wait: boolean,
): Promise<AccountRow[]> {
  return tx.$queryRaw<AccountRow[]>`
    WITH locked AS MATERIALIZED (
      SELECT user_id, last_seq, head_hash, closed_at, uncovered_revocations FROM credit_accounts
      WHERE user_id = ANY(${userIds}::uuid[]) ORDER BY user_id
      FOR UPDATE ${wait ? Prisma.empty : Prisma.sql`SKIP LOCKED`}
    )
    SELECT user_id AS "userId", last_seq AS "lastSeq", head_hash AS "headHash",
           closed_at IS NOT NULL AS closed, nullif(uncovered_revocations, '{}') AS "uncoveredRevocations",
           (SELECT max(ends_at) FROM closed_months) AS "closedUntil", ledger_now() AS now
    FROM locked, (
      SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
             set_config('enable_mergejoin', 'off', true)
             ${wait ? Prisma.empty : Prisma.sql`, set_config('lock_timeout', ${String(HELD_UP_MS)}, true)`}
    ) planner`;
}

/**
 * Those of these accounts that exist, whether or not another transaction holds them: it tells accounts that are locked
 * from accounts that do not exist. Takes no lock. Index: credit_accounts_pkey.
 */
export const readExisting = (tx: Tx, userIds: readonly string[]): Promise<{ userId: string }[]> =>
  tx.$queryRaw`
    SELECT user_id AS "userId" FROM credit_accounts WHERE user_id = ANY(${userIds}::uuid[])`;

/** The balance after each account's newest transaction, and when that was recorded. Index: credit_transactions_pkey. */
export function readBalances(
  tx: Tx,
  heads: readonly { userId: string; lastSeq: number }[],
): Promise<{ userId: string; balance: number; recordedAt: Date; format: number }[]> {
  return tx.$queryRaw`
    SELECT t.user_id AS "userId", t.balance_after AS balance, t.recorded_at AS "recordedAt", t.format
    FROM unnest(${heads.map((head) => head.userId)}::uuid[], ${heads.map((head) => head.lastSeq)}::int[])
      AS h(user_id, seq)
    JOIN credit_transactions t ON t.user_id = h.user_id AND t.seq = h.seq
      ${ofOneAccount(tx, Prisma.sql`t.user_id`, heads)}`;
}
