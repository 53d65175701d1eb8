import type { App } from '../app.js';
import { certificatesOf } from '../../infra/connections/certificates.js';
import { transact } from '../../infra/db.js';
import { readAnchoredAt } from '../anchors/anchors.sql.js';
import { readFullyCheckedAt } from '../checkpoints/full-check.js';
import { countPendingProposals } from '../credits/approvals/proposals.sql.js';
import { countUnfinishedBulkGrants } from '../credits/bulk-grant.sql.js';
import { countUnfinishedBulkRevocations } from '../credits/bulk-revocation/bulk-revocation.sql.js';
import { readLapsedPoints, readTaskRuns } from '../maintenance/maintenance.sql.js';
import { sendMailQueue } from '../queues.js';
import { lastReconciliation } from '../reconciliation/reconcile.js';
import {
  readDatabaseSize,
  readKeyAges,
  readNewestMigration,
  readOutstanding,
  readQueueFigures,
  readUnfinished,
} from './figures.sql.js';
import type { Figure } from './kept-figures.js';
import { release } from './release.js';

const MINUTE_MS = 60_000;
const HALF_MINUTE_MS = 30_000;
const SOME_SECONDS_MS = 5_000;
/** Enough for an index; an answer does not wait longer for figures that it has from before. */
const SHORT_MS = 20;
/** A scrape must not wait longer for a database that is slow. */
const LONG_MS = 500;

const secondsOf = (at: Date): number => at.getTime() / 1000;

/** Reads a few rows, one statement after the other, so that it takes one connection. */
async function readLedgerFigures({ db, metrics }: App): Promise<void> {
  metrics.bulkGrantsUnfinished.set(await countUnfinishedBulkGrants(db));
  metrics.bulkRevocationsUnfinished.set(await countUnfinishedBulkRevocations(db));
  metrics.proposalsPending.set(await countPendingProposals(db));
  metrics.lapsedPoints.set(await readLapsedPoints(db));
  const fullyCheckedAt = await readFullyCheckedAt({ db });
  if (fullyCheckedAt !== null) metrics.ledgerFullyCheckedAt.set(secondsOf(fullyCheckedAt));
  const anchoredAt = await readAnchoredAt(db);
  if (anchoredAt !== null) metrics.ledgerAnchoredAt.set(secondsOf(anchoredAt));
  const last = await lastReconciliation({ db });
  if (last === null) return;
  metrics.ledgerCheckedAt.set(secondsOf(last.checkedAt));
  for (const { invariant, violations } of last.checks)
    metrics.ledgerViolations.set({ invariant }, violations);
}

async function readTasks({ db, metrics }: App): Promise<void> {
  for (const { task, startedAt, succeededAt, durationMs } of await readTaskRuns(db)) {
    metrics.taskLastRunAt.set({ task }, startedAt);
    if (succeededAt !== null) metrics.taskLastSuccessAt.set({ task }, succeededAt);
    if (durationMs !== null) metrics.taskLastSeconds.set({ task }, durationMs / 1000);
  }
}

async function readQueues({ db, metrics }: App): Promise<void> {
  for (const { queue, waiting, active, failed, oldestSeconds } of await readQueueFigures(db)) {
    metrics.queueJobs.set({ queue, state: 'waiting' }, waiting);
    metrics.queueJobs.set({ queue, state: 'active' }, active);
    metrics.queueJobs.set({ queue, state: 'failed' }, failed);
    metrics.queueOldestSeconds.set({ queue }, oldestSeconds);
    if (queue === sendMailQueue.name) metrics.mailsWaiting.set(waiting);
  }
}

async function readNarrations({ db, metrics }: App): Promise<void> {
  const unfinished = new Map(
    (await readUnfinished(db)).map(({ status, count }) => [status, count]),
  );
  for (const status of ['QUEUED', 'PROCESSING'])
    metrics.audios.set({ status }, unfinished.get(status) ?? 0);
}

async function readPoints({ db, config, metrics }: App): Promise<void> {
  const rows = await transact(db, readOutstanding, { timeoutMs: 15_000 });
  const points = new Map(rows.map(({ source, points: sum }) => [source, sum]));
  for (const source of Object.keys(config.credits.priorityOf))
    metrics.outstandingPoints.set({ source }, points.get(source) ?? 0);
}

async function readInstallation({ db, config, metrics }: App): Promise<void> {
  for (const [certificate, expiresAt] of certificatesOf(config.databaseUrl))
    metrics.certificateExpiresAt.set({ certificate }, secondsOf(expiresAt));
  metrics.databaseSizeBytes.set(await readDatabaseSize(db));
  const ages = await readKeyAges(db);
  const ageOfAccess = config.tokens.keys === null ? ages.accessTokens : null;
  if (ageOfAccess !== null) metrics.keyCreatedAt.set({ key: 'access_tokens' }, ageOfAccess);
  if (ages.anchors !== null) metrics.keyCreatedAt.set({ key: 'anchors' }, ages.anchors);
  if (ages.addresses !== null) metrics.keyCreatedAt.set({ key: 'addresses' }, ages.addresses);
  const migration = await readNewestMigration(db);
  metrics.buildInfo.reset();
  metrics.buildInfo.set({ version: release(), node: process.version, migration }, 1);
}

/** What is read from the database. Those that take longer are kept for some time, and an answer does not wait for them. */
export const FIGURES: readonly Figure[] = [
  { read: readLedgerFigures, keepMs: 0, keepMaxMs: 0, waitMs: LONG_MS },
  { read: readTasks, keepMs: 0, keepMaxMs: 0, waitMs: LONG_MS },
  { read: readQueues, keepMs: SOME_SECONDS_MS, keepMaxMs: HALF_MINUTE_MS, waitMs: SHORT_MS },
  { read: readNarrations, keepMs: SOME_SECONDS_MS, keepMaxMs: HALF_MINUTE_MS, waitMs: SHORT_MS },
  { read: readPoints, keepMs: MINUTE_MS, keepMaxMs: 15 * MINUTE_MS, waitMs: SHORT_MS },
  { read: readInstallation, keepMs: MINUTE_MS, keepMaxMs: 5 * MINUTE_MS, waitMs: SHORT_MS },
];
