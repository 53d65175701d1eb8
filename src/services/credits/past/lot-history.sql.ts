import { Prisma, type Reader } from '../../../infra/db.js';
import type { Window } from '../../../domain/paging.js';
import { bySeq, keysetOf } from '../../keyset.sql.js';
import { TRANSACTION_COLUMNS, type TransactionView } from '../credits.sql.js';

/** A query of the transactions of one lot. Index: credit_allocations_user_id_lot_id_seq_idx. */
export const lotHistoryQuery = (lot: { userId: string; id: string }): Prisma.Sql =>
  Prisma.sql`SELECT FROM credit_allocations WHERE user_id = ${lot.userId}::uuid AND lot_id = ${lot.id}::uuid`;

/** The transactions of one lot, newest first. Index: credit_allocations_user_id_lot_id_seq_idx. */
export function readLotHistory(
  db: Reader,
  wanted: { readonly userId: string; readonly lotId: string; readonly window: Window<number> },
): Promise<TransactionView[]> {
  const { within, page } = keysetOf(wanted.window, bySeq(Prisma.sql`a.seq`));
  return db.$queryRaw<TransactionView[]>`
    SELECT ${TRANSACTION_COLUMNS}
    FROM credit_allocations a JOIN credit_transactions t USING (user_id, seq)
    WHERE a.user_id = ${wanted.userId}::uuid AND a.lot_id = ${wanted.lotId}::uuid
      ${within}
    ${page}`;
}
