import type { App } from '../app.js';
import { csvLine } from './csv.js';
import { countAgainstLimit } from '../limits.js';
import { signed } from '../narrations/addresses.js';
import type { CreditStatement } from './statement.js';
import { isAccountOpen, readStatementMovements } from './statement.sql.js';

/** The path of signed addresses of statements. */
export const STATEMENTS_PATH = '/statements';

/** The key that is signed for a statement. */
export const statementKey = (userId: string, month: string): string =>
  `statement/${userId}/${month}`;

/** A signed address of a statement as CSV, valid for URL_TTL_SECONDS. */
export const statementUrl = (app: App, userId: string, month: string): Promise<string> =>
  signed(app, `${STATEMENTS_PATH}/${userId}/${month}.csv`, statementKey(userId, month), {
    title: `points ${month}`,
  });

const HEADER = ['row', 'seq', 'type', 'amount', 'balance', 'effective_at', 'recorded_at'];
const AT_ONCE = 1_000;

/**
 * A statement as CSV in parts, oldest transaction first. It is counted against the limit of reads, like
 * `creditStatement`.
 * @returns null when the account was closed because its user has left
 * @throws RATE_LIMITED
 */
export async function statementCsv(
  app: App,
  userId: string,
  read: () => Promise<CreditStatement>,
): Promise<AsyncGenerator<string> | null> {
  if (!(await isAccountOpen(app.db, userId))) return null;
  await countAgainstLimit(app, { limit: 'creditReads', by: 'account', whose: userId });
  return linesOf(app, await read());
}

async function* linesOf(app: App, statement: CreditStatement): AsyncGenerator<string> {
  const { opening, closing, lapsedUnbooked, from, to, headHash } = statement;
  const bound = (row: string, balance: number, at: Date, hash: Uint8Array | null): string =>
    csvLine([row, null, null, null, balance, at.toISOString(), null, null, null, hexOf(hash)]);
  yield csvLine([...HEADER, 'reason', 'id', 'hash']) + bound('OPENING', opening, from, null);
  let balance = opening;
  for (let after = statement.afterSeq; ;) {
    // A backward page is in the order of time, because pages are newest first.
    const window = { limit: AT_ONCE, backward: true, after: null, before: after };
    const movements = (await readStatementMovements(app.db, statement, window)).slice(0, AT_ONCE);
    let part = '';
    for (const { seq, type, amount, effectiveAt, recordedAt, reason, id, hash } of movements) {
      balance += amount;
      const times = [effectiveAt.toISOString(), recordedAt.toISOString()];
      part += csvLine(['MOVEMENT', seq, type, amount, balance, ...times, reason, id, hexOf(hash)]);
    }
    if (part !== '') yield part;
    if (movements.length < AT_ONCE) break;
    after = movements.at(-1)?.seq ?? statement.untilSeq;
  }
  if (lapsedUnbooked > 0)
    yield csvLine(['NOT_BOOKED_YET', null, 'EXPIRY', -lapsedUnbooked, closing, ...NOTHING]);
  yield bound('CLOSING', closing, to, headHash);
}

const NOTHING = [null, null, null, null, null] as const;

const hexOf = (hash: Uint8Array | null): string | null =>
  hash === null ? null : Buffer.from(hash).toString('hex');
