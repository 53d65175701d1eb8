import { Prisma } from '../../infra/db.js';

/**
 * The condition that a row is of the account, if there is only one. A statement that takes rows from lists has the ids
 * of the accounts in a list, too. With this condition, a database that is distributed by user sends the statement to the
 * server of the account, and not to all servers. With several accounts there is no condition, because the planner could
 * take it for a better way into the table than the list.
 */
export function ofOneAccount(
  column: Prisma.Sql,
  rows: readonly (string | { readonly userId: string })[],
): Prisma.Sql {
  const userIds = new Set(rows.map((row) => (typeof row === 'string' ? row : row.userId)));
  const [userId] = userIds;
  return userId === undefined || userIds.size > 1
    ? Prisma.empty
    : Prisma.sql`AND ${column} = ${userId}::uuid`;
}
