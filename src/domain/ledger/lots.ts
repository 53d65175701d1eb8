import type { LotId } from '../ids.js';
import { keysOf, tableOf } from '../objects.js';

/** A source of points. */
interface Source {
  /** The default priority of its lots. Lower burns first. It must never change, because lots keep their priority. */
  readonly priority: number;
  /** Its description in the GraphQL schema. */
  readonly description: string;
  /** Whether a grant must have an expiry. */
  readonly mustExpire: boolean;
  /** Why its lots cannot have a price, or null when they can. */
  readonly noPriceBecause: string | null;
  /**
   * Whether a journal has its lines when the balance is 0. False for every later source, because the roots of closed
   * months must not change.
   */
  readonly hasLinesAtZero: boolean;
}

/** All sources, in the order of the enum in the database and of the default priorities. */
export const SOURCES = {
  EVENT: {
    priority: 10,
    description: 'Granted for an event. Always has an expiry.',
    mustExpire: true,
    noPriceBecause: null,
    hasLinesAtZero: true,
  },
  MONTHLY: {
    priority: 20,
    description: 'The monthly allowance. Expires at the end of the month (UTC).',
    mustExpire: true,
    noPriceBecause: 'the monthly allowance is not sold',
    hasLinesAtZero: true,
  },
  REFERRAL: {
    priority: 30,
    description: 'A reward for referring a new user.',
    mustExpire: false,
    noPriceBecause: null,
    hasLinesAtZero: true,
  },
  ADD_ON: {
    priority: 40,
    description: 'Bought in addition to the allowance.',
    mustExpire: false,
    noPriceBecause: null,
    hasLinesAtZero: true,
  },
  FREE: {
    priority: 50,
    description: 'A gift, for example for signing up.',
    mustExpire: false,
    noPriceBecause: null,
    hasLinesAtZero: true,
  },
} as const satisfies Readonly<Record<string, Source>>;

export type CreditSource = keyof typeof SOURCES;
export const CREDIT_SOURCES: readonly CreditSource[] = keysOf(SOURCES);

/** What is known about a source, as the union of all of them. */
export const sourceOf = (source: CreditSource): Source => SOURCES[source];

/** The names of the sources that have a property, for a message or a description, such as "EVENT and MONTHLY". */
export const sourcesWith = (has: (source: Source) => boolean): string =>
  new Intl.ListFormat('en').format(CREDIT_SOURCES.filter((name) => has(sourceOf(name))));

/**
 * The priority of each source in a burn order. The order gives out the numbers of the table again, so that a source
 * that is added later changes no number of the default order.
 * @param order every source once, first to burn first
 */
export function prioritiesIn(order: readonly CreditSource[]): Record<CreditSource, number> {
  const numbers = CREDIT_SOURCES.map((source) => SOURCES[source].priority).sort((a, b) => a - b);
  return tableOf(order, (source, index) => numbers[index] ?? SOURCES[source].priority);
}

export type CreditLotStatus = 'ACTIVE' | 'EXHAUSTED' | 'EXPIRED' | 'REVOKED';

/** The price of a whole lot. Both fields are null, or neither is. */
export interface LotPrice {
  /** Whole minor units of the currency, 1 to PRICE_MINOR_MAX. Null for free points. */
  readonly priceMinor: number | null;
  /** An ISO 4217 code, for example EUR. */
  readonly currency: string | null;
}

/** The maximum price. Its product with the points of the largest grant fits into a bigint of the database. */
export const PRICE_MINOR_MAX = 1_000_000_000_000;

/**
 * The price as part of a hashed text. A free lot adds nothing, so that hashes of releases without prices stay
 * valid.
 */
export const priceParts = ({
  priceMinor,
  currency,
}: Partial<LotPrice>): readonly [] | readonly [number, string] =>
  priceMinor == null || currency == null ? [] : [priceMinor, currency];

/**
 * The sums of prices, in minor units by currency, for an audit entry. As text, because a sum may pass 2^53.
 * @returns no property when nothing has a price
 */
export function pricesIn(lots: readonly Partial<LotPrice>[]): {
  prices?: Readonly<Record<string, string>>;
} {
  const sums = new Map<string, bigint>();
  for (const lot of lots) {
    const [price, currency] = priceParts(lot);
    if (price === undefined || currency === undefined) continue;
    sums.set(currency, (sums.get(currency) ?? 0n) + BigInt(price));
  }
  const texts = [...sums].sort().map(([currency, sum]) => [currency, String(sum)] as const);
  return texts.length === 0 ? {} : { prices: Object.fromEntries(texts) };
}

/** Points that were granted together, with one source and one expiry. Amounts in points. */
export interface Lot extends LotPrice {
  readonly id: LotId;
  readonly source: CreditSource;
  /** Lower burns first. */
  readonly priority: number;
  readonly granted: number;
  readonly remaining: number;
  readonly grantedAt: Date;
  /** The first instant at which the lot can no longer be spent; null for never. */
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** Whether its EXPIRY was booked. Then it has lapsed, even if the clock has been set back since. */
  readonly lapseBooked?: boolean;
  /** Whether an EXPIRY was booked under the lot's own key, so that the next one needs another key. */
  readonly expireKeyTaken?: boolean;
  /** The lapsed lot that this one replaces. */
  readonly parentLotId: LotId | null;
  /** yyyy-mm of a monthly grant. */
  readonly period: string | null;
}

type Lifetime = Pick<Lot, 'expiresAt' | 'revokedAt' | 'lapseBooked'>;

/** Whether the lot has expired at an instant. The instant of its expiry counts as expired. */
export const hasLapsed = (lot: Pick<Lot, 'expiresAt' | 'lapseBooked'>, at: Date): boolean =>
  lot.expiresAt !== null && (lot.lapseBooked === true || at >= lot.expiresAt);

/** When its EXPIRY takes effect: at its expiry, or now if the books of that time are closed. */
export const lapseTakesEffectAt = (
  { expiresAt }: Pick<Lot, 'expiresAt'>,
  { now, closedUntil }: { readonly now: Date; readonly closedUntil: Date | null },
): Date =>
  expiresAt === null || (closedUntil !== null && expiresAt <= closedUntil) ? now : expiresAt;

/**
 * Whether the lot can be spent at an instant. Half-open: it cannot be spent at the instant of its expiry. The same
 * predicate is `SPENDABLE` in credits.sql.ts, and a test compares the two.
 */
export const isSpendable = (lot: Lifetime, at: Date): boolean =>
  lot.revokedAt === null && !hasLapsed(lot, at);

/**
 * The status of a lot at an instant. A lot that is revoked and has lapsed is REVOKED, and one that has lapsed without
 * points is EXPIRED.
 */
export function lotStatus(lot: Lifetime & Pick<Lot, 'remaining'>, at: Date): CreditLotStatus {
  if (lot.revokedAt !== null) return 'REVOKED';
  if (hasLapsed(lot, at)) return 'EXPIRED';
  return lot.remaining === 0 ? 'EXHAUSTED' : 'ACTIVE';
}

/** The order in which lots burn: priority, soonest expiry, oldest grant, id. */
export function byBurnOrder(a: Lot, b: Lot): number {
  return (
    a.priority - b.priority ||
    compareExpiry(a.expiresAt, b.expiresAt) ||
    a.grantedAt.getTime() - b.grantedAt.getTime() ||
    (a.id < b.id ? -1 : 1)
  );
}

/** Lots that never lapse come last. They need cases of their own, because infinity minus infinity is not a number. */
function compareExpiry(a: Date | null, b: Date | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return a.getTime() - b.getTime();
}
