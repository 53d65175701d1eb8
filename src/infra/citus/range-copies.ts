import { transact, type Db, type Tx } from '../db.js';

const TIMEOUT_MS = 30 * 60_000;

/** A condition for the rows of `user_id`, and its values. */
interface Selection {
  readonly condition: string;
  readonly values: readonly unknown[];
}

/**
 * Copies rows from all servers to temporary tables of the same names, which hide the tables while `read` runs. Any
 * statement of Postgres can read the copies. For the transaction's own use.
 */
export async function withCopies<Result>(
  tx: Tx,
  tables: readonly string[],
  { condition, values }: Selection,
  read: (tx: Tx) => Promise<Result>,
): Promise<Result> {
  for (const table of tables) {
    await tx.$executeRawUnsafe(
      `CREATE TEMPORARY TABLE ${table} ON COMMIT DROP AS SELECT * FROM public.${table} LIMIT 0`,
    );
    await tx.$executeRawUnsafe(
      `INSERT INTO pg_temp.${table} SELECT * FROM public.${table} WHERE user_id ${condition}`,
      ...values,
    );
  }
  const result = await read(tx);
  for (const table of tables) await tx.$executeRawUnsafe(`DROP TABLE pg_temp.${table}`);
  return result;
}

/**
 * Reads copies of the rows of a range of users. All rows of a user are on one server, of which the transaction sees one
 * snapshot, because it reads each server through one connection.
 * @param range user ids, both included
 */
export const copyRange = <Result>(
  db: Db,
  tables: readonly string[],
  range: { readonly from: string; readonly to: string },
  read: (tx: Tx) => Promise<Result>,
): Promise<Result> =>
  transact(
    db,
    async (tx) => {
      await tx.$executeRaw`SET LOCAL citus.max_adaptive_executor_pool_size = 1`;
      const selection = {
        condition: 'BETWEEN $1::uuid AND $2::uuid',
        values: [range.from, range.to],
      };
      return withCopies(tx, tables, selection, read);
    },
    { timeoutMs: TIMEOUT_MS, isolationLevel: 'RepeatableRead' },
  );
