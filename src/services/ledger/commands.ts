import type { Config } from '../../config.js';
import type { JobQueue } from '../../infra/queue.js';
import { grantGateOf } from '../credits/approvals/grant-gate.js';
import { narrationSettler } from '../narrations/settle-narrations.js';
import type { Mender } from '../repairs/mender.js';
import { waysToCommit, type CommitPorts, type WaysToCommit } from './commit/ways.js';
import { expirationSettler } from './expirations.js';
import { grantSettler, settleGrants, sourceOfGrant } from './grants.js';
import { endSettler, refundSettler } from './refunds.js';
import { revocationSettler, sourceOfLot } from './revocations.js';

interface LedgerPorts extends CommitPorts {
  readonly credits: Config['credits'];
  readonly mender: Mender;
  readonly queue: JobQueue;
}

/**
 * Every command that moves points. Each line names the command, the way it commits, and the settler that decides it;
 * the settler's file has the request and the outcome. Every command can also be refused with BUSY (a row stays locked,
 * or the database cannot be reached) and INTERNAL, and, unless it says otherwise, with NOT_FOUND when there is no such
 * account.
 *
 * Most commands are `grouped`: concurrent requests share a transaction (`commit/policy.ts`). There are three
 * exceptions:
 *
 * - `inBulk` (`commit/bulk.ts`): a task or an order brings hundreds of requests at once. They are one transaction
 *   without a group, because they would otherwise delay the requests of users by a batch, and they answer per request.
 * - `joined`: the movement must be one commit with other writes of the caller, so it is in the caller's transaction,
 *   and is reported after that transaction has committed.
 * - `alone`: the narration's end, the end of its job and the refund must be one commit, and the narration is marked
 *   under the account's lock. So the settler calls the caller, in a transaction of its own.
 *
 * Narrations and approvals bring a settler and a gate of their own. This page imports them, because it is the one place
 * where a command meets the way it commits; the settlers themselves do not depend on it.
 */
const commandsOf = (
  { credits, mender, queue }: LedgerPorts,
  { grouped, inBulk, joined, alone }: WaysToCommit,
) =>
  ({
    /**
     * Grants one lot: `GrantRequest` → `GrantOutcome`.
     * @throws BAD_USER_INPUT, NOT_FOUND (also a closed account), IDEMPOTENCY_KEY_REUSED; APPROVAL_REQUIRED and CONFLICT
     * for an administrator's grant above APPROVAL_ABOVE
     */
    grant: grouped('grant', grantSettler(grantGateOf(credits.approvalAbove)), sourceOfGrant),
    /** Grants what a proposal asks for, in one commit with its approval. As `grant`, without the errors of approvals. */
    grantApproved: joined('grant', settleGrants, sourceOfGrant),
    /** Grants the points for signing up, in one commit with the new user: `GrantRequest` → `GrantOutcome`. */
    grantNewcomer: joined('sign-up', settleGrants, sourceOfGrant),
    /**
     * Grants one row of a bulk grant each: `GrantRequest[]` → `Settlement<GrantOutcome>[]`. A row's refusal is its
     * settlement. An account that does not exist is ABSENT.
     * @throws BUSY when the database cannot be reached
     */
    grantMany: inBulk('bulk-grant', settleGrants, sourceOfGrant),
    /**
     * Grants the allowance of the month that a read or a debit has found due: `GrantRequest` → `GrantOutcome`.
     * @throws BAD_USER_INPUT (the month has ended), NOT_FOUND (also a closed account)
     */
    grantAllowance: grouped('monthly-grant', settleGrants, sourceOfGrant),
    /** Grants the allowances of a month, for the task: `GrantRequest[]` → `Settlement<GrantOutcome>[]`. As `grantMany`. */
    grantAllowances: inBulk('monthly-grant', settleGrants, sourceOfGrant),
    /**
     * Debits a narration, and queues its job: `NarrationRequest` → `NarrationOutcome`. A narration that exists is
     * returned without a debit.
     * @throws INSUFFICIENT_CREDITS, PRICE_CHANGED, IDEMPOTENCY_KEY_REUSED, NOT_FOUND (also a closed account)
     */
    narrate: grouped('debit', narrationSettler(queue, mender)),
    /** Refunds what is outstanding of a debit: `RefundRequest` → `RefundOutcome`. @throws NOT_FOUND (also no such debit) */
    refund: grouped('refund', refundSettler(credits.refundPolicy, mender)),
    /**
     * Ends an attempt and refunds its debit: `EndRequest` → `EndOutcome`, with the movements.
     * @throws NOT_FOUND (no such debit); an error without a code when there is no such account
     */
    endAttempt: alone(endSettler(credits.refundPolicy, mender)),
    /**
     * Revokes a lot or a part of it: `RevokeRequest` → `RevokeOutcome`.
     * @throws NOT_FOUND (also no such lot), CONFLICT (`expectedRemaining` differs, or less is left than the part),
     * IDEMPOTENCY_KEY_REUSED
     */
    revoke: grouped('revoke', revocationSettler(mender)),
    /** Revokes the lots of a bulk grant: `LotRevokeRequest[]` → `Settlement<RevokeOutcome>[]`. As `grantMany`. */
    revokeMany: inBulk('bulk-revoke', revocationSettler(mender), sourceOfLot),
    /**
     * Books the expiry of lapsed lots, for the sweep: `ExpireRequest[]` → `Settlement<ExpireOutcome>[]`. An account
     * whose sums are wrong is HELD.
     * @throws BUSY when the database cannot be reached
     */
    expire: inBulk('expire', expirationSettler(mender)),
  }) as const;

/** The commands of a process. */
export type Ledger = ReturnType<typeof commandsOf>;

/** Opens the ledger of a process. */
export const openLedger = (ports: LedgerPorts): Ledger => commandsOf(ports, waysToCommit(ports));
