import { asLotId, rowKey, type RowKey } from '../../domain/ids.js';
import type { Opening } from '../../domain/ledger/replay.js';
import type { Tx } from '../../infra/db.js';
import {
  historiesSince,
  readBrokenLinks,
  readReplays,
  VIOLATIONS_MAX,
  type HistoryStart,
} from '../reconciliation/chain.sql.js';
import { replayRows, unfinished } from '../reconciliation/replays.js';
import type { ChangedAccount, Checkpoint, Moved } from './checkpoints.sql.js';
import { readOpenings, readUnprovable, type OpeningRow } from './since.sql.js';

/** An account that has more transactions than its checkpoint, and may be checked from there. */
export interface GrownAccount extends ChangedAccount {
  readonly knownSeq: number;
}

/**
 * Checks the transactions of accounts since their checkpoints: that the checkpoint is still in the history, that the
 * lots hold what they held then plus what has moved since, that Postgres computes the same chain, and that a replay
 * gives the same transactions. This only proves accounts and names no fault. The whole history of an account that it
 * cannot prove must be read.
 * @param tx the snapshot in which the accounts were read
 * @returns the new checkpoints of the accounts that it proves
 */
export async function proveSince(
  tx: Tx,
  accounts: readonly GrownAccount[],
): Promise<readonly Checkpoint[]> {
  const starts = accounts.map(({ userId, knownSeq }) => ({ userId, afterSeq: knownSeq }));
  const openings = new Map<string, OpeningRow>();
  for (const row of await readOpenings(tx, starts)) if (row.isKept) openings.set(row.userId, row);
  const doubtful = await findDoubtful(
    tx,
    starts.filter(({ userId }) => openings.has(userId)),
    openings,
  );
  return accounts.flatMap(({ userId, lastSeq, headHash, stateHash }): Checkpoint[] => {
    const opening = openings.get(userId);
    if (opening === undefined || doubtful.has(userId)) return [];
    const moved = sumOf([...opening.moved, ...opening.movedSince]);
    return [{ userId, lastSeq, headHash, stateHash, moved }];
  });
}

async function findDoubtful(
  tx: Tx,
  starts: readonly HistoryStart[],
  openings: ReadonlyMap<string, OpeningRow>,
): Promise<ReadonlySet<string>> {
  if (starts.length === 0) return new Set();
  const histories = historiesSince(starts);
  const unprovable = await readUnprovable(tx, starts);
  const broken = await readBrokenLinks(tx, histories);
  // If the list of broken links is cut off, no account is proven.
  if (broken.length >= VIOLATIONS_MAX) return new Set(openings.keys());
  const rows = await readReplays(tx, histories);
  const { replays, wrong } = replayRows(rows, (userId) => openingOf(openings.get(userId)));
  const unread = starts.filter(({ userId }) => !replays.has(userId));
  return new Set(
    [...unprovable, ...broken, ...wrong, ...unfinished(replays), ...unread].flatMap(
      ({ userId }) => userId ?? [],
    ),
  );
}

const openingOf = (row: OpeningRow | undefined): Opening | undefined =>
  row && {
    holdings: row.holdings.map(([lotId, amount]) => ({ lotId: asLotId(lotId), amount })),
    lapsed: row.lapsed.map(asLotId),
  };

/** One sum for each source and type, in their order. */
function sumOf(moved: readonly Moved[]): Moved[] {
  const sums = new Map<RowKey, Moved>();
  for (const [source, type, points] of moved) {
    const key = rowKey(source, type);
    sums.set(key, [source, type, points + (sums.get(key)?.[2] ?? 0)]);
  }
  return [...sums].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, sum]) => sum);
}
