import { Prisma } from '../../../infra/db.js';
import type { PointsReader } from '../../ledger/allowances.js';
import { TRANSACTION_COLUMNS, type TransactionView } from '../credits.sql.js';
import { balanceAtQuery } from './balance-at.sql.js';

export interface BalancePoint {
  readonly at: Date;
  readonly balance: number;
}

/**
 * The balances that could be spent at past instants, in their order, in one statement. Instants in the future are left
 * out. Indexes: those of `readBalanceAt`.
 */
export const readBalancesAt = (
  points: PointsReader,
  userId: string,
  instants: readonly Date[],
): Promise<BalancePoint[]> =>
  points.read<BalancePoint>(
    [userId],
    Prisma.sql`
      SELECT b.at, past.balance FROM unnest(${instants}::timestamptz[]) AS b(at)
      CROSS JOIN LATERAL (${balanceAtQuery(userId, Prisma.sql`b.at`)}) past
      WHERE past.balance IS NOT NULL ORDER BY b.at`,
  );

/** The newest transaction of each user. Index: credit_transactions_pkey. */
export const readLastTransactions = (
  points: PointsReader,
  userIds: readonly string[],
): Promise<TransactionView[]> =>
  points.read<TransactionView>(
    userIds,
    Prisma.sql`
      SELECT ${TRANSACTION_COLUMNS} FROM credit_accounts a
      JOIN credit_transactions t ON t.user_id = a.user_id AND t.seq = a.last_seq
      WHERE a.user_id = ANY(${userIds}::uuid[])`,
  );
