import type { App } from '../app.js';
import { inReportTurn } from '../credits/past/report-turns.js';
import { bucketsOf, type Bucket } from '../credits/past/series.js';
import { reportOf, type CreditReport } from '../credits/report.js';
import { readReports } from './credit-series.sql.js';

/** The greatest number of reports in a series, because each one is an answer of its own. */
const REPORTS_MAX = 53;

/**
 * The reports of consecutive periods, which end at the start of each bucket and at `to`. All are made in one turn, from one
 * read of the ledger, so that a series costs about as much as the report of its whole period.
 * @throws BAD_USER_INPUT unless `from` is before `to`, and for more than REPORTS_MAX periods; BUSY
 */
export async function creditSeries(
  app: App,
  period: { from: Date; to: Date; bucket: Bucket },
): Promise<CreditReport[]> {
  const instants = [...bucketsOf(period, REPORTS_MAX), period.to];
  const read = await inReportTurn(() => readReports(app.db, instants));
  return read.map((rows, index) =>
    reportOf(instants[index] ?? period.from, instants[index + 1] ?? period.to, rows),
  );
}
