import type { App } from '../app.js';
import { readAnchoredAt } from './anchors/anchors.sql.js';
import { readFullyCheckedAt } from './checkpoints/full-check.js';
import { countPendingProposals } from './credits/approvals/proposals.sql.js';
import { countUnfinishedBulkGrants } from './credits/bulk-grant.sql.js';
import { countUnfinishedBulkRevocations } from './credits/bulk-revocation/bulk-revocation.sql.js';
import { lastReconciliation } from './reconciliation/reconcile.js';
import { readLapsedPoints } from './maintenance/maintenance.sql.js';

/**
 * The metrics of this process and of the whole ledger, in Prometheus' text format. While the database is unreachable,
 * the metrics of the ledger keep their last values.
 */
export async function exposeMetrics(app: App): Promise<{ contentType: string; text: string }> {
  app.metrics.subscriptions.set(app.followers.count());
  try {
    const [lapsed, grants, revocations, proposals, last, fullyCheckedAt, anchoredAt] =
      await Promise.all([
        readLapsedPoints(app.db),
        countUnfinishedBulkGrants(app.db),
        countUnfinishedBulkRevocations(app.db),
        countPendingProposals(app.db),
        lastReconciliation(app),
        readFullyCheckedAt(app),
        readAnchoredAt(app.db),
      ]);
    app.metrics.bulkGrantsUnfinished.set(grants);
    app.metrics.bulkRevocationsUnfinished.set(revocations);
    app.metrics.proposalsPending.set(proposals);
    app.metrics.lapsedPoints.set(lapsed);
    if (fullyCheckedAt !== null)
      app.metrics.ledgerFullyCheckedAt.set(fullyCheckedAt.getTime() / 1000);
    if (anchoredAt !== null) app.metrics.ledgerAnchoredAt.set(anchoredAt.getTime() / 1000);
    if (last !== null) {
      app.metrics.ledgerCheckedAt.set(last.checkedAt.getTime() / 1000);
      for (const { invariant, violations } of last.checks)
        app.metrics.ledgerViolations.set({ invariant }, violations);
    }
  } catch (error) {
    app.log.warn(
      { event: 'metrics-not-read', err: error },
      'metrics of the ledger could not be read',
    );
  }
  const { name } = app.speech;
  app.metrics.speechResting.set({ provider: name }, app.speech.resting() === null ? 0 : 1);
  return app.metrics.expose();
}
