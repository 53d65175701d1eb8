import { Prisma } from '../../../infra/db.js';
import type { CreditSource } from '../../../domain/ledger/lots.js';
import type { Window } from '../../../domain/paging.js';
import type { TransactionView } from '../credits.sql.js';

/** A filter of transactions. Each null member selects all. */
export interface HistorySelection {
  readonly types: readonly TransactionView['type'][] | null;
  /** At least one lot of the transaction must have one of these sources. */
  readonly sources: readonly CreditSource[] | null;
  readonly audioId: string | null;
  /** The period is half-open: `from` is included, `to` is not. */
  readonly from: Date | null;
  readonly to: Date | null;
}

export interface WantedHistory {
  readonly userId: string;
  readonly window: Window<number>;
  readonly selection: HistorySelection;
}

/** The order of a page: from the newest transaction, or from the oldest when the page is read backwards. */
export const inOrder = ({ backward }: Window<number>): Prisma.Sql =>
  backward ? Prisma.sql`ORDER BY t.seq ASC` : Prisma.sql`ORDER BY t.seq DESC`;

/**
 * The WITH clause of common table expressions. It is empty when there are none. RECURSIVE lets each refer to itself.
 */
export const withThese = (ctes: readonly Prisma.Sql[]): Prisma.Sql =>
  ctes.length === 0 ? Prisma.empty : Prisma.sql`WITH RECURSIVE ${Prisma.join([...ctes])}`;

/** All conditions, joined by AND. @throws TypeError for an empty list */
export const both = (conditions: readonly Prisma.Sql[]): Prisma.Sql =>
  Prisma.join([...conditions], ' AND ');

/** The conditions on the row itself, without the window. */
export function rowConditions(
  { types, from, to }: HistorySelection,
  row = Prisma.sql`t`,
): Prisma.Sql[] {
  return [
    ...(types === null ? [] : [Prisma.sql`${row}.type = ANY(${types}::credit_transaction_type[])`]),
    ...(from === null ? [] : [Prisma.sql`${row}.effective_at >= ${from}::timestamptz`]),
    ...(to === null ? [] : [Prisma.sql`${row}.effective_at < ${to}::timestamptz`]),
  ];
}

/**
 * The conditions that keep the transactions between the cursors. Both ends are exclusive, and the newest come first, so
 * those `after` a cursor have smaller numbers.
 */
export const windowConditions = ({ after, before }: Window<number>): Prisma.Sql[] => [
  ...(after === null ? [] : [Prisma.sql`t.seq < ${after}`]),
  ...(before === null ? [] : [Prisma.sql`t.seq > ${before}`]),
];

/**
 * A scalar subquery, because Postgres would turn an EXISTS into a join that reads all allocations of the account. Each
 * lot is looked up by its id.
 */
export const isOfSource = (
  userId: string,
  sources: readonly CreditSource[],
): Prisma.Sql => Prisma.sql`(
  SELECT true FROM credit_allocations a CROSS JOIN LATERAL (
    SELECT l.source FROM credit_lots l WHERE l.user_id = ${userId}::uuid AND l.id = a.lot_id OFFSET 0
  ) l
  WHERE a.user_id = ${userId}::uuid AND a.seq = t.seq AND l.source = ANY(${sources}::credit_source[]) LIMIT 1)`;

/** The condition on the sources of the transaction’s lots. Empty when the filter has none. */
export const sourceConditions = ({
  userId,
  selection: { sources },
}: WantedHistory): Prisma.Sql[] => (sources === null ? [] : [isOfSource(userId, sources)]);

/** Restricts the numbers to those of the period. */
export const boundConditions = ({ from, to }: HistorySelection): Prisma.Sql[] => [
  ...(from === null ? [] : [Prisma.sql`t.seq > (SELECT low FROM bounds)`]),
  ...(to === null ? [] : [Prisma.sql`t.seq <= (SELECT high FROM bounds)`]),
];
