import { z } from 'zod';
import type { App } from '../../app.js';
import { conflict, forbidden, notFound, type DomainError } from '../../../domain/errors.js';
import { isId, type UserId } from '../../../domain/ids.js';
import { afterCommit } from '../../../infra/connections/transaction-steps.js';
import { transact, type Tx } from '../../../infra/db.js';
import { isAdministrator } from '../../accounts/administration.js';
import { lockPeople } from '../../accounts/people.sql.js';
import { writeAudit } from '../../audit.sql.js';
import { readLedgerClock } from '../../ledger/clock.sql.js';
import { line, parseRequest } from '../../validation.js';
import { carryOut, finishCarriedOut } from './carry-out.js';
import { requireProposal, type GrantProposal } from './proposals.js';
import { holdProposal, writeDecision, type HeldGrantProposal } from './proposals.sql.js';

export interface DecideInput {
  readonly id: string;
  readonly reason: string;
}

export interface DecisionOutcome {
  readonly proposal: GrantProposal;
  /** Whether the same decision was made before. Then this is the first one. */
  readonly replayed: boolean;
}

const deciding = z.object({ id: z.string(), reason: line(1, 500) });

/**
 * Approves a proposal of another administrator. The decision and the proposed command are one commit. For a bulk
 * grant, the commit contains the order, and this process or a job finishes it afterwards. After an error the
 * proposal is unchanged. Idempotent: a repeated request finishes an interrupted bulk grant and keeps the first
 * decision.
 * @param actorId the administrator who approves
 * @throws BAD_USER_INPUT, NOT_FOUND, FORBIDDEN (the proposer), CONFLICT (the proposal was declined or has lapsed,
 *   or the proposer is not an active administrator any more), and the errors of the mutation itself
 */
export async function approveProposal(
  app: App,
  input: DecideInput,
  actorId: UserId,
): Promise<DecisionOutcome> {
  const { id, reason } = parseDecision(input);
  const decided = await transact(app.db, async (tx) => {
    const proposal = await hold(tx, id, actorId);
    if (proposal.state === 'APPROVED') return { proposal, replayed: true };
    requirePending(proposal);
    await carryOut(app, tx, proposal, actorId);
    await writeOutcome(app, tx, proposal, { decision: 'APPROVED', deciderId: actorId, reason });
    return { proposal, replayed: false };
  });
  await finishCarriedOut(app, decided.proposal);
  return { proposal: await requireProposal(app, id), replayed: decided.replayed };
}

/**
 * Declines a proposal of another administrator. This is final. Idempotent: the first decision and its reason are
 * kept.
 * @param actorId the administrator who declines
 * @throws BAD_USER_INPUT, NOT_FOUND, FORBIDDEN (the proposer), CONFLICT (the proposal was approved or has lapsed)
 */
export async function declineProposal(
  app: App,
  input: DecideInput,
  actorId: UserId,
): Promise<DecisionOutcome> {
  const { id, reason } = parseDecision(input);
  const replayed = await transact(app.db, async (tx) => {
    const proposal = await hold(tx, id, actorId);
    if (proposal.state === 'DECLINED') return true;
    requirePending(proposal);
    if (!(await lockPeople(tx, [actorId])).some(isAdministrator)) throw forbidden();
    await writeOutcome(app, tx, proposal, { decision: 'DECLINED', deciderId: actorId, reason });
    return false;
  });
  return { proposal: await requireProposal(app, id), replayed };
}

function parseDecision(input: DecideInput): DecideInput {
  const { id, reason } = parseRequest(deciding, input);
  if (!isId(id)) throw notFound('proposal');
  return { id: id.toLowerCase(), reason };
}

/** Locks a proposal for a decision. @throws FORBIDDEN when the actor is its proposer */
async function hold(tx: Tx, id: string, actorId: UserId): Promise<HeldGrantProposal> {
  const proposal = await holdProposal(tx, id);
  if (proposal === undefined) throw notFound('proposal');
  if (proposal.proposerId === actorId)
    throw forbidden('You proposed this yourself, so another administrator must decide.');
  return proposal;
}

function requirePending({ id, state }: HeldGrantProposal): void {
  if (state !== 'PENDING') throw notPending(id, state);
}

const notPending = (id: string, state: string): DomainError =>
  conflict(
    state === 'LAPSED'
      ? `Proposal ${id} has lapsed, because it was not decided within a week.`
      : `Proposal ${id} was already ${state.toLowerCase()}.`,
  );

interface Outcome {
  readonly decision: 'APPROVED' | 'DECLINED';
  readonly deciderId: UserId;
  readonly reason: string;
}

async function writeOutcome(
  { log }: Pick<App, 'log'>,
  tx: Tx,
  proposal: HeldGrantProposal,
  outcome: Outcome,
): Promise<void> {
  const { id, command, proposerId, userId, points, idempotencyKey, now: at } = proposal;
  const { decision, deciderId, reason } = outcome;
  await writeDecision(tx, { id, decision, deciderId, reason, at });
  const isApproved = decision === 'APPROVED';
  const who = { proposerId, [isApproved ? 'approverId' : 'declinerId']: deciderId };
  const details = { command, ...who, userId, points, idempotencyKey };
  const action = isApproved ? 'approveProposal' : 'declineProposal';
  // After what was carried out, so that the audit log shows the two in their order.
  const auditedAt = await readLedgerClock(tx);
  await writeAudit(tx, [
    { actorId: deciderId, action, target: id, reason, details, at: auditedAt },
  ]);
  afterCommit(tx, () => {
    log.info(
      {
        event: 'proposal-decided',
        proposalId: id,
        proposerId,
        actorId: deciderId,
        points,
        decision,
      },
      'proposal decided',
    );
  });
}
