import type { App } from '../../app.js';
import type { DomainError } from '../../../domain/errors.js';
import type { UserId } from '../../../domain/ids.js';
import { hashRequest } from '../../../domain/ledger/idempotency.js';
import type { Tx } from '../../../infra/db.js';
import { readLedgerClock } from '../../ledger/clock.sql.js';
import { openApprovalGate, type Asked } from './gate.js';

interface AskedAllowance {
  readonly userId: string;
  /** Points; null for the configured default. */
  readonly monthlyCredits: number | null;
  readonly reason: string;
  readonly actorId: UserId;
}

/**
 * Decides whether an allowance may be set without an approval. Only a rise can need one. The caller must hold the
 * lock on the user's row, because otherwise concurrent requests could propose the same allowance twice.
 * @returns null when the allowance may be set; otherwise the error. The transaction must still be committed then,
 *   because it writes the proposal.
 */
export async function admitAllowance(
  { config }: Pick<App, 'config'>,
  tx: Tx,
  set: AskedAllowance,
): Promise<DomainError | null> {
  const { approvalAbove: above, monthly } = config.credits;
  if (above === null) return null;
  const { userId, monthlyCredits, reason, actorId } = set;
  const person = await tx.user.findUniqueOrThrow({ where: { id: userId } });
  const points = monthlyCredits ?? monthly;
  if (points <= (person.monthlyCredits ?? monthly)) return null;
  const asked: Asked = {
    command: 'SET_MONTHLY_CREDITS',
    naturalKey: `${person.id} monthly:${String(monthlyCredits)}`,
    idempotencyKey: null,
    request: { monthlyCredits, before: person.monthlyCredits },
    requestHash: hashRequest([person.id, monthlyCredits]),
    points,
    recipientCount: 1,
    source: 'MONTHLY',
    expiresAt: null,
    priced: [],
    reason,
    userId: person.id,
    proposerId: actorId,
  };
  const gate = await openApprovalGate(tx, above, [asked]);
  const refusal = gate.check(asked, await readLedgerClock(tx));
  if (refusal === null) gate.count(asked);
  return refusal;
}
