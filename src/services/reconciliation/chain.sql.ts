import type { CreditTransactionType } from '../../domain/ledger/chain.js';
import type { CreditSource } from '../../domain/ledger/lots.js';
import { Prisma, type Reader } from '../../infra/db.js';

/**
 * A range of users, first and last included, and the transactions to read of each: after `afterSeq`, up to `lastSeq`.
 */
export interface HistoryRange {
  readonly from: string;
  readonly to: string;
  readonly afterSeq: number;
  readonly lastSeq: number;
}

/**
 * Relations with the columns of their tables. Transactions and allocations start at `after_seq`, which is an additional
 * column. The row at `after_seq` is read only as the predecessor of the next. Lots are complete.
 */
export interface Histories {
  readonly transactions: Prisma.Sql;
  readonly allocations: Prisma.Sql;
  readonly lots: Prisma.Sql;
}

/** All histories of a range of users. For `readAtLarge`. */
export function historiesOf({ from, to, afterSeq, lastSeq }: HistoryRange): Histories {
  const users = Prisma.sql`user_id BETWEEN ${from}::uuid AND ${to}::uuid`;
  const read = (table: string): Prisma.Sql => Prisma.sql`(
    SELECT *, ${afterSeq}::int AS after_seq FROM ${Prisma.raw(table)}
    WHERE ${users} AND seq BETWEEN ${afterSeq}::int AND ${lastSeq}::int)`;
  return {
    transactions: read('credit_transactions'),
    allocations: read('credit_allocations'),
    lots: Prisma.sql`(SELECT * FROM credit_lots WHERE ${users})`,
  };
}

export interface HistoryStart {
  readonly userId: string;
  readonly afterSeq: number;
}

/** Starts as a relation w(user_id, after_seq). */
export const startsAsRows = (starts: readonly HistoryStart[]): Prisma.Sql =>
  Prisma.sql`unnest(${starts.map(({ userId }) => userId)}::uuid[],
    ${starts.map(({ afterSeq }) => afterSeq)}::int[]) AS w(user_id, after_seq)`;

/** Histories of single users, each from its own number on. */
export function historiesSince(starts: readonly HistoryStart[]): Histories {
  const read = (table: string): Prisma.Sql => Prisma.sql`(
    SELECT r.*, w.after_seq FROM ${startsAsRows(starts)} CROSS JOIN LATERAL (
      SELECT * FROM ${Prisma.raw(table)} WHERE user_id = w.user_id AND seq >= w.after_seq OFFSET 0) r)`;
  return {
    transactions: read('credit_transactions'),
    allocations: read('credit_allocations'),
    lots: Prisma.sql`(SELECT * FROM credit_lots WHERE user_id = ANY(${starts.map(({ userId }) => userId)}::uuid[]))`,
  };
}

/** The bound of one statement's violations, because those of a ledger that is wrong everywhere must fit in memory. */
export const VIOLATIONS_MAX = 10_000;

export const CHAIN_INVARIANT = {
  number: '9',
  description:
    'Numbers have no gap, balances are running sums, every hash follows from the one before, and the account knows the end.',
} as const;

export const REPLAY_INVARIANT = {
  number: '10',
  description: 'Replaying the history by the rules gives the stored allocations.',
} as const;

/** The format of timestamps in the text of the chain. */
export const INSTANT = Prisma.raw(`'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`);

/**
 * Links of the chain that do not hold. Each transaction is compared with its stored predecessor, so that a broken link
 * tells where it is. Postgres builds the hashed text here independently, and shares no code with the server that wrote
 * it. No locks. Indexes: credit_transactions_pkey and credit_allocations_pkey, in order.
 */
export function readBrokenLinks(
  db: Reader,
  { transactions, allocations }: Histories,
): Promise<{ userId: string; seq: number }[]> {
  return db.$queryRaw`
    WITH links AS (
      SELECT t.user_id, t.seq, t.after_seq, t.hash, t.balance_after,
        lag(t.seq) OVER history AS previous_seq,
        coalesce(lag(t.balance_after) OVER history, 0) + t.amount AS balance,
        sha256(coalesce(lag(t.hash) OVER history, decode(repeat('00', 32), 'hex')) || convert_to(concat(
          '["', CASE WHEN t.format > 1 THEN t.format || '","' END, t.user_id, '","', t.seq, '","',
          CASE WHEN t.format > 1 THEN t.id || '","' END, t.type, '","', t.amount, '","', t.balance_after, '","',
          to_char(t.effective_at AT TIME ZONE 'UTC', ${INSTANT}), '","',
          to_char(t.recorded_at AT TIME ZONE 'UTC', ${INSTANT}), '",',
          to_json(coalesce(t.reason, '')), ',', to_json(coalesce(t.idempotency_key, '')), ',"',
          CASE WHEN t.format > 1 THEN coalesce(encode(t.request_hash, 'hex'), '') || '","' END,
          t.audio_id, '","', t.story_id, '","', t.debit_seq, '","', t.actor_id, '",[', a.parts, ']',
          CASE WHEN t.format > 1 THEN concat(',', coalesce(t.lot_terms::text, '[]'),
            ',', coalesce(array_to_json(t.revoked_lots)::text, '[]')) END, ']'
        ), 'UTF8')) AS right_hash
      FROM ${transactions} t
      LEFT JOIN (
        SELECT user_id, seq,
          string_agg(concat('["', lot_id, '","', amount, '"]'), ',' ORDER BY ordinal) AS parts
        FROM ${allocations} parts
        GROUP BY user_id, seq
      ) a ON a.user_id = t.user_id AND a.seq = t.seq
      WINDOW history AS (PARTITION BY t.user_id ORDER BY t.seq)
    )
    SELECT user_id AS "userId", seq FROM links
    WHERE seq > after_seq AND (
      seq <> coalesce(previous_seq, 0) + 1 OR balance_after <> balance OR hash <> right_hash)
    ORDER BY user_id, seq LIMIT ${VIOLATIONS_MAX}::int`;
}

