import type { Reader } from '../../infra/db.js';

/** The ledger's clock, for code that must name a month or an instant before it locks anything. */
export async function readLedgerClock(db: Reader): Promise<Date> {
  const [row] = await db.$queryRaw<{ now: Date }[]>`SELECT ledger_now() AS now`;
  if (row === undefined) throw new Error('The database has no clock.');
  return row.now;
}
