import { z } from 'zod';
import type { App } from '../../app.js';
import { busy, DomainError } from '../../../domain/errors.js';
import { asLotId, asUserId, FIRST_ID, type UserId } from '../../../domain/ids.js';
import { hashRequest, keys } from '../../../domain/ledger/idempotency.js';
import type { LotRevokeRequest } from '../../ledger/revocations.js';
import type { FinishOrderPayload } from '../../queues.js';
import { idempotencyKey, line, parseRequest } from '../../validation.js';
import { readGrantedLots, readLotSums, type GrantedLotRow } from './bulk-revocation.sql.js';
import {
  findBulkRevocation,
  keepResult,
  placeBulkRevocation,
  type BulkRevocation,
  type BulkRevocationResult,
} from './orders.js';

export interface RevokeBulkGrantRequest {
  /** The key of the grant. */
  readonly idempotencyKey: string;
  readonly reason: string;
}

export interface BulkRevocationOutcome extends BulkRevocationResult {
  /** Whether the grant had been revoked before. Then this is the first result. */
  readonly replayed: boolean;
}

const bulkRevocation = z.object({ idempotencyKey, reason: line(1, 500) });

/**
 * Revokes every lot of a bulk grant, as `revokeCreditLot` revokes one: remaining points and later refunds are
 * forfeited, and debits stay. Idempotent under the key of the grant: a repeated request gets the first result. An
 * interrupted revocation is finished by the next request or by a job.
 * @param actorId the administrator
 * @throws BAD_USER_INPUT, NOT_FOUND, CONFLICT (the grant is not finished), BUSY (then a job revokes the rest)
 */
export async function revokeBulkGrant(
  app: App,
  input: RevokeBulkGrantRequest,
  actorId: UserId,
): Promise<BulkRevocationOutcome> {
  const { idempotencyKey: key, reason } = parseRequest(bulkRevocation, input);
  const order =
    (await findBulkRevocation(app, key)) ??
    (await placeBulkRevocation(app, { key, actorId, reason }));
  if (order.result !== null) return { ...order.result, replayed: true };
  return { ...(await runBulkRevocation(app, order, { byJob: false })), replayed: false };
}

/** The job: finishes an order whose process has ended. A finished order is not changed. */
export async function finishBulkRevocation(
  app: App,
  { key }: FinishOrderPayload,
  signal: AbortSignal,
): Promise<void> {
  const order = await findBulkRevocation(app, key);
  if (order?.result !== null) return;
  await runBulkRevocation(app, order, { byJob: true, signal });
}

const LOTS_IN_A_BATCH = 500;

/**
 * Revokes the lots of an order and keeps the result. Each batch is one commit. A lot is revoked only once, and the sums
 * are read from the ledger, so that several processes may run one order and get the same result.
 * @throws BUSY or INTERNAL when a lot could not be revoked. All others are revoked, and the job tries again.
 */
async function runBulkRevocation(
  app: App,
  order: BulkRevocation,
  options: { readonly byJob: boolean; readonly signal?: AbortSignal },
): Promise<BulkRevocationResult> {
  const { key, actorId } = order;
  const orderHash = hashRequest(['revokeBulkGrant', key]);
  let found: BulkRevocationResult = NOTHING;
  let failure: DomainError | null = null;
  for (let after = FIRST_ID; ;) {
    options.signal?.throwIfAborted();
    const wanted = { key: keys.bulkGrant(key), after, limit: LOTS_IN_A_BATCH };
    const lots = await readGrantedLots(app.db, wanted);
    const last = lots.at(-1);
    if (last === undefined) break;
    const open = lots.filter(({ isRevoked }) => !isRevoked);
    const requests = open.map((lot) => revocationOf(order, lot, orderHash));
    failure = (await revokeLots(app, requests, { patient: failure === null })) ?? failure;
    found = sumOf(found, {
      accounts: lots.length,
      ...(await readLotSums(app.db, lots, orderHash)),
    });
    after = last.userId;
  }
  if (failure !== null) throw failure;
  const result = await keepResult(app, key, found, options);
  app.log.info({ event: 'bulk-grant-revoked', actorId, ...result }, 'bulk grant revoked');
  return result;
}

const revocationOf = (
  { actorId, reason }: BulkRevocation,
  { userId, lotId, source }: GrantedLotRow,
  orderHash: Uint8Array,
): LotRevokeRequest => ({
  userId: asUserId(userId),
  lotId: asLotId(lotId),
  source,
  expectedRemaining: null,
  reason,
  actorId,
  orderHash,
});

/** @returns why a lot could not be revoked; null when all were revoked */
async function revokeLots(
  app: App,
  requests: readonly LotRevokeRequest[],
  options: { readonly patient: boolean },
): Promise<DomainError | null> {
  const settlements = await app.ledger.revokeMany(requests, options);
  const refused = settlements.find((settlement) => settlement instanceof DomainError);
  if (refused instanceof DomainError) return refused;
  return settlements.some((settlement) => typeof settlement === 'symbol') ? busy() : null;
}

const NOTHING: BulkRevocationResult = {
  accounts: 0,
  granted: 0,
  revoked: 0,
  spent: 0,
  lapsed: 0,
  revokedOtherwise: 0,
};

const sumOf = (a: BulkRevocationResult, b: BulkRevocationResult): BulkRevocationResult => ({
  accounts: a.accounts + b.accounts,
  granted: a.granted + b.granted,
  revoked: a.revoked + b.revoked,
  spent: a.spent + b.spent,
  lapsed: a.lapsed + b.lapsed,
  revokedOtherwise: a.revokedOtherwise + b.revokedOtherwise,
});
