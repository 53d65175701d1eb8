import { createHash } from 'node:crypto';
import { idempotencyKeyReused } from '../errors.js';

/** What a caller may send: 1 to 255 visible ASCII characters. */
export const CALLER_KEY = /^[!-~]{1,255}$/;

/** Keys that nature gives. A caller's key has its operation in front and can never meet one of these. */
export const keys = {
  grant: (callerKey: string): string => `grant:${callerKey}`,
  bulkGrant: (callerKey: string): string => `bulk:${callerKey}`,
  signup: (): string => 'signup',
  monthly: (period: string): string => `monthly:${period}`,
  expire: (lotId: string): string => `expire:${lotId}`,
  revoke: (lotId: string): string => `revoke:${lotId}`,
  debit: (audioId: string, attempt: number): string => `audio:${audioId}:${String(attempt)}`,
  refund: (debitSeq: number): string => `refund:${String(debitSeq)}`,
  refundClosing: (debitSeq: number, lotId: string): string =>
    `refund:${String(debitSeq)}:closing:${lotId}`,
  refundGrace: (debitSeq: number, lotId: string): string =>
    `refund:${String(debitSeq)}:grace:${lotId}`,
} as const;

/** SHA-256 of what was asked for, to tell a repetition from another request under the same key. */
export function hashRequest(parts: readonly (string | number | null)[]): Uint8Array {
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}

/** @throws IDEMPOTENCY_KEY_REUSED when the key was first used for something else */
export function assertSameRequest(first: Uint8Array | null, now: Uint8Array): void {
  if (first === null || Buffer.compare(first, now) !== 0) throw idempotencyKeyReused();
}
