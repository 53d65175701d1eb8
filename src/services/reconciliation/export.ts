import type { App } from '../app.js';
import { notFound } from '../../domain/errors.js';
import { readAccountSnapshot, readExportedTransactions } from './export.sql.js';

const TRANSACTIONS_AT_ONCE = 1_000;

/**
 * Exports a user's whole ledger as objects, one for each line: the account, its lots, and every transaction with all
 * fields that its hash covers, so that it can be verified elsewhere. Reads a bounded part at a time. Transactions that
 * are booked meanwhile are left out.
 * @throws NOT_FOUND when the user has no account
 */
export async function* exportAccount(
  { db }: Pick<App, 'db'>,
  userId: string,
): AsyncGenerator<object> {
  const snapshot = await readAccountSnapshot(db, userId);
  if (snapshot === undefined) throw notFound('account');
  const { lots, ...account } = snapshot;
  yield { kind: 'account', ...account };
  for (const lot of lots) yield { kind: 'lot', ...lot };
  for (let after = 0; after < account.last_seq; after += TRANSACTIONS_AT_ONCE) {
    const until = Math.min(account.last_seq, after + TRANSACTIONS_AT_ONCE);
    for (const { line } of await readExportedTransactions(db, { userId, after, until }))
      yield { kind: 'transaction', ...line };
  }
}
