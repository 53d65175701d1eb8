import type { Month } from '../../domain/ledger/month.js';
import type { Reader, Tx } from '../../infra/db.js';

/** The closing of a month. */
export interface ClosedMonth {
  /** yyyy-mm. */
  readonly period: string;
  readonly closedAt: Date;
  /** The root of its journal. Null until the journal has been made. */
  readonly journalRoot: Uint8Array | null;
}

/**
 * The closing that covers a month: its own, or the first of a later month. Index: closed_months_ends_at_key.
 * @returns undefined while the month is open
 */
export async function readClosing(db: Reader, { endsAt }: Month): Promise<ClosedMonth | undefined> {
  const [row] = await db.$queryRaw<ClosedMonth[]>`
    SELECT period, closed_at AS "closedAt", journal_root AS "journalRoot" FROM closed_months
    WHERE ends_at >= ${endsAt}::timestamptz ORDER BY ends_at LIMIT 1`;
  return row;
}

/** The longest that commands of the ledger are blocked while this waits for those that are writing. */
const LOCK_TIMEOUT_MS = 2_000;

/**
 * Waits until no transaction is writing movements, and blocks new ones until the end of this transaction. Reads and the
 * locks of accounts are not blocked.
 */
export async function holdMovements(tx: Tx): Promise<void> {
  await tx.$queryRaw`SELECT set_config('lock_timeout', ${String(LOCK_TIMEOUT_MS)}, true)`;
  await tx.$executeRaw`LOCK TABLE credit_transactions IN SHARE ROW EXCLUSIVE MODE`;
}

/** Whether a lot that lapsed by `until` still holds points. Index: credit_lots_lapsing. */
export async function hasUnbookedLapse(db: Reader, until: Date): Promise<boolean> {
  const rows = await db.$queryRaw<unknown[]>`
    SELECT FROM credit_lots
    WHERE is_open AND revoked_at IS NULL AND expires_at IS NOT NULL AND expires_at <= ${until}::timestamptz
    LIMIT 1`;
  return rows.length > 0;
}

/** Records the closing. Under `holdMovements`. */
export async function insertClosedMonth(
  tx: Tx,
  { period, endsAt }: Month,
  closedAt: Date,
): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO closed_months (period, ends_at, closed_at)
    VALUES (${period}, ${endsAt}::timestamptz, ${closedAt}::timestamptz)`;
}

/** Keeps the root of a month's journal. @returns false when it has one already. Index: closed_months_pkey. */
export async function keepJournalRoot(tx: Tx, period: string, root: Uint8Array): Promise<boolean> {
  const kept = await tx.$executeRaw`
    UPDATE closed_months SET journal_root = ${root} WHERE period = ${period} AND journal_root IS NULL`;
  return kept > 0;
}
