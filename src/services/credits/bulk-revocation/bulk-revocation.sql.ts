import type { Reader, Tx } from '../../../infra/db.js';
import type { CreditSource } from '../../../domain/ledger/lots.js';

/**
 * Writes the order. If two orders for one grant are concurrent, the second waits for the commit of the first and is not
 * written.
 * @returns whether this order was written. Index: bulk_revocations_pkey.
 */
export async function insertBulkRevocation(
  tx: Tx,
  order: {
    readonly key: string;
    readonly actorId: string;
    readonly reason: string;
    readonly jobId: string;
    readonly at: Date;
  },
): Promise<boolean> {
  const written = await tx.$executeRaw`
    INSERT INTO bulk_revocations (idempotency_key, actor_id, reason, created_at, job_id)
    VALUES (${order.key}, ${order.actorId}::uuid, ${order.reason}, ${order.at}, ${order.jobId}::uuid)
    ON CONFLICT (idempotency_key) DO NOTHING`;
  return written === 1;
}

/**
 * Keeps the first result of an order.
 * @returns its job; undefined when it was finished before. Index: bulk_revocations_pkey.
 */
export async function writeBulkRevocationResult(
  tx: Tx,
  key: string,
  result: object,
): Promise<{ jobId: string } | undefined> {
  const [row] = await tx.$queryRaw<{ jobId: string }[]>`
    UPDATE bulk_revocations SET result = ${JSON.stringify(result)}::jsonb
    WHERE idempotency_key = ${key} AND result IS NULL
    RETURNING job_id AS "jobId"`;
  return row;
}

/** The revocation of a bulk grant that is in progress or was interrupted. */
export interface UnfinishedBulkRevocation {
  readonly idempotencyKey: string;
  readonly placedAt: Date;
  readonly actorId: string;
  readonly reason: string;
}

/** Unfinished revocations, oldest first. Index: bulk_revocations_unfinished. */
export const readUnfinishedBulkRevocations = (
  db: Reader,
  limit: number,
): Promise<UnfinishedBulkRevocation[]> =>
  db.$queryRaw`
    SELECT idempotency_key AS "idempotencyKey", created_at AS "placedAt", actor_id AS "actorId", reason
    FROM bulk_revocations WHERE result IS NULL ORDER BY created_at LIMIT ${limit}`;

/** The number of unfinished revocations. Index: bulk_revocations_unfinished. */
export async function countUnfinishedBulkRevocations(db: Reader): Promise<number> {
  const [row] = await db.$queryRaw<{ count: number }[]>`
    SELECT count(*)::float8 AS count FROM bulk_revocations WHERE result IS NULL`;
  return row?.count ?? 0;
}

/** A lot that a bulk grant made. */
export interface GrantedLotRow {
  readonly userId: string;
  readonly lotId: string;
  readonly source: CreditSource;
  readonly isRevoked: boolean;
}

/**
 * The next lots of a bulk grant, in the order of their users. Each user has one. The condition with LIKE is needed,
 * because the planner uses a partial index only if the query repeats its condition.
 * Indexes: credit_transactions_of_bulk_grant, credit_allocations_pkey, credit_lots_pkey.
 * @param wanted.key as it is stored in the ledger
 */
export const readGrantedLots = (
  db: Reader,
  wanted: { readonly key: string; readonly after: string; readonly limit: number },
): Promise<GrantedLotRow[]> =>
  db.$queryRaw`
    SELECT l.user_id AS "userId", l.id AS "lotId", l.source::text, l.revoked_at IS NOT NULL AS "isRevoked"
    FROM credit_transactions t
    JOIN credit_allocations a ON a.user_id = t.user_id AND a.seq = t.seq AND a.ordinal = 1
    JOIN credit_lots l ON l.user_id = a.user_id AND l.id = a.lot_id
    WHERE t.idempotency_key = ${wanted.key} AND t.idempotency_key LIKE 'bulk:%'
      AND t.user_id > ${wanted.after}::uuid
    ORDER BY t.user_id LIMIT ${wanted.limit}`;

/** The sums of lots that are all revoked, in points. `granted` is the sum of the other members. */
export interface LotSums {
  readonly granted: number;
  /** By this order. */
  readonly revoked: number;
  readonly spent: number;
  readonly lapsed: number;
  /** By another revocation, normally before the order. */
  readonly revokedOtherwise: number;
}

/**
 * Adds up the points of revoked lots. A later refund to such a lot is taken back at once, under a key of the refund.
 * The two cancel out here, so that later refunds do not change the sums.
 * Indexes: credit_allocations_user_id_lot_id_seq_idx, credit_transactions_pkey.
 * @param orderHash the `request_hash` of the order's transactions
 */
export async function readLotSums(
  db: Reader,
  lots: readonly { readonly userId: string; readonly lotId: string }[],
  orderHash: Uint8Array,
): Promise<LotSums> {
  const [row] = await db.$queryRaw<LotSums[]>`
    SELECT coalesce(sum(amount) FILTER (WHERE kind = 'GRANT'), 0)::int AS granted,
           coalesce(-sum(amount) FILTER (WHERE kind = 'ORDER'), 0)::int AS revoked,
           coalesce(-sum(amount) FILTER (WHERE kind IN ('DEBIT', 'REFUND', 'CLOSING')), 0)::int AS spent,
           coalesce(-sum(amount) FILTER (WHERE kind = 'EXPIRY'), 0)::int AS lapsed,
           coalesce(-sum(amount) FILTER (WHERE kind = 'REVOCATION'), 0)::int AS "revokedOtherwise"
    FROM (
      SELECT a.amount, CASE
        WHEN t.idempotency_key LIKE 'refund:%:closing:%' THEN 'CLOSING'
        WHEN t.type = 'REVOCATION' AND t.request_hash = ${orderHash} THEN 'ORDER'
        ELSE t.type::text END AS kind
      FROM unnest(${lots.map(({ userId }) => userId)}::uuid[], ${lots.map(({ lotId }) => lotId)}::uuid[])
        AS w(user_id, lot_id)
      JOIN credit_allocations a USING (user_id, lot_id)
      JOIN credit_transactions t ON t.user_id = a.user_id AND t.seq = a.seq
    ) moved`;
  if (row === undefined) throw new Error('A sum has no row.');
  return row;
}
