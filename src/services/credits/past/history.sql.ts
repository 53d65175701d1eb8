import { Prisma } from '../../../infra/db.js';
import type { CreditSource } from '../../../domain/ledger/lots.js';
import type { PointsReader } from '../../ledger/allowances.js';
import { COUNTED_MAX } from '../../counting.sql.js';
import { TRANSACTION_COLUMNS, type TransactionView } from '../credits.sql.js';
import { halvesOf, IS_LATE } from './recorded.sql.js';
import {
  both,
  withThese,
  inOrder,
  rowConditions,
  windowConditions,
  isOfSource,
  sourceConditions,
  boundConditions,
  type WantedHistory,
} from './history-conditions.sql.js';

/** A user's transactions, newest first. */
export const readHistory = (
  points: PointsReader,
  wanted: WantedHistory,
): Promise<TransactionView[]> =>
  points.read<TransactionView>([wanted.userId], historyQuery(wanted));

/**
 * The number of a user's transactions, at most one more than COUNTED_MAX when there is a filter. All are counted in the
 * account's row.
 */
export async function readHistoryCount(
  points: PointsReader,
  { userId, selection }: Omit<WantedHistory, 'window'>,
): Promise<number> {
  const window = { limit: COUNTED_MAX, backward: false, after: null, before: null };
  const isWhole = Object.values(selection).every((part) => part === null);
  const [row] = await points.read<{ count: number }>(
    [userId],
    isWhole
      ? Prisma.sql`SELECT last_seq AS count FROM credit_accounts WHERE user_id = ${userId}::uuid`
      : Prisma.sql`SELECT count(*)::int AS count FROM (${historyQuery({ userId, window, selection })}) h`,
  );
  return row?.count ?? 0;
}

/**
 * Each part of the filter bounds the rows that are read, because it may select a few transactions from a very long
 * history:
 *
 * - Types: a page of each, from their index.
 * - A narration: all its transactions, which are few.
 * - A period: only the numbers between its ends, which a binary search finds. A transaction takes effect when it is
 *   recorded, except for an expiry, which may be booked later. So expiries that were booked after the end are searched
 *   separately: those within an hour of the end, and the late ones, which have an index of their own.
 * - Sources: first, a few times as many transactions as the page has are checked in their order, because a common
 *   source fills the page there. Then the transactions of each lot of these sources are read.
 *
 * No locks. Indexes: credit_transactions_pkey, credit_transactions_by_type, credit_transactions_of_audio,
 * credit_transactions_late, credit_lots_by_source, credit_allocations_user_id_lot_id_seq_idx, credit_allocations_pkey.
 */
export function historyQuery(wanted: WantedHistory): Prisma.Sql {
  const { window, selection } = wanted;
  const page = Prisma.sql`${inOrder(window)} LIMIT ${window.limit + 1}`;
  const { found, ctes } = selection.audioId === null ? partsOf(wanted, page) : ofAudio(wanted);
  return Prisma.sql`${withThese(ctes)}
    SELECT ${TRANSACTION_COLUMNS} FROM (${found}) t ${page}`;
}

/** A query of whole rows, and the common table expressions that it needs. */
interface Parts {
  readonly found: Prisma.Sql;
  readonly ctes: readonly Prisma.Sql[];
}

function ofAudio(wanted: WantedHistory): Parts {
  const { userId, window, selection } = wanted;
  const conditions = [
    Prisma.sql`true`,
    ...windowConditions(window),
    ...rowConditions(selection),
    ...sourceConditions(wanted),
  ];
  const found = Prisma.sql`
    SELECT t.* FROM (
      SELECT * FROM credit_transactions t
      WHERE t.user_id = ${userId}::uuid AND t.audio_id = ${selection.audioId}::uuid OFFSET 0
    ) t WHERE ${both(conditions)}`;
  return { found, ctes: [] };
}

/** The transactions up to the end of the period, and the expiries that were booked later. */
function partsOf(wanted: WantedHistory, page: Prisma.Sql): Parts {
  const { selection } = wanted;
  const timely =
    selection.sources === null
      ? { found: ordered(wanted, page), ctes: [] }
      : ofSources(wanted, selection.sources, page);
  const { to, types } = selection;
  const isLapseWanted = types === null || types.includes('EXPIRY');
  const late = to !== null && isLapseWanted ? bookedLater(wanted, page) : [];
  const found = Prisma.join(
    [timely.found, ...late].map((part) => Prisma.sql`(${part})`),
    ' UNION ALL ',
  );
  return { found, ctes: [...boundsOf(wanted), ...timely.ctes] };
}

/**
 * The numbers of the last transactions that were recorded before the period, before its end, and up to an hour after
 * that.
 */
function boundsOf({ userId, selection: { from, to } }: WantedHistory): Prisma.Sql[] {
  const before = (instant: Date): Prisma.Sql =>
    Prisma.sql`${instant}::timestamptz - interval '1 millisecond'`;
  const instants = [
    ...(from === null ? [] : [before(from)]),
    ...(to === null ? [] : [before(to), Prisma.sql`${before(to)} + interval '01:00:00'`]),
  ];
  if (instants.length === 0) return [];
  const rows = instants.map((instant) => Prisma.sql`SELECT ${instant} AS at`);
  const lastBy = (instant: Prisma.Sql): Prisma.Sql =>
    Prisma.sql`(SELECT max(low) FROM halves WHERE low = high AND at = ${instant})`;
  const [low, high, hour] = [
    from === null ? Prisma.sql`0` : lastBy(before(from)),
    ...(to === null
      ? [Prisma.sql`0`, Prisma.sql`0`]
      : [lastBy(before(to)), lastBy(Prisma.sql`${before(to)} + interval '01:00:00'`)]),
  ];
  return [
    halvesOf(userId, Prisma.join(rows, ' UNION ALL ')),
    Prisma.sql`bounds AS MATERIALIZED (SELECT ${low} AS low, ${high} AS high, ${hour} AS hour_later)`,
  ];
}

