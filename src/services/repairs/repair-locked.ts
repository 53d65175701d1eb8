import { FIRST_ID } from '../../domain/ids.js';
import type { Tx } from '../../infra/db.js';
import { changed, writeAudit } from '../audit.sql.js';
import type { AccountRow } from '../ledger/accounts.sql.js';
import { TRANSACTIONS_AT_ONCE } from '../reconciliation/parts.js';
import { notePointsChanged, readWrongLots, setRemaining, type WrongLot } from './repairs.sql.js';
import { findUnsound } from './soundness.js';

/** Which check has found a wrong lot: a check of the ledger, or a read or command of one account. */
export type RepairSource = 'reconciliation' | 'read';

/** The name of a repair in the audit log. */
export const REPAIR_ACTION = 'repairLot';

/** The number of the invariant of `remaining`, the only stored sum. */
export const REMAINING = '1';

/** Why a lot was not repaired. */
export type LeftReason =
  /** A rule of history is violated, so that the allocations cannot be trusted. */
  | 'history'
  /** The allocations add up to less than nothing, or to more than was granted. */
  | 'impossible'
  /** The lot cannot be spent any more. A person decides. */
  | 'lapsed-or-revoked'
  /** The account is closed. A person decides. */
  | 'closed'
  /** Another transaction holds the account. */
  | 'locked'
  /** The history is too long to be read under the lock, and has moved since it was read. */
  | 'moving'
  /** Repairs are off, or this is a dry run. */
  | 'off';

export interface RepairedLot {
  readonly userId: string;
  readonly lotId: string;
  readonly before: number;
  readonly after: number;
}

export interface LeftLot {
  readonly userId: string;
  /** Null for all lots of the account. */
  readonly lotId: string | null;
  readonly reason: LeftReason;
  /** The number of the violated invariant for the reason `history`. */
  readonly invariant?: string;
  readonly before?: number;
  readonly after?: number;
}

export interface Repairs {
  readonly repaired: readonly RepairedLot[];
  readonly left: readonly LeftLot[];
}

export interface RepairOptions {
  readonly source: RepairSource;
  /** The name in the audit log. */
  readonly action: string;
  /** Whether lots that have lapsed or were revoked are repaired too. */
  readonly withDead: boolean;
  /** Whether lots of closed accounts are repaired too. */
  readonly withClosed: boolean;
  /** Whether nothing is written. */
  readonly dryRun: boolean;
}

/** How a check of the whole ledger repairs: in accounts that are open, lots that can still be spent. */
export const NIGHTLY: RepairOptions = {
  source: 'reconciliation',
  action: REPAIR_ACTION,
  withDead: false,
  withClosed: false,
  dryRun: false,
};

/** The head of a history that was found sound before its account was locked. */
export interface KnownHead {
  readonly userId: string;
  readonly lastSeq: number;
  readonly headHash: string;
}

/** Bounds memory and the length of a transaction. */
export const LOTS_AT_ONCE = 500;

/**
 * Repairs lots of locked accounts in the caller's transaction, each with an audit entry: sets `remaining` to the sum of
 * the allocations. It reads the whole history of each account that has a wrong lot, and repairs none of its lots while
 * the history violates a rule. History is never written.
 * @param wanted.after the last lot of the page before
 * @param wanted.known long histories that were read before; others that are long are left
 * @returns what was done, and the last lot of the page when there may be more
 */
