import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** What one process counts. No label has values that a user can invent. */
export interface Metrics {
  /** By command, source of the lot (`any` where it may be several) and result: `ok`, `unchanged` or an error's code. */
  readonly ledgerCommands: Counter<'command' | 'source' | 'result'>;
  /** Seconds from the request to its commit. */
  readonly ledgerCommandSeconds: Histogram<'command'>;
  /** Points that went in or out of lots, by type of movement and source of the lot. */
  readonly ledgerPoints: Counter<'type' | 'source'>;
  /** Refunds that did not succeed and will be tried again, or were refused. */
  readonly refundFailures: Counter;
  /** Runs of the scheduled tasks, by result. */
  readonly maintenanceRuns: Counter<'task' | 'result'>;
  readonly maintenanceSeconds: Histogram<'task'>;
  readonly maintenanceChanged: Counter<'task'>;
  /** 1 when MONTHLY_CREDITS is 0, so that nobody gets a monthly allowance by default. */
  readonly monthlyGrantOff: Gauge;
  /** As of the last check of the whole ledger, by any process. */
  readonly ledgerViolations: Gauge<'invariant'>;
  /** Seconds since 1970 of that check. */
  readonly ledgerCheckedAt: Gauge;
  /** Points in lots that have lapsed and were not booked as such yet. */
  readonly lapsedPoints: Gauge;
  /**
   * Devices that signed in, were refused for their password, refreshed their tokens, or were signed out because an
   * old token came back.
   */
  readonly sessions: Counter<'event'>;
  readonly rateLimitRefusals: Counter<'limit' | 'by'>;
  /** Mails by kind and result. */
  readonly mails: Counter<'mail' | 'result'>;
  /** Narrations by what became of them: `made`, `shared` with someone who paid before, `failed` or `cancelled`. */
  readonly narrations: Counter<'result'>;
  /** Seconds from a worker's claim to READY. */
  readonly narrationSeconds: Histogram;
  /** Sentences that were `spoken`, and those that were there already and `reused`. */
  readonly narrationSentences: Counter<'result'>;
  /** Subscriptions and streams of what is being made that are open in this process, and subscriptions that were ended because nobody took their events. */
  readonly subscriptions: Gauge;
  readonly subscriptionsDropped: Counter;
  /** Sentences that a speech provider was asked for, by `ok` or what went wrong. */
  readonly speechRequests: Counter<'provider' | 'result'>;
  /** Seconds from sending a sentence to its last sample, waiting apart. */
  readonly speechRequestSeconds: Histogram<'provider'>;
  /** Seconds of speech that came. */
  readonly speechSeconds: Counter<'provider'>;
  /** 1 while a provider is not asked because it keeps failing. */
  readonly speechResting: Gauge<'provider'>;
  /** Everything in Prometheus' text format. */
  readonly expose: () => Promise<{ contentType: string; text: string }>;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Counters of this process, with those of Node itself beside them. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'talebank_' });
  const make = makersFor(registry);
  return {
    ...ledgerMetrics(make),
    ...accountMetrics(make),
    ...narrationMetrics(make),
    subscriptions: make.gauge(
      'subscriptions',
      'Subscriptions, and streams of what is being made, that are open.',
    ),
    subscriptionsDropped: make.counter(
      'subscriptions_dropped_total',
      'Subscriptions that were ended because nobody took their events.',
    ),
    ...speechMetrics(make),
    expose: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

// eslint-disable-next-line @typescript-eslint/explicit-function-return-type -- the types follow from prom-client
function makersFor(registry: Registry) {
  const registers = [registry];
  return {
    counter: <Label extends string = never>(
      name: string,
      help: string,
      labelNames: Label[] = [],
    ): Counter<Label> => new Counter({ name: `talebank_${name}`, help, labelNames, registers }),
    gauge: <Label extends string = never>(
      name: string,
      help: string,
      labelNames: Label[] = [],
    ): Gauge<Label> => new Gauge({ name: `talebank_${name}`, help, labelNames, registers }),
    histogram: <Label extends string = never>(
      name: string,
      help: string,
      labelNames: Label[],
      buckets: number[],
    ): Histogram<Label> =>
      new Histogram({ name: `talebank_${name}`, help, labelNames, registers, buckets }),
  };
}

type Makers = ReturnType<typeof makersFor>;

const ledgerMetrics = ({
  counter,
  gauge,
  histogram,
}: Makers): Omit<
  Metrics,
  keyof AccountMetrics | keyof NarrationMetrics | keyof LiveMetrics | keyof SpeechMetrics | 'expose'
> => ({
  ledgerCommands: counter('ledger_commands_total', 'Ledger commands.', [
    'command',
    'source',
    'result',
  ]),
  ledgerCommandSeconds: histogram(
    'ledger_command_duration_seconds',
    'Time from the request of a ledger command to its commit.',
    ['command'],
    SECONDS,
  ),
  ledgerPoints: counter('ledger_points_total', 'Points moved in or out of lots.', [
    'type',
    'source',
  ]),
  refundFailures: counter('ledger_refund_failures_total', 'Refunds that did not succeed.'),
  maintenanceRuns: counter('maintenance_runs_total', 'Runs of scheduled tasks.', [
    'task',
    'result',
  ]),
  maintenanceSeconds: histogram(
    'maintenance_duration_seconds',
    'How long runs of scheduled tasks took.',
    ['task'],
    [0.01, 0.1, 1, 10, 60, 600, 3600],
  ),
  maintenanceChanged: counter(
    'maintenance_changed_total',
    'Lots expired, users granted, … by scheduled tasks.',
    ['task'],
  ),
  monthlyGrantOff: gauge('ledger_monthly_grant_off', '1 when MONTHLY_CREDITS is 0.'),
  ledgerViolations: gauge(
    'ledger_invariant_violations',
    'Violations found by the last check of the whole ledger.',
    ['invariant'],
  ),
  ledgerCheckedAt: gauge(
    'ledger_checked_timestamp_seconds',
    'When the whole ledger was last checked.',
  ),
  lapsedPoints: gauge(
    'ledger_lapsed_points_unswept',
    'Points in lots that have lapsed and were not booked as such yet.',
  ),
});

type LiveMetrics = Pick<Metrics, 'subscriptions' | 'subscriptionsDropped'>;

type AccountMetrics = Pick<Metrics, 'sessions' | 'rateLimitRefusals' | 'mails'>;

const accountMetrics = ({ counter }: Makers): AccountMetrics => ({
  sessions: counter(
    'sessions_total',
    'Sessions created, refused for a password, refreshed, and ended for a reused token.',
    ['event'],
  ),
  rateLimitRefusals: counter('rate_limit_refusals_total', 'Requests over a rate limit.', [
    'limit',
    'by',
  ]),
  mails: counter('mails_total', 'Mails handed over, or not.', ['mail', 'result']),
});

type NarrationMetrics = Pick<Metrics, 'narrations' | 'narrationSeconds' | 'narrationSentences'>;

const narrationMetrics = ({ counter, histogram }: Makers): NarrationMetrics => ({
  narrations: counter('narrations_total', 'Narrations by what became of them.', ['result']),
  narrationSeconds: histogram(
    'narration_duration_seconds',
    'Time from the claim of a worker to READY.',
    [],
    [0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800],
  ),
  narrationSentences: counter(
    'narration_sentences_total',
    'Sentences that were spoken, and those that were there already.',
    ['result'],
  ),
});

type SpeechMetrics = Pick<
  Metrics,
  'speechRequests' | 'speechRequestSeconds' | 'speechSeconds' | 'speechResting'
>;

const speechMetrics = ({ counter, gauge, histogram }: Makers): SpeechMetrics => ({
  speechRequests: counter('speech_requests_total', 'Sentences that a provider was asked for.', [
    'provider',
    'result',
  ]),
  speechRequestSeconds: histogram(
    'speech_request_duration_seconds',
    'Time from sending a sentence to a provider to the end of its answer.',
    ['provider'],
    [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
  ),
  speechSeconds: counter('speech_seconds_total', 'Seconds of speech received.', ['provider']),
  speechResting: gauge(
    'speech_provider_resting',
    '1 while a provider is not asked because it keeps failing.',
    ['provider'],
  ),
});
