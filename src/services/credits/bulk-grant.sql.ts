import { Prisma, transact, type Db, type Reader } from '../../infra/db.js';
import { writeAudit } from '../audit.sql.js';
import { readLedgerClock } from '../maintenance/maintenance.sql.js';

export interface BulkGrantResult {
  /** Users. */
  readonly granted: number;
  readonly points: number;
  readonly skipped: { readonly row: number; readonly reason: string }[];
}

export interface BulkGrantClaim {
  readonly key: string;
  readonly requestHash: Uint8Array;
  readonly actorId: string;
  readonly reason: string;
}

export interface KnownBulkGrant {
  readonly sameRequest: boolean;
  /** Null while it is being made, or when it was interrupted. */
  readonly result: BulkGrantResult | null;
}

/** What the key was first used for; null when it is new. Index: bulk_grants_pkey. */
export async function findBulkGrant(
  db: Pick<Db, 'bulkGrant'>,
  { key, requestHash }: BulkGrantClaim,
): Promise<KnownBulkGrant | null> {
  const known = await db.bulkGrant.findUnique({ where: { idempotencyKey: key } });
  if (known === null) return null;
  return {
    sameRequest: Buffer.compare(known.requestHash, requestHash) === 0,
    result: known.result as BulkGrantResult | null,
  };
}

/** Claims the key; of two at once, one does. @returns what it stands for now */
export async function beginBulkGrant(
  db: Db,
  claim: BulkGrantClaim,
): Promise<KnownBulkGrant | null> {
  const { key, requestHash, actorId } = claim;
  await db.$executeRaw`
    INSERT INTO bulk_grants (idempotency_key, request_hash, actor_id, created_at)
    VALUES (${key}, ${requestHash}, ${actorId}::uuid, ledger_now()) ON CONFLICT DO NOTHING`;
  return findBulkGrant(db, claim);
}

/** Remembers the result, once, with the audit entry. */
export async function finishBulkGrant(
  db: Db,
  { key, actorId, reason }: BulkGrantClaim,
  result: BulkGrantResult,
): Promise<void> {
  await transact(db, async (tx) => {
    const { count } = await tx.bulkGrant.updateMany({
      where: { idempotencyKey: key, result: { equals: Prisma.DbNull } },
      data: { result: { ...result, skipped: result.skipped.map((skip) => ({ ...skip })) } },
    });
    if (count === 0) return;
    const at = await readLedgerClock(tx);
    await writeAudit(tx, [{ actorId, action: 'bulkGrantCredits', target: key, reason, at }]);
  });
}

/** Users by id or by e-mail address. Indexes: users_pkey, users_email_key. */
export function readPeople(
  db: Reader,
  wanted: { ids: readonly string[]; addresses: readonly string[] },
): Promise<{ id: string; email: string }[]> {
  return db.$queryRaw`
    SELECT id, email FROM users
    WHERE (id = ANY(${wanted.ids}::uuid[]) OR email = ANY(${wanted.addresses}::text[]))
      AND deleted_at IS NULL`;
}
