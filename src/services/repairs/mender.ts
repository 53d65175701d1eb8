import type { UserId } from '../../domain/ids.js';
import type { Tx } from '../../infra/db.js';
import { loadOpenLots, type OpenBooks } from '../ledger/books.js';
import { readHeld } from './repairs.sql.js';

/**
 * Handles mismatches that a read or a command meets: the open lots of an account hold another sum than the balance
 * after its last transaction.
 */
export interface Mender {
  /**
   * Reports mismatches that a command has met, and repairs them in its transaction, under the locks that it holds.
   * @returns the accounts in which a lot was repaired
   */
  mend(tx: Tx, userIds: readonly UserId[]): Promise<ReadonlySet<UserId>>;
  /** Reports a mismatch that a read has met, and requests a job that repairs it. */
  note(userId: string): void;
}

/**
 * Compares the open lots, which were loaded, with the balances, before a debit decides. Without a mismatch it sends no
 * statement. A debit from a wrong sum would book allocations that the rules do not give, and history is never edited.
 */
export async function mendOpenLots(tx: Tx, open: OpenBooks, mender: Mender): Promise<void> {
  const wrong = [...open.books.values()].filter(({ lots, balance }) => {
    let held = 0;
    for (const lot of lots.values()) held += lot.remaining;
    return held !== balance;
  });
  if (wrong.length === 0) return;
  const mended = await mender.mend(
    tx,
    wrong.map(({ userId }) => userId),
  );
  if (mended.size === 0) return;
  for (const userId of mended) open.books.get(userId)?.lots.clear();
  await loadOpenLots(tx, open);
}

/**
 * Compares what the open lots hold with the balances, before an expiry, a refund or a revocation decides. One statement
 * for all accounts.
 * @returns the accounts that still differ. The sweep books nothing from their sums
 */
export async function mendBooks(
  tx: Tx,
  { books }: OpenBooks,
  mender: Mender,
): Promise<ReadonlySet<UserId>> {
  const wrong = await differing(tx, { books }, [...books.keys()]);
  if (wrong.length === 0) return new Set();
  const mended = await mender.mend(tx, wrong);
  return new Set(mended.size === 0 ? wrong : await differing(tx, { books }, wrong));
}

async function differing(
  tx: Tx,
  { books }: Pick<OpenBooks, 'books'>,
  userIds: readonly UserId[],
): Promise<UserId[]> {
  const rows = userIds.length === 0 ? [] : await readHeld(tx, userIds);
  const held = new Map(rows.map((row) => [row.userId, row.held]));
  return userIds.filter((userId) => (held.get(userId) ?? 0) !== books.get(userId)?.balance);
}