export async function repairLocked(
  tx: Tx,
  accounts: readonly AccountRow[],
  options: RepairOptions,
  wanted: { readonly after?: WrongLot | null; readonly known?: readonly KnownHead[] } = {},
): Promise<Repairs & { readonly next: WrongLot | null }> {
  const wrong = await readWrongLots(tx, {
    userIds: accounts.map(({ userId }) => userId),
    after: wanted.after ?? { userId: FIRST_ID, lotId: FIRST_ID },
    limit: LOTS_AT_ONCE,
  });
  const next = wrong.length < LOTS_AT_ONCE ? null : (wrong.at(-1) ?? null);
  if (wrong.length === 0) return { repaired: [], left: [], next };
  const { known = [] } = wanted;
  const concerned = accounts.filter(({ userId }) => wrong.some((lot) => lot.userId === userId));
  const isLong = (account: AccountRow): boolean => account.lastSeq > TRANSACTIONS_AT_ONCE;
  const moving = concerned.filter((one) => isLong(one) && !known.some((head) => isAt(one, head)));
  const unsound = new Map<string, string>();
  for (const group of groupsOf(concerned.filter((one) => !isLong(one))))
    for (const [userId, invariant] of await findUnsound(tx, group)) unsound.set(userId, invariant);
  const facts: Facts = {
    unsound,
    moving: new Set(moving.map(({ userId }) => userId)),
    closed: new Set(accounts.filter(({ closed }) => closed).map(({ userId }) => userId)),
    options,
  };
  const left = wrong.flatMap((lot) => reasonToLeave(lot, facts) ?? []);
  const isLeft = new Set(left.map(({ userId, lotId }) => `${userId} ${String(lotId)}`));
  const repaired = wrong.filter(({ userId, lotId }) => !isLeft.has(`${userId} ${lotId}`));
  await write(tx, repaired, accounts, options);
  return { repaired: repaired.map(repairOf), left, next };
}

/** Divides accounts so that the histories of a group are at most TRANSACTIONS_AT_ONCE long together. */
function* groupsOf(accounts: readonly AccountRow[]): Generator<readonly string[]> {
  let group: string[] = [];
  let transactions = 0;
  for (const { userId, lastSeq } of accounts) {
    if (group.length > 0 && transactions + lastSeq > TRANSACTIONS_AT_ONCE) {
      yield group;
      group = [];
      transactions = 0;
    }
    group.push(userId);
    transactions += lastSeq;
  }
  if (group.length > 0) yield group;
}

interface Facts {
  readonly unsound: ReadonlyMap<string, string>;
  readonly moving: ReadonlySet<string>;
  readonly closed: ReadonlySet<string>;
  readonly options: RepairOptions;
}

function reasonToLeave(lot: WrongLot, facts: Facts): LeftLot | null {
  const left = (reason: LeftReason): LeftLot => ({ ...repairOf(lot), reason });
  const { userId } = lot;
  if (facts.moving.has(userId)) return left('moving');
  const invariant = facts.unsound.get(userId);
  if (invariant !== undefined) return { ...left('history'), invariant };
  if (!lot.isPossible) return left('impossible');
  if (facts.closed.has(userId) && !facts.options.withClosed) return left('closed');
  if (lot.isDead && !facts.options.withDead) return left('lapsed-or-revoked');
  return facts.options.dryRun ? left('off') : null;
}

const isAt = (account: AccountRow, { userId, lastSeq, headHash }: KnownHead): boolean =>
  account.userId === userId &&
  account.lastSeq === lastSeq &&
  Buffer.from(account.headHash).toString('hex') === headHash;

const repairOf = ({ userId, lotId, before, after }: WrongLot): RepairedLot => ({
  userId,
  lotId,
  before,
  after,
});

async function write(
  tx: Tx,
  lots: readonly WrongLot[],
  accounts: readonly AccountRow[],
  { source, action }: RepairOptions,
): Promise<void> {
  if (lots.length === 0) return;
  if ((await setRemaining(tx, lots)) !== lots.length)
    throw new Error('A lot moved although its account was locked.');
  await notePointsChanged(
    tx,
    lots.map(({ userId }) => userId),
  );
  const clocks = new Map(accounts.map(({ userId, now }) => [userId, now]));
  await writeAudit(
    tx,
    lots.map(({ userId, lotId, before, after }) => ({
      actorId: null,
      action,
      target: lotId,
      details: { userId, source, remaining: changed(before, after) },
      reason: `remaining was ${String(before)}, its allocations say ${String(after)}`,
      at: clocks.get(userId) ?? new Date(),
    })),
  );
}
