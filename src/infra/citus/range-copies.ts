import { transact, type Db, type Tx } from '../db.js';

const TIMEOUT_MS = 30 * 60_000;

/**
 * Copies the rows of a range of users from all servers to temporary tables of the same names, which hide the tables
 * until the transaction ends, and then reads. Any statement of Postgres can read the copies. All rows of a user are on
 * one server, of which the transaction sees one snapshot, because it reads each server through one connection.
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
      for (const table of tables) {
        await tx.$executeRawUnsafe(
          `CREATE TEMPORARY TABLE ${table} ON COMMIT DROP AS SELECT * FROM public.${table} LIMIT 0`,
        );
        await tx.$executeRawUnsafe(
          `INSERT INTO pg_temp.${table} SELECT * FROM public.${table} WHERE user_id BETWEEN $1::uuid AND $2::uuid`,
          range.from,
          range.to,
        );
      }
      return read(tx);
    },
    { timeoutMs: TIMEOUT_MS, isolationLevel: 'RepeatableRead' },
  );
