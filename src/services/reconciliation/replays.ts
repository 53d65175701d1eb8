import { asLotId } from '../../domain/ids.js';
import type { Lot } from '../../domain/ledger/lots.js';
import {
  continueReplay,
  isComplete,
  replayEntry,
  type Opening,
  type Replay,
  type ReplayedEntry,
} from '../../domain/ledger/replay.js';
import { readAtLarge } from '../../infra/db.js';
import {
  historiesOf,
  readReplays,
  REPLAY_INVARIANT,
  type EntryTuple,
  type LotTuple,
  type PartTuple,
  type ReplayRow,
} from './chain.sql.js';
import { windowsOf, type Facts, type Part, type Report, type Violation } from './parts.js';

/** Replays every transaction of a part. The state at the end of one window is carried into the next. */
export async function checkReplays(app: Facts, part: Part, report: Report): Promise<void> {
  let carried = new Map<string, Replay>();
  for (const range of windowsOf(part)) {
    const rows = await readAtLarge(app.db, (tx) => readReplays(tx, historiesOf(range)));
    const { replays, wrong } = replayRows(rows, (userId) => carried.get(userId));
    carried = replays;
    await report(wrong);
  }
  await report(unfinished(carried));
}

/**
 * Replays transactions, each history from its state before them.
 * @param openingOf undefined for a history that is read from its beginning
 */
export function replayRows(
  rows: readonly ReplayRow[],
  openingOf: (userId: string) => Replay | Opening | undefined,
): { replays: Map<string, Replay>; wrong: Violation[] } {
  const wrong: Violation[] = [];
  const replays = new Map<string, Replay>();
  for (const { userId, lots, entries } of rows) {
    const replay = continueReplay(openingOf(userId), lots.map(lotOf));
    replays.set(userId, replay);
    for (const entry of entries.map(entryOf)) {
      if (replayEntry(replay, entry)) continue;
      const lotId = entry.allocations[0]?.lotId ?? null;
      const { number: invariant } = REPLAY_INVARIANT;
      wrong.push({ invariant, userId, lotId, seq: entry.seq, audioId: null });
    }
  }
  return { replays, wrong };
}

/** Violations for histories that end in the middle of a refund, before all the transactions that must follow it. */
export const unfinished = (replays: ReadonlyMap<string, Replay>): Violation[] =>
  [...replays]
    .filter(([, replay]) => !isComplete(replay))
    .map(([userId]) => ({
      invariant: REPLAY_INVARIANT.number,
      userId,
      lotId: null,
      seq: null,
      audioId: null,
    }));

const dateOrNull = (at: number | null): Date | null => (at === null ? null : new Date(at));

const lotOf = ([
  id,
  source,
  priority,
  granted,
  grantedAt,
  expires,
  revoked,
  parent,
]: LotTuple): Lot => ({
  id: asLotId(id),
  source,
  priority,
  granted,
  remaining: 0,
  grantedAt: new Date(grantedAt),
  expiresAt: dateOrNull(expires),
  revokedAt: dateOrNull(revoked),
  parentLotId: parent === null ? null : asLotId(parent),
  period: null,
  priceMinor: null,
  currency: null,
});

const partOf = ([lotId, amount]: PartTuple): ReplayedEntry['allocations'][number] => ({
  lotId: asLotId(lotId),
  amount,
});

const entryOf = ([
  seq,
  type,
  effectiveAt,
  recordedAt,
  parts,
  isPart,
  debit,
]: EntryTuple): ReplayedEntry => ({
  seq,
  type,
  effectiveAt: new Date(effectiveAt),
  recordedAt: new Date(recordedAt),
  allocations: parts.map(partOf),
  isPart,
  debit:
    debit === null
      ? null
      : {
          effectiveAt: new Date(debit[0]),
          allocations: (debit[1] ?? []).map(partOf),
          returnedBefore: (debit[2] ?? []).map(partOf),
        },
});
