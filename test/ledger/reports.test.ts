import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import { POINTS_MAX } from '../../src/domain/ledger/book.js';
import type { UserId } from '../../src/domain/ids.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { monthOf } from '../../src/domain/ledger/month.js';
import { ask, execute, send } from '../support/client.js';
import { until } from '../support/faults.js';
import { MID_MONTH } from '../support/cluster.js';
import { debit, grant, refund, revoke } from '../support/commands.js';
import type { CreditLiabilityQuery, CreditReportQuery } from '../support/generated/graphql.js';
import {
  CreditLiability,
  CreditReport,
  LedgerHealth,
  RunMaintenance,
} from '../support/operations.js';
import { administrator } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const DAY_MS = 86_400_000;
const INT_MAX = 2_147_483_647;
const BEGINNING = '2020-01-01T00:00:00.000Z';

let talebank: Talebank;
let app: OpenApp;
let token: string;
let admin: UserId;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' }, { clockAt: MID_MONTH });
  app = await openTestApp(talebank.database);
  ({ token } = await administrator(talebank.url));
  [admin = admin] = await makeAccounts(talebank.database, 1);
});
afterAll(async () => {
  await app.close(1000);
  await talebank.close();
});

let movedMs = 0;
/** Moves the clock on, and never back, because the tests run in any order. */
function advance(days: number): Promise<void> {
  movedMs += days * DAY_MS;
  return talebank.database.moveClock(movedMs);
}

type Report = CreditReportQuery['creditReport'];
type Row = Report['rows'][number];

const report = async (from: string, to: string): Promise<Report> =>
  (await ask(talebank.url, CreditReport, { from, to }, token)).creditReport;
const now = (): string => talebank.database.ledgerTime().toISOString();

function rowOf(found: Report, source: Row['source']): Row {
  const row = found.rows.find((one) => one.source === source);
  if (row === undefined) throw new Error(`The report has no row for ${source}.`);
  return row;
}

test('every total of a report is exact when two full accounts come to more than an Int can say', async () => {
  const [one, two] = (await makeAccounts(talebank.database, 2)) as [UserId, UserId];
  const both = 2 * POINTS_MAX;
  expect(both).toBeGreaterThan(INT_MAX);
  for (const userId of [one, two]) {
    const { lotId } = await grant(app, userId, { amount: POINTS_MAX, source: 'REFERRAL' });
    const { debitSeq } = await debit(app, userId, POINTS_MAX);
    await refund(app, userId, debitSeq ?? 0);
    await revoke(app, userId, lotId, admin);
    const expiresAt = talebank.database.ledgerTime(DAY_MS);
    await grant(app, userId, { amount: POINTS_MAX, source: 'EVENT', expiresAt });
  }
  // The narrations were only asked for to move points; no worker makes them.
  await talebank.database.sql(`UPDATE audios SET status = 'FAILED', failure_reason = 'A test'`);
  const first = await report(BEGINNING, now());
  expect(rowOf(first, 'REFERRAL')).toMatchObject({
    granted: both,
    debited: both,
    refunded: both,
    revoked: both,
    outstanding: 0,
  });
  expect(rowOf(first, 'EVENT')).toMatchObject({ granted: both, outstanding: both });
  expect(first.outstanding).toBeGreaterThanOrEqual(both);
  expect(first.runOff.map(({ points }) => points)).toContain(both);
  await advance(2);
  expect(rowOf(await report(BEGINNING, now()), 'EVENT').expired).toBe(both);
  await ask(talebank.url, RunMaintenance, { task: 'EXPIRE_CREDITS' }, token);
  expect(rowOf(await report(BEGINNING, now()), 'EVENT').expired).toBe(both);
  const { ledgerHealth } = await ask(talebank.url, LedgerHealth, {}, token);
  expect(ledgerHealth.ok).toBe(true);
});

test('points of grace lots have a column of their own, and the identity holds from any instant to any other', async () => {
  const instants = [BEGINNING, now()];
  const [user, other] = (await makeAccounts(talebank.database, 2)) as [UserId, UserId];
  const expiresAt = talebank.database.ledgerTime(3 * DAY_MS);
  const monthly = { amount: 350, source: 'MONTHLY' as const, expiresAt };
  await grant(app, user, monthly);
  // It lapses at the very end of a period of the series, and belongs to that period.
  const midnight = Math.ceil(talebank.database.ledgerTime(DAY_MS).getTime() / DAY_MS) * DAY_MS;
  await grant(app, user, { amount: 9, source: 'FREE', expiresAt: new Date(midnight) });
  const revoked = await grant(app, other, { amount: 7, source: 'MONTHLY', expiresAt });
  const spent = await debit(app, user, 2);
  const lost = await debit(app, other, 4);
  await revoke(app, other, revoked.lotId, admin);
  instants.push(now());
  await advance(6);
  instants.push(now());
  const before = rowOf(await report(BEGINNING, instants[1] ?? ''), 'MONTHLY');
  await refund(app, user, spent.debitSeq ?? 0);
  // Its lot was revoked before it could lapse: nothing is made good.
  await refund(app, other, lost.debitSeq ?? 0);
  await talebank.database.sql(`UPDATE audios SET status = 'FAILED', failure_reason = 'A test'`);
  instants.push(now());
  const after = rowOf(await report(instants[1] ?? '', now()), 'MONTHLY');
  expect(after).toMatchObject({ granted: 357, grace: 2, debited: 6, refunded: 6 });
  expect(after).toMatchObject({ revoked: 7, expired: 350, outstanding: before.outstanding + 2 });
  // The grace lot lapses in its turn.
  await advance(8);
  instants.push(now());
  await ask(talebank.url, RunMaintenance, { task: 'EXPIRE_CREDITS' }, token);
  instants.push(now());
  for (const [index, from] of instants.entries())
    for (const to of instants.slice(index)) {
      await expectIdentity(from, to);
      await expectLiability(from, to);
    }
  await expectSeries(instants[1] ?? '', instants.at(-1) ?? '');
});

