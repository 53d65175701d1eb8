import { z } from 'zod';
import type { App } from '../../app.js';
import { notFound } from '../../domain/errors.js';
import { asUserId, isId, type UserId } from '../../domain/ids.js';
import { hashRequest, keys } from '../../domain/ledger/idempotency.js';
import { CREDIT_SOURCES, type CreditSource } from '../../domain/ledger/lots.js';
import type { GrantOutcome } from '../ledger/grants.js';
import { expiry, idempotencyKey, line, parseRequest, points } from '../validation.js';

export interface GrantCreditsInput {
  readonly userId: string;
  /** Points. */
  readonly amount: number;
  readonly source: CreditSource;
  readonly expiresAt?: Date | null;
  readonly reason: string;
  readonly idempotencyKey: string;
}

/** Source and expiry, as every grant has them. */
export const grantTerms = z
  .object({
    source: z.enum(CREDIT_SOURCES),
    expiresAt: expiry.nullish().transform((at) => at ?? null),
  })
  .refine(
    ({ source, expiresAt }) => expiresAt !== null || (source !== 'EVENT' && source !== 'MONTHLY'),
    { path: ['expiresAt'], message: 'is required for EVENT and MONTHLY' },
  );

const grantInput = grantTerms.safeExtend({
  userId: z.string(),
  amount: points(1, 1_000_000),
  reason: line(1, 500),
  idempotencyKey,
});

/**
 * Gives a user points. The same key with the same request is answered with the first result, for ever.
 * @param actorId the administrator who does it
 * @throws BAD_USER_INPUT, NOT_FOUND, IDEMPOTENCY_KEY_REUSED
 */
export async function grantCredits(
  app: App,
  input: GrantCreditsInput,
  actorId: UserId,
): Promise<GrantOutcome & { userId: string }> {
  const request = parseRequest(grantInput, input);
  const { source, amount, expiresAt, reason } = request;
  const user = isId(request.userId)
    ? await app.db.user.findFirst({ where: { id: request.userId, deletedAt: null } })
    : null;
  if (user === null) throw notFound('user');
  const granted = await app.ledger.grant({
    userId: asUserId(user.id),
    terms: { source, priority: app.config.credits.priorityOf[source], amount, expiresAt },
    reason,
    idempotencyKey: keys.grant(request.idempotencyKey),
    requestHash: hashRequest([source, amount, expiresAt?.toISOString() ?? null, reason]),
    actorId,
    action: 'grantCredits',
  });
  return { ...granted, userId: user.id };
}
