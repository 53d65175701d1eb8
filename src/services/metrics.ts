import type { App } from '../app.js';
import { lastReconciliation } from './reconciliation/reconcile.js';
import { readLapsedPoints } from './maintenance/maintenance.sql.js';

/**
 * What this process counted, and how the ledger stands for all of them, in Prometheus' text format. What
 * cannot be read because the database is away keeps its last value.
 */
export async function exposeMetrics(app: App): Promise<{ contentType: string; text: string }> {
  app.metrics.subscriptions.set(app.followers.count());
  try {
    const [lapsed, last] = await Promise.all([readLapsedPoints(app.db), lastReconciliation(app)]);
    app.metrics.lapsedPoints.set(lapsed);
    if (last !== null) {
      app.metrics.ledgerCheckedAt.set(last.checkedAt.getTime() / 1000);
      for (const { invariant, violations } of last.checks)
        app.metrics.ledgerViolations.set({ invariant }, violations);
    }
  } catch (error) {
    app.log.warn({ err: error }, 'metrics of the ledger could not be read');
  }
  const { name } = app.speech;
  app.metrics.speechResting.set({ provider: name }, app.speech.resting() === null ? 0 : 1);
  return app.metrics.expose();
}
