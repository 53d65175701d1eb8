import type { App } from '../app.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { hasCheckpoints } from './checkpoints.sql.js';

/** The time of the last check that read all history and was completed. Null when there was none. */
export async function readFullyCheckedAt({ db }: Pick<App, 'db'>): Promise<Date | null> {
  const row = await db.reconciliation.findFirst({
    where: { isFull: true },
    orderBy: { checkedAt: 'desc' },
    select: { checkedAt: true },
  });
  return row?.checkedAt ?? null;
}

/**
 * Whether a check must read all history. This is due for the first check of each week, which begins on Sunday at 00:00
 * UTC by the ledger's clock, and when there are no checkpoints.
 */
export async function isFullCheckDue(app: Pick<App, 'db'>): Promise<boolean> {
  if (!(await hasCheckpoints(app.db))) return true;
  const [fullyCheckedAt, now] = await Promise.all([
    readFullyCheckedAt(app),
    readLedgerClock(app.db),
  ]);
  return fullyCheckedAt === null || fullyCheckedAt < weekOf(now);
}

const weekOf = (at: Date): Date =>
  new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate() - at.getUTCDay()));
