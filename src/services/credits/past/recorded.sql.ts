import { Prisma } from '../../../infra/db.js';

/**
 * Expiries that were booked late: the condition of the index credit_transactions_late. Only an EXPIRY takes effect
 * before it is recorded.
 */
export const IS_LATE = Prisma.sql`t.recorded_at - t.effective_at > interval '01:00:00'`;

/**
 * A CTE `halves (at, low, high)` for WITH RECURSIVE. Its rows with low = high have the number of the last transaction
 * that was recorded by each instant. It is a binary search, because an account's transactions are recorded one after
 * the other.
 * @param instants a query with one column, `at`. Indexes: credit_accounts_pkey, credit_transactions_pkey.
 */
export const halvesOf = (userId: string, instants: Prisma.Sql): Prisma.Sql => Prisma.sql`
  halves AS (
    SELECT instants.at, 0 AS low, a.last_seq AS high
    FROM (${instants}) instants, credit_accounts a WHERE a.user_id = ${userId}::uuid
    UNION ALL
    SELECT halves.at, CASE WHEN is_recorded THEN middle ELSE low END, CASE WHEN is_recorded THEN high ELSE middle - 1 END
    FROM halves
    CROSS JOIN LATERAL (SELECT low + (high - low + 1) / 2 AS middle) m
    CROSS JOIN LATERAL (SELECT coalesce((SELECT t.recorded_at <= halves.at FROM credit_transactions t
      WHERE t.user_id = ${userId}::uuid AND t.seq = middle), false) AS is_recorded OFFSET 0) r
    WHERE low < high
  )`;
