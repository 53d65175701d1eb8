import { Prisma, type Reader } from '../../infra/db.js';
import { INSTANT } from './chain.sql.js';

const instant = (column: string): Prisma.Sql =>
  Prisma.sql`to_char(${Prisma.raw(column)} AT TIME ZONE 'UTC', ${INSTANT})`;

interface AccountSnapshot {
  readonly user_id: string;
  readonly last_seq: number;
  /** Hex. */
  readonly head_hash: string;
  readonly uncovered_revocations: readonly string[];
  readonly lots: readonly object[];
}

/** The account and its lots, from one snapshot. No locks. Indexes: credit_accounts_pkey, credit_lots_pkey. */
export async function readAccountSnapshot(
  db: Reader,
  userId: string,
): Promise<AccountSnapshot | undefined> {
  const [row] = await db.$queryRaw<AccountSnapshot[]>`
    SELECT a.user_id, a.last_seq, encode(a.head_hash, 'hex') AS head_hash, a.uncovered_revocations, coalesce((
      SELECT json_agg(json_build_object('id', l.id, 'source', l.source, 'priority', l.priority,
        'granted', l.granted, 'remaining', l.remaining, 'granted_at', ${instant('l.granted_at')},
        'expires_at', ${instant('l.expires_at')}, 'revoked_at', ${instant('l.revoked_at')},
        'parent_lot_id', l.parent_lot_id, 'period', l.period, 'price_minor', l.price_minor, 'currency', l.currency) ORDER BY l.granted_at, l.id)
      FROM credit_lots l WHERE l.user_id = a.user_id
    ), '[]') AS lots
    FROM credit_accounts a WHERE a.user_id = ${userId}::uuid`;
  return row;
}

/**
 * Transactions after one number and up to another, with all fields that their hashes cover.
 * Indexes: credit_transactions_pkey, credit_allocations_pkey.
 */
export function readExportedTransactions(
  db: Reader,
  wanted: { userId: string; after: number; until: number },
): Promise<{ line: object }[]> {
  return db.$queryRaw`
    SELECT json_build_object('seq', t.seq, 'id', t.id, 'format', t.format, 'type', t.type, 'amount', t.amount,
      'balance_after', t.balance_after, 'effective_at', ${instant('t.effective_at')},
      'recorded_at', ${instant('t.recorded_at')}, 'reason', t.reason, 'idempotency_key', t.idempotency_key,
      'request_hash', encode(t.request_hash, 'hex'), 'audio_id', t.audio_id, 'story_id', t.story_id, 'debit_seq', t.debit_seq, 'actor_id', t.actor_id,
      'allocations', (SELECT json_agg(json_build_array(a.lot_id, a.amount) ORDER BY a.ordinal)
        FROM credit_allocations a WHERE a.user_id = t.user_id AND a.seq = t.seq),
      'lot_terms', coalesce(t.lot_terms, '[]'), 'revoked_lots', coalesce(t.revoked_lots, '{}'),
      'hash', encode(t.hash, 'hex')) AS line
    FROM credit_transactions t
    WHERE t.user_id = ${wanted.userId}::uuid AND t.seq > ${wanted.after} AND t.seq <= ${wanted.until}
    ORDER BY t.seq`;
}
