import type { App } from '../app.js';
import { readFullyCheckedAt } from '../checkpoints/full-check.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { TASKS } from '../tasks.js';
import { checkLedger, lastReconciliation, type LedgerHealth } from '../reconciliation/reconcile.js';
import { hasAtMost, hasLiveJob } from './ledger-health.sql.js';

/** The result of the newest check of the ledger, and its age. */
export interface KnownHealth extends LedgerHealth {
  /** By the ledger's clock. Null when there was no check. */
  readonly checkedSecondsAgo: number | null;
  /** The age of the last check that read all history. Null when there was none. */
  readonly fullyCheckedSecondsAgo: number | null;
  /** Whether a check of the whole ledger is waiting for a worker or running. */
  readonly isChecking: boolean;
}

type Facts = Pick<App, 'db' | 'log' | 'queue'>;

/** Up to this size a check takes seconds, and is made while the client waits. */
const TRANSACTIONS_AT_ONCE_MAX = 50_000;

/**
 * The health of the ledger: checked now while the ledger is small, and otherwise from the last check of the whole,
 * which runs every night. A large ledger without any check is not known to be sound. Then `ok` is false, no checks are
 * listed, and a check is started in the background.
 */
export async function ledgerHealth(app: Facts): Promise<KnownHealth> {
  if (await hasAtMost(app.db, TRANSACTIONS_AT_ONCE_MAX))
    return {
      ...(await checkLedger(app)),
      checkedSecondsAgo: 0,
      fullyCheckedSecondsAgo: 0,
      isChecking: false,
    };
  const last = await lastReconciliation(app);
  if (last === null) await startCheck(app);
  const [now, fullyCheckedAt, isChecking] = await Promise.all([
    readLedgerClock(app.db),
    readFullyCheckedAt(app),
    hasLiveJob(app.db, TASKS.RECONCILE_CREDITS.queue),
  ]);
  if (last === null) return { ...unchecked(now), isChecking };
  const agoOf = (at: Date): number => Math.max(0, (now.getTime() - at.getTime()) / 1000);
  return {
    ...last,
    checkedSecondsAgo: agoOf(last.checkedAt),
    fullyCheckedSecondsAgo: fullyCheckedAt === null ? null : agoOf(fullyCheckedAt),
    isChecking,
  };
}

const unchecked = (now: Date): Omit<KnownHealth, 'isChecking'> => ({
  ok: false,
  checkedAt: now,
  accounts: 0,
  transactions: 0,
  transactionsRead: 0,
  isFull: false,
  checks: [],
  violationsFound: 0,
  repairedLots: 0,
  checkedSecondsAgo: null,
  fullyCheckedSecondsAgo: null,
});

/** Enqueues a check, unless one is waiting or running. */
async function startCheck(app: Facts): Promise<void> {
  if (await hasLiveJob(app.db, TASKS.RECONCILE_CREDITS.queue)) return;
  await app.queue.request(TASKS.RECONCILE_CREDITS.queue);
}
