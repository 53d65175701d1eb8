import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import { monthOf } from '../../src/domain/ledger/month.js';
import { openTestApp } from '../support/app.js';
import { ask } from '../support/client.js';
import { MID_MONTH } from '../support/cluster.js';
import { debit, grant, refund } from '../support/commands.js';
import { parseCsv } from '../support/csv.js';
import type { CreditStatementQuery } from '../support/generated/graphql.js';
import { CreditStatement, DeleteAccount, RunMaintenance } from '../support/operations.js';
import { administrator, newListener, type Person } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let app: OpenApp;
let admin: Person;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api', INITIAL_CREDITS: '10' }, { clockAt: MID_MONTH });
  app = await openTestApp(talebank.database);
  admin = await administrator(talebank.url);
});
afterAll(async () => {
  // There is no worker, and the invariants are checked for lots that a test has left to lapse.
  await sweep();
  await app.close(1000);
  await talebank.close();
});

let movedMs = 0;
/** Moves the clock on, and never back, because the tests run in any order. */
function advanceTo(at: Date): Promise<void> {
  movedMs += at.getTime() - talebank.database.ledgerTime().getTime();
  return talebank.database.moveClock(movedMs);
}
const HOUR_MS = 3_600_000;
const hoursAfter = (at: Date, hours: number): Date => new Date(at.getTime() + hours * HOUR_MS);

type Statement = CreditStatementQuery['creditStatement'];

const statementOf = async (
  { token }: Person,
  month: string,
  page: { first?: number; after?: string | null } = { first: 100 },
): Promise<Statement> =>
  (await ask(talebank.url, CreditStatement, { month, ...page }, token)).creditStatement;

/** Whether it adds up, and what it has when the address of its CSV, which is another one each second, is left out. */
function sound(statement: Statement): Omit<Statement, 'csvUrl'> {
  const { opening, closing, lapsedUnbooked, movements, csvUrl: _, ...rest } = statement;
  const moved = movements.nodes.reduce((sum, { amount }) => sum + amount, 0);
  expect(opening + moved - lapsedUnbooked).toBe(closing);
  return { opening, closing, lapsedUnbooked, movements, ...rest };
}

const sweep = async (): Promise<unknown> =>
  ask(talebank.url, RunMaintenance, { task: 'EXPIRE_CREDITS' }, admin.token);

/** A listener with a month behind them: what lapsed with its last instant is not booked yet. */
async function oneMonth(): Promise<{
  listener: Person;
  userId: UserId;
  month: string;
  next: string;
  debitSeq: number;
}> {
  const listener = await newListener(talebank.url);
  const userId = listener.id as UserId;
  const { period: month, endsAt } = monthOf(talebank.database.ledgerTime());
  await grant(app, userId, { amount: 5, source: 'EVENT', expiresAt: endsAt });
  const { debitSeq } = await debit(app, userId, 3);
  await advanceTo(hoursAfter(endsAt, 0.1));
  return { listener, userId, month, next: monthOf(endsAt).period, debitSeq: debitSeq ?? 0 };
}

test('a month adds up before and after its last lapse is booked, and later movements leave it alone', async () => {
  const { listener, userId, month, next, debitSeq } = await oneMonth();
  const unbooked = sound(await statementOf(listener, month));
  expect(unbooked).toMatchObject({ opening: 0, lapsedUnbooked: 2, closing: 10 });
  await sweep();
  const booked = sound(await statementOf(listener, month));
  expect(booked).toMatchObject({ opening: 0, lapsedUnbooked: 0, closing: 10 });
  expect(booked.movements.nodes.map(({ type, amount }) => [type, amount])).toEqual([
    ['EXPIRY', -2],
    ['DEBIT', -3],
    ['GRANT', 5],
    ['GRANT', 10],
  ]);
  // Its lot has lapsed: given back, taken out and made good for in the month of the refund.
  await refund(app, userId, debitSeq);
  await talebank.database.sql(
    `UPDATE audios SET status = 'FAILED', failure_reason = 'A test' WHERE user_id = $1`,
    [userId],
  );
  expect(sound(await statementOf(listener, month))).toEqual(booked);
  const after = sound(await statementOf(listener, next));
  expect(after).toMatchObject({ month: next, opening: 10, closing: 13 });
  expect(after.movements.nodes.map(({ type, amount }) => [type, amount])).toEqual([
    ['GRANT', 3],
    ['EXPIRY', -3],
    ['REFUND', 3],
  ]);
  expect(booked.headHash).toBe(booked.movements.nodes[0]?.hash);
  expect(after.headHash).toBe(after.movements.nodes[0]?.hash);
});

