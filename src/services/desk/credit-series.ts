import type { App } from '../app.js';
import { bucketsOf, type Bucket } from '../credits/past/series.js';
import { creditReport, type CreditReport } from '../credits/report.js';

/** The greatest number of reports in a series, because each one reads a large part of the ledger. */
const MOST_REPORTS = 53;

/**
 * The reports of consecutive periods, which end at the start of each bucket and at `to`. They are made one after the
 * other, so that a series takes one turn at a time. The report of a past period never changes.
 * @throws BAD_USER_INPUT unless `from` is before `to`, and for more than MOST_REPORTS periods; BUSY
 */
export async function creditSeries(
  app: App,
  period: { from: Date; to: Date; bucket: Bucket },
): Promise<CreditReport[]> {
  const instants = bucketsOf(period, MOST_REPORTS);
  const reports: CreditReport[] = [];
  for (const [index, from] of instants.entries())
    reports.push(await creditReport(app, from, instants[index + 1] ?? period.to));
  return reports;
}
