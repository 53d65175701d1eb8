import { createHash } from 'node:crypto';
import { idempotencyKeyReused } from '../errors.js';

/** The idempotency key of a caller: 1 to 255 visible ASCII characters. */
export const CALLER_KEY = /^[!-~]{1,255}$/;

/**
 * The idempotency keys in the ledger. A caller's key is prefixed with its operation, so that it never equals a natural
 * key.
 */
export const keys = {
  grant: (callerKey: string): string => `grant:${callerKey}`,
  bulkGrant: (callerKey: string): string => `bulk:${callerKey}`,
  signup: (): string => 'signup',
  monthly: (period: string): string => `monthly:${period}`,
  expire: (lotId: string): string => `expire:${lotId}`,
  /** For a lot that got points after its expiry had been booked. */
  expireAgain: (lotId: string, seq: number): string => `expire:${lotId}:${String(seq)}`,
  revoke: (lotId: string): string => `revoke:${lotId}`,
  revokePart: (callerKey: string): string => `revoke-part:${callerKey}`,
  debit: (audioId: string, attempt: number): string => `audio:${audioId}:${String(attempt)}`,
  refund: (debitSeq: number): string => `refund:${String(debitSeq)}`,
  refundClosing: (debitSeq: number, lotId: string): string =>
    `refund:${String(debitSeq)}:closing:${lotId}`,
  refundGrace: (debitSeq: number, lotId: string): string =>
    `refund:${String(debitSeq)}:grace:${lotId}`,
} as const;

/** SHA-256 of a request, to tell a repetition from another request under the same key. */
export function hashRequest(parts: readonly (string | number | null)[]): Uint8Array {
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}

/** @throws IDEMPOTENCY_KEY_REUSED when the key was first used for another request */
export function assertSameRequest(first: Uint8Array | null, now: Uint8Array): void {
  if (first === null || Buffer.compare(first, now) !== 0) throw idempotencyKeyReused();
}
