import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import type * as Journals from '../../src/services/accounting/journal.js';
import type * as Closing from '../../src/services/accounting/close-month.js';
import type * as Reports from '../../src/services/credits/report.js';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { debit, grant, outcome, refund, revoke } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { parseCsv } from '../support/csv.js';
import { until } from '../support/faults.js';
import { expectSoundLedger } from '../support/invariants.js';
import { ledgerOn, type Ended } from '../support/ledger-cli.js';
import { rootOf } from '../support/merkle.js';

/** The books of a month: their journal, and what closing them does to movements. */

const MONTH = '2031-05';
const FROM = '2031-05-01T00:00:00.000Z';
const END = '2031-06-01T00:00:00.000Z';
/** The first instant at which the month cannot be closed yet is one millisecond before. */
const CLOSABLE = '2031-06-01T00:05:00.001Z';

let database: TestDatabase;
let app: OpenApp;
let closeMonth: typeof Closing.closeMonth;
let journals: typeof Journals;
let creditReport: typeof Reports.creditReport;
let users: UserId[];
let ledger: (...args: string[]) => Promise<Ended>;

beforeEach(async () => {
  database = await createDatabase({ clockAt: '2031-04-20T10:00:00.000Z' });
  app = await openTestApp(database);
  ({ closeMonth } = await compiled<typeof Closing>('services/accounting/close-month.js'));
  journals = await compiled<typeof Journals>('services/accounting/journal.js');
  ({ creditReport } = await compiled<typeof Reports>('services/credits/report.js'));
  users = await makeAccounts(database, 3);
  ledger = ledgerOn(database.url);
});
afterEach(async () => {
  await expectSoundLedger(database);
  await app.close(1000);
  await database.drop();
});

const sweep = async (): Promise<void> => {
  const { runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  );
  await runMaintenance(app, 'EXPIRE_CREDITS');
};

/** No worker makes what was asked for to move points. */
const failNarrations = (): Promise<unknown> =>
  database.sql(`
    UPDATE audios u SET status = 'FAILED', failure_reason = 'A test' WHERE EXISTS (
      SELECT FROM credit_transactions r WHERE r.user_id = u.user_id AND r.debit_seq = u.debit_seq)`);

/** Movements of every kind in the month, before it, and after it; what is to be refunded later. */
async function live(): Promise<{ userId: UserId; debitSeq: number }> {
  const [one, two, admin] = users as [UserId, UserId, UserId];
  await grant(app, one, { amount: 40 });
  await grant(app, two, {
    amount: 9,
    source: 'EVENT',
    expiresAt: new Date('2031-05-03T12:00:00Z'),
  });
  await database.startClock('2031-05-03T11:00:00.000Z');
  const spent = await debit(app, two, 4);
  const { lotId } = await grant(app, one, { amount: 7, source: 'ADD_ON' });
  // Lapses with the last instant of the month.
  await grant(app, one, { amount: 6, source: 'MONTHLY', expiresAt: new Date(END) });
  const kept = await debit(app, one, 2);
  await database.startClock('2031-05-04T10:00:00.000Z');
  await sweep();
  await refund(app, two, spent.debitSeq ?? 0);
  await revoke(app, one, lotId, admin);
  await failNarrations();
  return { userId: one, debitSeq: kept.debitSeq ?? 0 };
}

interface Line {
  readonly kind: string;
  readonly day: string | null;
  readonly source: string;
  readonly movement: string | null;
  readonly account: string;
  readonly debit: number;
  readonly credit: number;
}

interface Total {
  readonly root: string;
  readonly debit: number;
  readonly credit: number;
}

/** Parses a journal of JSON lines: the entries between the first and the last line, and the totals in the last one. */
function parseJournal(text: string): Total & { readonly lines: Line[] } {
  const [, ...lines] = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  const total = lines.pop() as unknown as Total;
  return { ...total, lines };
}

async function journal(): Promise<ReturnType<typeof parseJournal>> {
  const found = await journals.readJournalOf(app, MONTH);
  expect(found.faults).toEqual([]);
  return parseJournal([...journals.writeJournal(found.journal, 'jsonl')].join(''));
}

const sumOf = (lines: readonly Line[], movement: string, source: string): number =>
  lines
    .filter((line) => line.movement === movement && line.source === source)
    .reduce((sum, { debit: points }) => sum + points, 0);