test('what is owed is what the lots hold that can be spent, by the month in which they lapse', async () => {
  const [user] = (await makeAccounts(talebank.database, 1)) as [UserId];
  const { endsAt } = monthOf(talebank.database.ledgerTime());
  await grant(app, user, { amount: 3, source: 'FREE', expiresAt: endsAt });
  await grant(app, user, { amount: 4, source: 'FREE', expiresAt: new Date(endsAt.getTime() + 1) });
  await grant(app, user, { amount: 5, source: 'ADD_ON' });
  const to = now();
  const { lapses, closing } = await liability(BEGINNING, to);
  const held = await talebank.database.sql<{
    month: string | null;
    source: string;
    points: number;
  }>(
    `SELECT CASE WHEN expires_at IS NULL THEN NULL
       ELSE to_char((expires_at - interval '1 ms') AT TIME ZONE 'UTC', 'YYYY-MM') END AS month,
       source, sum(remaining)::float8 AS points
     FROM credit_lots WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1)
     GROUP BY 1, 2 HAVING sum(remaining) > 0 ORDER BY 1 NULLS LAST, 2`,
    [to],
  );
  expect(lapses).toEqual(held);
  expect(closing).toBe(held.reduce((sum, { points }) => sum + points, 0));
  const { period } = monthOf(new Date(endsAt.getTime() - 1));
  const next = monthOf(endsAt).period;
  const free = lapses.filter(({ source }) => source === 'FREE').map(({ month }) => month);
  expect(free).toEqual(expect.arrayContaining([period, next]));
});

test.each([
  ['from', 1, 0],
  ['to', 0, 1],
])('of what is owed, a %s that cannot be is refused', async (field, fromDays, toDays) => {
  const at = (days: number): string =>
    talebank.database.ledgerTime(days * DAY_MS - 1).toISOString();
  const variables = { from: at(fromDays), to: at(toDays) };
  const { errors } = await execute(talebank.url, CreditLiability, variables, { token });
  expect(errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field });
});

type Liability = CreditLiabilityQuery['creditLiability'];

const liability = async (from: string, to: string): Promise<Liability> =>
  (await ask(talebank.url, CreditLiability, { from, to }, token)).creditLiability;

/** What is owed is what the reports up to both instants say, and what happened is what the report of the period says. */
async function expectLiability(from: string, to: string): Promise<void> {
  const [before, period, found] = await Promise.all([
    report(BEGINNING, from),
    report(from, to),
    liability(from, to),
  ]);
  expect([found.opening, found.closing]).toEqual([before.outstanding, period.outstanding]);
  expect(found.rows).toEqual(
    period.rows.map(({ outstanding: closing, ...row }) => ({
      ...row,
      opening: rowOf(before, row.source).outstanding,
      closing,
    })),
  );
}

/** A series by day has the figures of its single reports, which are read in another way. */
async function expectSeries(from: string, to: string): Promise<void> {
  const FIELDS = `from to outstanding runOff { day points }
    rows { source granted grace debited refunded expired revoked outstanding }`;
  const read = async (field: string): Promise<unknown> => {
    const { data, errors } = await send<{ found: unknown }>(
      talebank.url,
      `{ found: ${field} { ${FIELDS} } }`,
      {},
      { token },
    );
    expect(errors).toEqual([]);
    return data?.found;
  };
  const series = (await read(`creditSeries(from: "${from}", to: "${to}", bucket: DAY)`)) as {
    from: string;
    to: string;
  }[];
  expect(series.length).toBeGreaterThan(10);
  for (const found of series)
    expect(found).toEqual(await read(`creditReport(from: "${found.from}", to: "${found.to}")`));
}

/** For each source, what was owed at the beginning and the flows come to what is owed at the end. */
async function expectIdentity(from: string, to: string): Promise<void> {
  const opening = await report(BEGINNING, from);
  const period = await report(from, to);
  for (const row of period.rows) {
    const begun = rowOf(opening, row.source).outstanding;
    const closing =
      begun + row.granted + row.grace - row.debited + row.refunded - row.expired - row.revoked;
    expect([row.source, closing]).toEqual([row.source, row.outstanding]);
  }
}

test('one report is made at a time, ten wait, and more are told to come again', async () => {
  const range = `from: "${BEGINNING}", to: "${now()}"`;
  const askFor = (count: number): ReturnType<typeof send> => {
    const fields = Array.from({ length: count }, (_, n) => `r${String(n)}: creditReport(${range})`);
    return send(talebank.url, `{ ${fields.join(' { to } ')} { to } }`, {}, { token });
  };
  expect((await askFor(11)).errors).toEqual([]);
  const { data, errors } = await askFor(40);
  expect(data).toBeNull();
  expect(new Set(errors.map(({ extensions }) => extensions.code))).toEqual(new Set(['BUSY']));
  // Those that were let in are still made.
  await until('they are done', async () => (await askFor(11)).errors.length === 0);
});
