import { z } from 'zod';
import type { App } from '../app.js';
import { notFound } from '../../domain/errors.js';
import { asLotId, asUserId, isId, type UserId } from '../../domain/ids.js';
import { POINTS_MAX } from '../../domain/ledger/book.js';
import { hashRequest, keys } from '../../domain/ledger/idempotency.js';
import type { RevokedPart, RevokeOutcome } from '../ledger/revocations.js';
import { idempotencyKey, line, parseRequest, points } from '../validation.js';

const revocation = z
  .object({
    lotId: z.string(),
    reason: line(1, 500),
    expectedRemaining: points(0, POINTS_MAX)
      .nullish()
      .transform((expected) => expected ?? null),
    amount: points(1, POINTS_MAX).nullish(),
    idempotencyKey: idempotencyKey.nullish(),
  })
  .refine(({ amount, idempotencyKey: key }) => amount == null || key != null, {
    path: ['idempotencyKey'],
    message: 'is required with an amount',
  })
  .refine(({ amount, idempotencyKey: key }) => amount != null || key == null, {
    path: ['idempotencyKey'],
    message: 'needs an amount, because a whole lot is revoked once without a key',
  });
export type RevokeCreditLotInput = z.input<typeof revocation>;

/**
 * Forfeits the remaining points of a lot, or a part of them. Debits stay. A whole lot is revoked once, and a part once
 * for each key.
 * @param actorId the administrator
 * @throws BAD_USER_INPUT, NOT_FOUND, CONFLICT (`expectedRemaining` differs, or less is left than `amount`),
 * IDEMPOTENCY_KEY_REUSED
 */
export async function revokeCreditLot(
  app: App,
  input: RevokeCreditLotInput,
  actorId: UserId,
): Promise<RevokeOutcome & { userId: string; lotId: string }> {
  const request = parseRequest(revocation, input);
  const { lotId: asked, reason, expectedRemaining } = request;
  const lot = isId(asked)
    ? await app.db.creditLot.findFirst({ where: { id: asked }, select: { userId: true, id: true } })
    : null;
  if (lot === null) throw notFound('lot');
  const { userId, id: lotId } = lot;
  const part = partOf(request, lotId);
  const revoked = await app.ledger.revoke({
    userId: asUserId(userId),
    lotId: asLotId(lotId),
    ...(part === null ? {} : { part }),
    expectedRemaining,
    reason,
    actorId,
  });
  return { ...revoked, userId, lotId };
}

function partOf(
  { amount, idempotencyKey: key, reason, expectedRemaining }: z.output<typeof revocation>,
  lotId: string,
): RevokedPart | null {
  if (amount == null || key == null) return null;
  const requestHash = hashRequest([lotId, amount, reason, expectedRemaining]);
  return { amount, idempotencyKey: keys.revokePart(key), requestHash };
}
