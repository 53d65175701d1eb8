import { counter, gauge, histogram, SHORT_SECONDS } from './make.js';

/** The ledger and the points in it. */
export const LEDGER = {
  /** By command, source of the lot (`any` where it may be several) and result: `ok`, `unchanged` or an error's code. */
  ledgerCommands: counter(
    'ledger_commands_total',
    'Ledger commands. The result is ok, unchanged (nothing to do), or the code of the error.',
    'command',
    'source',
    'result',
  ),
  ledgerCommandSeconds: histogram(
    'ledger_command_duration_seconds',
    'Time from the request of a ledger command to its commit.',
    SHORT_SECONDS,
    'command',
  ),
  /** By type of movement and source of the lot. */
  ledgerPoints: counter('ledger_points_total', 'Points moved in or out of lots.', 'type', 'source'),
  /** By what has found the wrong lot: `reconciliation`, or `read`, which includes debits and the sweep. */
  ledgerRepairs: counter(
    'ledger_repairs_total',
    'Lots whose remaining points were set to the sum of their allocations.',
    'source',
  ),
  /** By the same: lots that a reconciliation found, and accounts in which a read or a command met a mismatch. */
  ledgerMismatches: counter(
    'ledger_mismatches_total',
    'Stored sums of the ledger that its history contradicts.',
    'source',
  ),
  /** Those of narrations are tried again. */
  refundFailures: counter(
    'ledger_refund_failures_total',
    'Refunds that failed. Those of narrations are tried again.',
  ),
  /** While it is 1, users without an allowance of their own get no monthly points. */
  monthlyGrantOff: gauge('ledger_monthly_grant_off', '1 when MONTHLY_CREDITS is 0.'),
  /** Another process may have made the check. */
  ledgerViolations: gauge(
    'ledger_invariant_violations',
    'Violations that the last check of the whole ledger found, in any process.',
    'invariant',
  ),
  /** In seconds since 1970. */
  ledgerCheckedAt: gauge(
    'ledger_checked_timestamp_seconds',
    'When the whole ledger was last checked, by any process.',
  ),
  /** In seconds since 1970. */
  ledgerFullyCheckedAt: gauge(
    'ledger_fully_checked_timestamp_seconds',
    'When a full check last read all history of the ledger, without checkpoints.',
  ),
  /** In seconds since 1970. */
  ledgerAnchoredAt: gauge(
    'ledger_anchored_timestamp_seconds',
    'When the newest anchor of the ledger was made that every configured place has.',
  ),
  /** In the DATA_DIR of this process, as the next one. One that is being made is among them. */
  anchorsWaiting: gauge(
    'ledger_anchors_waiting',
    'Anchors in DATA_DIR/anchors that a place has not taken yet. One that is being made counts too.',
  ),
  anchorsWaitingSeconds: gauge(
    'ledger_anchor_oldest_waiting_seconds',
    'How long the oldest anchor has been in DATA_DIR/anchors. 0 when none is there.',
  ),
  /** Those that are being made included. */
  bulkGrantsUnfinished: gauge(
    'ledger_bulk_grants_unfinished',
    'Grants to many that are being made, or were interrupted and are to be finished by a job.',
  ),
  /** Those that are being made included. */
  bulkRevocationsUnfinished: gauge(
    'ledger_revocations_unfinished',
    'Revocations of bulk grants that are being made, or were interrupted and are to be finished by a job.',
  ),
  proposalsPending: gauge(
    'ledger_proposals_pending',
    'Pending proposals of grants above APPROVAL_ABOVE.',
  ),
  lapsedPoints: gauge(
    'ledger_lapsed_points_unswept',
    'Points in lapsed lots that the sweep has not booked. At most the oldest 20,000 lots are added up.',
  ),
  outstandingPoints: gauge(
    'ledger_outstanding_points',
    'Points in open lots that have not lapsed, by the source of the lot. Read at most once a minute.',
    'source',
  ),
};
