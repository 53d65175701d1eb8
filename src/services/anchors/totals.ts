import type { AnchorLeaf } from '../../domain/ledger/merkle.js';
import type { Db } from '../../infra/db.js';
import { readMovedPoints, type MovedPoints } from './anchors.sql.js';
import type { SourceTotal } from './statement.js';

/** Adds up transactions by source. Debits, expiries and revocations are positive numbers. */
export interface Totals {
  add(leaves: readonly AnchorLeaf[]): Promise<void>;
  /** Sorted by the name of the source. Sources without transactions are left out. */
  result(): SourceTotal[];
}

const COLUMN = {
  GRANT: 'granted',
  DEBIT: 'debited',
  REFUND: 'refunded',
  EXPIRY: 'expired',
  REVOCATION: 'revoked',
} as const satisfies Record<MovedPoints['type'], keyof SourceTotal>;

const nothing = (source: string): SourceTotal => ({
  source,
  granted: 0,
  debited: 0,
  refunded: 0,
  expired: 0,
  revoked: 0,
  outstanding: 0,
});

/** @param read reads the sums of a batch of leaves, from the whole history or from checkpoints */
export function createTotals(
  db: Db,
  read: (db: Db, leaves: readonly AnchorLeaf[]) => Promise<MovedPoints[]> = readMovedPoints,
): Totals {
  const bySource = new Map<string, SourceTotal>();
  return {
    async add(leaves) {
      for (const { source, type, points } of await read(db, leaves)) {
        const sofar = bySource.get(source) ?? nothing(source);
        const column = COLUMN[type];
        bySource.set(source, {
          ...sofar,
          [column]: sofar[column] + Math.abs(points),
          outstanding: sofar.outstanding + points,
        });
      }
    },
    result: () => [...bySource.values()].sort((one, other) => (one.source < other.source ? -1 : 1)),
  };
}
