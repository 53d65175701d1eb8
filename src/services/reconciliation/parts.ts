import type { App } from '../../app.js';
import { FIRST_ID, idOfHex, LAST_ID } from '../../domain/ids.js';
import { readAccountLengths, type HistoryRange } from './chain.sql.js';

/** Something that must not be, with what is known of where. */
export interface Violation {
  readonly invariant: string;
  readonly userId: string;
  readonly lotId: string | null;
  readonly seq: number | null;
  readonly audioId: string | null;
}

/** Is told what is wrong, as it is found. */
export type Report = (violations: readonly Violation[]) => Promise<void>;

export interface Verification {
  readonly accounts: number;
  readonly transactions: number;
}

export type Facts = Pick<App, 'db'>;

const LAST_SEQ = 2_147_483_647;
const ACCOUNTS_AT_ONCE = 2_000;
/** Bounds what is in memory, and how long one statement takes. */
const TRANSACTIONS_AT_ONCE = 20_000;

/** Users from one id to another, both included. */
export interface Part extends Verification {
  readonly from: string;
  readonly to: string;
}

/** Ranges of users without gaps between them, so that what belongs to nobody is found too. */
export async function* partsOf(app: Facts, userId: string | undefined): AsyncGenerator<Part> {
  const last = userId ?? LAST_ID;
  let from = userId ?? FIRST_ID;
  let after = userId === undefined ? FIRST_ID : idBefore(userId);
  let [accounts, transactions] = [0, 0];
  for (;;) {
    const wanted = { after, to: last, limit: ACCOUNTS_AT_ONCE };
    const rows = await readAccountLengths(app.db, wanted);
    for (const row of rows) {
      // A long history is a part of its own, for only that is read a window at a time.
      if (accounts > 0 && transactions + row.lastSeq > TRANSACTIONS_AT_ONCE) {
        yield { from, to: idBefore(row.userId), accounts, transactions };
        from = row.userId;
        [accounts, transactions] = [0, 0];
      }
      accounts += 1;
      transactions += row.lastSeq;
      if (transactions < TRANSACTIONS_AT_ONCE) continue;
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

/** A long history is read a window at a time; the others are short enough to be read whole. */
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
