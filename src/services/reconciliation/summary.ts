import type { App } from '../app.js';
import type { UserView } from '../accounts/people.sql.js';
import { listHistory, listLots } from '../credits/credits.js';
import { readBalancesBySource } from '../credits/credits.sql.js';
import { plainReader } from '../ledger/allowances.js';

const LINES_MAX = 20;

const day = (at: Date | null): string =>
  at?.toISOString().slice(0, 19).replace('T', ' ') ?? 'never';

/** A user's account as lines for a terminal: the balance, the newest lots, the newest transactions. */
export async function summariseAccount(
  app: Pick<App, 'db'>,
  user: UserView,
): Promise<readonly string[]> {
  const points = plainReader(app.db);
  const rows = await readBalancesBySource(points, [user.id]);
  const sources = rows.filter(({ isMismatch }) => !isMismatch);
  const lots = await listLots({ points }, user.id, { first: LINES_MAX });
  const history = await listHistory({ points }, user.id, { first: LINES_MAX });
  const balance = sources.reduce((sum, row) => sum + row.balance, 0);
  return [
    `${user.email} (${user.id})`,
    `${String(balance)} points can be spent${sources.map((row) => `, ${row.source} ${String(row.balance)}`).join('')}`,
    '',
    `Lots, newest first${lots.hasNextPage ? `, the first ${String(LINES_MAX)}` : ''}:`,
    ...lots.edges.map(
      ({ node: lot }) =>
        `  ${lot.id}  ${lot.source.padEnd(8)} ${lot.status.padEnd(9)} ` +
        `${String(lot.remaining).padStart(7)} of ${String(lot.granted).padEnd(7)} ` +
        `granted ${day(lot.grantedAt)}  lapses ${day(lot.expiresAt)}`,
    ),
    '',
    `Movements, newest first${history.hasNextPage ? `, the first ${String(LINES_MAX)}` : ''}:`,
    ...history.edges.map(
      ({ node: entry }) =>
        `  ${String(entry.seq).padStart(6)}  ${day(entry.recordedAt)}  ${entry.type.padEnd(10)} ` +
        `${String(entry.amount).padStart(8)}  balance ${String(entry.balanceAfter).padEnd(8)} ${entry.reason ?? ''}`,
    ),
  ];
}
