import type { Reader, Tx } from '../../infra/db.js';

/** Locks a key until the transaction ends, so that requests under one key are decided one after the other. */
export async function lockBulkGrantKey(tx: Tx, key: string): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`bulk grant ${key}`}, 0))`;
}

/**
 * Tells whether a key has an order or a result. The claim of an earlier release may have neither.
 * Index: bulk_grants_pkey.
 */
export async function isBulkGrantPlaced(tx: Tx, key: string): Promise<boolean> {
  const [row] = await tx.$queryRaw<{ placed: boolean }[]>`
    SELECT placed_order IS NOT NULL OR result IS NOT NULL AS placed FROM bulk_grants WHERE idempotency_key = ${key}`;
  return row?.placed === true;
}

/**
 * Claims a key with its order. If two claims are concurrent, the second waits for the commit of the first and is not
 * written. A claim of an earlier release, which has neither order nor result, gets the order of the same request.
 * @returns whether this order was written. Index: bulk_grants_pkey.
 */
export async function insertBulkGrant(
  tx: Tx,
  claim: {
    readonly key: string;
    readonly requestHash: Uint8Array;
    readonly actorId: string;
    readonly jobId: string;
    readonly order: object;
  },
): Promise<boolean> {
  const written = await tx.$executeRaw`
    INSERT INTO bulk_grants AS b (idempotency_key, request_hash, actor_id, created_at, placed_order, job_id)
    VALUES (${claim.key}, ${claim.requestHash}, ${claim.actorId}::uuid, ledger_now(),
      ${JSON.stringify(claim.order)}::jsonb, ${claim.jobId}::uuid)
    ON CONFLICT (idempotency_key) DO UPDATE SET placed_order = excluded.placed_order, job_id = excluded.job_id
    WHERE b.placed_order IS NULL AND b.result IS NULL AND b.request_hash = excluded.request_hash`;
  return written === 1;
}

/**
 * Keeps the first result of a bulk grant, and deletes its order, which is not needed any more.
 * @returns its job; undefined when it was finished before. Index: bulk_grants_pkey.
 */
export async function writeBulkGrantResult(
  tx: Tx,
  key: string,
  result: object,
): Promise<{ jobId: string | null } | undefined> {
  const [row] = await tx.$queryRaw<{ jobId: string | null }[]>`
    UPDATE bulk_grants SET result = ${JSON.stringify(result)}::jsonb, placed_order = NULL
    WHERE idempotency_key = ${key} AND result IS NULL
    RETURNING job_id AS "jobId"`;
  return row;
}

/** A bulk grant that is in progress or was interrupted. */
export interface UnfinishedBulkGrant {
  readonly idempotencyKey: string;
  readonly placedAt: Date;
  readonly actorId: string;
  /** Null for a claim of an earlier release, which no job can finish. */
  readonly reason: string | null;
  readonly recipients: number | null;
}

/** Unfinished bulk grants, oldest first. Index: bulk_grants_unfinished. */
export const readUnfinishedBulkGrants = (
  db: Reader,
  limit: number,
): Promise<UnfinishedBulkGrant[]> =>
  db.$queryRaw`
    SELECT idempotency_key AS "idempotencyKey", created_at AS "placedAt", actor_id AS "actorId",
           placed_order->>'reason' AS reason, jsonb_array_length(placed_order->'recipients') AS recipients
    FROM bulk_grants WHERE result IS NULL ORDER BY created_at LIMIT ${limit}`;

/** The number of unfinished bulk grants. Index: bulk_grants_unfinished. */
export async function countUnfinishedBulkGrants(db: Reader): Promise<number> {
  const [row] = await db.$queryRaw<{ count: number }[]>`
    SELECT count(*)::float8 AS count FROM bulk_grants WHERE result IS NULL`;
  return row?.count ?? 0;
}

/** Users by id or by e-mail address. Indexes: users_pkey, users_email_key. */
export function readByIdOrAddress(
  db: Reader,
  wanted: { ids: readonly string[]; addresses: readonly string[] },
): Promise<{ id: string; email: string }[]> {
  return db.$queryRaw`
    SELECT id, email FROM users
    WHERE (id = ANY(${wanted.ids}::uuid[]) OR email = ANY(${wanted.addresses}::text[]))
      AND deleted_at IS NULL`;
}
