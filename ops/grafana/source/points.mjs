import {
  age,
  dashboard,
  graph,
  line,
  number,
  percentiles,
  rate,
  row,
  series,
  shared,
  summed,
  table,
  total,
  words,
} from './builder.mjs';

const moved = (...matchers) => series('ledger_points_total', ...matchers);

export default dashboard({
  uid: 'points',
  title: 'points',
  description: 'Points that moved, what is owed, and whether the ledger is sound.',
  rows: [
    row(
      'Is the ledger sound?',
      number(
        'Violations',
        'Violations of the invariants of the ledger that the last check found. Anything but 0 needs a person.',
        summed(shared(series('ledger_invariant_violations'), 'invariant')),
        { limits: [1], runbook: 'invariant-violated' },
      ),
      number(
        'Failed refunds',
        'Refunds that failed in the chosen period. Those of narrations are tried again. Look when the number keeps growing.',
        total(series('ledger_refund_failures_total')),
        { limits: [1, 10], runbook: 'refund-failing' },
      ),
      number(
        'Lapsed, not booked',
        'Points in lapsed lots that the sweep has not booked. The sweep runs every five minutes.',
        shared(series('ledger_lapsed_points_unswept')),
        { limits: [1000], runbook: 'points-lapsed-unswept' },
      ),
      number(
        'Last check',
        'The time since the whole ledger was last checked. The check runs at 03:30 UTC.',
        age(series('ledger_checked_timestamp_seconds')),
        { unit: 's', limits: [93_600, 180_000], runbook: 'task-missed' },
      ),
      number(
        'Last anchor',
        'The time since the newest anchor that every configured place has.',
        age(series('ledger_anchored_timestamp_seconds')),
        { unit: 's', limits: [93_600, 172_800], runbook: 'anchor-late' },
      ),
      number(
        'Anchors waiting',
        'Anchors in DATA_DIR/anchors that a place outside of the server has not taken.',
        shared(series('ledger_anchors_waiting')),
        { limits: [1, 2], runbook: 'anchor-waiting' },
      ),
      number(
        'Monthly grant',
        'Whether MONTHLY_CREDITS gives every user points each month.',
        shared(series('ledger_monthly_grant_off')),
        { mappings: words('on', 'off'), runbook: 'monthly-grant-off' },
      ),
    ),
    row(
      'Movements',
      graph(
        'Points by type',
        'Points that moved in or out of lots. DEBIT is narrations, REFUND gives points back.',
        [line(rate(moved(), 'type'), '{{type}}')],
        { unit: 'short' },
      ),
      graph(
        'Points granted by source',
        'Points of new lots by their source. A peak that was not planned may be a wrong bulk grant.',
        [line(rate(moved('type="GRANT"'), 'source'), '{{source}}')],
        { runbook: 'wrong-bulk-grant' },
      ),
      table(
        'Points in the chosen period',
        'The sum by type and source. creditReport has the exact figures.',
        [line(total(moved(), 'type', 'source'))],
      ),
    ),
    row(
      'What is owed',
      graph(
        'Outstanding points',
        'Points that users can still spend, by source.',
        [line(shared(series('ledger_outstanding_points'), 'source'), '{{source}}')],
        { isStacked: true },
      ),
      graph('Lapsing points', 'Points that lapsed and were booked, by source.', [
        line(rate(moved('type="EXPIRY"'), 'source'), '{{source}}'),
      ]),
      graph(
        'Refunds',
        'Points that were refunded by source, and refunds that failed.',
        [
          line(rate(moved('type="REFUND"'), 'source'), '{{source}}'),
          line(rate(series('ledger_refund_failures_total')), 'failed refunds'),
        ],
        { runbook: 'refund-failing' },
      ),
    ),
    row(
      'Violations and repairs',
      graph(
        'Violations by invariant',
        'Violations of each invariant as of the last check. docs/ledger.md has the invariants by number.',
        [
          line(
            `${shared(series('ledger_invariant_violations'), 'invariant')} > 0`,
            'invariant {{invariant}}',
          ),
        ],
        { limits: [1], runbook: 'invariant-violated' },
      ),
      graph(
        'Repaired and mismatched lots',
        'Lots whose stored remainder differed from their allocations: those that were met by a read or by the check, and those that were repaired. Any of them has a cause outside of the server.',
        [
          line(rate(series('ledger_mismatches_total')), 'mismatches'),
          line(rate(series('ledger_repairs_total'), 'source'), 'repaired by {{source}}'),
        ],
        { runbook: 'ledger-repaired' },
      ),
      graph(
        'Orders not finished',
        'Bulk grants and revocations that are in progress or were interrupted, and proposals that wait for a second administrator.',
        [
          line(shared(series('ledger_bulk_grants_unfinished')), 'bulk grants'),
          line(shared(series('ledger_revocations_unfinished')), 'revocations of bulk grants'),
          line(shared(series('ledger_proposals_pending')), 'proposals'),
        ],
        { runbook: 'bulk-order-unfinished' },
      ),
    ),
    row(
      'Commands',
      graph(
        'Commands by result',
        'Commands of the ledger a second, by result. `unchanged` is a repeated request.',
        [line(rate(series('ledger_commands_total'), 'result'), '{{result}}')],
        { unit: 'ops', width: 12 },
      ),
      graph(
        'Duration of commands',
        'The time from the request of a command to its commit.',
        percentiles(series('ledger_command_duration_seconds_bucket')),
        { unit: 's', limits: [0.5, 2], width: 12 },
      ),
    ),
  ],
});
