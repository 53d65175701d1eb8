import { z } from 'zod';
import type { App } from '../app.js';
import { notFound } from '../../domain/errors.js';
import { asUserId, isId, type UserId } from '../../domain/ids.js';
import type { GrantTerms } from '../../domain/ledger/book.js';
import { hashRequest, keys } from '../../domain/ledger/idempotency.js';
import { CREDIT_SOURCES, priceParts, sourceOf, sourcesWith } from '../../domain/ledger/lots.js';
import type { GrantOutcome } from '../ledger/grants.js';
import {
  addPriceFault,
  expiry,
  idempotencyKey,
  line,
  parseRequest,
  points,
  priceFields,
} from '../validation.js';

/** The terms that all kinds of grants share: source and expiry. */
export const grantTerms = z
  .object({
    source: z.enum(CREDIT_SOURCES),
    expiresAt: expiry.nullish().transform((at) => at ?? null),
  })
  .refine(({ source, expiresAt }) => expiresAt !== null || !sourceOf(source).mustExpire, {
    path: ['expiresAt'],
    message: `is required for ${sourcesWith(({ mustExpire }) => mustExpire)}`,
  });

const grantInput = grantTerms.safeExtend({
  userId: z.string(),
  amount: points(1, 1_000_000),
  ...priceFields,
  reason: line(1, 500),
  idempotencyKey,
});
export type GrantCreditsInput = z.input<typeof grantInput>;
const pricedGrant = grantInput.superRefine((input, context) => {
  addPriceFault(context, [], input, input.source);
});

/** The request hash of a grant. Without a price it equals the hash of a release without prices. */
export const hashGrant = (
  { source, amount, expiresAt, ...price }: GrantTerms,
  reason: string,
): Uint8Array =>
  hashRequest([source, amount, expiresAt?.toISOString() ?? null, reason, ...priceParts(price)]);

/**
 * Grants points to a user. Idempotent: the same request with the same key always returns the first result.
 * @param actorId the administrator who grants
 * @throws BAD_USER_INPUT, NOT_FOUND, IDEMPOTENCY_KEY_REUSED, APPROVAL_REQUIRED, CONFLICT (the proposal with this
 *   key was declined or has lapsed)
 */
export async function grantCredits(
  app: App,
  input: GrantCreditsInput,
  actorId: UserId,
): Promise<GrantOutcome & { userId: string }> {
  const request = parseRequest(pricedGrant, input);
  const { source, amount, expiresAt, priceMinor, currency, reason } = request;
  const user = isId(request.userId)
    ? await app.db.user.findFirst({ where: { id: request.userId, deletedAt: null } })
    : null;
  if (user === null) throw notFound('user');
  const priority = app.config.credits.priorityOf[source];
  const terms = { source, priority, amount, expiresAt, priceMinor, currency };
  const granted = await app.ledger.grant({
    userId: asUserId(user.id),
    terms,
    reason,
    idempotencyKey: keys.grant(request.idempotencyKey),
    requestHash: hashGrant(terms, reason),
    actorId,
    action: 'grantCredits',
  });
  return { ...granted, userId: user.id };
}
