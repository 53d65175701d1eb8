import type { Prisma, Reader } from '../infra/db.js';

/** A count stops beyond this number, so that its time is bounded however long a list is. */
export const COUNTED_MAX = 10_000;

/** Counts rows, at most one more than COUNTED_MAX. @param rows a query of these rows, without an order */
export async function countRows(db: Reader, rows: Prisma.Sql): Promise<number> {
  const [row] = await db.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int AS count FROM (SELECT FROM (${rows}) r LIMIT ${COUNTED_MAX + 1}) counted`;
  return row?.count ?? 0;
}
