import type { Window } from '../domain/paging.js';
import { Prisma } from '../infra/db.js';

/** The order of a list. An index must begin with the columns, after those that the list is restricted to. */
export interface ListOrder<Key> {
  /** The columns of the key. All of them have the same direction. */
  readonly columns: readonly Prisma.Sql[];
  readonly direction: 'ascending' | 'descending';
  /** The values of a key with their types, one for each column. */
  readonly valuesOf: (key: Key) => readonly Prisma.Sql[];
}

/** The parts of a statement that reads one page. */
export interface Keyset {
  /** Conditions that follow others: empty, or beginning with AND. */
  readonly within: Prisma.Sql;
  /** ORDER BY, in the direction in which the page is read. */
  readonly order: Prisma.Sql;
  /** The order, and LIMIT with one row more than the page, which tells whether there is another page. */
  readonly page: Prisma.Sql;
}

/** The order of a list by an id, which grows with time. */
export const byId = (
  column: Prisma.Sql,
  direction: 'ascending' | 'descending',
): ListOrder<string> => ({
  columns: [column],
  direction,
  valuesOf: (id) => [Prisma.sql`${id}::uuid`],
});

/** The order of transactions of one account, newest first. */
export const bySeq = (column: Prisma.Sql): ListOrder<number> => ({
  columns: [column],
  direction: 'descending',
  valuesOf: (seq) => [Prisma.sql`${seq}`],
});

/** Makes the SQL of a page: a comparison of rows with the cursors, the order and the limit. */
export function keysetOf<Key>(
  { after, before, backward, limit }: Window<Key>,
  { columns, direction, valuesOf }: ListOrder<Key>,
): Keyset {
  const isAscending = direction === 'ascending';
  const row = Prisma.join([...columns]);
  const compared = (key: Key | null, isGreater: boolean): Prisma.Sql => {
    if (key === null) return Prisma.empty;
    const values = Prisma.join([...valuesOf(key)]);
    return isGreater
      ? Prisma.sql`AND (${row}) > (${values})`
      : Prisma.sql`AND (${row}) < (${values})`;
  };
  const way = isAscending === backward ? Prisma.sql`DESC` : Prisma.sql`ASC`;
  const order = Prisma.sql`ORDER BY ${Prisma.join(columns.map((column) => Prisma.sql`${column} ${way}`))}`;
  return {
    within: Prisma.sql`${compared(after, isAscending)} ${compared(before, !isAscending)}`,
    order,
    page: Prisma.sql`${order} LIMIT ${limit + 1}`,
  };
}
