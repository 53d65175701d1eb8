import { isDistributed } from '../../infra/citus/placement.js';
import { Prisma, readAtLarge, type Db, type Reader, type Tx } from '../../infra/db.js';
import { MILLISECONDS } from '../reconciliation/chain.sql.js';
import type { Range } from '../reconciliation/parts.js';

/** `[source, type, points]`: the sum of an account's transactions of one type in lots of one source. */
export type Moved = [source: string, type: string, points: number];

/** The state of an account in which a check found nothing wrong. Hashes are in hex. */
export interface Checkpoint {
  readonly userId: string;
  readonly lastSeq: number;
  readonly headHash: string;
  readonly stateHash: string;
  readonly moved: readonly Moved[];
}

/**
 * The lots `l` of one account with the points that they held, as one text. A lot without a price has the same text
 * as in releases without prices.
 */
export const lotsText = (held: Prisma.Sql): Prisma.Sql => Prisma.sql`string_agg(concat(
  l.id, ',', l.source, ',', l.priority, ',', l.granted, ',', ${held}, ',', ${MILLISECONDS('l.granted_at')}, ',',
  ${MILLISECONDS('l.expires_at')}, ',', ${MILLISECONDS('l.revoked_at')}, ',', l.parent_lot_id, ',', l.period,
  CASE WHEN l.price_minor IS NOT NULL OR l.currency IS NOT NULL THEN concat(',', l.price_minor, ',', l.currency) END
), ';' ORDER BY l.id)`;

/** A hash over the account `a` and the text of its lots. It also shows changes without a transaction. */
export const stateHash = (lots: Prisma.Sql): Prisma.Sql => Prisma.sql`sha256(convert_to(concat(
  ${MILLISECONDS('a.closed_at')}, ';', a.uncovered_revocations::text, ';', ${lots}), 'UTF8'))`;

/** An account that differs from its checkpoint, or has none. */
export interface ChangedAccount {
  readonly userId: string;
  readonly lastSeq: number;
  readonly headHash: string;
  readonly stateHash: string;
  /** The number of its checkpoint. Null without one. */
  readonly knownSeq: number | null;
  /** Whether its head, its balance and its lots are consistent. */
  readonly isWell: boolean;
}

export interface Page {
  readonly accounts: number;
  readonly transactions: number;
  /** The last account of the page. Null for a page after the last account. */
  readonly lastId: string | null;
  /** In the order of their ids. */
  readonly changed: readonly ChangedAccount[];
}

/**
 * The next accounts, compared with their checkpoints. Reads the row, the lots and the last transaction of each account.
 * No locks. Indexes: credit_accounts_pkey, in order; credit_checkpoints_pkey, credit_lots_pkey,
 * credit_transactions_pkey and credit_allocations_pkey, one look-up in each for an account.
 */
export async function readPage(tx: Tx, wanted: { after: string; limit: number }): Promise<Page> {
  const [page] = await tx.$queryRaw<Page[]>`
    WITH page AS MATERIALIZED (
      SELECT user_id, last_seq, head_hash, closed_at, uncovered_revocations FROM credit_accounts
      WHERE user_id > ${wanted.after}::uuid ORDER BY user_id LIMIT ${wanted.limit}
    ), seen AS MATERIALIZED (
      SELECT a.user_id, a.last_seq, a.head_hash, ${stateHash(Prisma.sql`l.text`)} AS state_hash, c.last_seq AS known_seq,
        c.head_hash AS known_head, c.state_hash AS known_state,
        coalesce(t.seq, 0) = a.last_seq AND coalesce(t.hash, decode(repeat('00', 32), 'hex')) = a.head_hash
          AND coalesce(t.balance_after, 0) = l.held
          AND coalesce(t.recorded_at <= clock.now + interval '5 minutes', true)
          AND NOT EXISTS (SELECT FROM credit_allocations p WHERE p.user_id = a.user_id AND p.seq > a.last_seq) AS is_well
      FROM page a CROSS JOIN (SELECT ledger_now() AS now OFFSET 0) clock
      LEFT JOIN LATERAL (
        SELECT last_seq, head_hash, state_hash FROM credit_checkpoints WHERE user_id = a.user_id LIMIT 1
      ) c ON true
      LEFT JOIN LATERAL (
        SELECT seq, hash, balance_after, recorded_at FROM credit_transactions
        WHERE user_id = a.user_id ORDER BY seq DESC LIMIT 1
      ) t ON true
      CROSS JOIN LATERAL (
        SELECT ${lotsText(Prisma.sql`l.remaining`)} AS text, coalesce(sum(l.remaining), 0) AS held
        FROM credit_lots l WHERE l.user_id = a.user_id
      ) l
    )
    SELECT count(*)::int AS accounts, coalesce(sum(last_seq), 0)::float8 AS transactions,
      max(user_id::text) AS "lastId", coalesce(json_agg(json_build_object('userId', user_id, 'lastSeq', last_seq,
        'headHash', encode(head_hash, 'hex'), 'stateHash', encode(state_hash, 'hex'), 'knownSeq', known_seq,
        'isWell', is_well) ORDER BY user_id) FILTER (WHERE NOT is_well OR known_seq IS DISTINCT FROM last_seq
        OR known_head <> head_hash OR known_state <> state_hash), '[]') AS changed
    FROM seen`;
  return page ?? { accounts: 0, transactions: 0, lastId: null, changed: [] };
}

