import type { Tx } from '../../infra/db.js';

/**
 * Serialises what one user adds, until the end of the transaction, so that the number of rows is counted right. It is
 * no lock of the ledger, so that no movement of points waits for it.
 */
export const serialiseAdditions = (tx: Tx, userId: string): Promise<number> =>
  tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`additions of ${userId}`}, 0))`;
