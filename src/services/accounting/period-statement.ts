import type { App } from '../app.js';
import { badUserInput } from '../../domain/errors.js';
import { readSnapshot } from '../../infra/db.js';
import { countRows } from '../counting.sql.js';
import { readBalanceAt } from '../credits/past/balance-at.sql.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { expiryOf, signed } from '../narrations/addresses.js';
import { readStatement, type CreditStatement } from './statement.js';
import { statementKey, STATEMENTS_PATH } from './statement-csv.js';
import { movementsQuery } from './statement.sql.js';

/** A file of a user's statement, at a signed address. */
export interface StatementFile {
  readonly url: string;
  readonly expiresAt: Date;
  /** The number of movements in it. */
  readonly rows: number;
}

/** The name of a period in addresses: its ends in milliseconds since 1970. */
const nameOf = ({ from, to }: { from: Date; to: Date }): string =>
  `${String(from.getTime())}-${String(to.getTime())}`;

/**
 * The statement of a period as a file: after `from` and up to `to`, or up to now if `to` is in the future.
 * @throws BAD_USER_INPUT unless `from` is before `to` and in the past
 */
export async function statementFile(
  app: App,
  userId: string,
  wanted: { from: Date; to: Date },
): Promise<StatementFile> {
  const statement = await periodStatement(app, userId, wanted);
  const period = nameOf(statement);
  const path = `${STATEMENTS_PATH}/${userId}/${period}.csv`;
  const days = [statement.from, statement.to].map((at) => at.toISOString().slice(0, 10));
  const title = `points ${days.join(' to ')}`;
  return {
    url: await signed(app, path, statementKey(userId, period), { title }),
    expiresAt: new Date(expiryOf(app) * 1000),
    rows: await countRows(app.db, movementsQuery(statement)),
  };
}

/** @throws BAD_USER_INPUT */
export async function periodStatement(
  app: Pick<App, 'db' | 'points'>,
  userId: string,
  { from, to }: { from: Date; to: Date },
): Promise<CreditStatement> {
  if (from >= to) throw badUserInput('from', 'must be before to');
  // An allowance that is due is granted first.
  if ((await readBalanceAt(app.points, userId, from)) === null)
    throw badUserInput('from', 'must not be in the future');
  return readSnapshot(app.db, async (tx) => {
    const now = await readLedgerClock(tx);
    return readStatement(tx, { userId, from, to: to < now ? to : now, month: '' });
  });
}
