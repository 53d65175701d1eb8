import type { App } from '../app.js';
import { createMerkleTree } from '../../domain/ledger/merkle.js';
import { endSoFar, parseMonth } from '../../domain/ledger/month.js';
import { sourceOf, type CreditSource } from '../../domain/ledger/lots.js';
import type { Flow } from '../credits/past/flows.sql.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { readClosing } from './closed-months.sql.js';
import { csvLine } from './csv.js';
import { readJournal, type JournalRows, type SourcePoints } from './journal.sql.js';

/** One line of the journal: the debit or the credit of one account. */
export interface JournalLine {
  readonly kind: 'opening' | 'posting' | 'closing';
  /** yyyy-mm-dd. Null for a balance. */
  readonly day: string | null;
  readonly source: CreditSource;
  readonly movement: Flow | null;
  readonly account: string;
  /** Points. */
  readonly debit: number;
  readonly credit: number;
}

export interface Journal {
  /** yyyy-mm. */
  readonly month: string;
  readonly from: Date;
  readonly to: Date;
  readonly lines: readonly JournalLine[];
  /** The totals of all postings. They are equal. */
  readonly debit: number;
  readonly credit: number;
  /** The root of the tree of RFC 6962 over the lines, in hex. */
  readonly root: string;
  /** The liability accounts whose opening balance and postings do not add up to their closing balance. */
  readonly unbalanced: readonly string[];
}

/** The account of points owed to users. Every other account is posted against it. */
const LIABILITY = 'liability';

/**
 * The name of an account of a source. Paid points have their own accounts. Free points keep the names of releases
 * without prices, so that the root of a journal without paid points does not change.
 */
const accountOf = (name: string, source: CreditSource, paid: boolean): string =>
  `${name}:${source}${paid ? ':paid' : ''}`;

/** Whether a flow adds to the points owed, and the account on the other side. */
const OTHER_SIDES: Readonly<Record<Flow, readonly [sign: 1 | -1, account: string]>> = {
  GRANT: [1, 'grants'],
  GRACE: [1, 'grace'],
  DEBIT: [-1, 'consumption'],
  REFUND: [1, 'consumption'],
  EXPIRY: [-1, 'expiry'],
  REVOCATION: [-1, 'revocation'],
};

/**
 * Makes the double-entry journal of a month, by day and source. The journal of the running month ends now. It has
 * at most 24 lines for each day and source, because movements are summed up.
 * @throws BAD_USER_INPUT for text that is no month, and for a month that has not begun
 */
export async function makeJournal({ db }: Pick<App, 'db'>, period: string): Promise<Journal> {
  const month = parseMonth(period);
  const from = month.startsAt;
  const to = endSoFar(month, await readLedgerClock(db));
  const rows = await readJournal(db, from, to);
  const lines = [
    ...rows.opening.flatMap((row) => balanceLines('opening', row)),
    ...postingsOf(rows),
    ...rows.closing.flatMap((row) => balanceLines('closing', row)),
  ];
  const tree = createMerkleTree();
  for (const line of lines) tree.add(Buffer.from(textOf(line)));
  const postings = lines.filter(({ kind }) => kind === 'posting');
  return {
    month: period,
    from,
    to,
    lines,
    debit: postings.reduce((sum, { debit }) => sum + debit, 0),
    credit: postings.reduce((sum, { credit }) => sum + credit, 0),
    root: tree.root().toString('hex'),
    unbalanced: unbalancedAccounts(lines),
  };
}

/**
 * A balance of 0 paid points has no line, and neither has one of a source that was added later, because the roots of
 * closed months must not change.
 */
function balanceLines(
  kind: 'opening' | 'closing',
  { source, free, paid }: SourcePoints,
): JournalLine[] {
  const line = (points: number, isPaid: boolean): JournalLine => {
    const account = accountOf(LIABILITY, source, isPaid);
    return { kind, day: null, source, movement: null, account, debit: 0, credit: points };
  };
  const hasFree = free !== 0 || sourceOf(source).hasLinesAtZero;
  return [...(hasFree ? [line(free, false)] : []), ...(paid === 0 ? [] : [line(paid, true)])];
}

/** Two lines for each row: one on the account of points owed, and one on the other side. */
const postingsOf = ({ days }: JournalRows): JournalLine[] =>
  days.flatMap(({ day, source, paid, flow: movement, points }): JournalLine[] => {
    const [sign, account] = OTHER_SIDES[movement];
    const about = { kind: 'posting', day, source, movement } as const;
    const sides = [account, LIABILITY].map((name) => accountOf(name, source, paid));
    const [debited = '', credited = ''] = sign === 1 ? sides : sides.reverse();
    return [
      { ...about, account: debited, debit: points, credit: 0 },
      { ...about, account: credited, debit: 0, credit: points },
    ];
  });

/**
 * The liability accounts whose postings do not lead from the opening to the closing balance. This happens when a
 * movement counts in the postings but not in the balances, or the reverse. `verify` finds a lot that differs from
 * its movements.
 */
function unbalancedAccounts(lines: readonly JournalLine[]): string[] {
  const differences = new Map<string, number>();
  for (const { kind, account, debit, credit } of lines) {
    if (!account.startsWith(LIABILITY)) continue;
    const points = kind === 'closing' ? -credit : credit - debit;
    differences.set(account, (differences.get(account) ?? 0) + points);
  }
  return [...differences].filter(([, points]) => points !== 0).map(([account]) => account);
}

/**
 * The journal of a month, with its faults as sentences: that it does not balance, or that its root is not the one that
 * was kept when the month was closed.
 * @throws as `makeJournal`
 */
export async function readJournalOf(
  app: Pick<App, 'db'>,
  period: string,
): Promise<{ journal: Journal; faults: readonly string[] }> {
  const journal = await makeJournal(app, period);
  const { root, unbalanced } = journal;
  const faults = unbalanced.map(
    (account) => `The journal does not balance for ${account}: run verify.`,
  );
  const closing = await readClosing(app.db, parseMonth(period));
  const kept = closing?.period === period ? closing.journalRoot : null;
  if (kept !== null && Buffer.from(kept).toString('hex') !== root)
    faults.push(
      `The root kept at ${closing?.closedAt.toISOString() ?? ''}, when the month was closed, is another one: run verify.`,
    );
  return { journal, faults };
}

/** The text that is hashed: a JSON array of strings, as in the chain. */
const textOf = ({ kind, day, source, movement, account, debit, credit }: JournalLine): string =>
  JSON.stringify([kind, day ?? '', source, movement ?? '', account, String(debit), String(credit)]);

/** The journal as a file, one line at a time: the lines, followed by the control totals. */
export function* writeJournal(journal: Journal, format: 'csv' | 'jsonl'): Generator<string> {
  const { month, from, to, lines, debit, credit, root } = journal;
  const total = { debit, credit, root };
  if (format === 'jsonl') {
    yield jsonLine({ kind: 'journal', month, from, to });
    for (const line of lines) yield jsonLine(line);
    yield jsonLine({ kind: 'total', lines: lines.length, ...total });
    return;
  }
  yield csvLine(['kind', 'day', 'source', 'movement', 'account', 'debit', 'credit', 'root']);
  for (const { kind, day, source, movement, account, ...points } of lines)
    yield csvLine([kind, day, source, movement, account, points.debit, points.credit, null]);
  yield csvLine(['total', null, null, null, null, debit, credit, root]);
}

const jsonLine = (value: object): string => `${JSON.stringify(value)}\n`;
