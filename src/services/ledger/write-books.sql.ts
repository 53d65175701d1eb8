import type { Book, BookedEntry } from '../../domain/ledger/book.js';
import { CHAIN_FORMAT } from '../../domain/ledger/chain.js';
import type { Lot } from '../../domain/ledger/lots.js';
import {
  column,
  hexColumn,
  jsonColumn,
  listColumn,
  textColumn,
  timeColumn,
} from '../../infra/connections/columns.js';
import { Prisma, type Tx } from '../../infra/db.js';
import { ofOneAccount } from './one-account.sql.js';

/** What a batch writes. */
export interface BookRows {
  /** With the `last_seq` that was read. */
  readonly accounts: readonly (Book & { readonly readSeq: number | undefined })[];
  readonly newLots: readonly OwnedLot[];
  readonly changedLots: readonly OwnedLot[];
  readonly entries: readonly BookedEntry[];
}

type OwnedLot = Lot & { readonly userId: string };

/** The transactions as rows, and hashes as hexadecimal digits. */
const transactionRows = (entries: readonly BookedEntry[]): Prisma.Sql => Prisma.sql`
  unnest(
    ${column(entries, (entry) => entry.userId)}::text::uuid[],
    ${column(entries, (entry) => entry.seq)}::text::int[],
    ${column(entries, (entry) => entry.id)}::text::uuid[],
    ${column(entries, (entry) => entry.type)}::text::credit_transaction_type[],
    ${column(entries, (entry) => entry.amount)}::text::int[],
    ${column(entries, (entry) => entry.balanceAfter)}::text::int[],
    ${textColumn(entries, (entry) => entry.reason)}::text::text[],
    ${column(entries, (entry) => entry.audioId)}::text::uuid[],
    ${column(entries, (entry) => entry.storyId)}::text::uuid[],
    ${column(entries, (entry) => entry.debitSeq)}::text::int[],
    ${column(entries, (entry) => entry.actorId)}::text::uuid[],
    ${textColumn(entries, (entry) => entry.idempotencyKey)}::text::text[],
    ${timeColumn(entries, (entry) => entry.effectiveAt)}::text::timestamptz[],
    ${timeColumn(entries, (entry) => entry.recordedAt)}::text::timestamptz[],
    ${hexColumn(entries, (entry) => entry.requestHash)}::text::text[],
    ${jsonColumn(entries, ({ lotTerms }) => (lotTerms.length === 0 ? null : lotTerms))}::text::text[],
    ${listColumn(entries, (entry) => entry.revokedLots)}::text::text[],
    ${hexColumn(entries, (entry) => entry.hash)}::text::text[]
  ) AS r(user_id, seq, id, type, amount, balance_after, reason, audio_id, story_id, debit_seq, actor_id,
    idempotency_key, effective_at, recorded_at, request_hash, lot_terms, revoked_lots, hash)`;

/** The update of the heads. It finds no row of an account whose `last_seq` is not the one that was read. */
const movedHeads = (tx: Tx, accounts: BookRows['accounts']): Prisma.Sql => Prisma.sql`
      UPDATE credit_accounts a SET last_seq = r.last_seq, head_hash = r.head_hash, uncovered_revocations = r.revoked
      FROM (SELECT user_id, read_seq, last_seq, decode(head_hash, 'hex') AS head_hash,
        coalesce(uncovered_revocations::uuid[], '{}') AS revoked FROM unnest(
        ${column(accounts, (account) => account.userId)}::text::uuid[],
        ${column(accounts, (account) => account.readSeq)}::text::int[],
        ${column(accounts, (account) => account.lastSeq)}::text::int[],
        ${hexColumn(accounts, (account) => account.headHash)}::text::text[],
        ${listColumn(accounts, (account) => account.uncoveredRevocations)}::text::text[]
      ) AS u(user_id, read_seq, last_seq, head_hash, uncovered_revocations)) r
      WHERE a.user_id = r.user_id AND a.last_seq = r.read_seq ${ofOneAccount(tx, Prisma.sql`a.user_id`, accounts)}`;

