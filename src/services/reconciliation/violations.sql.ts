import { isDistributed } from '../../infra/citus/placement.js';
import { copyRange } from '../../infra/citus/range-copies.js';
import { readAtLarge, type Db, type Tx } from '../../infra/db.js';
import { VIOLATIONS_MAX } from './chain.sql.js';

/**
 * An invariant of the ledger: a query that must return no row. `$1` and `$2` are the first and the last user id, so
 * that the ledger is checked a range at a time. Every query reads the primary keys of its tables in order and takes no
 * locks. docs/ledger.md has the same texts, and a test compares the two.
 */
export interface Invariant {
  readonly number: string;
  readonly description: string;
  /** Returns user_id and, where they apply, lot_id, seq and audio_id. */
  readonly sql: string;
  /** Runs once over the whole range rather than part by part, because it is about the present state. */
  readonly atOnce?: true;
  /** Reads no history, so that a check from checkpoints can run it for every account. */
  readonly cheap?: true;
  /** Joins in a way that a distributed database does not plan. There the rows of the range are copied first. */
  readonly joinsFreely?: true;
}

export interface ViolationRow {
  readonly user_id: string;
  readonly lot_id?: string;
  readonly seq?: number | null;
  readonly audio_id?: string;
}

/** The rows that violate an invariant, for users from one id to another, both included. */
export const readViolations = (
  db: Db,
  { sql, joinsFreely }: Invariant,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<ViolationRow[]> => {
  const read = (tx: Tx): Promise<ViolationRow[]> =>
    tx.$queryRawUnsafe<ViolationRow[]>(
      `SELECT * FROM (${sql}) violated LIMIT ${String(VIOLATIONS_MAX)}`,
      from,
      to,
    );
  return joinsFreely === true && isDistributed(db)
    ? copyRange(
        db,
        COPIED.filter((table) => sql.includes(table)),
        { from, to },
        read,
      )
    : readAtLarge(db, read);
};

/** The tables of users that the invariants join freely. */
const COPIED = ['credit_accounts', 'credit_lots', 'credit_transactions', 'credit_allocations'];

/** The same for single users, in the transaction of the caller. */
export const readViolationsOf = (
  tx: Tx,
  { sql }: Invariant,
  userIds: readonly string[],
): Promise<ViolationRow[]> =>
  tx.$queryRawUnsafe<ViolationRow[]>(
    `SELECT * FROM (${sql.replaceAll('BETWEEN $1 AND $2', '= ANY($1::uuid[])')}) violated LIMIT ${String(VIOLATIONS_MAX)}`,
    userIds,
  );
