import {
  approvalRequired,
  conflict,
  idempotencyKeyReused,
  type DomainError,
} from '../../../domain/errors.js';
import { newId } from '../../../domain/ids.js';
import { pricesIn } from '../../../domain/ledger/lots.js';
import { beforeCommit } from '../../../infra/connections/transaction-steps.js';
import type { Tx } from '../../../infra/db.js';
import { writeAudit } from '../../audit.sql.js';
import { lockDays, withLockTimeout, writeDays, type GrantingDay } from './granting-days.sql.js';
import {
  insertProposals,
  readProposalsByKey,
  type KnownGrantProposal,
  type NewGrantProposal,
} from './proposals.sql.js';

/** A request of an administrator that gives points. The limit applies to its `points`. */
export type Asked = Omit<NewGrantProposal, 'id' | 'above' | 'proposedAt' | 'lapsesAt'>;

/** Decides which requests of a transaction need an approval. */
export interface ApprovalGate {
  /**
   * @param now by the ledger's clock
   * @returns null when the request may be carried out now; otherwise the error. A request that needs an approval
   *   gets a proposal, which is written at the end of the transaction.
   */
  check(asked: Asked, now: Date): DomainError | null;
  /** Adds a request that was carried out to the day of its administrator. `check` must have allowed it. */
  count(asked: Asked): void;
}

const LAPSES_AFTER_MS = 7 * 86_400_000;
/** All grants of an administrator share the row of the day, so a batch that does not wait for accounts waits for it. */
const DAY_WAIT_MS = 2_000;

/**
 * Whether the points need an approval. All values in points.
 * @param limit `above` is the limit, and `today` is the sum of the administrator's points on this day
 */
export const needsApproval = (points: number, limit: { above: number; today: number }): boolean =>
  points > 0 && limit.today + points > limit.above;

/**
 * Locks the present day of each requesting administrator, and reads the proposals with these keys. The new sums and
 * the new proposals are written at the end of the transaction.
 * @param above the limit, in points, for one request and for the sum of a day
 */
export async function openApprovalGate(
  tx: Tx,
  above: number,
  asked: readonly Pick<Asked, 'proposerId' | 'naturalKey'>[],
): Promise<ApprovalGate> {
  const actorIds = [...new Set(asked.map(({ proposerId }) => proposerId))];
  const locked = await withLockTimeout(tx, DAY_WAIT_MS, () => lockDays(tx, actorIds));
  const days = new Map(locked.map((day) => [day.actorId, day]));
  const proposals = await readProposalsByKey(tx, [
    ...new Set(asked.map(({ naturalKey }) => naturalKey)),
  ]);
  const known = new Map(proposals.map((proposal) => [proposal.naturalKey, proposal]));
  const made: NewGrantProposal[] = [];
  const counted = new Map<string, GrantingDay>();
  beforeCommit(tx, async () => {
    if (counted.size > 0) await writeDays(tx, [...counted.values()]);
    if (made.length > 0) await propose(tx, made);
  });
  return {
    check: (one, now) => {
      const earlier = known.get(one.naturalKey);
      if (earlier !== undefined && isAnswer(earlier, one)) return answerOf(earlier, one);
      const today = dayOf(days, one.proposerId).points;
      if (!needsApproval(one.points, { above, today })) return null;
      const proposal = { ...one, id: newId(), above, proposedAt: now, lapsesAt: weekAfter(now) };
      made.push(proposal);
      known.set(one.naturalKey, { ...proposal, state: 'PENDING' });
      return approvalRequired(proposal.id, proposal.points, above);
    },
    count: ({ proposerId, points }) => {
      const day = dayOf(days, proposerId);
      const more = { ...day, points: day.points + points };
      days.set(proposerId, more);
      counted.set(proposerId, more);
    },
  };
}

const weekAfter = (now: Date): Date => new Date(now.getTime() + LAPSES_AFTER_MS);

function dayOf(days: ReadonlyMap<string, GrantingDay>, actorId: string): GrantingDay {
  const day = days.get(actorId);
  if (day === undefined) throw new Error('The day of an administrator was not locked.');
  return day;
}

/**
 * Whether the earlier proposal determines the result of a request. An allowance has no idempotency key, so after a
 * decision or a lapse it can be proposed again.
 */
const isAnswer = ({ state }: KnownGrantProposal, { idempotencyKey }: Asked): boolean =>
  idempotencyKey !== null || state === 'PENDING';

function answerOf(known: KnownGrantProposal, { requestHash }: Asked): DomainError | null {
  const { id, points, above, state } = known;
  if (Buffer.compare(known.requestHash, requestHash) !== 0) return idempotencyKeyReused();
  switch (state) {
    case 'PENDING':
      return approvalRequired(id, points, above);
    case 'APPROVED':
      // The caller looks for the key before it asks, and an approval is committed together with the key.
      throw new Error(`The key of the approved proposal ${id} is not known.`);
    case 'DECLINED':
      return conflict(`Proposal ${id} was declined. To propose it again, use a new key.`);
    case 'LAPSED':
      return conflict(
        `Proposal ${id} has lapsed, because it was not decided within a week. To propose it again, use a new key.`,
      );
  }
}

async function propose(tx: Tx, proposals: readonly NewGrantProposal[]): Promise<void> {
  await insertProposals(tx, proposals);
  await writeAudit(
    tx,
    proposals.map(({ id, proposerId, reason, proposedAt, lapsesAt, expiresAt, ...proposal }) => {
      const { command, points, above, recipientCount, source, userId, idempotencyKey } = proposal;
      const what = { command, userId, recipientCount, points, above, source, idempotencyKey };
      const until = {
        expiresAt: expiresAt?.toISOString() ?? null,
        lapsesAt: lapsesAt.toISOString(),
      };
      const details = { ...what, ...until, ...pricesIn(proposal.priced) };
      const about = { actorId: proposerId, target: id, reason, details, at: proposedAt };
      return { ...about, action: 'proposeGrant' };
    }),
  );
}