test('a journal is a double entry that comes to what creditReport says, in both formats', async () => {
  await live();
  await database.startClock('2031-06-02T00:00:00.000Z');
  const printed = await ledger('journal', '--month', MONTH, '--format', 'jsonl');
  expect([printed.code, printed.stderr]).toEqual([0, '']);
  const { lines, root, debit: debited, credit } = parseJournal(printed.stdout);
  const postings = lines.filter(({ kind }) => kind === 'posting');
  expect(postings.reduce((sum, line) => sum + line.debit - line.credit, 0)).toBe(0);
  expect(debited).toBe(credit);
  expect(debited).toBe(postings.reduce((sum, line) => sum + line.debit, 0));
  const opening = await creditReport(app, new Date('2031-04-01'), new Date(FROM));
  const report = await creditReport(app, new Date(FROM), new Date(END));
  const balances = (kind: string): [string, number][] =>
    lines.filter((line) => line.kind === kind).map((line) => [line.source, line.credit]);
  expect(balances('opening')).toEqual(opening.rows.map((row) => [row.source, row.outstanding]));
  expect(balances('closing')).toEqual(report.rows.map((row) => [row.source, row.outstanding]));
  for (const { source, ...row } of report.rows)
    expect({
      granted: sumOf(lines, 'GRANT', source),
      grace: sumOf(lines, 'GRACE', source),
      debited: sumOf(lines, 'DEBIT', source),
      refunded: sumOf(lines, 'REFUND', source),
      expired: sumOf(lines, 'EXPIRY', source),
      revoked: sumOf(lines, 'REVOCATION', source),
      outstanding: row.outstanding,
    }).toEqual(row);
  // What lapses with the month belongs to its last day.
  expect(postings).toContainEqual({
    kind: 'posting',
    day: '2031-05-31',
    source: 'MONTHLY',
    movement: 'EXPIRY',
    account: 'liability:MONTHLY',
    debit: 4,
    credit: 0,
  });
  const leaves = lines.map((line) =>
    Buffer.from(JSON.stringify(Object.values(line).map((value) => String(value ?? '')))),
  );
  expect(rootOf(leaves).toString('hex')).toBe(root);
  const { stdout } = await ledger('journal', '--month', MONTH);
  const [header, ...records] = parseCsv(stdout);
  expect(header).toEqual([...Object.keys(lines[0] ?? {}), 'root']);
  expect(records.pop()).toEqual(['total', '', '', '', '', String(debited), String(credit), root]);
  expect(records).toEqual(
    lines.map((line) => [...Object.values(line).map((value) => String(value ?? '')), '']),
  );
  await sweep();
});

/** The root of the journal of `live`, as the last release without prices made it. */
const ROOT_BEFORE_PRICES = '17c1fc45c53adb2ed6c9fd5c51243efbfb3b0bd748fcdf9c5abb2afa6fc01147';

test('the journal of a month without paid points is the same as in releases without prices', async () => {
  await live();
  await database.startClock('2031-06-02T00:00:00.000Z');
  await sweep();
  const { lines, root } = await journal();
  expect(root).toBe(ROOT_BEFORE_PRICES);
  expect(lines.slice(0, 6)).toEqual([
    ...['EVENT', 'MONTHLY', 'REFERRAL', 'ADD_ON', 'FREE'].map((source) => ({
      kind: 'opening',
      day: null,
      source,
      movement: null,
      account: `liability:${source}`,
      debit: 0,
      credit: expect.any(Number),
    })),
    expect.objectContaining({ kind: 'posting' }),
  ]);
});

