import { FIRST_ID, LAST_ID } from '../../domain/ids.js';
import { CHAIN_INVARIANT, readBrokenLinks, readWrongHeads, REPLAY_INVARIANT } from './chain.sql.js';
import { INVARIANTS, readViolations, type Invariant } from './invariants.sql.js';
import {
  partsOf,
  windowsOf,
  type Facts,
  type Part,
  type Report,
  type Verification,
  type Violation,
} from './parts.js';
import { checkReplays } from './replays.js';

/** All twelve, in the order of their numbers. */
export const LEDGER_INVARIANTS: readonly Pick<Invariant, 'number' | 'description'>[] = [
  ...INVARIANTS,
  CHAIN_INVARIANT,
  REPLAY_INVARIANT,
].sort((a, b) => Number(a.number) - Number(b.number));

/**
 * Checks every invariant for one user, or for all, a bounded part at a time and without locks: movements
 * that are booked meanwhile do not disturb it.
 * @param report is told what is wrong, as it is found
 */
export async function verifyLedger(
  app: Facts,
  report: Report,
  options: { userId?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<Verification> {
  const { userId, signal } = options;
  let verified = { accounts: 0, transactions: 0 };
  for await (const part of partsOf(app, userId)) {
    signal?.throwIfAborted();
    await verifyPart(app, part, report);
    verified = {
      accounts: verified.accounts + part.accounts,
      transactions: verified.transactions + part.transactions,
    };
  }
  const whole = { from: userId ?? FIRST_ID, to: userId ?? LAST_ID };
  await checkInvariants(
    app,
    whole,
    INVARIANTS.filter(({ atOnce }) => atOnce === true),
    report,
  );
  return verified;
}

/** The three ways to look at a part share nothing, so they go side by side. */
async function verifyPart(app: Facts, part: Part, report: Report): Promise<void> {
  await Promise.all([
    checkInvariants(
      app,
      part,
      INVARIANTS.filter(({ atOnce }) => atOnce !== true),
      report,
    ),
    checkChains(app, part, report),
    checkReplays(app, part, report),
  ]);
}

async function checkInvariants(
  app: Facts,
  range: Pick<Part, 'from' | 'to'>,
  invariants: readonly Invariant[],
  report: Report,
): Promise<void> {
  for (const invariant of invariants) {
    const rows = await readViolations(app.db, invariant, range);
    await report(
      rows.map((row) => ({
        invariant: invariant.number,
        userId: row.user_id,
        lotId: row.lot_id ?? null,
        seq: row.seq ?? null,
        audioId: row.audio_id ?? null,
      })),
    );
  }
}

async function checkChains(app: Facts, part: Part, report: Report): Promise<void> {
  const found = (userId: string, seq: number | null): Violation => ({
    invariant: CHAIN_INVARIANT.number,
    userId,
    lotId: null,
    seq,
    audioId: null,
  });
  for (const range of windowsOf(part)) {
    const broken = await readBrokenLinks(app.db, range);
    await report(broken.map(({ userId, seq }) => found(userId, seq)));
  }
  const heads = await readWrongHeads(app.db, part);
  await report(heads.map(({ userId, seq }) => found(userId, seq)));
}
