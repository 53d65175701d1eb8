import pLimit from 'p-limit';
import { busy } from '../../../domain/errors.js';

/**
 * One report at a time in each process, because a report reads a large part of the ledger and holds a connection
 * meanwhile.
 */
const limit = pLimit(1);
const WAITING_MAX = 10;

/**
 * Makes a report after the reports before it.
 * @throws BUSY when too many reports are waiting
 */
export async function inReportTurn<Report>(make: () => Promise<Report>): Promise<Report> {
  if (limit.pendingCount >= WAITING_MAX) throw busy();
  return limit(make);
}
