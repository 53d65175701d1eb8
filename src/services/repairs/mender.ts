import { LRUCache } from 'lru-cache';
import type { App } from '../../app.js';
import type { UserId } from '../../domain/ids.js';
import { afterCommit } from '../../infra/connections/transaction-steps.js';
import type { Tx } from '../../infra/db.js';
import { lockAccounts, type AccountRow } from '../ledger/books.sql.js';
import { loadOpenLots, type OpenBooks } from '../ledger/books.js';
import { repairAccountQueue } from '../queues.js';
import { tellRepairs } from './repair-accounts.js';
import { REPAIR_ACTION, repairLocked } from './repair-locked.js';
import { readHeld } from './repairs.sql.js';

/**
 * Handles mismatches that a read or a command meets: the open lots of an account hold another sum than the balance
 * after its last transaction.
 */
export interface Mender {
  /**
   * Reports mismatches that a command has met, and repairs them in its transaction, under the locks that it holds.
   * @returns the accounts in which a lot was repaired
   */
  mend(tx: Tx, userIds: readonly UserId[]): Promise<ReadonlySet<UserId>>;
  /** Reports a mismatch that a read has met, and requests a job that repairs it. */
  note(userId: string): void;
}

type Facts = Pick<App, 'log' | 'metrics' | 'queue'>;

/** An account is reported and tried once in this time by each process, because a client may read it all the time. */
const ONCE_MS = 60_000;
const ACCOUNTS_REMEMBERED = 10_000;
/**
 * A command repairs only histories that are up to this length together, because it reads all of them in its transaction.
 * Other accounts are repaired by the job.
 */
const MOST_TRANSACTIONS = 2_000;

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

  /** @returns whether it is the first time in a while */
  function report(userId: string): boolean {
    if (told.has(userId)) return false;
    told.set(userId, true);
    metrics.ledgerMismatches.inc({ source: 'read' });
    log.error({ event: 'ledger-mismatch', userId }, 'ledger mismatch met');
    return true;
  }

  function requestRepair(userId: string): void {
    queue
      .request(repairAccountQueue.name, { payload: { userId }, onceFor: userId })
      .catch((error: unknown) => {
        log.warn(
          { event: 'repair-not-requested', err: error, userId },
          'the repair of an account was not requested',
        );
      });
  }

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
        // The commands of a closed account give points back and take them all, which needs the right sums.
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
      return new Set(repairs.repaired.map(({ userId }) => userId as UserId));
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
    (transactions <= MOST_TRANSACTIONS ? short : long).push(account);
  }
  return { short, long };
}

/**
 * Compares the open lots, which were loaded, with the balances, before a debit decides. Without a mismatch it sends no
 * statement. A debit from a wrong sum would book allocations that the rules do not give, and history is never edited.
 */
export async function mendOpenLots(tx: Tx, open: OpenBooks, mender: Mender): Promise<void> {
  const wrong = [...open.books.values()].filter(({ lots, balance }) => {
    let held = 0;
    for (const lot of lots.values()) held += lot.remaining;
    return held !== balance;
  });
  if (wrong.length === 0) return;
  const mended = await mender.mend(
    tx,
    wrong.map(({ userId }) => userId),
  );
  if (mended.size === 0) return;
  for (const userId of mended) open.books.get(userId)?.lots.clear();
  await loadOpenLots(tx, open);
}

/**
 * Compares what the open lots hold with the balances, before an expiry, a refund or a revocation decides. One statement
 * for all accounts.
 * @returns the accounts that still differ. The sweep books nothing from their sums
 */
export async function mendBooks(
  tx: Tx,
  { books }: OpenBooks,
  mender: Mender,
): Promise<ReadonlySet<UserId>> {
  const wrong = await differing(tx, { books }, [...books.keys()]);
  if (wrong.length === 0) return new Set();
  const mended = await mender.mend(tx, wrong);
  return new Set(mended.size === 0 ? wrong : await differing(tx, { books }, wrong));
}

async function differing(
  tx: Tx,
  { books }: Pick<OpenBooks, 'books'>,
  userIds: readonly UserId[],
): Promise<UserId[]> {
  const rows = userIds.length === 0 ? [] : await readHeld(tx, userIds);
  const held = new Map(rows.map((row) => [row.userId, row.held]));
  return userIds.filter((userId) => (held.get(userId) ?? 0) !== books.get(userId)?.balance);
}
