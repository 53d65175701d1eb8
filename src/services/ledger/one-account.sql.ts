import { isDistributed } from '../../infra/citus/placement.js';
import { Prisma } from '../../infra/db.js';

/**
 * The condition that a row is of the account, if there is only one and the database is distributed by user. A statement
 * that takes rows from lists has the ids of the accounts in a list, too. With this condition, the statement is sent to
 * the server of the account, and not to all servers. On one server there is no condition, because the planner could take
 * it for a better way into the table than the list, and read the whole history of an account.
 */
export function ofOneAccount(
  tx: object,
  column: Prisma.Sql,
  rows: readonly (string | { readonly userId: string })[],
): Prisma.Sql {
  if (!isDistributed(tx)) return Prisma.empty;
  const userIds = new Set(rows.map((row) => (typeof row === 'string' ? row : row.userId)));
  const [userId] = userIds;
  return userId === undefined || userIds.size > 1
    ? Prisma.empty
    : Prisma.sql`AND ${column} = ${userId}::uuid`;
}
