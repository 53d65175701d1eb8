import type { App } from '../app.js';
import { unknownUser, type BulkSkip } from '../desk/bulk-skips.js';
import { busy, DomainError } from '../../domain/errors.js';
import type { UserId } from '../../domain/ids.js';
import { keys } from '../../domain/ledger/idempotency.js';
import type { GrantOutcome, GrantRequest } from '../ledger/grants.js';
import { HELD, type Settlement } from '../ledger/commit/settlement.js';
import type { FinishOrderPayload } from '../queues.js';
import {
  findBulkGrant,
  keepResult,
  sumUp,
  type BulkGrantOrder,
  type BulkGrantResult,
} from './bulk-grant-orders.js';
import { hashGrant } from './grant-credits.js';
import type { Recipient } from './recipients.js';

const ROWS_IN_A_BATCH = 500;

/** An order with its key, and the administrator who placed it. */
export interface PlacedOrder {
  readonly key: string;
  readonly order: BulkGrantOrder;
  readonly actorId: UserId;
}

/**
 * Grants the lots of an order and keeps the result. Each batch is one commit. A grant that was made before is not
 * repeated, so that several processes may run one order.
 * @returns the result that is kept, which may be that of another process
 * @throws BUSY or INTERNAL when a row could not be settled. All others are granted, and the job tries again.
 */
export async function runBulkGrant(
  app: App,
  placed: PlacedOrder,
  options: { readonly byJob: boolean; readonly signal?: AbortSignal },
): Promise<BulkGrantResult> {
  const { key, order, actorId } = placed;
  const granted = await grantAll(app, placed, options.signal);
  const found = sumUp(granted.recipients, [...order.skipped, ...granted.skipped]);
  const result = await keepResult(app, key, found, options);
  app.log.info(
    {
      event: 'bulk-grant-done',
      actorId,
      users: result.granted,
      points: result.points,
      skipped: result.skipped.length,
    },
    'bulk grant done',
  );
  return result;
}

/** The job: finishes an order whose process has ended. A finished order is not changed. */
export async function finishBulkGrant(
  app: App,
  { key }: FinishOrderPayload,
  signal: AbortSignal,
): Promise<void> {
  const known = await findBulkGrant(app, key);
  if (known?.order == null) return;
  const { order, actorId } = known;
  await runBulkGrant(app, { key, order, actorId }, { byJob: true, signal });
}

async function grantAll(
  app: App,
  placed: PlacedOrder,
  signal: AbortSignal | undefined,
): Promise<{ recipients: Recipient[]; skipped: readonly BulkSkip[] }> {
  const { recipients } = placed.order;
  const done: Recipient[] = [];
  const skipped: BulkSkip[] = [];
  let failure: DomainError | undefined;
  for (let start = 0; start < recipients.length; start += ROWS_IN_A_BATCH) {
    signal?.throwIfAborted();
    const batch = recipients.slice(start, start + ROWS_IN_A_BATCH);
    const requests = batch.map((recipient) => grantRequest(placed, recipient));
    const patient = failure === undefined;
    const settlements = await app.ledger.grantMany(requests, { patient });
    for (const [index, recipient] of batch.entries()) {
      const settlement = settlements[index];
      // It is not skipped, because the next run grants it.
      if (settlement === HELD) {
        failure ??= busy();
        continue;
      }
      const refusal = refusalOf(recipient.row, settlement);
      if (refusal === null) done.push(recipient);
      else if (refusal instanceof DomainError) failure ??= refusal;
      else skipped.push(refusal);
    }
  }
  if (failure !== undefined) throw failure;
  return { recipients: done, skipped };
}

/** @returns the row that gets nothing; the error when it is not the row's fault, because then the row is tried again */
function refusalOf(
  row: number,
  settlement: Settlement<GrantOutcome> | undefined,
): BulkSkip | DomainError | null {
  if (settlement === undefined || typeof settlement === 'symbol') return unknownUser(row);
  if (!(settlement instanceof DomainError)) return null;
  if (settlement.code === 'BUSY' || settlement.code === 'INTERNAL') return settlement;
  const { code, message: reason } = settlement;
  return code === 'NOT_FOUND' ? unknownUser(row, reason) : { row, reason, code: 'INVALID_AMOUNT' };
}

const grantRequest = (
  { key, actorId, order: { source, priority, expiresAt, reason } }: PlacedOrder,
  { userId, amount, priceMinor, currency }: Recipient,
): GrantRequest => {
  const terms = { source, priority, amount, expiresAt, priceMinor, currency };
  return {
    userId,
    terms,
    reason,
    idempotencyKey: keys.bulkGrant(key),
    requestHash: hashGrant(terms, reason),
    actorId,
    action: null,
  };
};
