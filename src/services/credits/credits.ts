import { z } from 'zod';
import type { App } from '../app.js';
import { badUserInput, notFound } from '../../domain/errors.js';
import { columnsOf, isId, rowKey, type RowKey } from '../../domain/ids.js';
import type { CreditLotStatus, CreditSource } from '../../domain/ledger/lots.js';
import { cursorsOf, pageOf, windowOf, type Page, type PageArguments } from '../../domain/paging.js';
import { countRows } from '../counting.sql.js';
import { seesEverybody, type Viewer } from '../sessions/viewer.js';
import { parseRequest, requirePeriod } from '../validation.js';
import { readBalanceAt } from './past/balance-at.sql.js';
import { readHistory, readHistoryCount } from './past/history.sql.js';
import {
  readAllocations,
  readAudioTransactions,
  readBalancesBySource,
  readExpiring,
  readLots,
  readLotsById,
  readTransactionById,
  readTransactions,
  type AllocationView,
  type LotView,
  type SourceBalanceRow,
  type TransactionView,
} from './credits.sql.js';
import { lotHistoryQuery, readLotHistory } from './past/lot-history.sql.js';

export type { AllocationView, LotView, TransactionView };

/** The key of the loaders: the user whose ledger it is, and the row in it. */
export const ledgerKey = (userId: string, part: string | number): RowKey => rowKey(userId, part);

/** The key of a row that may be missing: null for null. */
export const ledgerKeyOrNull = (userId: string, part: string | null): RowKey | null =>
  part === null ? null : ledgerKey(userId, part);

/** The parts of a `ledgerKey`. */
export const splitLedgerKey = (key: RowKey): { userId: string; id: string } => {
  const [userId = '', id = ''] = columnsOf(key);
  return { userId, id };
};

const numbered = (key: RowKey): { userId: string; seq: number } => {
  const { userId, id } = splitLedgerKey(key);
  return { userId, seq: Number(id) };
};

/** Spendable points by user and source. Sources without points are left out. */
export async function balancesBySource(
  app: App,
  userIds: readonly string[],
): Promise<Map<string, SourceBalanceRow[]>> {
  const rows = await readBalancesBySource(app.points, userIds);
  for (const row of rows) if (row.isMismatch) app.mender.note(row.userId);
  return grouped(
    rows.filter((row) => !row.isMismatch),
    (row) => row.userId,
  );
}

const DAYS_MAX = 3_660;

/** The points that lapse in the next `asked` days (default 30), soonest first. @throws BAD_USER_INPUT */
export async function expiringCredits(
  app: App,
  userId: string,
  asked: number | null,
): Promise<{ at: Date; points: number }[]> {
  const days = asked ?? 30;
  if (days < 1 || days > DAYS_MAX) throw badUserInput('days', `must be 1 to ${String(DAYS_MAX)}`);
  return readExpiring(app.points, userId, days);
}

/** The balance that could be spent at a past instant. @throws BAD_USER_INPUT for an instant in the future */
export async function balanceAt(app: App, userId: string, at: Date): Promise<number> {
  const balance = await readBalanceAt(app.points, userId, at);
  if (balance === null) throw badUserInput('at', 'must not be in the future');
  return balance;
}

/** The `grantedAt` of a lot: UTC with milliseconds, but not the year 0, which Postgres does not have. */
const grantedAt = z.iso.datetime({ precision: 3 }).refine((instant) => !instant.startsWith('0000'));
const lotCursors = cursorsOf('creditLots', z.tuple([grantedAt, z.uuid()]));
const historyCursors = cursorsOf('creditHistory', z.int32().positive());
const lotHistoryCursors = cursorsOf('lotTransactions', z.int32().positive());

export interface LotFilter extends PageArguments {
  readonly status?: readonly CreditLotStatus[] | null | undefined;
  readonly source?: readonly CreditSource[] | null | undefined;
}

/** All lots that the user has ever had, newest first. */
export async function listLots(
  app: Pick<App, 'points'>,
  userId: string,
  args: LotFilter,
): Promise<Page<LotView>> {
  const window = windowOf<readonly [string, string]>(args, lotCursors);
  const rows = await readLots(app.points, {
    userId,
    window,
    status: args.status ?? null,
    source: args.source ?? null,
  });
  return pageOf<LotView, readonly [string, string]>(rows, window, lotCursors, (lot) => [
    lot.grantedAt.toISOString(),
    lot.id,
  ]);
}

