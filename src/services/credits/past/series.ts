import type { App } from '../../app.js';
import { badUserInput } from '../../../domain/errors.js';
import type { TransactionView } from '../credits.sql.js';
import { readBalancesAt, readLastTransactions, type BalancePoint } from './series.sql.js';

export type { BalancePoint };

export type Bucket = 'DAY' | 'WEEK' | 'MONTH';

/** The most points of one series. */
const BALANCES_MAX = 400;
const DAY_MS = 86_400_000;
/** The first Monday since 1970. */
const MONDAY_MS = 4 * DAY_MS;

/** The first instant of the next bucket, in UTC. Weeks begin on Monday. */
function nextBucket(at: Date, bucket: Bucket): Date {
  if (bucket === 'MONTH') return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1));
  const [lengthMs, originMs] = bucket === 'DAY' ? [DAY_MS, 0] : [7 * DAY_MS, MONDAY_MS];
  return new Date((Math.floor((at.getTime() - originMs) / lengthMs) + 1) * lengthMs + originMs);
}

/**
 * `from`, and each start of a bucket after it and before `to`.
 * @throws BAD_USER_INPUT unless `from` is before `to`, and for more than `most` periods
 */
export function bucketsOf(
  { from, to, bucket }: { from: Date; to: Date; bucket: Bucket },
  most: number,
): Date[] {
  if (from >= to) throw badUserInput('from', 'must be before to');
  const instants: Date[] = [];
  for (let at = from; at < to; at = nextBucket(at, bucket)) {
    if (instants.push(at) > most)
      throw badUserInput('bucket', `must give at most ${String(most)} periods`);
  }
  return instants;
}

/**
 * The balances that could be spent at `from`, at each start of a bucket after it, and at `to`. Those in the future are
 * left out.
 * @throws BAD_USER_INPUT unless `from` is before `to`, and for more than BALANCES_MAX balances
 */
export async function balanceSeries(
  app: App,
  userId: string,
  { from, to, bucket }: { from: Date; to: Date; bucket: Bucket },
): Promise<BalancePoint[]> {
  const instants = bucketsOf({ from, to, bucket }, BALANCES_MAX - 1);
  return readBalancesAt(app.points, userId, [...instants, to]);
}

/** The newest transaction of each user, by the id of the user. */
export async function lastTransactionsByUser(
  app: App,
  userIds: readonly string[],
): Promise<Map<string, TransactionView>> {
  const rows = await readLastTransactions(app.points, userIds);
  return new Map(rows.map((row) => [row.userId, row]));
}
