import type { App } from '../app.js';
import { conflict } from '../../domain/errors.js';
import { parseMonth, type Month } from '../../domain/ledger/month.js';
import { transact } from '../../infra/db.js';
import { writeAudit } from '../audit.sql.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import {
  hasUnbookedLapse,
  holdMovements,
  insertClosedMonth,
  keepJournalRoot,
  readClosing,
  type ClosedMonth,
} from './closed-months.sql.js';
import { makeJournal } from './journal.js';

type Facts = Pick<App, 'db'>;

/** As long as a clock may be set back by time synchronisation, because it must not return to a closed month. */
const CLOSABLE_AFTER_MS = 5 * 60_000;

/**
 * Closes the books of a month and of all months before it. From then on, no transaction can take effect by its end.
 * Then makes its journal and stores the root. Idempotent: a second call only makes the journal if the first was
 * interrupted before that.
 * @throws BAD_USER_INPUT for text that is no month; CONFLICT for a month that has not been over for five minutes, that
 * has lapses which are not booked, or whose journal does not balance; BUSY when transactions, a VACUUM or an index
 * build hold the table for too long
 */
export async function closeMonth(app: Facts, period: string): Promise<ClosedMonth> {
  const month = parseMonth(period);
  await transact(app.db, async (tx) => {
    if ((await readClosing(tx, month)) !== undefined) return;
    requireEnded(month, await readLedgerClock(tx));
    await holdMovements(tx);
    // Another process may have closed the month while this one waited.
    if ((await readClosing(tx, month)) !== undefined) return;
    const now = await readLedgerClock(tx);
    if (await hasUnbookedLapse(tx, month.endsAt))
      throw conflict(
        `What lapsed in ${period} is not all booked yet. The sweep books it every five minutes, and runMaintenance(task: EXPIRE_CREDITS) at once.`,
      );
    await insertClosedMonth(tx, month, now);
    const details = { endsAt: month.endsAt.toISOString() };
    const about = { actorId: null, target: period, reason: null, details, at: now };
    await writeAudit(tx, [{ ...about, action: 'ledger close-month' }]);
  });
  const closing = await readClosing(app.db, month);
  if (closing === undefined) throw new Error('A closed month was opened.');
  return closing.journalRoot !== null || closing.period !== period
    ? closing
    : keepJournal(app, closing);
}

function requireEnded({ period, endsAt }: Month, now: Date): void {
  const closableAt = new Date(endsAt.getTime() + CLOSABLE_AFTER_MS);
  if (now <= closableAt)
    throw conflict(`The books of ${period} can be closed after ${closableAt.toISOString()}.`);
}

/** Makes the journal after the commit, because it may take long, and nothing in the month can change any more. */
async function keepJournal(app: Facts, { period, closedAt }: ClosedMonth): Promise<ClosedMonth> {
  const { root, lines, debit, unbalanced } = await makeJournal(app, period);
  if (unbalanced.length > 0)
    throw conflict(
      `The books of ${period} are closed, but the journal does not balance for ${unbalanced.join(', ')}: run verify.`,
    );
  const journalRoot = new Uint8Array(Buffer.from(root, 'hex'));
  await transact(app.db, async (tx) => {
    if (!(await keepJournalRoot(tx, period, journalRoot))) return;
    const details = { root, lines: lines.length, points: debit };
    const about = { actorId: null, target: period, reason: null, details };
    await writeAudit(tx, [{ ...about, action: 'ledger journal', at: await readLedgerClock(tx) }]);
  });
  return { period, closedAt, journalRoot };
}