export interface HistoryFilter extends PageArguments {
  readonly type?: readonly TransactionView['type'][] | null | undefined;
  readonly source?: readonly CreditSource[] | null | undefined;
  readonly audioId?: string | null;
  readonly from?: Date | null;
  readonly to?: Date | null;
}

const selecting = z.object({ audioId: z.uuid('must be the id of a narration').nullish() });

/** The user's transactions that match the filter, newest first. @throws BAD_USER_INPUT */
export async function listHistory(
  app: Pick<App, 'points'>,
  userId: string,
  args: HistoryFilter,
): Promise<Page<TransactionView>> {
  const window = windowOf(args, historyCursors);
  const { type: types = null, source: sources = null, from = null, to = null } = args;
  const { audioId = null } = parseRequest(selecting, args);
  requirePeriod({ from, to });
  const selection = { types, sources, audioId, from, to };
  const rows = await readHistory(app.points, { userId, window, selection });
  const page = pageOf(rows, window, historyCursors, (entry) => entry.seq);
  return { ...page, count: () => readHistoryCount(app.points, { userId, selection }) };
}

/** All transactions of one lot, newest first. */
export async function listLotHistory(
  app: App,
  lot: { userId: string; id: string },
  args: PageArguments,
): Promise<Page<TransactionView>> {
  const window = windowOf(args, lotHistoryCursors);
  const rows = await readLotHistory(app.db, { userId: lot.userId, lotId: lot.id, window });
  const page = pageOf(rows, window, lotHistoryCursors, (entry) => entry.seq);
  return { ...page, count: () => countRows(app.db, lotHistoryQuery(lot)) };
}

/** @param keys `ledgerKey(userId, lotId)` */
export async function lotsByKey(app: App, keys: readonly RowKey[]): Promise<Map<RowKey, LotView>> {
  const rows = await readLotsById(app.db, keys.map(splitLedgerKey));
  return new Map(rows.map((row) => [ledgerKey(row.userId, row.id), row]));
}

/** @param keys `ledgerKey(userId, seq)` */
export async function transactionsByKey(
  app: App,
  keys: readonly RowKey[],
): Promise<Map<RowKey, TransactionView>> {
  const rows = await readTransactions(app.db, keys.map(numbered));
  return new Map(rows.map((row) => [ledgerKey(row.userId, row.seq), row]));
}

/** A transaction of the viewer, or of any user for administrators and auditors. */
export const findTransactionById = (
  app: Pick<App, 'db'>,
  viewer: Viewer,
  id: string,
): Promise<TransactionView | null> =>
  readTransactionById(app.db, seesEverybody(viewer) ? null : viewer.userId, id);

/** Like `findTransactionById`. @throws NOT_FOUND, also for another user's transaction */
export async function findTransaction(
  app: Pick<App, 'db'>,
  viewer: Viewer,
  id: string,
): Promise<TransactionView> {
  const found = isId(id) ? await findTransactionById(app, viewer, id) : null;
  if (found === null) throw notFound('transaction');
  return found;
}

/** @param keys `ledgerKey(userId, seq)` */
export async function allocationsByKey(
  app: App,
  keys: readonly RowKey[],
): Promise<Map<RowKey, AllocationView[]>> {
  return grouped(await readAllocations(app.db, keys.map(numbered)), (row) =>
    ledgerKey(row.userId, row.seq),
  );
}

/** @param keys `ledgerKey(userId, audioId)` */
export async function audioTransactionsByKey(
  app: App,
  keys: readonly RowKey[],
): Promise<Map<RowKey, TransactionView[]>> {
  const rows = await readAudioTransactions(app.db, keys.map(splitLedgerKey));
  return grouped(rows, (row) => ledgerKey(row.userId, row.audioId));
}

function grouped<Row, Key extends string>(
  rows: readonly Row[],
  keyOf: (row: Row) => Key,
): Map<Key, Row[]> {
  const groups = new Map<Key, Row[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}

/** The points that a narration's debits took, minus those that its refunds gave back. */
export const chargedPoints = (transactions: readonly TransactionView[]): number =>
  -transactions.reduce((sum, { amount }) => sum + amount, 0);

/** The sum of the balances of all sources, in points. */
export const spendablePoints = (bySource: readonly { balance: number }[]): number =>
  bySource.reduce((sum, { balance }) => sum + balance, 0);
