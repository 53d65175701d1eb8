import type { App } from '../../app.js';
import { DomainError } from '../../domain/errors.js';
import { transact } from '../../infra/db.js';
import { lockAccounts } from '../ledger/books.sql.js';
import { verifyLedger } from '../reconciliation/verify.js';
import {
  repairLocked,
  type KnownHead,
  type LeftLot,
  type RepairedLot,
  type RepairOptions,
  type Repairs,
} from './repair-locked.js';
import { readHead, type WrongLot } from './repairs.sql.js';
import { HISTORY_INVARIANTS } from './soundness.js';

/** The counters are left out by commands. */
export type Facts = Pick<App, 'db' | 'log'> & Partial<Pick<App, 'metrics'>>;

/** Bounds the number of accounts that a repair locks, and that a listener waits for. */
const ACCOUNTS_AT_ONCE = 50;
/** How often a long history is read again because it has moved meanwhile. */
const MOST_READS = 3;
/** The time for one transaction: fifty histories of moderate length are read under the locks. */
const TIMEOUT_MS = 60_000;

/**
 * Repairs what may be repaired of these accounts, in batches of fifty accounts and 500 lots, one commit each. A batch
 * skips accounts that another transaction holds. Each of them is then tried alone, and waited for. An interrupted repair
 * leaves whole commits, and a repeated one finds the rest.
 */
export async function repairAccounts(
  app: Facts,
  userIds: Iterable<string>,
  options: RepairOptions,
): Promise<Repairs> {
  const repaired: RepairedLot[] = [];
  const left: LeftLot[] = [];
  const add = (repairs: Repairs): void => {
    repaired.push(...repairs.repaired);
    left.push(...repairs.left);
  };
  const sorted = [...new Set(userIds)].sort();
  for (let at = 0; at < sorted.length; at += ACCOUNTS_AT_ONCE) {
    const batch = sorted.slice(at, at + ACCOUNTS_AT_ONCE);
    const together = await repairBatch(app, batch, options, { wait: false });
    add(together);
    for (const userId of together.skipped) add(await repairAlone(app, userId, options));
    for (const userId of new Set(together.left.filter(isMoving).map((lot) => lot.userId))) {
      left.splice(0, left.length, ...left.filter((lot) => lot.userId !== userId));
      add(await repairLong(app, userId, options));
    }
  }
  return { repaired, left };
}

const isMoving = ({ reason }: LeftLot): boolean => reason === 'moving';

/** @returns also the accounts that were not locked */
async function repairBatch(
  app: Facts,
  userIds: readonly string[],
  options: RepairOptions,
  how: { readonly wait: boolean; readonly known?: readonly KnownHead[] },
): Promise<Repairs & { readonly skipped: readonly string[] }> {
  const repaired: RepairedLot[] = [];
  const left: LeftLot[] = [];
  const skipped = new Set<string>();
  for (let after: WrongLot | null | undefined; after !== null;) {
    const page: WrongLot | null = after ?? null;
    const done = await transact(
      app.db,
      async (tx) => {
        const accounts = await lockAccounts(tx, userIds, how.wait);
        const known = how.known ?? [];
        return {
          accounts,
          ...(await repairLocked(tx, accounts, options, { after: page, known })),
        };
      },
      { timeoutMs: TIMEOUT_MS },
    );
    const locked = new Set(done.accounts.map(({ userId }) => userId));
    for (const userId of userIds) if (!locked.has(userId)) skipped.add(userId);
    tellRepairs(app, options, done);
    repaired.push(...done.repaired);
    left.push(...done.left);
    after = done.next;
  }
  return { repaired, left, skipped: [...skipped] };
}

/** Waits for the account. */
async function repairAlone(
  app: Facts,
  userId: string,
  options: RepairOptions,
  known: readonly KnownHead[] = [],
): Promise<Repairs> {
  try {
    return await repairBatch(app, [userId], options, { wait: true, known });
  } catch (error) {
    if (!(error instanceof DomainError && error.code === 'BUSY')) throw error;
    const left: LeftLot[] = [{ userId, lotId: null, reason: 'locked' }];
    tellRepairs(app, options, { repaired: [], left });
    return { repaired: [], left };
  }
}

/**
 * Reads a long history before the account is locked, because reading it takes seconds. It holds if the account has the
 * same head under the lock.
 */
async function repairLong(app: Facts, userId: string, options: RepairOptions): Promise<Repairs> {
  for (let reads = 1; ; reads += 1) {
    const head = await readHead(app.db, userId);
    if (head === null) return { repaired: [], left: [] };
    let invariant: string | undefined;
    await verifyLedger(
      app,
      (violations) => {
        invariant ??= violations.find((one) => HISTORY_INVARIANTS.has(one.invariant))?.invariant;
        return Promise.resolve();
      },
      { userId },
    );
    if (invariant !== undefined) {
      const left: LeftLot[] = [{ userId, lotId: null, reason: 'history', invariant }];
      tellRepairs(app, options, { repaired: [], left });
      return { repaired: [], left };
    }
    const done = await repairAlone(app, userId, options, [{ userId, ...head }]);
    if (!done.left.some(isMoving) || reads === MOST_READS) return done;
  }
}

/** Logs and counts what was repaired, and logs what was left. After the commit. */
export function tellRepairs(
  { log, metrics }: Pick<Facts, 'log' | 'metrics'>,
  { source, dryRun }: Pick<RepairOptions, 'source' | 'dryRun'>,
  { repaired, left }: Repairs,
): void {
  if (dryRun) return;
  for (const lot of repaired) log.warn({ source, ...lot }, 'lot repaired');
  for (const lot of left) log.error({ source, ...lot }, 'lot not repaired');
  metrics?.ledgerRepairs.inc({ source }, repaired.length);
}