test('a lapse that is booked days later belongs to the month of its lot', async () => {
  const { listener, month, next } = await oneMonth();
  const { endsAt } = monthOf(new Date(`${month}-01T00:00:00Z`));
  await advanceTo(hoursAfter(endsAt, 100));
  const opened = await grant(app, listener.id as UserId, { amount: 1 });
  await sweep();
  const statement = sound(await statementOf(listener, month));
  expect(statement).toMatchObject({ opening: 0, lapsedUnbooked: 0, closing: 10 });
  expect(statement.movements.nodes[0]).toMatchObject({ type: 'EXPIRY', seq: opened.seq + 1 });
  const after = sound(await statementOf(listener, next));
  expect(after.movements.nodes.map(({ seq }) => seq)).toEqual([opened.seq]);
  expect(after).toMatchObject({ opening: 10, closing: 11 });
});

test('a month without movements has the head of the months before, and one before all of them has none', async () => {
  const listener = await newListener(talebank.url);
  const { period, endsAt } = monthOf(talebank.database.ledgerTime());
  const { headHash } = await statementOf(listener, period);
  expect(await statementOf(listener, '1999-12')).toMatchObject({
    opening: 0,
    closing: 0,
    headHash: null,
    movements: { nodes: [] },
  });
  await advanceTo(hoursAfter(endsAt, 1));
  const empty = await statementOf(listener, monthOf(endsAt).period);
  expect(empty).toMatchObject({ opening: 10, closing: 10, headHash, movements: { nodes: [] } });
});

test('its pages are those of one list', async () => {
  const { listener, month } = await oneMonth();
  await sweep();
  const whole = (await statementOf(listener, month)).movements.nodes.map(({ seq }) => seq);
  const paged: number[] = [];
  let after: string | null = null;
  do {
    const { movements }: Statement = await statementOf(listener, month, { first: 3, after });
    paged.push(...movements.nodes.map(({ seq }) => seq));
    after = movements.pageInfo.hasNextPage ? (movements.pageInfo.endCursor ?? null) : null;
  } while (after !== null);
  expect(paged).toEqual(whole);
  expect(whole.length).toBe(4);
});

