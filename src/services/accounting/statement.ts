import { z } from 'zod';
import type { App } from '../app.js';
import { endSoFar, parseMonth } from '../../domain/ledger/month.js';
import { cursorsOf, pageOf, windowOf, type Page, type PageArguments } from '../../domain/paging.js';
import { readSnapshot, type Reader, type Tx } from '../../infra/db.js';
import { readBalanceAt } from '../credits/past/balance-at.sql.js';
import type { TransactionView } from '../credits/credits.sql.js';
import { countRows } from '../counting.sql.js';
import { plainReader } from '../ledger/allowances.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import {
  movementsQuery,
  readHistoryEnd,
  readStatementMovements,
  readUnbookedLapses,
  type StatementRange,
} from './statement.sql.js';

/** opening + movements − lapsedUnbooked = closing, in spendable points. */
export interface CreditStatement extends StatementRange {
  /** yyyy-mm. */
  readonly month: string;
  readonly opening: number;
  /** Points that lapsed in the month and whose expiry is not booked yet. */
  readonly lapsedUnbooked: number;
  readonly closing: number;
  /** The hash of the newest transaction that counts by the end of the statement. Null when there is none. */
  readonly headHash: Uint8Array | null;
}

/**
 * A user's statement of a month: after its first instant and up to that of the next month, or up to now for the running
 * month. Everything comes from one snapshot. An allowance that is due is granted first.
 * @throws BAD_USER_INPUT for text that is no month, and for a month that has not begun
 */
export async function creditStatement(
  app: Pick<App, 'db' | 'points'>,
  userId: string,
  period: string,
): Promise<CreditStatement> {
  const wanted = parseMonth(period);
  const { startsAt } = wanted;
  await readBalanceAt(app.points, userId, startsAt);
  return readSnapshot(app.db, async (tx) => {
    const to = endSoFar(wanted, await readLedgerClock(tx));
    return readStatement(tx, { userId, from: startsAt, to, month: period });
  });
}

/** The statement of a period whose end is not in the future. */
export async function readStatement(
  tx: Tx,
  { userId, from, to, month }: Pick<CreditStatement, 'userId' | 'from' | 'to' | 'month'>,
): Promise<CreditStatement> {
  const before = await readHistoryEnd(tx, userId, from);
  const end = await readHistoryEnd(tx, userId, to);
  const range = { userId, from, to };
  return {
    ...range,
    month,
    opening: await spendableAt(tx, userId, from),
    lapsedUnbooked: await readUnbookedLapses(tx, range),
    closing: await spendableAt(tx, userId, to),
    headHash: end.headHash,
    // No transaction takes effect after it is recorded.
    afterSeq: before.recordedSeq,
    untilSeq: end.countedSeq,
  };
}

/** @param at not in the future */
const spendableAt = async (tx: Reader, userId: string, at: Date): Promise<number> =>
  (await readBalanceAt(plainReader(tx), userId, at)) ?? 0;

const cursors = cursorsOf('creditStatement', z.int32().positive());

/** The transactions of a statement, newest first. @throws BAD_USER_INPUT */
export async function listStatementMovements(
  { db }: Pick<App, 'db'>,
  range: StatementRange,
  args: PageArguments,
): Promise<Page<TransactionView>> {
  const window = windowOf(args, cursors);
  const rows = await readStatementMovements(db, range, window);
  const page = pageOf(rows, window, cursors, ({ seq }) => seq);
  return { ...page, count: () => countRows(db, movementsQuery(range)) };
}
