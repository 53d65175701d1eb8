import type { App } from '../app.js';
import { transact } from '../../infra/db.js';
import { writeAudit } from '../audit.sql.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { makeAnchor } from '../anchors/make-anchor.js';
import { makeNotices } from '../notices/make-notices.js';
import { reconcileCredits } from '../reconciliation/reconcile.js';
import type { MaintenanceTask } from '../tasks.js';
import { expireCredits } from './expire-credits.js';
import { grantMonthlyCredits } from './grant-monthly-credits.js';
import { writeTaskEnd, writeTaskStart } from './maintenance.sql.js';
import { prune } from './prune.js';
import { reapStuckAudio } from './reap-stuck-audio.js';
import type { TaskOutcome } from './task.js';

export interface MaintenanceResult extends TaskOutcome {
  readonly task: MaintenanceTask;
  readonly durationMs: number;
}

const RUNS: Readonly<
  Record<MaintenanceTask, (app: App, signal?: AbortSignal) => Promise<TaskOutcome>>
> = {
  EXPIRE_CREDITS: expireCredits,
  GRANT_MONTHLY_CREDITS: grantMonthlyCredits,
  RECONCILE_CREDITS: async (app, signal) => {
    const repair = app.config.reconcileRepair;
    const reconciliation = await reconcileCredits(app, { signal, repair });
    await makeAnchor(app, reconciliation, signal);
    return { processed: reconciliation.accounts, changed: reconciliation.repairedLots };
  },
  REAP_STUCK_AUDIO: reapStuckAudio,
  MAKE_NOTICES: makeNotices,
  PRUNE_SESSIONS: prune,
};

/**
 * Runs a scheduled task now. Several processes may run it at the same time.
 * @param signal stops the task between two batches; finished batches stay
 */
export async function runMaintenance(
  app: App,
  task: MaintenanceTask,
  signal?: AbortSignal,
): Promise<MaintenanceResult> {
  const startedAt = performance.now();
  await record(app, task, writeTaskStart(app.db, task));
  const count = async (result: 'ok' | 'failed'): Promise<number> => {
    const durationMs = Math.round(performance.now() - startedAt);
    app.metrics.maintenanceRuns.inc({ task, result });
    app.metrics.maintenanceSeconds.observe({ task }, durationMs / 1000);
    await record(app, task, writeTaskEnd(app.db, { task, isOk: result === 'ok', durationMs }));
    return durationMs;
  };
  try {
    const outcome = await RUNS[task](app, signal);
    const result = { task, ...outcome, durationMs: await count('ok') };
    app.metrics.maintenanceChanged.inc({ task }, outcome.changed);
    app.log.info({ event: 'maintenance-done', ...result }, 'maintenance done');
    return result;
  } catch (error) {
    const durationMs = await count('failed');
    app.log.error(
      { event: 'maintenance-failed', task, durationMs, err: error },
      'maintenance failed',
    );
    throw error;
  }
}

/** A task runs and keeps its result even if nothing can be recorded about the run. */
async function record(app: App, task: MaintenanceTask, written: Promise<unknown>): Promise<void> {
  await written.catch((error: unknown) => {
    app.log.warn(
      { event: 'task-run-not-recorded', task, err: error },
      'the run of a task was not recorded',
    );
  });
}

/** Runs a task for an administrator. The audit entry is written first, so it cannot say what the task changes. */
export async function requestMaintenance(
  app: App,
  task: MaintenanceTask,
  actorId: string,
): Promise<MaintenanceResult> {
  const at = await readLedgerClock(app.db);
  const action = {
    actorId,
    action: 'runMaintenance',
    target: task,
    reason: null,
    details: null,
    at,
  };
  await transact(app.db, (tx) => writeAudit(tx, [action]));
  return runMaintenance(app, task);
}