/** The first transactions in their order, of any source. `page` has the order and the limit. */
function ordered({ userId, window, selection }: WantedHistory, page: Prisma.Sql): Prisma.Sql {
  const { types } = selection;
  const conditions = both([
    Prisma.sql`t.user_id = ${userId}::uuid`,
    ...windowConditions(window),
    ...boundConditions(selection),
    ...rowConditions({ ...selection, types: null }),
  ]);
  if (types === null)
    return Prisma.sql`SELECT t.* FROM credit_transactions t WHERE ${conditions} ${page}`;
  return Prisma.sql`
    SELECT t.* FROM unnest(${[...new Set(types)]}::credit_transaction_type[]) AS w(type)
    CROSS JOIN LATERAL (
      SELECT t.* FROM credit_transactions t WHERE t.type = w.type AND ${conditions} ${page}
    ) t ${page}`;
}

/** How many transactions are checked in their order for each one of a page, before the lots are searched. */
const WALKED_FOR_ONE = 5;

function ofSources(
  wanted: WantedHistory,
  sources: readonly CreditSource[],
  page: Prisma.Sql,
): Parts {
  const { userId, window } = wanted;
  const walked = WALKED_FOR_ONE * (window.limit + 1);
  const last = window.backward ? Prisma.sql`max(seq)` : Prisma.sql`min(seq)`;
  const ctes = [
    Prisma.sql`walked AS MATERIALIZED (
      ${ordered(wanted, Prisma.sql`${inOrder(window)} LIMIT ${walked}`)})`,
    Prisma.sql`near AS MATERIALIZED (
      SELECT t.* FROM walked t WHERE ${isOfSource(userId, sources)} ${page})`,
    // The number at which the walk ended without a full page.
    Prisma.sql`rest AS MATERIALIZED (
      SELECT ${last} AS seq FROM walked
      HAVING count(*) = ${walked} AND (SELECT count(*) FROM near) <= ${window.limit})`,
    Prisma.sql`far AS MATERIALIZED (
      SELECT DISTINCT t.seq
      FROM rest CROSS JOIN LATERAL (
        SELECT l.id FROM credit_lots l
        WHERE l.user_id = ${userId}::uuid AND l.source = ANY(${sources}::credit_source[]) AND rest.seq IS NOT NULL OFFSET 0
      ) l CROSS JOIN LATERAL (${ofLot(wanted, page)}) t ${page})`,
  ];
  const found = Prisma.sql`
    SELECT * FROM near UNION ALL
    SELECT t.* FROM far CROSS JOIN LATERAL (
      SELECT * FROM credit_transactions t WHERE t.user_id = ${userId}::uuid AND t.seq = far.seq OFFSET 0
    ) t`;
  return { found, ctes };
}

/**
 * The numbers of a lot's transactions beyond the walk. The transactions themselves are read only if the filter needs
 * them.
 */
function ofLot({ userId, window, selection }: WantedHistory, page: Prisma.Sql): Prisma.Sql {
  const conditions = both([
    Prisma.sql`t.user_id = ${userId}::uuid AND t.lot_id = l.id`,
    window.backward ? Prisma.sql`t.seq > rest.seq` : Prisma.sql`t.seq < rest.seq`,
    ...windowConditions(window),
    ...boundConditions(selection),
  ]);
  const rows = rowConditions(selection, Prisma.sql`m`);
  const movement = Prisma.sql`CROSS JOIN LATERAL (
    SELECT FROM credit_transactions m
    WHERE m.user_id = ${userId}::uuid AND m.seq = t.seq AND ${both([Prisma.sql`true`, ...rows])} OFFSET 0) m`;
  return Prisma.sql`
    SELECT t.seq FROM credit_allocations t ${rows.length === 0 ? Prisma.empty : movement} WHERE ${conditions} ${page}`;
}

/** Expiries that took effect before the end of the period and were booked after it. */
function bookedLater(wanted: WantedHistory, page: Prisma.Sql): Prisma.Sql[] {
  const { userId, window, selection } = wanted;
  const conditions = both([
    Prisma.sql`t.user_id = ${userId}::uuid AND t.type = 'EXPIRY'`,
    ...windowConditions(window),
    ...rowConditions({ ...selection, types: null }),
    ...sourceConditions(wanted),
  ]);
  return [
    Prisma.sql`SELECT t.* FROM credit_transactions t WHERE ${conditions}
      AND t.seq > (SELECT high FROM bounds) AND t.seq <= (SELECT hour_later FROM bounds) ${page}`,
    Prisma.sql`SELECT t.* FROM credit_transactions t WHERE ${conditions}
      AND ${IS_LATE} AND t.seq > (SELECT hour_later FROM bounds) ${page}`,
  ];
}
