import type { Reader, Tx } from '../../infra/db.js';

/** Index: credit_transactions_pkey. */
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
 * Sets what remains in a user's lots to what their allocations say. Under the account's lock. Lots whose
 * allocations are impossible themselves are left alone. Indexes: credit_lots_pkey,
 * credit_allocations_user_id_lot_id_seq_idx.
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

/** How many there are, as the accounts know. Scans the accounts. */
export async function countTransactions(db: Reader): Promise<number> {
  const [row] = await db.$queryRaw<{ transactions: number }[]>`
    SELECT coalesce(sum(last_seq), 0)::float8 AS transactions FROM credit_accounts`;
  return row?.transactions ?? 0;
}
