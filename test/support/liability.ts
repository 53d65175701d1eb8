import { CREDIT_SOURCES } from '../../src/domain/ledger/lots.js';
import type { TestDatabase } from './cluster.js';

type Database = Pick<TestDatabase, 'sql'>;

interface LotRow {
  readonly id: string;
  readonly source: string;
  readonly granted: number;
  readonly remaining: number;
  readonly granted_at: Date;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly parent_lot_id: string | null;
  readonly price_minor: string | null;
  readonly currency: string | null;
}

interface PartRow {
  readonly lot_id: string;
  readonly amount: number;
  readonly type: string;
  readonly idempotency_key: string | null;
  readonly effective_at: Date;
  readonly recorded_at: Date;
}

export const SOURCES: readonly string[] = CREDIT_SOURCES;

type Name =
  'opening' | 'granted' | 'grace' | 'debited' | 'refunded' | 'expired' | 'revoked' | 'closing';
type Flows = Record<Name, number>;

const nothing = (): Flows => ({
  opening: 0,
  granted: 0,
  grace: 0,
  debited: 0,
  refunded: 0,
  expired: 0,
  revoked: 0,
  closing: 0,
});

const NAMES: Readonly<Record<string, keyof Flows>> = {
  GRANT: 'granted',
  DEBIT: 'debited',
  REFUND: 'refunded',
  EXPIRY: 'expired',
  REVOCATION: 'revoked',
};

const money = (): Record<'opening' | 'sold' | 'lapsed' | 'revoked' | 'closing', bigint> => ({
  opening: 0n,
  sold: 0n,
  lapsed: 0n,
  revoked: 0n,
  closing: 0n,
});

export interface Owed {
  readonly rows: readonly object[];
  readonly lapses: readonly object[];
  readonly deferredRevenue: readonly object[];
}

/**
 * The expected `creditLiability` after `from` and up to `to`. It is computed from the rows of the ledger, one
 * allocation at a time and with bigints for money. It shares no code and no query with the server.
 */
export async function owed(database: Database, from: Date, to: Date): Promise<Owed> {
  const lots = await database.sql<LotRow>('SELECT * FROM credit_lots ORDER BY id');
  const parts = await database.sql<PartRow>(
    `SELECT a.lot_id, a.amount, t.type, t.idempotency_key, t.effective_at, t.recorded_at
     FROM credit_allocations a JOIN credit_transactions t USING (user_id, seq) ORDER BY t.user_id, t.seq, a.ordinal`,
  );
  const byId = new Map(lots.map((lot) => [lot.id, lot]));
  const rows = new Map(SOURCES.map((source) => [source, { paid: nothing(), free: nothing() }]));
  const lapses = new Map<
    string,
    { month: string | null; source: string; paid: number; free: number }
  >();
  const revenue = new Map<string, ReturnType<typeof money>>();

  /** The first lot in the chain of parents. Only this one can have a price. */
  const rootOf = (lot: LotRow): LotRow => {
    const parent = byId.get(lot.parent_lot_id ?? '');
    return parent === undefined ? lot : rootOf(parent);
  };
  const add = (lot: LotRow, name: keyof Flows, points: number): void => {
    const { price_minor: price, currency, granted } = rootOf(lot);
    const row = rows.get(lot.source);
    if (row !== undefined) row[price === null ? 'free' : 'paid'][name] += points;
    if (price === null || currency === null) return;
    const sums = revenue.get(currency) ?? money();
    revenue.set(currency, sums);
    const value = (BigInt(price) * BigInt(points)) / BigInt(granted);
    if (name === 'granted') sums.sold += value;
    else if (name === 'expired') sums.lapsed += value;
    else if (name === 'grace') sums.lapsed -= value;
    else if (name === 'opening' || name === 'revoked' || name === 'closing') sums[name] += value;
  };
  const heldBy = (lot: LotRow, at: Date): number => {
    const isDead = [lot.expires_at, lot.revoked_at].some((end) => end !== null && end <= at);
    if (lot.granted_at > at || isDead) return 0;
    return parts
      .filter((part) => part.lot_id === lot.id && part.effective_at <= at)
      .reduce((sum, { amount }) => sum + amount, 0);
  };

  for (const lot of lots) {
    const left = heldBy(lot, to);
    add(lot, 'opening', heldBy(lot, from));
    add(lot, 'closing', left);
    const { expires_at: end, remaining, source } = lot;
    // Lapsed, but the expiry is not booked yet.
    if (end !== null && end > from && end <= to && lot.revoked_at === null)
      add(lot, 'expired', remaining);
    if (left === 0) continue;
    const month = end === null ? null : new Date(end.getTime() - 1).toISOString().slice(0, 7);
    const key = `${month ?? '~'} ${String(SOURCES.indexOf(source))}`;
    const lapse = lapses.get(key) ?? { month, source, paid: 0, free: 0 };
    lapse[rootOf(lot).price_minor === null ? 'free' : 'paid'] += left;
    lapses.set(key, lapse);
  }
  for (const part of parts) {
    const lot = byId.get(part.lot_id);
    const follows = part.idempotency_key?.startsWith('refund:') === true;
    const at = follows ? part.recorded_at : part.effective_at;
    if (lot === undefined || at <= from || at > to) continue;
    const name = part.type === 'GRANT' && follows ? 'grace' : NAMES[part.type];
    if (name !== undefined) add(lot, name, Math.abs(part.amount));
  }
  return {
    rows: SOURCES.map((source) => {
      const { paid, free } = rows.get(source) ?? { paid: nothing(), free: nothing() };
      const all = Object.entries(paid).map(([name, points]) => [
        name,
        points + free[name as keyof Flows],
      ]);
      return { source, ...(Object.fromEntries(all) as Flows), paid, free };
    }),
    lapses: [...lapses]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, lapse]) => ({ ...lapse, points: lapse.paid + lapse.free })),
    deferredRevenue: [...revenue]
      .filter(([, sums]) => Object.values(sums).some((sum) => sum !== 0n))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([currency, { opening, sold, lapsed, revoked, closing }]) => ({
        currency,
        opening: Number(opening),
        sold: Number(sold),
        spent: Number(opening + sold - lapsed - revoked - closing),
        lapsed: Number(lapsed),
        revoked: Number(revoked),
        closing: Number(closing),
      })),
  };
}
