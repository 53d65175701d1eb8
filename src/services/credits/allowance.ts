import { z } from 'zod';
import type { App } from '../app.js';
import { DomainError, notFound } from '../../domain/errors.js';
import { isId, type UserId } from '../../domain/ids.js';
import { afterCommit } from '../../infra/connections/transaction-steps.js';
import { transact, type Tx } from '../../infra/db.js';
import { changed, writeAudit, type AuditDetails } from '../audit.sql.js';
import { lockPerson } from '../accounts/people.sql.js';
import type { UserView } from '../accounts/people.sql.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { line, parseRequest, points } from '../validation.js';
import { admitAllowance } from './approvals/allowance-gate.js';

interface SetMonthlyCreditsInput {
  readonly userId: string;
  /** Points. Null for the configured default, 0 for none. */
  readonly amount?: number | null;
  readonly reason: string;
}

const allowance = z.object({
  userId: z.string(),
  amount: points(0, 1_000_000)
    .nullish()
    .transform((amount) => amount ?? null),
  reason: line(1, 500),
});

/**
 * Sets a user's own monthly allowance, from the next grant on.
 * @param actorId the administrator who does it
 * @throws BAD_USER_INPUT, NOT_FOUND, APPROVAL_REQUIRED
 */
export async function setMonthlyCredits(
  app: App,
  input: SetMonthlyCreditsInput,
  actorId: UserId,
): Promise<UserView> {
  const { userId: id, amount: monthlyCredits, reason } = parseRequest(allowance, input);
  if (!isId(id)) throw notFound('user');
  const set = { userId: id, monthlyCredits, reason, actorId };
  const user = await transact(app.db, async (tx) => {
    if (!(await lockPerson(tx, id))) throw notFound('user');
    return (await admitAllowance(app, tx, set)) ?? writeAllowance(app, tx, set);
  });
  // The error is thrown only after the commit, because the transaction writes the proposal.
  if (user instanceof DomainError) throw user;
  return user;
}

/** A change of a user's allowance. */
export interface SetAllowance {
  readonly userId: string;
  /** Points; null for the configured default. */
  readonly monthlyCredits: number | null;
  readonly reason: string;
  readonly actorId: UserId;
  /** Additional details of the audit entry: the proposal, its proposer and its approver. */
  readonly approval?: AuditDetails;
}

/** Sets the allowance of a user whose row the caller has locked. */
export async function writeAllowance(
  { metrics, log }: Pick<App, 'metrics' | 'log'>,
  tx: Tx,
  set: SetAllowance,
): Promise<UserView> {
  const { userId: id, monthlyCredits, reason, actorId, approval = {} } = set;
  const before = await tx.user.findUniqueOrThrow({ where: { id } });
  const after = await tx.user.update({
    where: { id },
    data: { monthlyCredits },
    omit: { passwordHash: true },
  });
  const at = await readLedgerClock(tx);
  const details = { monthlyCredits: changed(before.monthlyCredits, monthlyCredits), ...approval };
  const action = 'setMonthlyCredits';
  await writeAudit(tx, [{ actorId, action, target: id, reason, details, at }]);
  afterCommit(tx, () => {
    metrics.ledgerCommands.inc({ command: 'allowance', source: 'MONTHLY', result: 'ok' });
    log.info(
      { event: 'allowance-set', userId: id, monthlyCredits, actorId },
      'monthly allowance set',
    );
  });
  return after;
}
