import { readAtLarge } from '../../infra/db.js';
import { readStates, writeCheckpoints } from '../checkpoints/checkpoints.sql.js';
import { AUDIT_INVARIANT, checkAudit } from './audit.sql.js';
import {
  CHAIN_INVARIANT,
  historiesOf,
  readBrokenLinks,
  readWrongHeads,
  REPLAY_INVARIANT,
  VIOLATIONS_MAX,
} from './chain.sql.js';
import { INVARIANTS } from './invariants.sql.js';
import { readViolations, type Invariant } from './violations.sql.js';
import {
  EVERYBODY,
  partsOf,
  windowsOf,
  type Facts,
  type Part,
  type Range,
  type Report,
  type Verification,
  type Violation,
} from './parts.js';
import { checkReplays } from './replays.js';

/** All invariants, in the order of their numbers. */
export const LEDGER_INVARIANTS: readonly Pick<Invariant, 'number' | 'description'>[] = [
  ...INVARIANTS,
  CHAIN_INVARIANT,
  REPLAY_INVARIANT,
  AUDIT_INVARIANT,
].sort((a, b) => Number(a.number) - Number(b.number));

/** The options of a check. */
export interface Walk {
  readonly signal?: AbortSignal | undefined;
  /** The id of the check under which checkpoints of sound accounts are written. Undefined to write none. */
  readonly keep?: string | undefined;
  /** Skips the cheap invariants, because the caller checks them for all accounts. */
  readonly isPartial?: true;
}

/**
 * Checks every invariant for one user, or for all users and the audit log. It reads a bounded part at a time and takes
 * no locks, and transactions that are booked meanwhile do not disturb it. It uses no checkpoints.
 * @param report gets the violations as they are found
 */
export async function verifyLedger(
  app: Facts,
  report: Report,
  options: Walk & { userId?: string | undefined } = {},
): Promise<Verification> {
  const { userId } = options;
  const range = userId === undefined ? EVERYBODY : { from: userId, to: userId };
  const verified = await verifyRange(app, range, report, options);
  await checkInvariants(
    app,
    range,
    INVARIANTS.filter(({ atOnce }) => atOnce === true),
    report,
  );
  if (userId === undefined) await checkAudit(app, report);
  return verified;
}

/** Checks the invariants of a range of users, except those that run `atOnce`, and reads all their history. */
export async function verifyRange(
  app: Facts,
  range: Range,
  report: Report,
  { signal, keep, isPartial }: Walk,
): Promise<Verification> {
  const sum = { accounts: 0, transactions: 0, transactionsRead: 0 };
  const invariants = INVARIANTS.filter(
    ({ atOnce, cheap }) => atOnce !== true && !(isPartial === true && cheap === true),
  );
  for await (const part of partsOf(app, range)) {
    signal?.throwIfAborted();
    // The states are read before the checks, so that a checkpoint never covers more than was checked.
    const states = keep === undefined ? [] : await readStates(app.db, part);
    const wrong = new Set<string | null>();
    let mostAtOnce = 0;
    await verifyPart(app, part, invariants, (violations) => {
      for (const { userId } of violations) wrong.add(userId);
      mostAtOnce = Math.max(mostAtOnce, violations.length);
      return report(violations);
    });
    // If the list of violations is cut off, no account is known to be sound.
    const isCut = mostAtOnce >= VIOLATIONS_MAX;
    const sound = isCut ? [] : states.filter(({ userId }) => !wrong.has(userId));
    if (keep !== undefined && sound.length > 0) await writeCheckpoints(app.db, keep, sound);
    sum.accounts += part.accounts;
    sum.transactions += part.transactions;
    sum.transactionsRead += part.transactions;
  }
  return sum;
}

/** The three checks of a part are independent, so they run concurrently. */
async function verifyPart(
  app: Facts,
  part: Part,
  invariants: readonly Invariant[],
  report: Report,
): Promise<void> {
  await Promise.all([
    checkInvariants(app, part, invariants, report),
    checkChains(app, part, report),
    checkReplays(app, part, report),
  ]);
}

/** Checks invariants for a range of users, one statement after the other, and reports the violations of each. */
export async function checkInvariants(
  app: Facts,
  range: Range,
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
    const broken = await readAtLarge(app.db, (tx) => readBrokenLinks(tx, historiesOf(range)));
    await report(broken.map(({ userId, seq }) => found(userId, seq)));
  }
  const heads = await readWrongHeads(app.db, part);
  await report(heads.map(({ userId, seq }) => found(userId, seq)));
}
