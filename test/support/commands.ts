import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenApp } from '../../src/open-app.js';
import type { DomainError } from '../../src/domain/errors.js';
import type { LotId, UserId } from '../../src/domain/ids.js';
import { CREDIT_SOURCES, prioritiesIn, type CreditSource } from '../../src/domain/ledger/lots.js';

type App = Pick<OpenApp, 'ledger' | 'config'>;

export const PRIORITY_OF = prioritiesIn(CREDIT_SOURCES);

let keys = 0;

/** A grant as an administrator's mutation would ask for it. */
export function grant(
  app: App,
  userId: UserId,
  terms: {
    amount: number;
    source?: CreditSource;
    expiresAt?: Date | null;
    key?: string;
    hash?: number;
    priceMinor?: number;
    currency?: string;
  },
): Promise<{ seq: number; lotId: string; replayed: boolean }> {
  const { amount, source = 'FREE', expiresAt = null, hash = 0 } = terms;
  const { priceMinor = null, currency = null } = terms;
  keys += 1;
  return app.ledger.grant({
    userId,
    terms: { source, priority: PRIORITY_OF[source], amount, expiresAt, priceMinor, currency },
    reason: 'A test',
    idempotencyKey: `grant:${terms.key ?? String(keys)}`,
    requestHash: new Uint8Array(32).fill(hash),
    actorId: null,
    action: null,
  });
}

/** A narration of a new story; its debit falls on the account. */
export function debit(
  app: App,
  userId: UserId,
  price: number,
): Promise<{ debitSeq: number | null; audioId: string; balance: number }> {
  return app.ledger.narrate({
    userId,
    storyId: randomUUID(),
    textHash: 'text',
    voiceId: 'voice',
    price,
    maxCredits: null,
    reason: 'A test',
    idempotencyKey: null,
    requestHash: new Uint8Array(32),
  });
}

export const refund = (
  app: App,
  userId: UserId,
  debitSeq: number,
): Promise<{ seq: number | null }> =>
  app.ledger.refund({ userId, debitSeq, reason: 'A test', actorId: null });

export const revoke = (
  app: App,
  userId: UserId,
  lotId: string,
  actorId: UserId,
  expectedRemaining: number | null = null,
): Promise<{ seq: number | null; replayed: boolean }> =>
  app.ledger.revoke({
    userId,
    lotId: lotId as LotId,
    expectedRemaining,
    reason: 'A test',
    actorId,
  });

/** A part of a lot. */
export function revokePart(
  app: App,
  lot: { readonly userId: UserId; readonly lotId: string },
  actorId: UserId,
  part: { amount: number; key?: string; hash?: number; expectedRemaining?: number | null },
): Promise<{ seq: number | null; replayed: boolean }> {
  const { amount, hash = 0, expectedRemaining = null } = part;
  keys += 1;
  return app.ledger.revoke({
    userId: lot.userId,
    lotId: lot.lotId as LotId,
    part: {
      amount,
      idempotencyKey: `revoke-part:${part.key ?? String(keys)}`,
      requestHash: new Uint8Array(32).fill(hash),
    },
    expectedRemaining,
    reason: 'A test',
    actorId,
  });
}

/**
 * Repeats a command for as long as it is BUSY, as clients do: an account that others hold is waited for only some
 * seconds, and a slow machine may hold it for longer.
 */
export async function patiently<Result>(command: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await command();
    } catch (error) {
      if ((error as Partial<DomainError>).code !== 'BUSY') throw error;
    }
    await sleep(100);
  }
}

/** What a command came to: its result, or the code of its refusal. */
export async function outcome<Result>(work: Promise<Result>): Promise<Result | string> {
  try {
    return await work;
  } catch (error) {
    const { code } = error as Partial<DomainError>;
    if (code === undefined || code === 'INTERNAL') throw error;
    return code;
  }
}
