import { asLotId } from '../../domain/ids.js';
import type { CreditTransactionType } from '../../domain/ledger/chain.js';
import type { CreditSource, Lot } from '../../domain/ledger/lots.js';
import {
  createReplay,
  isComplete,
  knowLots,
  replayEntry,
  type Replay,
  type ReplayedEntry,
} from '../../domain/ledger/replay.js';
import {
  readReplays,
  REPLAY_INVARIANT,
  type EntryTuple,
  type LotTuple,
  type PartTuple,
} from './chain.sql.js';
import { windowsOf, type Facts, type Part, type Report, type Violation } from './parts.js';

/** Decides every movement of a part again. What a window leaves open is carried into the next. */
export async function checkReplays(app: Facts, part: Part, report: Report): Promise<void> {
  let carried = new Map<string, Replay>();
  for (const range of windowsOf(part)) {
    const wrong: Violation[] = [];
    const replays = new Map<string, Replay>();
    for (const { userId, lots, entries } of await readReplays(app.db, range)) {
      const replay = carried.get(userId) ?? createReplay();
      replays.set(userId, replay);
      knowLots(replay, lots.map(lotOf));
      for (const entry of entries.map(entryOf)) {
        if (replayEntry(replay, entry)) continue;
        const lotId = entry.allocations[0]?.lotId ?? null;
        const { number: invariant } = REPLAY_INVARIANT;
        wrong.push({ invariant, userId, lotId, seq: entry.seq, audioId: null });
      }
    }
    carried = replays;
    await report(wrong);
  }
  const unfinished = [...carried].filter(([, replay]) => !isComplete(replay));
  await report(
    unfinished.map(([userId]) => ({
      invariant: REPLAY_INVARIANT.number,
      userId,
      lotId: null,
      seq: null,
      audioId: null,
    })),
  );
}

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
  source: source as CreditSource,
  priority,
  granted,
  remaining: 0,
  grantedAt: new Date(grantedAt),
  expiresAt: dateOrNull(expires),
  revokedAt: dateOrNull(revoked),
  parentLotId: parent === null ? null : asLotId(parent),
  period: null,
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
  debit,
]: EntryTuple): ReplayedEntry => ({
  seq,
  type: type as CreditTransactionType,
  effectiveAt: new Date(effectiveAt),
  recordedAt: new Date(recordedAt),
  allocations: parts.map(partOf),
  debit:
    debit === null
      ? null
      : {
          effectiveAt: new Date(debit[0]),
          allocations: (debit[1] ?? []).map(partOf),
          returnedBefore: (debit[2] ?? []).map(partOf),
        },
});
