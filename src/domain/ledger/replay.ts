import type { Allocation } from './allocation.js';
import type { CreditTransactionType } from './chain.js';
import { outstandingByLot, planRefund, type RefundPlan } from './refund.js';
import { byBurnOrder, hasLapsed, type Lot } from './lots.js';
import type { LotId } from '../ids.js';

/** A stored movement, as far as the rules decide it. */
export interface ReplayedEntry {
  readonly seq: number;
  readonly type: CreditTransactionType;
  readonly effectiveAt: Date;
  readonly recordedAt: Date;
  readonly allocations: readonly Allocation[];
  /** Of a REFUND: the debit, and what refunds before this one had given back of it. */
  readonly debit: {
    readonly effectiveAt: Date;
    readonly allocations: readonly Allocation[];
    readonly returnedBefore: readonly Allocation[];
  } | null;
}

/**
 * One user's movements as they are replayed, in order and from nothing. Holds the lots, never the
 * history: a history of any length can be replayed a window at a time.
 */
export interface Replay {
  /** The lots' terms as they are stored; what they hold is ignored. */
  readonly terms: Map<LotId, Lot>;
  readonly held: Map<LotId, number>;
  /** The lots that hold points, in burn order. */
  readonly open: Lot[];
  /** What the last refund must lead to, and what it may lead to. */
  closings: readonly PromisedClosing[];
  grace: RefundPlan['grace'];
}

type PromisedClosing = RefundPlan['closings'][number] & {
  /** The lot was revoked in the very instant of the refund: before it or after it, both may be. */
  readonly optional: boolean;
};

export const createReplay = (): Replay => ({
  terms: new Map(),
  held: new Map(),
  open: [],
  closings: [],
  grace: [],
});

/** Tells of lots as they are stored now; may be called again for newer ones. */
export function knowLots(replay: Replay, lots: Iterable<Lot>): void {
  for (const lot of lots) replay.terms.set(lot.id, lot);
}

/**
 * Takes the next movement as it is stored, so that one wrong movement is reported once.
 * @returns whether the rules come to the same
 */
export function replayEntry(replay: Replay, entry: ReplayedEntry): boolean {
  const right = isRight(replay, entry);
  for (const part of entry.allocations) move(replay, part);
  return right;
}

/** Whether everything that a refund must lead to was there at the end. */
export const isComplete = (replay: Replay): boolean =>
  replay.closings.every(({ optional }) => optional);

function isRight(replay: Replay, entry: ReplayedEntry): boolean {
  if (entry.type === 'EXPIRY' || entry.type === 'REVOCATION') return isClosing(replay, entry);
  const missing = !isComplete(replay);
  replay.closings = [];
  if (missing) return false;
  if (entry.type === 'GRANT') return isGrant(replay, entry);
  replay.grace = [];
  if (entry.type === 'REFUND') return isRefund(replay, entry);
  return same(expectedDebit(replay, entry), entry.allocations);
}

/** The only allocation of a movement of one lot. */
function onlyPart(
  { terms }: Replay,
  { allocations }: ReplayedEntry,
): { lot: Lot; amount: number } | null {
  const [part, second] = allocations;
  const lot = part === undefined ? undefined : terms.get(part.lotId);
  return part === undefined || lot === undefined || second !== undefined
    ? null
    : { lot, amount: part.amount };
}

/** Makes a lot that was not there. One with a parent is what a refund has promised. */
function isGrant(replay: Replay, entry: ReplayedEntry): boolean {
  const part = onlyPart(replay, entry);
  if (part === null || replay.held.has(part.lot.id)) return false;
  const { lot, amount } = part;
  const kept = lot.parentLotId === null || isPromised(replay, lot);
  return kept && amount === lot.granted && isAt(lot.grantedAt, entry.recordedAt);
}

function isPromised(replay: Replay, lot: Lot): boolean {
  const next = replay.grace.findIndex(({ parent }) => parent.id === lot.parentLotId);
  const promised = replay.grace[next];
  replay.grace = replay.grace.slice(next + 1);
  return promised?.amount === lot.granted && isAt(lot.expiresAt, promised.expiresAt);
}

