import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

type Make<Metric> = (registers: Registry[]) => Metric;

const counter =
  <Label extends string = never>(
    name: string,
    help: string,
    ...labelNames: Label[]
  ): Make<Counter<Label>> =>
  (registers) =>
    new Counter({ name: `talebank_${name}`, help, labelNames, registers });

const gauge =
  <Label extends string = never>(
    name: string,
    help: string,
    ...labelNames: Label[]
  ): Make<Gauge<Label>> =>
  (registers) =>
    new Gauge({ name: `talebank_${name}`, help, labelNames, registers });

const histogram =
  <Label extends string = never>(
    name: string,
    help: string,
    buckets: number[],
    ...labelNames: Label[]
  ): Make<Histogram<Label>> =>
  (registers) =>
    new Histogram({ name: `talebank_${name}`, help, labelNames, registers, buckets });

const COMMAND_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const MAINTENANCE_SECONDS = [0.01, 0.1, 1, 10, 60, 600, 3600];
const NARRATION_SECONDS = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800];
const REQUEST_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** What one process counts: name, help text and labels. No label has values that a user can invent. */
const METRICS = {
  /** By command, source of the lot (`any` where it may be several) and result: `ok`, `unchanged` or an error's code. */
  ledgerCommands: counter(
    'ledger_commands_total',
    'Ledger commands.',
    'command',
    'source',
    'result',
  ),
  ledgerCommandSeconds: histogram(
    'ledger_command_duration_seconds',
    'Time from the request of a ledger command to its commit.',
    COMMAND_SECONDS,
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
  refundFailures: counter('ledger_refund_failures_total', 'Refunds that did not succeed.'),
  maintenanceRuns: counter('maintenance_runs_total', 'Runs of scheduled tasks.', 'task', 'result'),
  maintenanceSeconds: histogram(
    'maintenance_duration_seconds',
    'How long runs of scheduled tasks took.',
    MAINTENANCE_SECONDS,
    'task',
  ),
  maintenanceChanged: counter(
    'maintenance_changed_total',
    'Lots expired, users granted, … by scheduled tasks.',
    'task',
  ),
  /** While it is 1, users without an allowance of their own get no monthly points. */
  monthlyGrantOff: gauge('ledger_monthly_grant_off', '1 when MONTHLY_CREDITS is 0.'),
  /** Another process may have made the check. */
  ledgerViolations: gauge(
    'ledger_invariant_violations',
    'Violations found by the last check of the whole ledger.',
    'invariant',
  ),
  /** In seconds since 1970. */
  ledgerCheckedAt: gauge(
    'ledger_checked_timestamp_seconds',
    'When the whole ledger was last checked.',
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
    'Points in lots that have lapsed and were not booked as such yet.',
  ),
  sessions: counter(
    'sessions_total',
    'Sessions created, refused for a password, refreshed, and ended for a reused token.',
    'event',
  ),
  rateLimitRefusals: counter(
    'rate_limit_refusals_total',
    'Requests over a rate limit.',
    'limit',
    'by',
  ),
  mails: counter(
    'mails_total',
    'Mails handed over, not taken, or over the limit of their recipient.',
    'mail',
    'result',
  ),
  /** `made`, `shared` with someone who paid before, `failed` or `cancelled`. */
  narrations: counter('narrations_total', 'Narrations by what became of them.', 'result'),
  narrationSeconds: histogram(
    'narration_duration_seconds',
    'Time from the claim of a worker to READY.',
    NARRATION_SECONDS,
  ),
  /** `spoken` and `reused`. */
  narrationSentences: counter(
    'narration_sentences_total',
    'Sentences that were spoken, and those that were there already.',
    'result',
  ),
  /** Of this process. */
  subscriptions: gauge(
    'subscriptions',
    'Subscriptions, and streams of what is being made, that are open.',
  ),
  subscriptionsDropped: counter(
    'subscriptions_dropped_total',
    'Subscriptions that were ended because the client did not read their events.',
  ),
  connections: gauge('connections', 'Connections that clients have to the API.'),
  /** By which bound was reached: `address` or `all`. */
  connectionsRefused: counter(
    'connections_refused_total',
    'Connections that were closed at once because there were too many.',
    'reason',
  ),
  bodyBytes: gauge(
    'request_body_bytes',
    'Bytes of bodies of requests that are not answered yet, as announced.',
  ),
  answerBytes: gauge(
    'answer_bytes',
    'Bytes of answers that are being made, at most, and of those that wait to be taken.',
  ),
  unsentBytes: gauge('unsent_bytes', 'Bytes of answers and streams that wait to be taken.'),
  /** `slow`, `deadline`, `room` for others, or `pipelined` too many. */
  answersCutOff: counter(
    'answers_cut_off_total',
    'Connections that were closed because of answers that were not taken.',
    'reason',
  ),
  /** What there was no room for: `bodies`, `answers`, or a `turn` for an operation. */
  requestsRefused: counter(
    'requests_refused_total',
    'Requests that were refused because of the memory that others hold.',
    'reason',
  ),
  /** By `ok`, or what went wrong. */
  speechRequests: counter(
    'speech_requests_total',
    'Sentences that a provider was asked for.',
    'provider',
    'result',
  ),
  /** Without the wait for a turn. */
  speechRequestSeconds: histogram(
    'speech_request_duration_seconds',
    'Time from sending a sentence to a provider to the end of its answer.',
    REQUEST_SECONDS,
    'provider',
  ),
  speechSeconds: counter('speech_seconds_total', 'Seconds of speech received.', 'provider'),
  speechResting: gauge(
    'speech_provider_resting',
    '1 while a provider is not asked because it keeps failing.',
    'provider',
  ),
};

type Made = {
  readonly [Name in keyof typeof METRICS]: ReturnType<(typeof METRICS)[Name]>;
};

export interface Metrics extends Made {
  /** Everything in Prometheus' text format. */
  readonly expose: () => Promise<{ contentType: string; text: string }>;
}

/** Counters of this process, with those of Node itself beside them. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'talebank_' });
  const made = Object.entries(METRICS).map(([name, make]) => [name, make([registry])] as const);
  return {
    ...(Object.fromEntries(made) as Made),
    expose: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}
