import { collectDefaultMetrics, Registry } from 'prom-client';
import { propertyOf } from '../domain/objects.js';
import { LIMITS } from '../domain/limits.js';
import { createBatches, type Batches } from './metrics/batches.js';
import { CLIENTS } from './metrics/clients.js';
import { INSTALLATION } from './metrics/installation.js';
import { JOBS } from './metrics/jobs.js';
import { LEDGER } from './metrics/ledger.js';
import { NARRATIONS } from './metrics/narrations.js';

/** What one process counts: name, help text and labels. No label has values that a user can invent. */
const METRICS = { ...LEDGER, ...JOBS, ...CLIENTS, ...NARRATIONS, ...INSTALLATION };

type Made = {
  readonly [Name in keyof typeof METRICS]: ReturnType<(typeof METRICS)[Name]>;
};

/** A metric as the documentation lists it. */
export interface MetricDescription {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
}

export interface Metrics extends Made {
  /** For what happens in every request. */
  readonly inBatches: Batches['of'];
  /** Everything in Prometheus' text format. */
  readonly expose: () => Promise<{ contentType: string; text: string }>;
  /** All metrics, also those that have no value yet. */
  readonly describe: () => Promise<readonly MetricDescription[]>;
}

/** Counters of this process, with those of Node itself beside them. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'talebank_' });
  const entries = Object.entries(METRICS).map(([name, make]) => [name, make([registry])] as const);
  const made = Object.fromEntries(entries) as Made;
  startAtZero(made);
  const batches = createBatches();
  const described = new Map(entries.map(([, metric]) => [nameOf(metric), labelsOf(metric)]));
  return {
    ...made,
    inBatches: batches.of,
    expose: async () => {
      batches.count();
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
    describe: async () =>
      (await registry.getMetricsAsJSON()).map(({ name, help, type }) => ({
        name,
        help,
        type: String(type),
        labels: described.get(name) ?? [],
      })),
  };
}

/** prom-client keeps both as properties that its types leave out. */
const nameOf = (metric: object): string => String(propertyOf(metric, 'name'));
const labelsOf = (metric: object): readonly string[] => {
  const labels = propertyOf(metric, 'labelNames');
  return Array.isArray(labels) ? labels.map(String) : [];
};

/**
 * A counter that appears with its first event has no earlier value, so that a rate or an increase would not see that
 * event. Those that alerts are about exist from the start.
 */
function startAtZero(made: Made): void {
  for (const source of ['reconciliation', 'read']) {
    made.ledgerRepairs.inc({ source }, 0);
    made.ledgerMismatches.inc({ source }, 0);
  }
  for (const event of ['created', 'refused', 'refreshed', 'reused'])
    made.sessions.inc({ event }, 0);
  for (const result of ['made', 'shared', 'failed', 'cancelled'])
    made.narrations.inc({ result }, 0);
  for (const limit of LIMITS)
    for (const by of ['address', 'account']) made.rateLimitRefusals.inc({ limit, by }, 0);
  for (const code of ['INTERNAL', 'BUSY'])
    for (const operation of ['unnamed', 'other'])
      for (const type of ['query', 'mutation', 'none'])
        made.operations.inc({ operation, type, code }, 0);
  for (const mail of ['VERIFY', 'RESET', 'PASSWORD_CHANGED'])
    made.mails.inc({ mail, result: 'failed' }, 0);
  for (const result of ['ok', 'missing', 'failed'])
    for (const operation of ['read', 'write']) made.storageOperations.inc({ operation, result }, 0);
}