function expectedDebit({ open, held }: Replay, entry: ReplayedEntry): Allocation[] {
  let missing = -entry.allocations.reduce((sum, part) => sum + part.amount, 0);
  const expected: Allocation[] = [];
  for (const lot of open) {
    if (missing <= 0) break;
    if (hasLapsed(lot, entry.recordedAt)) continue;
    const taken = Math.min(held.get(lot.id) ?? 0, missing);
    expected.push({ lotId: lot.id, amount: -taken });
    missing -= taken;
  }
  return expected;
}

/** Gives back what was outstanding, and notes what must follow at once. */
function isRefund(replay: Replay, { debit, recordedAt, allocations }: ReplayedEntry): boolean {
  if (debit === null) return false;
  const outstanding = [...outstandingByLot(debit.allocations, debit.returnedBefore)];
  const planAsOf = (at: Date): RefundPlan => {
    const parts = outstanding.flatMap(([lotId, points]) => {
      const lot = replay.terms.get(lotId);
      return lot === undefined ? [] : [{ lot: asOf(lot, at), outstanding: points }];
    });
    return planRefund(parts, debit.effectiveAt, recordedAt, 'GRACE');
  };
  const plan = planAsOf(recordedAt);
  const before = planAsOf(new Date(recordedAt.getTime() - 1));
  replay.closings = plan.closings.flatMap((closing): PromisedClosing[] => {
    const other = before.closings.find(({ lotId }) => lotId === closing.lotId);
    if (other?.type === closing.type) return [{ ...closing, optional: false }];
    return [closing, ...(other === undefined ? [] : [other])].map((one) => ({
      ...one,
      optional: true,
    }));
  });
  replay.grace = before.grace;
  return same(plan.returned, allocations);
}

/** After a refund into a dead lot; else by the sweep or a revocation, and then all that the lot holds. */
function isClosing(replay: Replay, entry: ReplayedEntry): boolean {
  const part = onlyPart(replay, entry);
  const next = replay.closings.findIndex(
    ({ lotId, amount, type, optional }) =>
      !optional || (lotId === part?.lot.id && amount === part.amount && type === entry.type),
  );
  const promised = replay.closings[next];
  replay.closings = next < 0 ? [] : replay.closings.slice(next + 1);
  if (part === null) return false;
  const { lot, amount } = part;
  if (promised !== undefined) {
    return promised.lotId === lot.id && promised.amount === amount && promised.type === entry.type;
  }
  if (amount !== -(replay.held.get(lot.id) ?? 0)) return false;
  if (entry.type === 'REVOCATION') return isAt(lot.revokedAt, entry.recordedAt);
  return hasLapsed(lot, entry.recordedAt) && isAt(lot.expiresAt, entry.effectiveAt);
}

function move({ terms, held, open }: Replay, { lotId, amount }: Allocation): void {
  const before = held.get(lotId) ?? 0;
  const after = before + amount;
  held.set(lotId, after);
  const lot = terms.get(lotId);
  if (lot === undefined || before > 0 === after > 0) return;
  const place = placeOf(open, lot);
  if (after > 0) open.splice(place, 0, lot);
  else open.splice(place, 1);
}

/** Where the lot is, or belongs, among lots in burn order. */
function placeOf(lots: readonly Lot[], lot: Lot): number {
  let low = 0;
  let high = lots.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = lots[middle];
    if (other !== undefined && other.id !== lot.id && byBurnOrder(other, lot) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The lot as it was: a revocation of later counts for nothing. */
const asOf = (lot: Lot, at: Date): Lot =>
  lot.revokedAt !== null && lot.revokedAt > at ? { ...lot, revokedAt: null } : lot;

const same = (a: readonly Allocation[], b: readonly Allocation[]): boolean =>
  a.length === b.length &&
  a.every((part, index) => part.lotId === b[index]?.lotId && part.amount === b[index].amount);

const isAt = (a: Date | null, b: Date): boolean => a?.getTime() === b.getTime();
