import { z } from 'zod';
import type { App } from '../app.js';
import { bulkSkip, type BulkSkip } from '../desk/bulk-skips.js';
import { asUserId, newId, type UserId } from '../../domain/ids.js';
import { CREDIT_SOURCES, pricesIn, type CreditSource } from '../../domain/ledger/lots.js';
import { transact, type Tx } from '../../infra/db.js';
import { writeAudit, type AuditDetails } from '../audit.sql.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { finishBulkGrantQueue } from '../queues.js';
import {
  insertBulkGrant,
  readUnfinishedBulkGrants,
  writeBulkGrantResult,
  type UnfinishedBulkGrant,
} from './bulk-grant.sql.js';
import { admitBulkGrant } from './approvals/bulk-gate.js';
import type { Recipient } from './recipients.js';

export type { UnfinishedBulkGrant };

export interface BulkGrantResult {
  /** Users. */
  readonly granted: number;
  readonly points: number;
  readonly skipped: readonly BulkSkip[];
}

/** All that a process needs to make or to finish a bulk grant. */
export interface BulkGrantOrder {
  readonly source: CreditSource;
  readonly priority: number;
  readonly expiresAt: Date | null;
  readonly reason: string;
  readonly recipients: readonly Recipient[];
  /** Rows that name no user, or that name a user again. */
  readonly skipped: BulkGrantResult['skipped'];
}

/** Adds up the users and points of an order. The skipped rows are sorted by their number. */
export function sumUp(
  recipients: readonly Recipient[],
  skipped: BulkGrantResult['skipped'],
): BulkGrantResult {
  return {
    granted: recipients.length,
    points: recipients.reduce((sum, { amount }) => sum + amount, 0),
    skipped: [...skipped].sort((a, b) => a.row - b.row),
  };
}

/** The terms that the lots of a stored request share, as JSON has them. */
export const storedTerms = {
  source: z.enum(CREDIT_SOURCES),
  priority: z.int(),
  expiresAt: z.iso
    .datetime()
    .transform((at) => new Date(at))
    .nullable(),
};

/** The price in a stored request. A request of a release without prices has neither field. */
export const storedPrice = {
  priceMinor: z
    .int()
    .nullish()
    .transform((price) => price ?? null),
  currency: z
    .string()
    .nullish()
    .transform((code) => code ?? null),
};

const storedResult = z.object({ granted: z.int(), points: z.int(), skipped: z.array(bulkSkip) });

/** Parses an order that was stored as JSON. */
export const storedOrder = z.object({
  ...storedTerms,
  reason: z.string(),
  recipients: z.array(
    z.object({
      row: z.int(),
      userId: z.uuid().transform(asUserId),
      amount: z.int(),
      ...storedPrice,
    }),
  ),
  skipped: z.array(bulkSkip),
});

export interface BulkGrantClaim {
  readonly key: string;
  readonly requestHash: Uint8Array;
  readonly actorId: UserId;
}

/** A bulk grant in its present state. */
export interface KnownBulkGrant {
  readonly requestHash: Uint8Array;
  readonly actorId: UserId;
  /** Null when it is finished, and for a claim of an earlier release. */
  readonly order: BulkGrantOrder | null;
  /** Null while it is unfinished. */
  readonly result: BulkGrantResult | null;
}

/** The grant that the key was first used for. Null when the key is new. */
export async function findBulkGrant(
  { db }: Pick<App, 'db'>,
  key: string,
): Promise<KnownBulkGrant | null> {
  const known = await db.bulkGrant.findUnique({ where: { idempotencyKey: key } });
  if (known === null) return null;
  return {
    requestHash: known.requestHash,
    actorId: asUserId(known.actorId),
    order: known.placedOrder === null ? null : storedOrder.parse(known.placedOrder),
    result: storedResult.nullable().parse(known.result),
  };
}

/** The delay of the job that finishes an order, because the process that placed it normally finishes it first. */
export const FINISH_AFTER_SECONDS = 10;

/**
 * Claims the key: the order, its audit entry and the job that finishes it when this process cannot are one commit.
 * `approval` adds details to the audit entry.
 * @returns false when the key was claimed before
 */
export async function writeBulkGrant(
  { queue }: Pick<App, 'queue'>,
  tx: Tx,
  { claim, order, approval = {} }: PlacedBulkGrant,
): Promise<boolean> {
  const { key, actorId } = claim;
  const jobId = newId();
  if (!(await insertBulkGrant(tx, { ...claim, jobId, order }))) return false;
  const at = await readLedgerClock(tx);
  const { reason, recipients, skipped } = order;
  const { granted, points } = sumUp(recipients, skipped);
  const sums = { recipients: granted, points, skipped: skipped.length };
  const details = { ...sums, ...pricesIn(recipients), ...approval };
  await writeAudit(tx, [{ actorId, action: 'bulkGrantCredits', target: key, reason, details, at }]);
  const startAfterSeconds = FINISH_AFTER_SECONDS;
  await queue.enqueue(tx, finishBulkGrantQueue, [
    { id: jobId, payload: { key }, startAfterSeconds },
  ]);
  return true;
}

/** An order with its key. */
export interface PlacedBulkGrant {
  readonly claim: BulkGrantClaim;
  readonly order: BulkGrantOrder;
  readonly approval?: AuditDetails;
}

/**
 * Places an order if it needs no approval.
 * @returns the bulk grant of this key, which may be that of a concurrent request
 * @throws APPROVAL_REQUIRED; CONFLICT or IDEMPOTENCY_KEY_REUSED when a proposal with this key exists
 */
export async function placeBulkGrant(
  app: App,
  claim: BulkGrantClaim,
  order: BulkGrantOrder,
): Promise<KnownBulkGrant> {
  const refusal = await admitBulkGrant(app, { claim, order }, (tx) =>
    writeBulkGrant(app, tx, { claim, order }),
  );
  if (refusal !== null) throw refusal;
  const placed = await findBulkGrant(app, claim.key);
  if (placed === null) throw new Error('A bulk grant has lost its key.');
  return placed;
}

/**
 * Keeps the first result, and cancels the job unless the job itself is the caller.
 * @returns the result that is kept
 */
export async function keepResult(
  app: App,
  key: string,
  result: BulkGrantResult,
  { byJob }: { readonly byJob: boolean },
): Promise<BulkGrantResult> {
  await transact(app.db, async (tx) => {
    const finished = await writeBulkGrantResult(tx, key, result);
    if (byJob || finished === undefined || finished.jobId === null) return;
    await app.queue.cancel(tx, finishBulkGrantQueue.name, finished.jobId);
  });
  return (await findBulkGrant(app, key))?.result ?? result;
}

/** The greatest number of unfinished orders of one kind in a list. */
export const UNFINISHED_MAX = 100;

/** Bulk grants that are in progress or were interrupted, oldest first. */
export const listUnfinishedBulkGrants = ({ db }: Pick<App, 'db'>): Promise<UnfinishedBulkGrant[]> =>
  readUnfinishedBulkGrants(db, UNFINISHED_MAX);
