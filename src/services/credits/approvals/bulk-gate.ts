import type { App } from '../../app.js';
import type { DomainError } from '../../../domain/errors.js';
import type { UserId } from '../../../domain/ids.js';
import { keys } from '../../../domain/ledger/idempotency.js';
import type { CreditSource, LotPrice } from '../../../domain/ledger/lots.js';
import { isUniqueViolation, transact, type Tx } from '../../../infra/db.js';
import { readLedgerClock } from '../../ledger/clock.sql.js';
import { isBulkGrantPlaced, lockBulkGrantKey } from '../bulk-grant.sql.js';
import { openApprovalGate, type Asked } from './gate.js';

/** The parts of a placed bulk grant that the gate reads. */
interface AskedBulkGrant {
  readonly claim: {
    readonly key: string;
    readonly requestHash: Uint8Array;
    readonly actorId: UserId;
  };
  readonly order: {
    readonly source: CreditSource;
    readonly expiresAt: Date | null;
    readonly reason: string;
    readonly recipients: readonly ({ readonly amount: number } & Partial<LotPrice>)[];
  };
}

/**
 * Writes the order of a bulk grant in its own transaction. If the order needs an approval, writes its proposal
 * instead.
 * @param write writes the order, and returns false when the key was claimed before
 * @returns the error when the gate refuses the order; otherwise null
 */
export async function admitBulkGrant(
  { db, config }: Pick<App, 'db' | 'config'>,
  placed: AskedBulkGrant,
  write: (tx: Tx) => Promise<boolean>,
): Promise<DomainError | null> {
  const above = config.credits.approvalAbove;
  const admit = (): Promise<DomainError | null> =>
    transact(db, async (tx) => {
      if (above === null) {
        await write(tx);
        return null;
      }
      const asked = askedOf(placed);
      await lockBulkGrantKey(tx, placed.claim.key);
      const gate = await openApprovalGate(tx, above, [asked]);
      // The same request may have placed the order meanwhile. It is counted already, and needs no approval.
      if (await isBulkGrantPlaced(tx, placed.claim.key)) return null;
      const refusal = gate.check(asked, await readLedgerClock(tx));
      if (refusal === null && (await write(tx))) gate.count(asked);
      return refusal;
    });
  try {
    return await admit();
  } catch (error) {
    // A concurrent request has committed a proposal under this key. The second attempt reads it.
    if (!isUniqueViolation(error)) throw error;
    return admit();
  }
}

function askedOf({ claim, order }: AskedBulkGrant): Asked {
  const { key, requestHash, actorId } = claim;
  return {
    command: 'BULK_GRANT_CREDITS',
    naturalKey: keys.bulkGrant(key),
    idempotencyKey: key,
    request: order,
    requestHash,
    points: order.recipients.reduce((sum, { amount }) => sum + amount, 0),
    recipientCount: order.recipients.length,
    source: order.source,
    expiresAt: order.expiresAt,
    priced: order.recipients,
    reason: order.reason,
    userId: null,
    proposerId: actorId,
  };
}
