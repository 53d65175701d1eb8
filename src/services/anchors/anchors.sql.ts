import type { AnchorLeaf } from '../../domain/ledger/merkle.js';
import { readAtLarge, type Db, type Reader, type Tx } from '../../infra/db.js';

/** The action of the audit entries that hold the statements of anchors. */
export const ANCHOR_ACTION = 'anchor';

/** The instant by the ledger's clock, and the end of the audit chain. Index: audit_chain_pkey. */
export async function readAuditEnd(
  tx: Tx,
): Promise<{ at: Date; audit: { seq: number; hash: string } }> {
  const [row] = await tx.$queryRaw<{ at: Date; seq: number; hash: string }[]>`
    SELECT ledger_now() AS at, last_seq AS seq, encode(head_hash, 'hex') AS hash
    FROM audit_chain WHERE id = 1`;
  if (row === undefined) throw new Error('The audit log has lost the end of its chain.');
  return { at: row.at, audit: { seq: row.seq, hash: row.hash } };
}

/** The next accounts as leaves. No locks. Index: credit_accounts_pkey. */
export function readLeaves(
  tx: Tx,
  wanted: { after: string; limit: number },
): Promise<AnchorLeaf[]> {
  return tx.$queryRaw<AnchorLeaf[]>`
    SELECT user_id AS "userId", last_seq AS "lastSeq", encode(head_hash, 'hex') AS "headHash"
    FROM credit_accounts WHERE user_id > ${wanted.after}::uuid
    ORDER BY user_id LIMIT ${wanted.limit}`;
}

export interface MovedPoints {
  readonly source: string;
  readonly type: 'GRANT' | 'DEBIT' | 'REFUND' | 'EXPIRY' | 'REVOCATION';
  readonly points: number;
}

/**
 * The sums of the transactions up to those of the leaves. They never change, because transactions are never changed. No
 * locks.
 * Indexes: credit_transactions_pkey, credit_allocations_pkey and credit_lots_pkey, in order.
 */
export function readMovedPoints(db: Db, leaves: readonly AnchorLeaf[]): Promise<MovedPoints[]> {
  const [from, to] = [leaves[0]?.userId ?? '', leaves.at(-1)?.userId ?? ''];
  return readAtLarge(
    db,
    (tx) => tx.$queryRaw<MovedPoints[]>`
      SELECT l.source, t.type, sum(a.amount)::float8 AS points
      FROM unnest(${leaves.map(({ userId }) => userId)}::uuid[], ${leaves.map(({ lastSeq }) => lastSeq)}::int[])
        AS w(user_id, last_seq)
      JOIN credit_transactions t ON t.user_id = w.user_id AND t.seq <= w.last_seq
      JOIN credit_allocations a ON a.user_id = t.user_id AND a.seq = t.seq
      JOIN credit_lots l ON l.user_id = a.user_id AND l.id = a.lot_id
      WHERE t.user_id BETWEEN ${from}::uuid AND ${to}::uuid AND a.user_id BETWEEN ${from}::uuid AND ${to}::uuid
        AND l.user_id BETWEEN ${from}::uuid AND ${to}::uuid
      GROUP BY l.source, t.type`,
  );
}

/**
 * The same sums, from the checkpoints of the leaves and the transactions after them. A checkpoint counts only if it is
 * part of the history that the leaf covers. No locks. Indexes: credit_checkpoints_pkey, one look-up for a leaf;
 * credit_transactions_pkey, credit_allocations_pkey and credit_lots_pkey for the transactions after it.
 */
export const readMovedSinceCheckpoints = (
  db: Reader,
  leaves: readonly AnchorLeaf[],
): Promise<MovedPoints[]> => db.$queryRaw<MovedPoints[]>`
  WITH known AS MATERIALIZED (
    SELECT w.user_id, w.last_seq, coalesce(c.last_seq, 0) AS known_seq, c.moved
    FROM unnest(${leaves.map(({ userId }) => userId)}::uuid[], ${leaves.map(({ lastSeq }) => lastSeq)}::int[],
      ${leaves.map(({ headHash }) => headHash)}::text[]) AS w(user_id, last_seq, head_hash)
    LEFT JOIN LATERAL (
      SELECT k.last_seq, k.moved FROM credit_checkpoints k WHERE k.user_id = w.user_id AND (
        (k.last_seq = w.last_seq AND k.head_hash = decode(w.head_hash, 'hex')) OR (k.last_seq < w.last_seq AND EXISTS (
          SELECT FROM credit_transactions t
          WHERE t.user_id = k.user_id AND t.seq = k.last_seq AND t.hash = k.head_hash))) LIMIT 1
    ) c ON true
  )
  SELECT source, type, sum(points)::float8 AS points FROM (
    SELECT m.sum->>0 AS source, m.sum->>1 AS type, (m.sum->>2)::bigint AS points
    FROM known k CROSS JOIN LATERAL jsonb_array_elements(k.moved) AS m(sum)
    UNION ALL
    SELECT l.source::text, p.type::text, p.amount
    FROM known k CROSS JOIN LATERAL (
      SELECT t.type, a.lot_id, a.amount FROM credit_transactions t
      JOIN credit_allocations a ON a.user_id = t.user_id AND a.seq = t.seq
      WHERE t.user_id = k.user_id AND t.seq > k.known_seq AND t.seq <= k.last_seq
      OFFSET 0
    ) p
    JOIN credit_lots l ON l.user_id = k.user_id AND l.id = p.lot_id
    WHERE k.known_seq < k.last_seq
  ) moved
  GROUP BY source, type`;

/** Records that every place has the anchor of a reconciliation. Index: reconciliations_pkey. */
export const noteAnchored = (db: Pick<Db, '$executeRaw'>, id: string, at: Date): Promise<number> =>
  db.$executeRaw`UPDATE reconciliations SET anchored_at = ${at} WHERE id = ${id}::uuid`;

/** The time of the newest anchor that every place has. Index: reconciliations_checked_at_idx. */
export async function readAnchoredAt(db: Reader): Promise<Date | null> {
  const [row] = await db.$queryRaw<{ at: Date }[]>`
    SELECT anchored_at AS at FROM reconciliations WHERE anchored_at IS NOT NULL
    ORDER BY checked_at DESC LIMIT 1`;
  return row?.at ?? null;
}

/**
 * The statement of an anchor in the audit log, searched after the last entry that it covers. Index:
 * audit_entries_seq_key.
 */
export async function readAnchorEntry(
  db: Reader,
  anchor: { id: string; afterSeq: number },
): Promise<string | null> {
  const [row] = await db.$queryRaw<{ statement: string }[]>`
    SELECT details->>'statement' AS statement FROM audit_entries
    WHERE seq > ${anchor.afterSeq} AND action = ${ANCHOR_ACTION} AND target = ${anchor.id}
    ORDER BY seq LIMIT 1`;
  return row?.statement ?? null;
}
