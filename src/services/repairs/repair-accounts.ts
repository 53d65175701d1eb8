import type { App } from '../app.js';
import { DomainError } from '../../domain/errors.js';
import { transact } from '../../infra/db.js';
import { lockAccounts } from '../ledger/accounts.sql.js';
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
const READS_MAX = 3;
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
    const again = new Set([...together.skipped, ...together.busy]);
    // What was left of an account that is tried again is found again.
    add({ ...together, left: together.left.filter(({ userId }) => !again.has(userId)) });
    for (const userId of again) add(await repairAlone(app, userId, options));
  }
  const moving = new Set(left.filter(isMoving).map(({ userId }) => userId));
  const rest = left.filter((lot) => !isMoving(lot));
  left.splice(0, left.length, ...rest);
  for (const userId of moving) add(await repairLong(app, userId, options));
  return { repaired, left };
}

/** A page is BUSY when another transaction holds the end of the audit log, or when it takes too long. */
const nullIfBusy = <Result>(work: Promise<Result>): Promise<Result | null> =>
  work.catch((error: unknown) => {
    if (error instanceof DomainError && error.code === 'BUSY') return null;
    throw error;
  });

const isMoving = ({ reason }: LeftLot): boolean => reason === 'moving';

interface Batch extends Repairs {
  /** The accounts that were not locked. */
  readonly skipped: readonly string[];
  /** The accounts that are not done, because a page was BUSY. What the pages before it have repaired is committed. */
  readonly busy: readonly string[];
}

async function repairBatch(
  app: Facts,
  userIds: readonly string[],
  options: RepairOptions,
  how: { readonly wait: boolean; readonly known?: readonly KnownHead[] },
): Promise<Batch> {
  const repaired: RepairedLot[] = [];
  const left: LeftLot[] = [];
  const skipped = new Set<string>();
  for (let after: WrongLot | null | undefined; after !== null;) {
    const page: WrongLot | null = after ?? null;
    const done = await nullIfBusy(
      transact(
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
      ),
    );
    if (done === null) {
      const busy = userIds.filter((userId) => page === null || userId >= page.userId);
      return { repaired, left, skipped: [...skipped], busy };
    }
    const locked = new Set(done.accounts.map(({ userId }) => userId));
    for (const userId of userIds) if (!locked.has(userId)) skipped.add(userId);
    // Long histories are read again, and told of then.
    tellRepairs(app, options, { ...done, left: done.left.filter((lot) => !isMoving(lot)) });
    repaired.push(...done.repaired);
    left.push(...done.left);
    after = done.next;
  }
  return { repaired, left, skipped: [...skipped], busy: [] };
}

/** Waits for the account. */
async function repairAlone(
  app: Facts,
  userId: string,
  options: RepairOptions,
  known: readonly KnownHead[] = [],
): Promise<Repairs> {
  const done = await repairBatch(app, [userId], options, { wait: true, known });
  if (done.busy.length === 0) return done;
  const held: LeftLot = { userId, lotId: null, reason: 'locked' };
  tellRepairs(app, options, { repaired: [], left: [held] });
  return { repaired: done.repaired, left: [...done.left, held] };
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
    if (!done.left.some(isMoving)) return done;
    if (reads < READS_MAX) continue;
    tellRepairs(app, options, { repaired: [], left: done.left.filter(isMoving) });
    return done;
  }
}

/** Logs and counts what was repaired, and logs what was left. After the commit. */
export function tellRepairs(
  { log, metrics }: Pick<Facts, 'log' | 'metrics'>,
  { source, dryRun }: Pick<RepairOptions, 'source' | 'dryRun'>,
  { repaired, left }: Repairs,
): void {
  if (dryRun) return;
  for (const lot of repaired) log.warn({ event: 'lot-repaired', source, ...lot }, 'lot repaired');
  for (const lot of left)
    log.error({ event: 'lot-not-repaired', source, ...lot }, 'lot not repaired');
  metrics?.ledgerRepairs.inc({ source }, repaired.length);
}
