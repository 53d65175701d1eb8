import { isDistributed } from '../../infra/citus/placement.js';
import { withCopies } from '../../infra/citus/range-copies.js';
import type { Tx } from '../../infra/db.js';
import {
  CHAIN_INVARIANT,
  historiesSince,
  readBrokenLinks,
  readReplays,
  readWrongHeads,
  REPLAY_INVARIANT,
  VIOLATIONS_MAX,
} from '../reconciliation/chain.sql.js';
import { INVARIANTS } from '../reconciliation/invariants.sql.js';
import { readViolationsOf } from '../reconciliation/violations.sql.js';
import { replayRows, unfinished } from '../reconciliation/replays.js';
import { planForHistories, planForKeys } from './repairs.sql.js';

/**
 * The invariants of history. None of them reads `remaining`. While one of them is violated, the allocations of an account
 * cannot be trusted, so nothing is computed from them.
 */
export const HISTORY_INVARIANTS: ReadonlySet<string> = new Set([
  ...['3', '4', '6', '8', '15', '17'],
  CHAIN_INVARIANT.number,
  REPLAY_INVARIANT.number,
]);

/**
 * Reads the whole histories of accounts.
 * @param tx holds the locks of the accounts
 * @returns the number of a violated invariant of history for each account that has one
 */
export function findUnsound(
  tx: Tx,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (!isDistributed(tx)) return findUnsoundIn(tx, userIds);
  const ofUsers = { condition: '= ANY($1::uuid[])', values: [userIds] };
  return withCopies(tx, HISTORY_TABLES, ofUsers, () => findUnsoundIn(tx, userIds));
}

/** What the checks of histories read. */
const HISTORY_TABLES = [
  'credit_accounts',
  'credit_lots',
  'credit_transactions',
  'credit_allocations',
  'credit_checkpoints',
];

async function findUnsoundIn(
  tx: Tx,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const unsound = new Map<string, string>();
  const note = (number: string, rows: readonly { userId: string | null }[]): void => {
    // If the list of violations is cut off, no account is known to be sound.
    const found = rows.length >= VIOLATIONS_MAX ? userIds : rows.map(({ userId }) => userId);
    for (const userId of found) if (userId !== null) unsound.set(userId, number);
  };
  await planForHistories(tx);
  for (const invariant of INVARIANTS) {
    if (!HISTORY_INVARIANTS.has(invariant.number)) continue;
    const rows = await readViolationsOf(tx, invariant, userIds);
    note(
      invariant.number,
      rows.map(({ user_id: userId }) => ({ userId })),
    );
  }
  const histories = historiesSince(userIds.map((userId) => ({ userId, afterSeq: 0 })));
  note(CHAIN_INVARIANT.number, await readBrokenLinks(tx, histories));
  for (const userId of userIds)
    note(CHAIN_INVARIANT.number, await readWrongHeads(tx, { from: userId, to: userId }));
  const { replays, wrong } = replayRows(await readReplays(tx, histories), () => undefined);
  note(REPLAY_INVARIANT.number, [...wrong, ...unfinished(replays)]);
  await planForKeys(tx);
  return unsound;
}
