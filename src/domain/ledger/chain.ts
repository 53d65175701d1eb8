import { createHash } from 'node:crypto';
import type { LotId } from '../ids.js';
import type { Allocation } from './allocation.js';
import { priceParts, type Lot } from './lots.js';

export type CreditTransactionType = 'GRANT' | 'DEBIT' | 'REFUND' | 'EXPIRY' | 'REVOCATION';

/** The format of the hashed text of new transactions. Format 1 lacks the id, the request hash and the lots. */
export const CHAIN_FORMAT = 2;

/**
 * The terms of a lot, which never change: id, source, priority, granted, granted at, expires at, parent and period.
 * A lot with a price also has price and currency. Each element is the text that the chain hashes.
 */
export type LotTerms = readonly string[];

/** A transaction of a user's ledger, as it is hashed and stored. Amounts in points. */
export interface LedgerEntry {
  readonly userId: string;
  /** 1, 2, 3 … without gaps. */
  readonly seq: number;
  readonly id: string;
  readonly type: CreditTransactionType;
  readonly amount: number;
  readonly balanceAfter: number;
  readonly effectiveAt: Date;
  readonly recordedAt: Date;
  readonly reason: string | null;
  readonly idempotencyKey: string | null;
  readonly requestHash: Uint8Array | null;
  readonly audioId: string | null;
  readonly storyId: string | null;
  readonly debitSeq: number | null;
  readonly actorId: string | null;
  readonly allocations: readonly Allocation[];
  /** The terms of the lots that it makes, and of older lots that no transaction has covered yet. */
  readonly lotTerms: readonly LotTerms[];
  /** The lots that it revokes, and those that were revoked without a transaction since the last one. */
  readonly revokedLots: readonly LotId[];
}

/** The previous hash of the first transaction. */
export const GENESIS_HASH: Uint8Array = new Uint8Array(32);

/** The terms of a lot in the order of LotTerms. Times are in ISO 8601, amounts in points, and a missing value is ''. */
export const termsOf = (lot: Omit<Lot, 'remaining' | 'revokedAt'>): LotTerms => [
  lot.id,
  lot.source,
  String(lot.priority),
  String(lot.granted),
  lot.grantedAt.toISOString(),
  lot.expiresAt?.toISOString() ?? '',
  lot.parentLotId ?? '',
  lot.period ?? '',
  ...priceParts(lot).map(String),
];

/** The text that is hashed: a JSON array of strings, so that it can be reproduced in any language. */
function chainText(entry: LedgerEntry): string {
  return JSON.stringify([
    String(CHAIN_FORMAT),
    entry.userId,
    String(entry.seq),
    entry.id,
    entry.type,
    String(entry.amount),
    String(entry.balanceAfter),
    entry.effectiveAt.toISOString(),
    entry.recordedAt.toISOString(),
    entry.reason ?? '',
    entry.idempotencyKey ?? '',
    entry.requestHash === null ? '' : Buffer.from(entry.requestHash).toString('hex'),
    entry.audioId ?? '',
    entry.storyId ?? '',
    entry.debitSeq === null ? '' : String(entry.debitSeq),
    entry.actorId ?? '',
    entry.allocations.map(({ lotId, amount }) => [lotId, String(amount)]),
    entry.lotTerms,
    entry.revokedLots,
  ]);
}

/** SHA-256 of the previous hash and the entry's text. A changed byte breaks the chain from there on. */
export function chainHash(previous: Uint8Array, entry: LedgerEntry): Uint8Array {
  return createHash('sha256').update(previous).update(chainText(entry)).digest();
}
