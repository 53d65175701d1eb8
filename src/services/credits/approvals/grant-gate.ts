import { keys } from '../../../domain/ledger/idempotency.js';
import type { GrantRequest, OpenGrantGate } from '../../ledger/grants.js';
import { openApprovalGate, type Asked } from './gate.js';

/** A grant that an administrator requested. */
type Administrators = GrantRequest & { readonly actorId: NonNullable<GrantRequest['actorId']> };

const isAdministrators = (request: GrantRequest): request is Administrators =>
  request.actorId !== null;

/**
 * The gate of `grantCredits`. A grant without an actor needs no approval.
 * @param above the limit, in points, for one request and for the sum of a day; null for no limit
 */
export function grantGateOf(above: number | null): OpenGrantGate | null {
  if (above === null) return null;
  return async (tx, requests) => {
    const asked = requests.filter(isAdministrators).map(askedOf);
    const gate = await openApprovalGate(tx, above, asked);
    return {
      check: (request, now) =>
        isAdministrators(request) ? gate.check(askedOf(request), now) : null,
      count: (request) => {
        if (isAdministrators(request)) gate.count(askedOf(request));
      },
    };
  };
}

/** The stored request has all fields of the ledger's request, except those with their own columns. */
function askedOf({
  userId,
  idempotencyKey,
  requestHash,
  actorId,
  action: _,
  ...request
}: Administrators): Asked {
  const { terms, reason } = request;
  return {
    command: 'GRANT_CREDITS',
    naturalKey: `${userId} ${idempotencyKey}`,
    idempotencyKey: idempotencyKey.slice(keys.grant('').length),
    request,
    requestHash,
    points: terms.amount,
    recipientCount: 1,
    source: terms.source,
    expiresAt: terms.expiresAt,
    priced: [terms],
    reason,
    userId,
    proposerId: actorId,
  };
}
