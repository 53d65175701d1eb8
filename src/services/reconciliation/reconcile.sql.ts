import type { Reader } from '../../infra/db.js';

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
