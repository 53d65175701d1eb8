import { z } from 'zod';
import type { App } from '../../app.js';
import { badUserInput } from '../../domain/errors.js';
import type { CreditLotStatus, CreditSource } from '../../domain/ledger/lots.js';
import { cursorsOf, pageOf, windowOf, type Page, type PageArguments } from '../../domain/paging.js';
import {
  readAllocations,
  readAudioTransactions,
  readBalanceAt,
  readBalancesBySource,
  readExpiring,
  readHistory,
  readLotHistory,
  readLots,
  readLotsById,
  readTransactionById,
  readTransactions,
  type AllocationView,
  type LotView,
  type SourceBalanceRow,
  type TransactionView,
} from './credits.sql.js';

export type { AllocationView, LotView, TransactionView };

/** Whose ledger a row belongs to, and which row: the key of the loaders. */
export const ledgerKey = (userId: string, part: string | number): string =>
  `${userId} ${String(part)}`;

export const ledgerKeyOrNull = (userId: string, part: string | null): string | null =>
  part === null ? null : ledgerKey(userId, part);

/** What `ledgerKey` has put together. */
export const splitLedgerKey = (key: string): { userId: string; id: string } => {
  const [userId = '', id = ''] = key.split(' ');
  return { userId, id };
};
const numbered = (key: string): { userId: string; seq: number } => {
  const { userId, id } = splitLedgerKey(key);
  return { userId, seq: Number(id) };
};

/** Spendable points by user and source; sources without any are left out. */
export async function balancesBySource(
  app: App,
  userIds: readonly string[],
): Promise<Map<string, SourceBalanceRow[]>> {
  return grouped(await readBalancesBySource(app.db, userIds), (row) => row.userId);
}

const MOST_DAYS = 3_660;

/** The next points to lapse, soonest first. @throws BAD_USER_INPUT */
export async function expiringCredits(
  app: App,
  userId: string,
  asked: number | null,
): Promise<{ at: Date; points: number }[]> {
  const days = asked ?? 30;
  if (days < 1 || days > MOST_DAYS) throw badUserInput('days', `must be 1 to ${String(MOST_DAYS)}`);
  return readExpiring(app.db, userId, days);
}

/** The spendable balance as it was. @throws BAD_USER_INPUT for an instant that has not come yet */
export async function balanceAt(app: App, userId: string, at: Date): Promise<number> {
  const balance = await readBalanceAt(app.db, userId, at);
  if (balance === null) throw badUserInput('at', 'must not be in the future');
  return balance;
}

/** As it was granted, in UTC with milliseconds; Postgres has no year 0. */
const grantedAt = z.iso.datetime({ precision: 3 }).refine((instant) => !instant.startsWith('0000'));
const lotCursors = cursorsOf('creditLots', z.tuple([grantedAt, z.uuid()]));
const historyCursors = cursorsOf('creditHistory', z.int32().positive());
const lotHistoryCursors = cursorsOf('lotTransactions', z.int32().positive());

export interface LotFilter extends PageArguments {
  readonly status?: readonly CreditLotStatus[] | null | undefined;
  readonly source?: readonly CreditSource[] | null | undefined;
}

/** Every lot the user ever had, newest first. */
export async function listLots(
  app: Pick<App, 'db'>,
  userId: string,
  args: LotFilter,
): Promise<Page<LotView>> {
  const window = windowOf<readonly [string, string]>(args, lotCursors);
  const rows = await readLots(app.db, {
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
  readonly from?: Date | null;
  readonly to?: Date | null;
}

/** Every movement of the user's points, newest first. @throws BAD_USER_INPUT */
export async function listHistory(
  app: Pick<App, 'db'>,
  userId: string,
  args: HistoryFilter,
): Promise<Page<TransactionView>> {
  const window = windowOf(args, historyCursors);
  const { type = null, from = null, to = null } = args;
  if (from !== null && to !== null && from > to) throw badUserInput('from', 'must not be after to');
  const rows = await readHistory(app.db, { userId, window, type, from, to });
  return pageOf(rows, window, historyCursors, (entry) => entry.seq);
}

/** Every movement of one lot, newest first. */
export async function listLotHistory(
  app: App,
  lot: { userId: string; id: string },
  args: PageArguments,
): Promise<Page<TransactionView>> {
  const window = windowOf(args, lotHistoryCursors);
  const rows = await readLotHistory(app.db, { userId: lot.userId, lotId: lot.id, window });
  return pageOf(rows, window, lotHistoryCursors, (entry) => entry.seq);
}

/** @param keys `ledgerKey(userId, lotId)` */
export async function lotsByKey(app: App, keys: readonly string[]): Promise<Map<string, LotView>> {
  const rows = await readLotsById(app.db, keys.map(splitLedgerKey));
  return new Map(rows.map((row) => [ledgerKey(row.userId, row.id), row]));
}

/** @param keys `ledgerKey(userId, seq)` */
export async function transactionsByKey(
  app: App,
  keys: readonly string[],
): Promise<Map<string, TransactionView>> {
  const rows = await readTransactions(app.db, keys.map(numbered));
  return new Map(rows.map((row) => [ledgerKey(row.userId, row.seq), row]));
}

/** One of the user's own movements. */
export const findTransactionById = (
  app: App,
  userId: string,
  id: string,
): Promise<TransactionView | null> => readTransactionById(app.db, userId, id);

/** @param keys `ledgerKey(userId, seq)` */
export async function allocationsByKey(
  app: App,
  keys: readonly string[],
): Promise<Map<string, AllocationView[]>> {
  return grouped(await readAllocations(app.db, keys.map(numbered)), (row) =>
    ledgerKey(row.userId, row.seq),
  );
}

/** @param keys `ledgerKey(userId, audioId)` */
export async function audioTransactionsByKey(
  app: App,
  keys: readonly string[],
): Promise<Map<string, TransactionView[]>> {
  const rows = await readAudioTransactions(app.db, keys.map(splitLedgerKey));
  return grouped(rows, (row) => ledgerKey(row.userId, row.audioId));
}

function grouped<Row>(rows: readonly Row[], keyOf: (row: Row) => string): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}

/** Points that a narration's debits took and its refunds have not given back. */
export const chargedPoints = (transactions: readonly TransactionView[]): number =>
  -transactions.reduce((sum, { amount }) => sum + amount, 0);

export const spendablePoints = (bySource: readonly { balance: number }[]): number =>
  bySource.reduce((sum, { balance }) => sum + balance, 0);
