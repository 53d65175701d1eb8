import { createHash } from 'node:crypto';
import type { Allocation } from './allocation.js';

export type CreditTransactionType = 'GRANT' | 'DEBIT' | 'REFUND' | 'EXPIRY' | 'REVOCATION';

/** One line of a user's ledger, as it is hashed and stored. Amounts in points. */
export interface LedgerEntry {
  readonly userId: string;
  /** 1, 2, 3 … without gaps. */
  readonly seq: number;
  readonly type: CreditTransactionType;
  readonly amount: number;
  readonly balanceAfter: number;
  readonly effectiveAt: Date;
  readonly recordedAt: Date;
  readonly reason: string | null;
  readonly idempotencyKey: string | null;
  readonly audioId: string | null;
  readonly storyId: string | null;
  readonly debitSeq: number | null;
  readonly actorId: string | null;
  readonly allocations: readonly Allocation[];
}

/** What comes before the first entry. */
export const GENESIS_HASH: Uint8Array = new Uint8Array(32);

/** The text that is hashed: a JSON array of strings, so that any language can make it again. */
function chainText(entry: LedgerEntry): string {
  return JSON.stringify([
    entry.userId,
    String(entry.seq),
    entry.type,
    String(entry.amount),
    String(entry.balanceAfter),
    entry.effectiveAt.toISOString(),
    entry.recordedAt.toISOString(),
    entry.reason ?? '',
    entry.idempotencyKey ?? '',
    entry.audioId ?? '',
    entry.storyId ?? '',
    entry.debitSeq === null ? '' : String(entry.debitSeq),
    entry.actorId ?? '',
    entry.allocations.map(({ lotId, amount }) => [lotId, String(amount)]),
  ]);
}

/** SHA-256 over the previous hash and the entry's text: one changed byte shows from there on. */
export function chainHash(previous: Uint8Array, entry: LedgerEntry): Uint8Array {
  return createHash('sha256').update(previous).update(chainText(entry)).digest();
}
