import type { Tx } from '../../infra/db.js';

/**
 * Those of these accounts that exist, whether or not another transaction holds them: it tells accounts that are locked
 * from accounts that do not exist. Takes no lock. Index: credit_accounts_pkey.
 */
export const readExisting = (tx: Tx, userIds: readonly string[]): Promise<{ userId: string }[]> =>
  tx.$queryRaw`
    SELECT user_id AS "userId" FROM credit_accounts WHERE user_id = ANY(${userIds}::uuid[])`;
