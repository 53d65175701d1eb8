import { z } from 'zod';
import type { App } from '../../app.js';
import { notFound } from '../../domain/errors.js';
import { isId, type UserId } from '../../domain/ids.js';
import { transact } from '../../infra/db.js';
import { writeAudit } from '../audit.sql.js';
import type { UserView } from '../accounts/people.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { line, parseRequest, points } from '../validation.js';

interface SetMonthlyCreditsInput {
  readonly userId: string;
  /** Points; null for the configured default, 0 for none. */
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
 * @throws BAD_USER_INPUT, NOT_FOUND
 */
export async function setMonthlyCredits(
  app: App,
  input: SetMonthlyCreditsInput,
  actorId: UserId,
): Promise<UserView> {
  const { userId: id, amount: monthlyCredits, reason } = parseRequest(allowance, input);
  if (!isId(id)) throw notFound('user');
  const user = await transact(app.db, async (tx) => {
    const { count } = await tx.user.updateMany({
      where: { id, deletedAt: null },
      data: { monthlyCredits },
    });
    if (count === 0) throw notFound('user');
    const at = await readLedgerClock(tx);
    await writeAudit(tx, [{ actorId, action: 'setMonthlyCredits', target: id, reason, at }]);
    return tx.user.findUniqueOrThrow({ where: { id }, omit: { passwordHash: true } });
  });
  app.metrics.ledgerCommands.inc({ command: 'allowance', source: 'MONTHLY', result: 'ok' });
  app.log.info({ userId: id, monthlyCredits, actorId }, 'monthly allowance set');
  return user;
}