describe('as CSV', () => {
  const rowsOf = async (csvUrl: string): Promise<Record<string, string>[]> => {
    const [header = [], ...records] = parseCsv(await (await fetch(csvUrl)).text());
    return records.map((record) => {
      expect(record.length).toBe(header.length);
      return Object.fromEntries(header.map((name, index) => [name, record[index] ?? '']));
    });
  };

  test('it has the same balances and movements, and says what is not booked yet', async () => {
    const { listener, month } = await oneMonth();
    const unbooked = await statementOf(listener, month);
    const before = await rowsOf(unbooked.csvUrl);
    expect(before.map(({ row, amount, balance }) => [row, amount, balance])).toEqual([
      ['OPENING', '', '0'],
      ['MOVEMENT', '10', '10'],
      ['MOVEMENT', '5', '15'],
      ['MOVEMENT', '-3', '12'],
      ['NOT_BOOKED_YET', '-2', '10'],
      ['CLOSING', '', '10'],
    ]);
    await sweep();
    const { csvUrl, movements, headHash } = await statementOf(listener, month);
    const rows = await rowsOf(csvUrl);
    const moved = rows.filter(({ row }) => row === 'MOVEMENT').reverse();
    expect(moved.map(({ seq, hash }) => [Number(seq), hash])).toEqual(
      movements.nodes.map(({ seq, hash }) => [seq, hash]),
    );
    expect(rows.at(-1)).toMatchObject({ row: 'CLOSING', balance: '10', hash: headHash });
  });

  test('a long month comes in parts, in order', async () => {
    const listener = await newListener(talebank.url);
    const userId = listener.id as UserId;
    await grant(app, userId, { amount: 1_100 });
    await Promise.all(Array.from({ length: 1_100 }, () => debit(app, userId, 1)));
    const { period } = monthOf(talebank.database.ledgerTime());
    const rows = await rowsOf((await statementOf(listener, period)).csvUrl);
    const seqs = rows.filter(({ row }) => row === 'MOVEMENT').map(({ seq }) => Number(seq));
    expect(seqs).toEqual(Array.from({ length: 1_102 }, (_, index) => index + 1));
    expect(rows.at(-1)).toMatchObject({ row: 'CLOSING', balance: '10' });
  });

  test('a reason is no formula, and may hold a comma and quotes', async () => {
    const listener = await newListener(talebank.url);
    const userId = listener.id as UserId;
    const reasons = ['=1+1', '+1', '-1', '@SUM(A1)', '＝1', 'a "word", and more', '\t=1', 'b\r\nc'];
    const sources = reasons.map((reason, index) => ({ reason, key: `reason:${String(index)}` }));
    for (const { reason, key } of sources)
      await app.ledger.grant({
        userId,
        terms: { source: 'FREE', priority: 50, amount: 1, expiresAt: null },
        reason,
        idempotencyKey: `grant:${key}`,
        requestHash: new Uint8Array(32),
        actorId: null,
        action: null,
      });
    const { period } = monthOf(talebank.database.ledgerTime());
    const rows = await rowsOf((await statementOf(listener, period)).csvUrl);
    const written = rows.filter(({ row }) => row === 'MOVEMENT').map(({ reason }) => reason);
    expect(written.slice(1)).toEqual([
      ...["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'＝1"],
      ...['a "word", and more', "'\t=1", 'b\r\nc'],
    ]);
  });

  test('its address is good for this user and month, and until the person leaves', async () => {
    const listener = await newListener(talebank.url);
    const { period } = monthOf(talebank.database.ledgerTime());
    const { csvUrl } = await statementOf(listener, period);
    const [user, month, signature] = [admin.id, '1999-12', 'signature=A'];
    const wrong = [
      csvUrl.replace(listener.id, user),
      csvUrl.replace(period, month),
      csvUrl.replace('signature=', signature),
      csvUrl.replace(/expires=\d+/, 'expires=9999999999'),
      csvUrl.replace(/name=[^&]+/, 'name=other'),
      csvUrl.replace('.csv', '.mp3'),
      csvUrl.split('?')[0] ?? '',
    ];
    for (const one of wrong) expect([one, (await fetch(one)).status]).toEqual([one, 403]);
    const { status, headers } = await fetch(csvUrl, { method: 'HEAD' });
    expect([status, headers.get('content-type'), headers.get('cache-control')]).toEqual([
      200,
      'text/csv; charset=utf-8; header=present',
      'no-store',
    ]);
    expect(headers.get('content-disposition')).toMatch(
      new RegExp(`^attachment; filename="points ${period}.csv"`),
    );
    await ask(talebank.url, DeleteAccount, { password: 'a good password' }, listener.token);
    expect((await fetch(csvUrl)).status).toBe(404);
  });

  test('its address counts against the limit of reads, as the statement does', async () => {
    const listener = await newListener(talebank.url);
    const { period } = monthOf(talebank.database.ledgerTime());
    const { csvUrl } = await statementOf(listener, period);
    const limited = await talebank.join({
      RATE_LIMIT_FACTOR: '1',
      RATE_LIMIT_CREDIT_READS: '2/3600',
    });
    const address = csvUrl.replace(talebank.url, limited.url);
    const statuses: number[] = [];
    let last = await fetch(address);
    for (statuses.push(last.status); statuses.length < 4; statuses.push(last.status))
      last = await fetch(address);
    expect(statuses.at(-1)).toBe(429);
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(statuses[0]).toBe(200);
  });
});