/**
 * The present states of the accounts of a range, with the sums of all their transactions. No locks, one snapshot.
 * Indexes: credit_accounts_pkey, credit_lots_pkey, credit_transactions_pkey and credit_allocations_pkey, in order.
 */
export function readStates(db: Db, { from, to }: Range): Promise<Checkpoint[]> {
  const users = Prisma.sql`BETWEEN ${from}::uuid AND ${to}::uuid`;
  return readAtLarge(
    db,
    (tx) => tx.$queryRaw<Checkpoint[]>`
      SELECT a.user_id AS "userId", a.last_seq AS "lastSeq", encode(a.head_hash, 'hex') AS "headHash",
        encode(${stateHash(Prisma.sql`l.text`)}, 'hex') AS "stateHash", coalesce(m.moved, '[]') AS moved
      FROM credit_accounts a
      LEFT JOIN (
        SELECT l.user_id, ${lotsText(Prisma.sql`l.remaining`)} AS text
        FROM credit_lots l WHERE l.user_id ${users} GROUP BY l.user_id
      ) l ON l.user_id = a.user_id
      LEFT JOIN (
        SELECT user_id, json_agg(json_build_array(source, type, points)
          ORDER BY source::text COLLATE "C", type::text COLLATE "C") AS moved FROM (
          SELECT p.user_id, l.source, t.type, sum(p.amount) AS points
          FROM credit_allocations p
          JOIN credit_transactions t ON t.user_id = p.user_id AND t.seq = p.seq
          JOIN credit_lots l ON l.user_id = p.user_id AND l.id = p.lot_id
          WHERE p.user_id ${users} AND t.user_id ${users} AND l.user_id ${users}
          GROUP BY p.user_id, l.source, t.type
        ) sums GROUP BY user_id
      ) m ON m.user_id = a.user_id
      WHERE a.user_id ${users}`,
  );
}

/** Whether the history still has the transaction of the checkpoint `c`, with its hash. */
const IS_KEPT = Prisma.sql`(c.last_seq = 0 OR EXISTS (
  SELECT FROM credit_transactions t WHERE t.user_id = c.user_id AND t.seq = c.last_seq AND t.hash = c.head_hash))`;

/**
 * Writes checkpoints. A checkpoint never goes back to an earlier state. One that the history contradicts stays, because
 * it is the evidence. Locks only their rows. Index: credit_checkpoints_pkey.
 */
export async function writeCheckpoints(
  db: Pick<Db, '$executeRaw' | '$queryRaw'>,
  reconciliationId: string,
  checkpoints: readonly Checkpoint[],
): Promise<number> {
  // A distributed database reads no other table when it writes over a row, so those that stay are looked up before.
  const apart = isDistributed(db);
  const stay = new Set(apart ? await readContradicted(db, checkpoints) : []);
  const written = checkpoints.filter(({ userId }) => !stay.has(userId));
  return db.$executeRaw`
  INSERT INTO credit_checkpoints AS c (user_id, last_seq, head_hash, state_hash, moved, reconciliation_id)
  SELECT "userId", "lastSeq", decode("headHash", 'hex'), decode("stateHash", 'hex'), moved, ${reconciliationId}::uuid
  FROM json_to_recordset(${JSON.stringify(written)}::json)
    AS r("userId" uuid, "lastSeq" int, "headHash" text, "stateHash" text, moved jsonb)
  ORDER BY "userId"
  ON CONFLICT (user_id) DO UPDATE SET last_seq = excluded.last_seq, head_hash = excluded.head_hash,
    state_hash = excluded.state_hash, moved = excluded.moved, reconciliation_id = excluded.reconciliation_id
  WHERE c.last_seq <= excluded.last_seq AND ${apart ? Prisma.sql`true` : IS_KEPT}
    AND (c.head_hash, c.state_hash, c.moved) IS DISTINCT FROM (excluded.head_hash, excluded.state_hash, excluded.moved)`;
}

/** The users whose checkpoints the history contradicts. Indexes: credit_checkpoints_pkey, credit_transactions_pkey. */
async function readContradicted(
  db: Reader,
  checkpoints: readonly Checkpoint[],
): Promise<readonly string[]> {
  const rows = await db.$queryRaw<{ userId: string }[]>`
    SELECT c.user_id AS "userId" FROM credit_checkpoints c
    WHERE c.user_id = ANY(${checkpoints.map(({ userId }) => userId)}::uuid[]) AND NOT ${IS_KEPT}`;
  return rows.map(({ userId }) => userId);
}

/**
 * Deletes the checkpoints of accounts with a violation, so that the next check reads their whole history. A checkpoint
 * that the history contradicts stays. Index: credit_checkpoints_pkey.
 */
export const dropCheckpoints = (
  db: Pick<Db, '$executeRaw'>,
  userIds: readonly string[],
): Promise<number> =>
  db.$executeRaw`DELETE FROM credit_checkpoints c WHERE user_id = ANY(${userIds}::uuid[]) AND ${IS_KEPT}
    AND EXISTS (SELECT FROM credit_accounts a WHERE a.user_id = c.user_id AND a.last_seq >= c.last_seq)`;

/** Whether there are any checkpoints. Reads one row. */
export async function hasCheckpoints(db: Reader): Promise<boolean> {
  const [row] = await db.$queryRaw<{ any: boolean }[]>`
    SELECT EXISTS (SELECT 1 FROM credit_checkpoints) AS any`;
  return row?.any === true;
}