/**
 * Accounts whose head is not the end of their history, and histories without an account. Index:
 * credit_transactions_pkey.
 */
export function readWrongHeads(
  db: Reader,
  range: Pick<HistoryRange, 'from' | 'to'>,
): Promise<{ userId: string; seq: number | null }[]> {
  const { from, to } = range;
  return db.$queryRaw`
    SELECT a.user_id AS "userId", a.last_seq AS seq FROM credit_accounts a
    LEFT JOIN LATERAL (
      SELECT t.seq, t.hash FROM credit_transactions t WHERE t.user_id = a.user_id ORDER BY t.seq DESC LIMIT 1
    ) t ON true
    WHERE a.user_id BETWEEN ${from}::uuid AND ${to}::uuid
      AND (a.last_seq <> coalesce(t.seq, 0) OR a.head_hash <> coalesce(t.hash, decode(repeat('00', 32), 'hex')))
    UNION ALL
    SELECT t.user_id, t.seq FROM credit_transactions t
    WHERE t.user_id BETWEEN ${from}::uuid AND ${to}::uuid AND t.seq = 1
      AND NOT EXISTS (SELECT FROM credit_accounts a WHERE a.user_id = t.user_id)`;
}

/** `[lot id, source, priority, granted, granted at, expires at, revoked at, parent]`; times in milliseconds. */
export type LotTuple = [
  string,
  CreditSource,
  number,
  number,
  number,
  number | null,
  number | null,
  string | null,
];
/** `[lot id, points]` */
export type PartTuple = [string, number];
/**
 * `[seq, type, effective at, recorded at, allocations, whether it revokes a part of a lot, debit]`, where debit is
 * `[effective at, allocations, returned before]`. Times are in milliseconds.
 */
export type EntryTuple = [
  number,
  CreditTransactionType,
  number,
  number,
  PartTuple[],
  boolean,
  [number, PartTuple[] | null, PartTuple[] | null] | null,
];

export interface ReplayRow {
  readonly userId: string;
  readonly lots: readonly LotTuple[];
  readonly entries: readonly EntryTuple[];
}

/**
 * The SQL for a time in whole milliseconds since 1970.
 * @param column a constant of the program, because it becomes SQL text without being quoted
 */
export const MILLISECONDS = (column: string): Prisma.Sql =>
  Prisma.raw(`(extract(epoch FROM ${column}) * 1000)::bigint`);

/**
 * Histories with their lots, one row for each user, as JSON for speed. Times are in milliseconds. No locks. Lots and
 * transactions come from one snapshot. Indexes: credit_lots_pkey, credit_transactions_pkey and credit_allocations_pkey,
 * in order. A refund looks its debit up with credit_transactions_of_debit.
 */
export function readReplays(
  db: Reader,
  { transactions, allocations, lots }: Histories,
): Promise<ReplayRow[]> {
  return db.$queryRaw`
    WITH lots AS (
      SELECT user_id, json_agg(json_build_array(id, source, priority, granted, ${MILLISECONDS('granted_at')},
        ${MILLISECONDS('expires_at')}, ${MILLISECONDS('revoked_at')}, parent_lot_id)) AS lots
      FROM ${lots} l GROUP BY user_id
    ), parts AS (
      SELECT user_id, seq, json_agg(json_build_array(lot_id, amount) ORDER BY ordinal) AS parts
      FROM ${allocations} a WHERE seq > after_seq
      GROUP BY user_id, seq
    ), entries AS (
      SELECT t.user_id, json_agg(json_build_array(t.seq, t.type, ${MILLISECONDS('t.effective_at')},
        ${MILLISECONDS('t.recorded_at')}, coalesce(p.parts, '[]'),
        coalesce(t.idempotency_key LIKE 'revoke-part:%', false), CASE WHEN t.debit_seq IS NOT NULL THEN (
          SELECT json_build_array(${MILLISECONDS('d.effective_at')}, (
            SELECT json_agg(json_build_array(da.lot_id, da.amount) ORDER BY da.ordinal)
            FROM credit_allocations da WHERE da.user_id = d.user_id AND da.seq = d.seq
          ), (
            SELECT json_agg(json_build_array(ra.lot_id, ra.amount))
            FROM credit_transactions r JOIN credit_allocations ra ON ra.user_id = r.user_id AND ra.seq = r.seq
            WHERE r.user_id = d.user_id AND r.debit_seq = d.seq AND r.seq < t.seq
          )) FROM credit_transactions d WHERE d.user_id = t.user_id AND d.seq = t.debit_seq
        ) END) ORDER BY t.seq) AS entries
      FROM ${transactions} t LEFT JOIN parts p ON p.user_id = t.user_id AND p.seq = t.seq
      WHERE t.seq > t.after_seq
      GROUP BY t.user_id
    )
    SELECT e.user_id AS "userId", coalesce(l.lots, '[]') AS lots, e.entries
    FROM entries e LEFT JOIN lots l USING (user_id)`;
}

/** The next accounts, with the lengths of their histories. Index: credit_accounts_pkey. */
export function readAccountLengths(
  db: Reader,
  wanted: { after: string; to: string; limit: number },
): Promise<{ userId: string; lastSeq: number }[]> {
  return db.$queryRaw`
    SELECT user_id AS "userId", last_seq AS "lastSeq" FROM credit_accounts
    WHERE user_id > ${wanted.after}::uuid AND user_id <= ${wanted.to}::uuid
    ORDER BY user_id LIMIT ${wanted.limit}`;
}
