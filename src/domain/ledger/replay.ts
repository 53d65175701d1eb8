import type { Allocation } from './allocation.js';
import type { CreditTransactionType } from './chain.js';
import { outstandingByLot, planRefund, type RefundPlan } from './refund.js';
import { byBurnOrder, hasLapsed, isSpendable, type Lot } from './lots.js';
import type { LotId } from '../ids.js';

/** A stored transaction, without the fields that the rules do not decide. */
export interface ReplayedEntry {
  readonly seq: number;
  readonly type: CreditTransactionType;
  readonly effectiveAt: Date;
  readonly recordedAt: Date;
  readonly allocations: readonly Allocation[];
  /** For a REVOCATION: whether it revokes a part of its lot. */
  readonly isPart: boolean;
  /** For a REFUND: the debit, and the refunds of it before this one. */
  readonly debit: {
    readonly effectiveAt: Date;
    readonly allocations: readonly Allocation[];
    readonly returnedBefore: readonly Allocation[];
  } | null;
}

/**
 * The state of replaying one user's transactions, in order. It holds lots but no history, so that a history of any
 * length can be replayed in windows.
 */
export interface Replay {
  /** The stored terms of the lots. Their `remaining` is ignored. */
  readonly terms: Map<LotId, Lot>;
  readonly held: Map<LotId, number>;
  /** The lots whose EXPIRY was booked. */
  readonly lapsed: Set<LotId>;
  /** The lots that hold points, in burn order. */
  readonly open: Lot[];
  /** The transactions that must, or may, follow the last refund. */
  closings: readonly PromisedClosing[];
  grace: RefundPlan['grace'];
}

type PromisedClosing = RefundPlan['closings'][number] & {
  /** The lot was revoked at the instant of the refund. Both orders are possible. */
  readonly optional: boolean;
};

/** The state of an account before the first transaction of a replay that does not start at the beginning. */
export interface Opening {
  /** The points of every lot that existed. */
  readonly holdings: readonly Allocation[];
  /** The lots whose EXPIRY was booked. */
  readonly lapsed: readonly LotId[];
}

const createReplay = (): Replay => ({
  terms: new Map(),
  held: new Map(),
  lapsed: new Set(),
  open: [],
  closings: [],
  grace: [],
});

/**
 * Continues a replay.
 * @param from undefined for the beginning of a history
 * @param lots as they are stored now, including those that the next transactions make
 */
export function continueReplay(from: Replay | Opening | undefined, lots: Iterable<Lot>): Replay {
  const replay = from !== undefined && 'terms' in from ? from : createReplay();
  for (const lot of lots) replay.terms.set(lot.id, lot);
  if (from === undefined || 'terms' in from) return replay;
  for (const holding of from.holdings) move(replay, holding);
  for (const lotId of from.lapsed) replay.lapsed.add(lotId);
  return replay;
}

/**
 * Applies the next transaction as it is stored, even if it is wrong, so that one wrong transaction is reported only
 * once.
 * @returns whether the rules give the same transaction
 */
export function replayEntry(replay: Replay, entry: ReplayedEntry): boolean {
  const right = isRight(replay, entry);
  for (const part of entry.allocations) {
    move(replay, part);
    if (entry.type === 'EXPIRY') replay.lapsed.add(part.lotId);
  }
  return right;
}

/** Whether all transactions that must follow the last refund have followed. */
export const isComplete = (replay: Replay): boolean =>
  replay.closings.every(({ optional }) => optional);

function isRight(replay: Replay, entry: ReplayedEntry): boolean {
  const isPart = entry.type === 'REVOCATION' && entry.isPart;
  if (entry.type === 'EXPIRY' || (entry.type === 'REVOCATION' && !isPart))
    return isClosing(replay, entry);
  const missing = !isComplete(replay);
  replay.closings = [];
  if (missing) return false;
  if (entry.type === 'GRANT') return isGrant(replay, entry);
  replay.grace = [];
  if (entry.type === 'REFUND') return isRefund(replay, entry);
  if (isPart) return isRevokedPart(replay, entry);
  return same(expectedDebit(replay, entry), entry.allocations);
}

/** The only allocation of a transaction on one lot. */
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

/** Whether a grant makes a new lot. A lot with a parent must be the grace lot of the last refund. */
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

/** Whether a refund gives back what was outstanding. Notes the transactions that must follow. */
function isRefund(replay: Replay, { debit, recordedAt, allocations }: ReplayedEntry): boolean {
  if (debit === null) return false;
  const outstanding = [...outstandingByLot(debit.allocations, debit.returnedBefore)];
  const planAsOf = (at: Date): RefundPlan => {
    const parts = outstanding.flatMap(([lotId, points]) => {
      const lot = replay.terms.get(lotId);
      if (lot === undefined) return [];
      const lapseBooked = replay.lapsed.has(lotId);
      return [{ lot: { ...asOf(lot, at), lapseBooked }, outstanding: points }];
    });
    return planRefund(parts, debit.effectiveAt, recordedAt, 'GRACE');
  };
  const plan = planAsOf(recordedAt);
  const before = planAsOf(new Date(recordedAt.getTime() - 1));
  replay.closings = plan.closings.flatMap((closing): PromisedClosing[] => {
    const other = before.closings.find(({ lotId }) => lotId === closing.lotId);
    // Earlier releases did not close points refunded to a lot whose expiry was booked before the clock was set back.
    const expiresAt = replay.terms.get(closing.lotId)?.expiresAt ?? null;
    const byBooking = closing.type === 'EXPIRY' && expiresAt !== null && recordedAt < expiresAt;
    if (other?.type === closing.type) return [{ ...closing, optional: byBooking }];
    return [closing, ...(other === undefined ? [] : [other])].map((one) => ({
      ...one,
      optional: true,
    }));
  });
  replay.grace = before.grace;
  return same(plan.returned, allocations);
}

/**
 * Whether an EXPIRY or REVOCATION is right: it follows from a refund to a lot that cannot be spent, or a sweep or a
 * revocation takes all that the lot holds.
 */
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
  const lapseBooked = replay.lapsed.has(lot.id);
  // It takes effect at once if the books of the expiry are closed.
  const takesEffect = [lot.expiresAt, entry.recordedAt].some((at) => isAt(at, entry.effectiveAt));
  return hasLapsed({ ...lot, lapseBooked }, entry.recordedAt) && takesEffect;
}

/** Whether it takes at most the points of a spendable lot. */
function isRevokedPart(replay: Replay, entry: ReplayedEntry): boolean {
  const part = onlyPart(replay, entry);
  if (part === null) return false;
  const { lot, amount } = part;
  const lapseBooked = replay.lapsed.has(lot.id);
  const isAlive = isSpendable({ ...asOf(lot, entry.recordedAt), lapseBooked }, entry.recordedAt);
  // The whole lot was revoked at the same instant, after the part.
  const inItsInstant = isAt(lot.revokedAt, entry.recordedAt);
  return (isAlive || inItsInstant) && amount < 0 && -amount <= (replay.held.get(lot.id) ?? 0);
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

/** The index of the lot, or where to insert it, among lots in burn order. */
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

/** The lot as it was at an instant, without a later revocation. */
const asOf = (lot: Lot, at: Date): Lot =>
  lot.revokedAt !== null && lot.revokedAt > at ? { ...lot, revokedAt: null } : lot;

const same = (a: readonly Allocation[], b: readonly Allocation[]): boolean =>
  a.length === b.length &&
  a.every((part, index) => part.lotId === b[index]?.lotId && part.amount === b[index].amount);

const isAt = (a: Date | null, b: Date): boolean => a?.getTime() === b.getTime();
