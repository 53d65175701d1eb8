import { z } from 'zod';
import type { App } from '../../app.js';
import { badUserInput, conflict, forbidden, notFound } from '../../../domain/errors.js';
import { asUserId, type UserId } from '../../../domain/ids.js';
import { assertSameRequest, keys } from '../../../domain/ledger/idempotency.js';
import type { Tx } from '../../../infra/db.js';
import { isAdministrator } from '../../accounts/administration.js';
import { lockPeople, type Standing } from '../../accounts/people.sql.js';
import type { AuditDetails } from '../../audit.sql.js';
import type { GrantRequest } from '../../ledger/grants.js';
import { writeAllowance } from '../allowance.js';
import {
  findBulkGrant,
  storedOrder,
  storedPrice,
  storedTerms,
  sumUp,
  writeBulkGrant,
} from '../bulk-grant-orders.js';
import { runBulkGrant } from '../bulk-grant-run.js';
import { hashGrant } from '../grant-credits.js';
import type { GrantCommand, HeldGrantProposal } from './proposals.sql.js';

interface Approved {
  readonly proposal: HeldGrantProposal;
  readonly proposerId: UserId;
  readonly approverId: UserId;
  /** The details that the audit entry of the command gets. */
  readonly approval: AuditDetails;
}

type CarryOut = (app: App, tx: Tx, approved: Approved) => Promise<void>;

/**
 * Carries out the proposed command on behalf of the proposer, in the transaction of the approval. Locks the account
 * before the users, because every movement of points uses this lock order.
 * @throws the errors of the mutation itself; CONFLICT when the proposer is not an active administrator any more;
 *   FORBIDDEN when the approver is not
 */
export function carryOut(
  app: App,
  tx: Tx,
  proposal: HeldGrantProposal,
  approverId: UserId,
): Promise<void> {
  const { id: proposalId, proposerId, command } = proposal;
  const approval = { proposalId, proposerId, approverId };
  const approved = { proposal, proposerId: asUserId(proposerId), approverId, approval };
  return COMMANDS[command](app, tx, approved);
}

/**
 * Locks the users, and requires that the proposer and the approver are active administrators.
 * @returns the locked users
 */
async function lockBoth(
  tx: Tx,
  { proposerId, approverId }: Approved,
  besides: readonly string[] = [],
): Promise<readonly Standing[]> {
  const people = await lockPeople(tx, [proposerId, approverId, ...besides]);
  const mayAct = (id: UserId): boolean =>
    people.some((one) => one.id === id && isAdministrator(one));
  if (!mayAct(approverId)) throw forbidden();
  if (!mayAct(proposerId))
    throw conflict(
      'The proposer is suspended or no longer an administrator, so the proposal cannot be approved.',
    );
  return people;
}

/** Validates the fields that are read here. All other stored fields are passed to the ledger unchanged. */
const storedGrant = z.looseObject({
  reason: z.string(),
  terms: z.looseObject({ ...storedTerms, ...storedPrice, amount: z.int() }),
});

/** The approver saw the columns of the proposal, and the stored request is what is done, so the two must agree. */
function requireAgreement(agrees: boolean): void {
  if (!agrees)
    throw new Error('The stored request of the proposal is not the one that was proposed.');
}

const carryOutGrant: CarryOut = async (app, tx, approved) => {
  const { proposal, proposerId, approval } = approved;
  const { userId, idempotencyKey, requestHash } = proposal;
  if (userId === null || idempotencyKey === null) throw new Error('A grant has a user and a key.');
  const stored = storedGrant.parse(proposal.request);
  const { terms, reason } = stored;
  const isProposed = Buffer.compare(hashGrant(terms, reason), requestHash) === 0;
  requireAgreement(isProposed && terms.amount === proposal.points);
  const request: GrantRequest = {
    ...stored,
    userId: asUserId(userId),
    idempotencyKey: keys.grant(idempotencyKey),
    requestHash,
    actorId: proposerId,
    action: 'grantCredits',
    approval,
  };
  await app.ledger.grantApproved(tx, request);
  await lockBoth(tx, approved);
};

const carryOutBulkGrant: CarryOut = async (app, tx, approved) => {
  const { proposal, proposerId: actorId, approval } = approved;
  const { idempotencyKey: key, requestHash, now } = proposal;
  if (key === null) throw new Error('A bulk grant has a key.');
  await lockBoth(tx, approved);
  const order = storedOrder.parse(proposal.request);
  const { granted, points } = sumUp(order.recipients, order.skipped);
  requireAgreement(granted === proposal.recipientCount && points === proposal.points);
  if (order.expiresAt !== null && order.expiresAt <= now)
    throw badUserInput('expiresAt', 'must be in the future');
  const claim = { key, requestHash, actorId };
  if (await writeBulkGrant(app, tx, { claim, order, approval })) return;
  // The key was claimed by a request that needed no approval.
  const known = await tx.bulkGrant.findUniqueOrThrow({ where: { idempotencyKey: key } });
  assertSameRequest(known.requestHash, requestHash);
};

const storedAllowance = z.object({
  monthlyCredits: z.int().nullable(),
  /** The allowance when the change was proposed. */
  before: z.int().nullable(),
});

const carryOutAllowance: CarryOut = async (app, tx, approved) => {
  const { proposal, proposerId: actorId, approval } = approved;
  const { userId, reason } = proposal;
  if (userId === null) throw new Error('An allowance has a user.');
  const people = await lockBoth(tx, approved, [userId]);
  if (!people.some(({ id }) => id === userId)) throw notFound('user');
  const { monthlyCredits, before } = storedAllowance.parse(proposal.request);
  const person = await tx.user.findUniqueOrThrow({ where: { id: userId } });
  if (person.monthlyCredits !== before)
    throw conflict(
      'The allowance was changed after this was proposed. Decline it, and propose the allowance again if it is still wanted.',
    );
  const now = monthlyCredits ?? app.config.credits.monthly;
  if (now !== proposal.points)
    throw conflict(
      `MONTHLY_CREDITS has changed: the allowance would be ${String(now)} points, not the ${String(proposal.points)} of the proposal. Decline it, and propose the allowance again.`,
    );
  await writeAllowance(app, tx, { userId, monthlyCredits, reason, actorId, approval });
};

const COMMANDS: Readonly<Record<GrantCommand, CarryOut>> = {
  GRANT_CREDITS: carryOutGrant,
  BULK_GRANT_CREDITS: carryOutBulkGrant,
  SET_MONTHLY_CREDITS: carryOutAllowance,
};

/**
 * Finishes a bulk grant, because the approval only places its order. If this process is interrupted, a job finishes
 * it. The other commands are complete when the approval is committed.
 * @throws BUSY
 */
export async function finishCarriedOut(
  app: App,
  { command, idempotencyKey: key }: Pick<HeldGrantProposal, 'command' | 'idempotencyKey'>,
): Promise<void> {
  if (command !== 'BULK_GRANT_CREDITS' || key === null) return;
  const known = await findBulkGrant(app, key);
  if (known?.order == null) return;
  const { order, actorId } = known;
  await runBulkGrant(app, { key, order, actorId }, { byJob: false });
}