/**
 * Writes all decisions of a batch in one statement. Under the accounts' locks. The account rows are compared with the
 * `last_seq` that was read, so that an account whose lock was lost is not updated.
 * @returns the number of accounts that were updated
 */
export async function writeBooks(tx: Tx, rows: BookRows): Promise<number> {
  const { accounts, newLots, changedLots, entries } = rows;
  const parts = entries.flatMap(({ userId, seq, allocations }) =>
    allocations.map(({ lotId, amount }, index) => ({ userId, seq, index, lotId, amount })),
  );
  const [row] = await tx.$queryRaw<{ moved: number }[]>`
    WITH new_lots AS (
      INSERT INTO credit_lots (user_id, id, source, priority, granted, remaining, granted_at, expires_at,
                               parent_lot_id, period, price_minor, currency)
      SELECT * FROM unnest(
        ${column(newLots, (lot) => lot.userId)}::text::uuid[],
        ${column(newLots, (lot) => lot.id)}::text::uuid[],
        ${column(newLots, (lot) => lot.source)}::text::credit_source[],
        ${column(newLots, (lot) => lot.priority)}::text::int[],
        ${column(newLots, (lot) => lot.granted)}::text::int[],
        ${column(newLots, (lot) => lot.remaining)}::text::int[],
        ${timeColumn(newLots, (lot) => lot.grantedAt)}::text::timestamptz[],
        ${timeColumn(newLots, (lot) => lot.expiresAt)}::text::timestamptz[],
        ${column(newLots, (lot) => lot.parentLotId)}::text::uuid[],
        ${textColumn(newLots, (lot) => lot.period)}::text::text[],
        ${column(newLots, (lot) => lot.priceMinor)}::text::bigint[],
        ${textColumn(newLots, (lot) => lot.currency)}::text::text[])
    ), changed_lots AS (
      UPDATE credit_lots l SET remaining = r.remaining, revoked_at = r.revoked_at
      FROM unnest(
        ${column(changedLots, (lot) => lot.userId)}::text::uuid[],
        ${column(changedLots, (lot) => lot.id)}::text::uuid[],
        ${column(changedLots, (lot) => lot.remaining)}::text::int[],
        ${timeColumn(changedLots, (lot) => lot.revokedAt)}::text::timestamptz[]
      ) AS r(user_id, id, remaining, revoked_at)
      WHERE l.user_id = r.user_id AND l.id = r.id ${ofOneAccount(tx, Prisma.sql`l.user_id`, changedLots)}
    ), new_transactions AS (
      INSERT INTO credit_transactions (user_id, seq, id, type, amount, balance_after, reason, audio_id, story_id,
        debit_seq, actor_id, idempotency_key, effective_at, recorded_at, format, request_hash, lot_terms,
        revoked_lots, hash)
      SELECT user_id, seq, id, type, amount, balance_after, reason, audio_id, story_id, debit_seq, actor_id,
        idempotency_key, effective_at, recorded_at, ${CHAIN_FORMAT}, decode(request_hash, 'hex'), lot_terms::json,
        revoked_lots::uuid[], decode(hash, 'hex')
      FROM ${transactionRows(entries)}
    ), new_allocations AS (
      INSERT INTO credit_allocations (user_id, seq, ordinal, lot_id, amount)
      SELECT * FROM unnest(
        ${column(parts, (part) => part.userId)}::text::uuid[],
        ${column(parts, (part) => part.seq)}::text::int[],
        ${column(parts, (part) => part.index + 1)}::text::int[],
        ${column(parts, (part) => part.lotId)}::text::uuid[],
        ${column(parts, (part) => part.amount)}::text::int[])
    ), moved AS (
      ${movedHeads(tx, accounts)}
      RETURNING 1
    )
    SELECT count(*)::int AS moved FROM moved`;
  return row?.moved ?? 0;
}
