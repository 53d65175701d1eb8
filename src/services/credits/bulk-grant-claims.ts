import { Prisma, transact, type Db } from '../../infra/db.js';
import { writeAudit } from '../audit.sql.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { insertBulkGrant } from './bulk-grant.sql.js';

export interface BulkGrantResult {
  /** Users. */
  readonly granted: number;
  readonly points: number;
  readonly skipped: { readonly row: number; readonly reason: string }[];
}

interface BulkGrantClaim {
  readonly key: string;
  readonly requestHash: Uint8Array;
  readonly actorId: string;
  readonly reason: string;
}

interface KnownBulkGrant {
  readonly sameRequest: boolean;
  /** Null while it is being made, or when it was interrupted. */
  readonly result: BulkGrantResult | null;
}

/** What the key was first used for; null when it is new. */
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

/** Claims the key. @returns what it stands for now */
export async function beginBulkGrant(
  db: Db,
  claim: BulkGrantClaim,
): Promise<KnownBulkGrant | null> {
  await insertBulkGrant(db, claim);
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
