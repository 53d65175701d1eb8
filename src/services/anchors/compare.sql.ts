import type { AnchorLeaf } from '../../domain/ledger/merkle.js';
import type { Reader } from '../../infra/db.js';

export interface LostHead {
  readonly userId: string;
  /** The number in the anchor. */
  readonly lastSeq: number;
  /** The last number of the account now. Null when the account is gone. */
  readonly endsWith: number | null;
  /** Whether there is a transaction with the anchor's number. Its hash is then another one. */
  readonly isThere: boolean;
}

/**
 * Leaves whose account is gone, or whose history does not have their hash at their number. No locks.
 * Indexes: credit_accounts_pkey and credit_transactions_pkey, one look-up in each for a leaf.
 */
export function readLostHeads(db: Reader, leaves: readonly AnchorLeaf[]): Promise<LostHead[]> {
  return db.$queryRaw<LostHead[]>`
    SELECT l.user_id AS "userId", l.last_seq AS "lastSeq", a.last_seq AS "endsWith", t.hash IS NOT NULL AS "isThere"
    FROM unnest(${leaves.map(({ userId }) => userId)}::uuid[], ${leaves.map(({ lastSeq }) => lastSeq)}::int[],
      ${leaves.map(({ headHash }) => headHash)}::text[]) AS l(user_id, last_seq, hash)
    LEFT JOIN LATERAL (
      SELECT last_seq FROM credit_accounts WHERE user_id = l.user_id LIMIT 1
    ) a ON true
    LEFT JOIN LATERAL (
      SELECT hash FROM credit_transactions WHERE user_id = l.user_id AND seq = l.last_seq LIMIT 1
    ) t ON true
    WHERE a.last_seq IS NULL OR (l.last_seq > 0 AND t.hash IS DISTINCT FROM decode(l.hash, 'hex'))
    ORDER BY l.user_id`;
}

/** The hash of an audit entry by its number, and the number of the last one. Index: audit_entries_seq_key. */
export async function readAuditHash(
  db: Reader,
  seq: number,
): Promise<{ hash: string | null; lastSeq: number }> {
  const [row] = await db.$queryRaw<{ hash: string | null; lastSeq: number }[]>`
    SELECT (SELECT encode(hash, 'hex') FROM audit_entries WHERE seq = ${seq}) AS hash,
           (SELECT coalesce(max(seq), 0) FROM audit_entries) AS "lastSeq"`;
  return row ?? { hash: null, lastSeq: 0 };
}
