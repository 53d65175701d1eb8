import type { App } from '../app.js';
import { FIRST_ID, idOfHex, LAST_ID } from '../../domain/ids.js';
import { readAccountLengths, type HistoryRange } from './chain.sql.js';

/** A violation of an invariant, and where it is as far as that is known. */
export interface Violation {
  readonly invariant: string;
  /** Null when no account is concerned. */
  readonly userId: string | null;
  readonly lotId: string | null;
  readonly seq: number | null;
  readonly audioId: string | null;
  readonly auditId?: string | null;
}

/** Gets violations as they are found. */
export type Report = (violations: readonly Violation[]) => Promise<void>;

export interface Verification {
  readonly accounts: number;
  readonly transactions: number;
  /** The number of transactions that were read. */
  readonly transactionsRead: number;
}

export type Facts = Pick<App, 'db'>;

const LAST_SEQ = 2_147_483_647;
export const ACCOUNTS_AT_ONCE = 2_000;
/** Bounds memory and the duration of one statement. */
export const TRANSACTIONS_AT_ONCE = 20_000;

/** Users from one id to another, both included. */
export interface Range {
  readonly from: string;
  readonly to: string;
}

export const EVERYBODY: Range = { from: FIRST_ID, to: LAST_ID };

export interface Part extends Range {
  readonly accounts: number;
  readonly transactions: number;
}

/** Divides the users into ranges without gaps, so that rows of users without an account are checked too. */
export async function* partsOf(app: Facts, range: Range): AsyncGenerator<Part> {
  const { to: last } = range;
  let { from } = range;
  let after = from === FIRST_ID ? FIRST_ID : idBefore(from);
  let [accounts, transactions] = [0, 0];
  for (;;) {
    const wanted = { after, to: last, limit: ACCOUNTS_AT_ONCE };
    const rows = await readAccountLengths(app.db, wanted);
    for (const row of rows) {
      // A long history is a part of its own, because only such a part is read in windows.
      if (accounts > 0 && transactions + row.lastSeq > TRANSACTIONS_AT_ONCE) {
        yield { from, to: idBefore(row.userId), accounts, transactions };
        from = row.userId;
        [accounts, transactions] = [0, 0];
      }
      accounts += 1;
      transactions += row.lastSeq;
      if (transactions < TRANSACTIONS_AT_ONCE && accounts < ACCOUNTS_AT_ONCE) continue;
      yield { from, to: row.userId, accounts, transactions };
      from = idAfter(row.userId);
      [accounts, transactions] = [0, 0];
    }
    if (rows.length < ACCOUNTS_AT_ONCE) break;
    after = rows.at(-1)?.userId ?? last;
  }
  if (from <= last) yield { from, to: last, accounts, transactions };
}

const idAfter = (id: string): string => neighbour(id, 1n);
const idBefore = (id: string): string => neighbour(id, -1n);

function neighbour(id: string, step: bigint): string {
  const number = BigInt(`0x${id.replaceAll('-', '')}`) + step;
  return idOfHex(number.toString(16).padStart(32, '0'));
}

/**
 * A part with one account is read in windows, because its history may be long. Other parts are short enough for one
 * window.
 */
export function* windowsOf({ from, to, transactions, accounts }: Part): Generator<HistoryRange> {
  if (accounts > 1) {
    yield { from, to, afterSeq: 0, lastSeq: LAST_SEQ };
    return;
  }
  for (let afterSeq = 0; ; afterSeq += TRANSACTIONS_AT_ONCE) {
    const isLast = afterSeq + TRANSACTIONS_AT_ONCE >= transactions;
    yield { from, to, afterSeq, lastSeq: isLast ? LAST_SEQ : afterSeq + TRANSACTIONS_AT_ONCE };
    if (isLast) return;
  }
}
