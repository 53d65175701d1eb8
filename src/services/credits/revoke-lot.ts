import { z } from 'zod';
import type { App } from '../../app.js';
import { notFound } from '../../domain/errors.js';
import { asLotId, asUserId, isId, type UserId } from '../../domain/ids.js';
import { MOST_POINTS } from '../../domain/ledger/book.js';
import { line, parseRequest, points } from '../validation.js';

export interface RevokeCreditLotInput {
  readonly lotId: string;
  readonly reason: string;
  /** Points. */
  readonly expectedRemaining?: number | null;
}

const revocation = z.object({
  lotId: z.string(),
  reason: line(1, 500),
  expectedRemaining: points(0, MOST_POINTS)
    .nullish()
    .transform((expected) => expected ?? null),
});

/**
 * Forfeits what is left of a lot; debits already taken stay. Twice is once.
 * @param actorId the administrator who does it
 * @throws BAD_USER_INPUT, NOT_FOUND, CONFLICT (`expectedRemaining` differs)
 */
export async function revokeCreditLot(
  app: App,
  input: RevokeCreditLotInput,
  actorId: UserId,
): Promise<{ userId: string; lotId: string; seq: number | null }> {
  const { lotId: asked, reason, expectedRemaining } = parseRequest(revocation, input);
  const lot = isId(asked)
    ? await app.db.creditLot.findFirst({ where: { id: asked }, select: { userId: true, id: true } })
    : null;
  if (lot === null) throw notFound('lot');
  const { userId, id: lotId } = lot;
  const { seq } = await app.ledger.revoke({
    userId: asUserId(userId),
    lotId: asLotId(lotId),
    expectedRemaining,
    reason,
    actorId,
  });
  return { userId, lotId, seq };
}
