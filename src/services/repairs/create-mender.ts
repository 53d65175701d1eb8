import { LRUCache } from 'lru-cache';
import { asUserId } from '../../domain/ids.js';
import { afterCommit } from '../../infra/connections/transaction-steps.js';
import type { Logger } from '../../infra/log.js';
import type { Metrics } from '../../infra/metrics.js';
import type { JobQueue } from '../../infra/queue.js';
import { lockAccounts, type AccountRow } from '../ledger/accounts.sql.js';
import { repairAccountQueue } from '../queues.js';
import type { Mender } from './mender.js';
import { tellRepairs } from './repair-accounts.js';
import { REPAIR_ACTION, repairLocked } from './repair-locked.js';

interface Facts {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly queue: JobQueue;
}

/** An account is reported and tried once in this time by each process, because a client may read it all the time. */
const ONCE_MS = 60_000;
const ACCOUNTS_REMEMBERED = 10_000;
/**
 * A command repairs only histories that are up to this length together, because it reads all of them in its transaction.
 * Other accounts are repaired by the job.
 */
const TRANSACTIONS_MAX = 2_000;

/** How a mismatch that a read or a command has met is repaired. */
export const READ_REPAIR = {
  source: 'read',
  action: REPAIR_ACTION,
  withDead: false,
  withClosed: false,
  dryRun: false,
} as const;

/** @param isOn RECONCILE_REPAIR; without it, mismatches are only reported */
export function createMender({ log, metrics, queue }: Facts, isOn: boolean): Mender {
  const told = new LRUCache<string, true>({ max: ACCOUNTS_REMEMBERED, ttl: ONCE_MS });
  /** Accounts that a command could not repair, so that not every command reads their histories. */
  const left = new LRUCache<string, true>({ max: ACCOUNTS_REMEMBERED, ttl: ONCE_MS });

  const { report, requestRepair } = reportsOf({ log, metrics, queue }, told);
  return {
    note(userId) {
      if (report(userId) && isOn) requestRepair(userId);
    },
    async mend(tx, userIds) {
      const fresh = userIds.filter((userId) => !left.has(userId));
      if (fresh.length === 0) return new Set();
      if (!isOn) {
        afterCommit(tx, () => {
          fresh.forEach((userId) => report(userId));
        });
        return new Set();
      }
      // They are locked already, so this waits for nothing, and keeps the time-out of the transaction.
      const accounts = await lockAccounts(tx, fresh, true);
      const { short, long } = byLength(accounts);
      const repairs = await repairLocked(
        tx,
        short,
        // Commands on a closed account refund points and forfeit all of them, so they need correct sums.
        { ...READ_REPAIR, withClosed: true },
      );
      afterCommit(tx, () => {
        fresh.forEach((userId) => report(userId));
        tellRepairs({ log, metrics }, READ_REPAIR, repairs);
        for (const { userId } of long) {
          left.set(userId, true);
          requestRepair(userId);
        }
        for (const { userId } of repairs.left) left.set(userId, true);
        // The next mismatch of a repaired account is another one.
        for (const { userId } of repairs.repaired) if (!left.has(userId)) told.delete(userId);
      });
      return new Set(repairs.repaired.map(({ userId }) => asUserId(userId)));
    },
  };
}

/** How a mismatch becomes known: in the log and the metrics, and as a job that repairs it. */
function reportsOf(
  { log, metrics, queue }: Facts,
  told: LRUCache<string, true>,
): {
  readonly report: (userId: string) => boolean;
  readonly requestRepair: (userId: string) => void;
} {
  return {
    /** @returns whether it is the first time in a while */
    report: (userId) => {
      if (told.has(userId)) return false;
      told.set(userId, true);
      metrics.ledgerMismatches.inc({ source: 'read' });
      log.error({ event: 'ledger-mismatch', userId }, 'ledger mismatch met');
      return true;
    },
    requestRepair: (userId) => {
      queue
        .request(repairAccountQueue.name, { payload: { userId }, onceFor: userId })
        .catch((error: unknown) => {
          log.warn(
            { event: 'repair-not-requested', err: error, userId },
            'the repair of an account was not requested',
          );
        });
    },
  };
}

/**
 * Takes the shortest histories, as many as a command reads, so that most accounts are repaired.
 * @returns the rest as `long`
 */
function byLength(accounts: readonly AccountRow[]): { short: AccountRow[]; long: AccountRow[] } {
  const short: AccountRow[] = [];
  const long: AccountRow[] = [];
  let transactions = 0;
  for (const account of accounts.toSorted((one, other) => one.lastSeq - other.lastSeq)) {
    transactions += account.lastSeq;
    (transactions <= TRANSACTIONS_MAX ? short : long).push(account);
  }
  return { short, long };
}
