import type { Tx } from '../../infra/db.js';

/**
 * Serialises what one user adds, until the end of the transaction, so that the number of rows is counted right. It also
 * keeps the account from being deleted meanwhile, so that nothing is left behind. It is no lock of the ledger, so that no
 * movement of points waits for it. Index: users_pkey.
 * @returns whether the account exists
 */
export async function serialiseAdditions(tx: Tx, userId: string): Promise<boolean> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`additions of ${userId}`}, 0))`;
  const found = await tx.$queryRaw<unknown[]>`
    SELECT FROM users WHERE id = ${userId}::uuid AND deleted_at IS NULL FOR KEY SHARE`;
  return found.length > 0;
}
