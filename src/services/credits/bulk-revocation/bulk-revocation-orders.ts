import { z } from 'zod';
import type { App } from '../../app.js';
import { conflict, notFound } from '../../../domain/errors.js';
import { asUserId, newId, type UserId } from '../../../domain/ids.js';
import { transact } from '../../../infra/db.js';
import { writeAudit } from '../../audit.sql.js';
import { readLedgerClock } from '../../ledger/clock.sql.js';
import { finishBulkRevocationQueue } from '../../queues.js';
import { findBulkGrant, FINISH_AFTER_SECONDS, UNFINISHED_MAX } from '../bulk-grant-orders.js';
import {
  insertBulkRevocation,
  readUnfinishedBulkRevocations,
  writeBulkRevocationResult,
  type LotSums,
  type UnfinishedBulkRevocation,
} from './bulk-revocation.sql.js';

export type { UnfinishedBulkRevocation };

/** Points, except `accounts`. */
export interface BulkRevocationResult extends LotSums {
  /** Accounts that the grant gave points to. */
  readonly accounts: number;
}

const storedResult = z.object({
  accounts: z.int(),
  granted: z.int(),
  revoked: z.int(),
  spent: z.int(),
  lapsed: z.int(),
  revokedOtherwise: z.int(),
});

/** An order to revoke all lots of a bulk grant, by the administrator who requested it first. */
export interface BulkRevocation {
  /** The idempotency key of the grant. */
  readonly key: string;
  readonly actorId: UserId;
  readonly reason: string;
  /** Null while it is unfinished. */
  readonly result: BulkRevocationResult | null;
}

/** The revocation of this grant. Null when there is none. */
export async function findBulkRevocation(
  { db }: Pick<App, 'db'>,
  key: string,
): Promise<BulkRevocation | null> {
  const known = await db.bulkRevocation.findUnique({ where: { idempotencyKey: key } });
  if (known === null) return null;
  const { actorId, reason, result } = known;
  return {
    key,
    actorId: asUserId(actorId),
    reason,
    result: storedResult.nullable().parse(result),
  };
}

/**
 * Places the order. One commit has the order, its audit entry and the job that finishes the order if this process does
 * not.
 * @returns the order for this key, which may be that of a concurrent request
 * @throws NOT_FOUND for a key that granted nothing; CONFLICT for a grant that is not finished
 */
export async function placeBulkRevocation(
  app: App,
  { key, actorId, reason }: Omit<BulkRevocation, 'result'>,
): Promise<BulkRevocation> {
  const grant = await findBulkGrant(app, key);
  if (grant === null) throw notFound('bulk grant');
  if (grant.result === null)
    throw conflict('The grant is not finished. A job, or the same request again, finishes it.');
  const { granted: accounts, points: granted } = grant.result;
  await transact(app.db, async (tx) => {
    const [jobId, at] = [newId(), await readLedgerClock(tx)];
    if (!(await insertBulkRevocation(tx, { key, actorId, reason, jobId, at }))) return;
    const about = { actorId, action: 'revokeBulkGrant', target: key, reason, at };
    await writeAudit(tx, [{ ...about, details: { accounts, granted } }]);
    const startAfterSeconds = FINISH_AFTER_SECONDS;
    await app.queue.enqueue(tx, finishBulkRevocationQueue, [
      { id: jobId, payload: { key }, startAfterSeconds },
    ]);
  });
  const placed = await findBulkRevocation(app, key);
  if (placed === null) throw new Error('The revocation of a bulk grant is gone.');
  return placed;
}

/**
 * Keeps the first result, and cancels the job unless the job itself is the caller.
 * @returns the result that is kept
 */
export async function keepResult(
  app: App,
  key: string,
  result: BulkRevocationResult,
  { byJob }: { readonly byJob: boolean },
): Promise<BulkRevocationResult> {
  await transact(app.db, async (tx) => {
    const finished = await writeBulkRevocationResult(tx, key, result);
    if (byJob || finished === undefined) return;
    await app.queue.cancel(tx, finishBulkRevocationQueue.name, finished.jobId);
  });
  return (await findBulkRevocation(app, key))?.result ?? result;
}

/** Revocations of bulk grants that are in progress or were interrupted, oldest first. */
export const listUnfinishedBulkRevocations = ({
  db,
}: Pick<App, 'db'>): Promise<UnfinishedBulkRevocation[]> =>
  readUnfinishedBulkRevocations(db, UNFINISHED_MAX);