test('paid points, including those of grace lots, have their own accounts, which balance', async () => {
  const [one, two, admin] = users as [UserId, UserId, UserId];
  const sold = { source: 'ADD_ON' as const, priceMinor: 999, currency: 'EUR' };
  await grant(app, one, { amount: 40, ...sold });
  await grant(app, one, { amount: 2, source: 'ADD_ON' });
  const expiresAt = new Date('2031-05-03T12:00:00Z');
  await grant(app, two, { amount: 9, ...sold, source: 'EVENT', expiresAt });
  await database.startClock('2031-05-03T11:00:00.000Z');
  const spent = await debit(app, two, 4);
  const { lotId } = await grant(app, one, { amount: 7, ...sold });
  await revoke(app, one, lotId, admin);
  await database.startClock('2031-05-04T10:00:00.000Z');
  await sweep();
  await refund(app, two, spent.debitSeq ?? 0);
  await failNarrations();
  await database.startClock('2031-06-02T00:00:00.000Z');
  await sweep();
  const printed = await ledger('journal', '--month', MONTH, '--format', 'jsonl');
  expect([printed.code, printed.stderr]).toEqual([0, '']);
  const { lines, debit: debited, credit } = parseJournal(printed.stdout);
  expect(debited).toBe(credit);
  const told = lines
    .filter(({ account }) => account.endsWith(':paid'))
    .map(({ kind, day, account, ...points }) => [kind, day, account, points.debit, points.credit]);
  expect(told).toEqual([
    ['opening', null, 'liability:EVENT:paid', 0, 9],
    ['opening', null, 'liability:ADD_ON:paid', 0, 40],
    ...entry('2031-05-03', 'liability:EVENT:paid', 'consumption:EVENT:paid', 4),
    ...entry('2031-05-03', 'liability:EVENT:paid', 'expiry:EVENT:paid', 5),
    ...entry('2031-05-03', 'grants:ADD_ON:paid', 'liability:ADD_ON:paid', 7),
    ...entry('2031-05-03', 'liability:ADD_ON:paid', 'revocation:ADD_ON:paid', 7),
    ...entry('2031-05-04', 'grace:EVENT:paid', 'liability:EVENT:paid', 4),
    ...entry('2031-05-04', 'consumption:EVENT:paid', 'liability:EVENT:paid', 4),
    ...entry('2031-05-04', 'liability:EVENT:paid', 'expiry:EVENT:paid', 4),
    ...entry('2031-05-05', 'liability:EVENT:paid', 'expiry:EVENT:paid', 4),
    ['closing', null, 'liability:ADD_ON:paid', 0, 40],
  ]);
  expect(lines).toContainEqual(
    expect.objectContaining({ kind: 'closing', account: 'liability:ADD_ON', credit: 2 }),
  );
  const { root } = await journal();
  const { journalRoot } = await closeMonth(app, MONTH);
  expect(Buffer.from(journalRoot ?? []).toString('hex')).toBe(root);
});

/** The two lines of an entry: the debit of one account and the credit of the other. */
const entry = (day: string, from: string, to: string, points: number): unknown[][] => [
  ['posting', day, from, points, 0],
  ['posting', day, to, 0, points],
];

test('a month is closed once it is over and its lapses are booked, once, and its journal stays as it is', async () => {
  const { userId, debitSeq } = await live();
  await database.startClock('2031-06-01T00:04:00.000Z');
  await expect(closeMonth(app, MONTH)).rejects.toThrow(
    'The books of 2031-05 can be closed after 2031-06-01T00:05:00.000Z.',
  );
  await database.startClock(CLOSABLE);
  const before = await journal();
  await expect(closeMonth(app, MONTH)).rejects.toThrow(/^What lapsed in 2031-05 is not all booked/);
  await sweep();
  const close = (): Promise<unknown> => closeMonth(app, MONTH);
  const closings = await Promise.all([close(), close(), close()]);
  expect(closings.map((one) => JSON.stringify(one))).toEqual(
    Array(3).fill(JSON.stringify(await close())),
  );
  const { code, stdout } = await ledger('close-month', MONTH);
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/^The books of 2031-05 are closed since/),
  ]);
  expect(stdout).toContain(`The root of the journal of 2031-05 is ${before.root}.`);
  const audit = await database.sql(`
    SELECT action, target, actor_id, details FROM audit_entries WHERE action LIKE 'ledger%' ORDER BY seq`);
  expect(audit).toEqual([
    { action: 'ledger close-month', target: MONTH, actor_id: null, details: { endsAt: END } },
    {
      action: 'ledger journal',
      target: MONTH,
      actor_id: null,
      details: { root: before.root, lines: before.lines.length, points: before.debit },
    },
  ]);
  // Its lot has lapsed in the month that is closed: given back and taken out now.
  const { seq } = await refund(app, userId, debitSeq);
  await failNarrations();
  const followed = await database.sql(
    `SELECT type, effective_at = recorded_at AS now FROM credit_transactions
     WHERE user_id = $1 AND seq > $2 ORDER BY seq`,
    [userId, seq],
  );
  expect(followed).toEqual([
    { type: 'EXPIRY', now: true },
    { type: 'GRANT', now: true },
  ]);
  expect(await journal()).toEqual(before);
  expect(await closeMonth(app, '2031-04')).toMatchObject({ period: MONTH });
});

