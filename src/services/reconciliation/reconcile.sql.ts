import type { Reader, Tx } from '../../infra/db.js';

/** The ids of transactions by owner and number. Index: credit_transactions_pkey. */
export function readTransactionIds(
  db: Reader,
  wanted: readonly { userId: string; seq: number }[],
): Promise<{ userId: string; seq: number; id: string }[]> {
  return db.$queryRaw`
    SELECT t.user_id AS "userId", t.seq, t.id
    FROM unnest(${wanted.map((one) => one.userId)}::uuid[], ${wanted.map((one) => one.seq)}::int[])
      AS w(user_id, seq)
    JOIN credit_transactions t USING (user_id, seq)`;
}

/**
 * Sets `remaining` of a user's lots to the sum of their allocations. Under the account's lock. Lots are left alone if
 * that sum is impossible. Indexes: credit_lots_pkey, credit_allocations_user_id_lot_id_seq_idx.
 */
export function repairLots(
  tx: Tx,
  userId: string,
): Promise<{ lotId: string; before: number; after: number }[]> {
  return tx.$queryRaw`
    WITH wrong AS (
      SELECT l.id, l.remaining AS before, m.moved AS after
      FROM credit_lots l CROSS JOIN LATERAL (
        SELECT coalesce(sum(a.amount), 0)::int AS moved FROM credit_allocations a
        WHERE a.user_id = l.user_id AND a.lot_id = l.id
      ) m
      WHERE l.user_id = ${userId}::uuid AND l.remaining <> m.moved AND m.moved BETWEEN 0 AND l.granted
    )
    UPDATE credit_lots l SET remaining = wrong.after FROM wrong
    WHERE l.user_id = ${userId}::uuid AND l.id = wrong.id
    RETURNING l.id AS "lotId", wrong.before, wrong.after`;
}