test('a movement that is being written when its month is closed is in the journal', async () => {
  const [one, two] = users as [UserId, UserId];
  await database.startClock('2031-05-31T23:59:00.000Z');
  // Holds a movement up in the middle of the statement that writes it, until closing waits for it.
  await database.sql(`
    CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      WHILE NOT EXISTS (
        SELECT FROM pg_locks WHERE NOT granted AND relation = 'credit_transactions'::regclass
          AND mode = 'ShareRowExclusiveLock'
      ) LOOP PERFORM pg_sleep(0.01); END LOOP;
      RETURN NEW;
    END $$;
    CREATE TRIGGER hold_up BEFORE INSERT ON credit_lots FOR EACH ROW EXECUTE FUNCTION hold_up()`);
  const writing = grant(app, one, { amount: 5 });
  await until('it is written', async () => {
    const found = await database.sql(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`,
    );
    return found.length > 0;
  });
  await database.startClock(CLOSABLE);
  const closing = outcome(closeMonth(app, MONTH));
  // It ends only after closing has waited for it.
  await writing;
  const closed = await closing;
  await database.sql('DROP TRIGGER hold_up ON credit_lots');
  const later = await grant(app, two, { amount: 3 });
  expect(closed).toMatchObject({ period: MONTH });
  const { lines, root } = await journal();
  expect(sumOf(lines, 'GRANT', 'FREE')).toBe(5);
  expect(root).toBe(
    typeof closed === 'string' ? '' : Buffer.from(closed.journalRoot ?? []).toString('hex'),
  );
  expect(later.seq).toBe(1);
});

test('movements of several processes go on around the closing of a month, and none falls into it afterwards', async () => {
  const other = await openTestApp(database);
  await database.startClock('2031-05-31T23:59:59.000Z');
  // More than they can spend, however long it takes.
  for (const userId of users) await grant(app, userId, { amount: 1_000_000 });
  let going = true;
  const spend = async (from: OpenApp, userId: UserId): Promise<void> => {
    while (going) await debit(from, userId, 1);
  };
  const spending = [app, other].flatMap((from) => users.map((userId) => spend(from, userId)));
  await database.startClock(CLOSABLE);
  const closings = await Promise.all(
    [app, other, app].map((from) => closeMonth(from, MONTH)),
  ).finally(() => {
    going = false;
  });
  await Promise.all(spending);
  const { root } = await journal();
  for (const { journalRoot } of closings)
    expect(Buffer.from(journalRoot ?? []).toString('hex')).toBe(root);
  await other.close(1000);
});

test('a closed month takes no movement, also when the clock is set back into it', async () => {
  const [one] = users as [UserId];
  await database.startClock(CLOSABLE);
  await closeMonth(app, MONTH);
  await database.startClock('2031-05-31T12:00:00.000Z');
  expect(await outcome(grant(app, one, { amount: 5 }))).toBe('BUSY');
  expect(await database.sql('SELECT FROM credit_transactions')).toEqual([]);
  await database.startClock('2031-06-01T00:00:01.000Z');
  const { seq } = await grant(app, one, { amount: 5 });
  expect(seq).toBe(1);
  await expect(
    database.sql(`
      INSERT INTO credit_transactions SELECT (jsonb_populate_record(t, jsonb_build_object('seq', 2,
        'id', gen_random_uuid(), 'idempotency_key', 'another', 'effective_at', '${END}'))).* FROM credit_transactions t`),
  ).rejects.toMatchObject({ code: '40001' });
  for (const change of [
    `UPDATE closed_months SET ends_at = '${FROM}'`,
    `UPDATE closed_months SET journal_root = sha256('')`,
    'UPDATE closed_months SET journal_root = NULL',
    'DELETE FROM closed_months',
    'TRUNCATE closed_months',
  ])
    await expect(database.sql(change)).rejects.toThrow(/only accumulates/);
});

test('an interrupted closing is finished, and a journal that is another one than was kept is told', async () => {
  await live();
  await database.startClock(CLOSABLE);
  await sweep();
  // Killed before the journal was made.
  await database.sql(
    `INSERT INTO closed_months (period, ends_at, closed_at) VALUES ('${MONTH}', '${END}', ledger_now())`,
  );
  const { root } = await journal();
  const { journalRoot } = await closeMonth(app, MONTH);
  expect(Buffer.from(journalRoot ?? []).toString('hex')).toBe(root);
  const tamper = (source: string, by: string): Promise<unknown> =>
    database.sql(`
      SET session_replication_role = replica;
      UPDATE credit_lots SET source = '${by}' WHERE source = '${source}';
      SET session_replication_role = origin`);
  await tamper('MONTHLY', 'REFERRAL');
  const { code, stderr } = await ledger('journal', '--month', MONTH);
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^The root kept at 2031-06-01T/)]);
  await tamper('REFERRAL', 'MONTHLY');
  expect((await journal()).root).toBe(root);
});
