import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import { openTestApp } from '../support/app.js';
import { ask, execute } from '../support/client.js';
import { MID_MONTH } from '../support/cluster.js';
import { debit, refund } from '../support/commands.js';
import type { GrantCreditsInput } from '../support/generated/graphql.js';
import { expectSoundLedger } from '../support/invariants.js';
import { ledgerOn, verifyExport, type Ended } from '../support/ledger-cli.js';
import { owed } from '../support/liability.js';
import {
  BulkGrant,
  Grant,
  LotPrices,
  PricedLiability,
  Revoke,
  RevokeBulkGrant,
  RunMaintenance,
} from '../support/operations.js';
import { administrator, grantTo, newListener, type Person } from '../support/people.js';
import { preserved, tamper } from '../support/tampering.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

/** Prices of lots: their validation, the proof in the chain, and the reports. */

const DAY_MS = 86_400_000;
const BEGINNING = new Date('2020-01-01T00:00:00.000Z');

let talebank: Talebank;
let url: string;
let app: OpenApp;
let admin: Person;
let ledger: (...args: string[]) => Promise<Ended>;
let folder: string;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' }, { clockAt: MID_MONTH });
  ({ url } = talebank);
  app = await openTestApp(talebank.database);
  admin = await administrator(url);
  ledger = ledgerOn(talebank.database.url);
  folder = await mkdtemp(join(tmpdir(), 'talebank-prices-'));
});
afterEach(async () => {
  await sweep();
  await expectSoundLedger(talebank.database);
});

const sweep = (): Promise<unknown> =>
  ask(url, RunMaintenance, { task: 'EXPIRE_CREDITS' }, admin.token);
afterAll(async () => {
  await app.close(1000);
  await talebank.close();
  await rm(folder, { recursive: true, force: true });
});

let movedMs = 0;
/** Moves the clock forward and runs the sweep. The clock never moves back, because the tests run in any order. */
async function advance(days: number): Promise<void> {
  movedMs += days * DAY_MS;
  await talebank.database.moveClock(movedMs);
  await sweep();
}

let keys = 0;
const inputFor = (
  person: Person,
  input: Partial<GrantCreditsInput> = {},
): GrantCreditsInput & { idempotencyKey: string } => {
  keys += 1;
  const about = { userId: person.id, amount: 10, source: 'ADD_ON' as const, reason: 'A test' };
  return { ...about, idempotencyKey: `prices-${String(keys)}`, ...input };
};

const pricesOf = async (person: Person): Promise<(number | string | null | undefined)[][]> =>
  (await ask(url, LotPrices, {}, person.token)).creditLots.nodes.map((lot) => [
    lot.granted,
    lot.priceMinor,
    lot.currency,
  ]);

const sha256 = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex');

async function requestHashOf(idempotencyKey: string): Promise<string | undefined> {
  const [row] = await talebank.database.sql<{ hash: string }>(
    `SELECT encode(request_hash, 'hex') AS hash FROM credit_transactions WHERE idempotency_key = $1
     UNION ALL SELECT encode(request_hash, 'hex') FROM bulk_grants WHERE 'whole:' || idempotency_key = $1`,
    [idempotencyKey],
  );
  return row?.hash;
}

const counted = (): Promise<object[]> =>
  talebank.database.sql(
    `SELECT (SELECT count(*) FROM credit_lots) AS lots, (SELECT count(*) FROM bulk_grants) AS many,
       (SELECT count(*) FROM audit_entries) AS entries`,
  );

test('a price is stored with its lot, covered by the chain, and shown to its owner and to auditors', async () => {
  const listener = await newListener(url);
  const input = inputFor(listener, { priceMinor: 1_000_000_000_000, currency: 'EUR' });
  const { grantCredits } = await ask(url, Grant, { input }, admin.token);
  expect(grantCredits.replayed).toBe(false);
  expect(await pricesOf(listener)).toEqual([
    [10, 1_000_000_000_000, 'EUR'],
    [10, null, null],
  ]);
  const lotId = grantCredits.lot.id;
  const seen = await talebank.database.sql(
    `SELECT l.price_minor, l.currency, json_array_length(t.lot_terms->0) AS terms, t.lot_terms->0->>8 AS price,
       t.lot_terms->0->>9 AS covered, e.details->'priceMinor' AS noted, e.details->>'currency' AS in_currency
     FROM audit.credit_lots l JOIN audit.credit_transactions t ON t.user_id = l.user_id AND t.seq = 2
     JOIN audit.audit_entries e ON e.target = l.id::text WHERE l.id = $1`,
    [lotId],
  );
  expect(seen).toEqual([
    {
      price_minor: '1000000000000',
      currency: 'EUR',
      terms: 10,
      price: '1000000000000',
      covered: 'EUR',
      noted: 1_000_000_000_000,
      in_currency: 'EUR',
    },
  ]);
  // The terms of a lot without a price have eight elements, as in releases without prices.
  const [free] = await talebank.database.sql(
    `SELECT json_array_length(lot_terms->0) AS terms FROM credit_transactions WHERE user_id = $1 AND seq = 1`,
    [listener.id],
  );
  expect(free).toEqual({ terms: 8 });
  const { stdout } = await ledger('export', listener.email);
  const file = join(folder, 'export.jsonl');
  await writeFile(file, stdout);
  expect(stdout).toContain('"price_minor":1000000000000,"currency":"EUR"');
  expect((await verifyExport(file)).stdout).toMatch(/^Sound: 2 transactions, 2 lots/);
  for (const [was, is] of [
    ['"price_minor":1000000000000', '"price_minor":1000'],
    ['"currency":"EUR"', '"currency":"CHF"'],
    ['"price_minor":1000000000000,"currency":"EUR"', '"price_minor":null,"currency":null'],
    ['"price_minor":null,"currency":null', '"price_minor":5,"currency":"EUR"'],
  ] as const) {
    await writeFile(file, stdout.replace(was, is));
    expect((await verifyExport(file)).stderr).toMatch(/is not what its terms say/);
  }
});

test('the request hash covers the price, and without one is the same as in releases without prices', async () => {
  const listener = await newListener(url);
  const sold = inputFor(listener, { priceMinor: 999, currency: 'EUR' });
  const first = await ask(url, Grant, { input: sold }, admin.token);
  const again = await ask(url, Grant, { input: sold }, admin.token);
  expect(again.grantCredits).toMatchObject({
    replayed: true,
    lot: { id: first.grantCredits.lot.id },
  });
  const { priceMinor: _price, currency: _currency, ...free } = sold;
  for (const input of [free, { ...sold, priceMinor: 998 }, { ...sold, currency: 'CHF' }]) {
    const { errors } = await execute(url, Grant, { input }, { token: admin.token });
    expect(errors[0]?.extensions.code).toBe('IDEMPOTENCY_KEY_REUSED');
  }
  const without = inputFor(listener);
  for (const input of [without, { ...without, priceMinor: null, currency: null }])
    await ask(url, Grant, { input }, admin.token);
  expect(await requestHashOf(`grant:${without.idempotencyKey}`)).toBe(
    sha256(['ADD_ON', 10, null, 'A test']),
  );
  expect(await requestHashOf(`grant:${sold.idempotencyKey}`)).not.toBe(
    sha256(['ADD_ON', 10, null, 'A test']),
  );
  expect(await pricesOf(listener)).toEqual([
    [10, null, null],
    [10, 999, 'EUR'],
    [10, null, null],
  ]);
});

test('each row of a bulk grant has its own price, and the request hash covers all of them', async () => {
  const [one, two, three] = await Promise.all([1, 2, 3].map(() => newListener(url)));
  const { id, email } = one ?? admin;
  const rows = [
    { userId: id, amount: 5, priceMinor: 499, currency: 'EUR' },
    { email: two?.email ?? '', amount: 6 },
    { userId: three?.id ?? '', amount: 7, priceMinor: 700, currency: 'JPY' },
  ];
  const input = { source: 'ADD_ON' as const, reason: 'A sale', idempotencyKey: 'sale', rows };
  const grantMany = async (changed: object = {}): Promise<unknown> => {
    const variables = { input: { ...input, ...changed } };
    const { data, errors } = await execute(url, BulkGrant, variables, { token: admin.token });
    return errors[0]?.extensions.code ?? data?.bulkGrantCredits;
  };
  expect(await grantMany({ dryRun: true })).toMatchObject({ granted: 3, points: 18 });
  expect(await grantMany()).toMatchObject({ granted: 3, points: 18, replayed: false });
  expect(await grantMany()).toMatchObject({ granted: 3, replayed: true });
  for (const [index, change] of [
    [0, { priceMinor: 500 }],
    [0, { priceMinor: null, currency: null }],
    [1, { priceMinor: 1, currency: 'EUR' }],
    [2, { currency: 'EUR' }],
  ] as const) {
    const changed = rows.map((row, place) => (place === index ? { ...row, ...change } : row));
    expect(await grantMany({ rows: changed })).toBe('IDEMPOTENCY_KEY_REUSED');
  }
  expect(await Promise.all([one, two, three].map((person) => pricesOf(person ?? admin)))).toEqual([
    [
      [5, 499, 'EUR'],
      [10, null, null],
    ],
    [
      [6, null, null],
      [10, null, null],
    ],
    [
      [7, 700, 'JPY'],
      [10, null, null],
    ],
  ]);
  const free = { ...input, idempotencyKey: 'gift', rows: [{ userId: id, email, amount: 5 }] };
  await ask(url, BulkGrant, { input: free }, admin.token);
  // The same hash as in releases without prices.
  expect(await requestHashOf('whole:gift')).toBe(sha256(['ADD_ON', null, 'A sale', id, email, 5]));
  expect(await requestHashOf('bulk:gift')).toBe(sha256(['ADD_ON', 5, null, 'A sale']));
});

const LATER = '2031-05-20T00:00:00.000Z';

test.each<[field: string, input: Partial<GrantCreditsInput>, message: RegExp]>([
  ['currency', { priceMinor: 999 }, /is required, because priceMinor is given/],
  ['priceMinor', { currency: 'EUR' }, /is required, because currency is given/],
  ['priceMinor', { priceMinor: 0, currency: 'EUR' }, /must be 1 to 1,000,000,000,000/],
  ['priceMinor', { priceMinor: -1, currency: 'EUR' }, /must be 1 to/],
  ['priceMinor', { priceMinor: 1e12 + 1, currency: 'EUR' }, /must be 1 to/],
  ['currency', { priceMinor: 999, currency: 'eur' }, /ISO 4217/],
  ['currency', { priceMinor: 999, currency: 'ZZZ' }, /ISO 4217/],
  ['currency', { priceMinor: 999, currency: 'XXX' }, /ISO 4217/],
  ['currency', { priceMinor: 999, currency: 'EUR ' }, /ISO 4217/],
  ['currency', { priceMinor: 999, currency: '' }, /ISO 4217/],
  [
    'priceMinor',
    { priceMinor: 999, currency: 'EUR', source: 'MONTHLY', expiresAt: LATER },
    /monthly allowance is not sold/,
  ],
])('a wrong %s is refused and changes nothing: %j', async (field, wrong, message) => {
  const listener = await newListener(url);
  const before = await counted();
  const input = inputFor(listener, wrong);
  const single = await execute(url, Grant, { input }, { token: admin.token });
  const { userId, amount, priceMinor, currency, ...whole } = input;
  const rows = [
    { userId: admin.id, amount },
    {
      userId,
      amount,
      ...(priceMinor === undefined ? {} : { priceMinor }),
      ...(currency === undefined ? {} : { currency }),
    },
  ];
  const many = await execute(url, BulkGrant, { input: { ...whole, rows } }, { token: admin.token });
  for (const { data, errors } of [single, many]) {
    expect(data).toBeNull();
    expect(errors).toHaveLength(1);
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
    expect(errors[0]?.message).toMatch(message);
  }
  expect(many.errors[0]?.message).toMatch(/\(the one at 1, counted from 0\)/);
  expect(await counted()).toEqual(before);
});

/** Marks refunded narrations as failed, because no worker runs that would make them. */
const failNarrations = (): Promise<unknown> =>
  talebank.database.sql(`
    UPDATE audios u SET status = 'FAILED', failure_reason = 'A test' WHERE EXISTS (
      SELECT FROM credit_transactions r WHERE r.user_id = u.user_id AND r.debit_seq = u.debit_seq)`);

const debitSeqOf = async (person: Person, points: number): Promise<number> =>
  (await debit(app, person.id as UserId, points)).debitSeq ?? 0;
const giveBack = async (person: Person, debitSeq: number): Promise<void> => {
  await refund(app, person.id as UserId, debitSeq);
  await failNarrations();
};

/** Makes every kind of movement of paid and of free points. @returns instants between the movements */
async function live(): Promise<Date[]> {
  const instants = [BEGINNING];
  const mark = (): number => instants.push(talebank.database.ledgerTime());
  const [one, two, three] = (await Promise.all([1, 2, 3].map(() => newListener(url)))) as [
    Person,
    Person,
    Person,
  ];
  mark();
  // EVENT lots burn first. A price of 10.00 for 7 points makes fractions of a minor unit.
  const expiresAt = talebank.database.ledgerTime(3 * DAY_MS).toISOString();
  const event = { source: 'EVENT' as const, expiresAt };
  await grantTo(url, admin, one, { ...event, amount: 7, priceMinor: 1000, currency: 'EUR' });
  await grantTo(url, admin, one, { ...event, amount: 2 });
  const first = await debitSeqOf(one, 8);
  const lot = await grantTo(url, admin, two, { amount: 9, priceMinor: 1000, currency: 'USD' });
  await grantTo(url, admin, two, { amount: 4 });
  await debitSeqOf(two, 4);
  mark();
  const part = { lotId: lot, reason: 'A test', amount: 2, idempotencyKey: `part-${lot}` };
  await ask(url, Revoke, { input: part }, admin.token);
  mark();
  await advance(5);
  mark();
  // The refunds make grace lots, which lapse too.
  await giveBack(one, first);
  mark();
  const second = await debitSeqOf(one, 5);
  await advance(5);
  await giveBack(one, second);
  mark();
  const rows = [
    { userId: two.id, amount: 3, priceMinor: 100, currency: 'JPY' },
    { userId: three.id, amount: 3 },
  ];
  const idempotencyKey = `many-${lot}`;
  const many = { source: 'REFERRAL' as const, reason: 'A test', idempotencyKey, rows };
  await ask(url, BulkGrant, { input: many }, admin.token);
  await debitSeqOf(two, 1);
  mark();
  await ask(url, RevokeBulkGrant, { idempotencyKey, reason: 'A test' }, admin.token);
  await ask(url, Revoke, { input: { lotId: lot, reason: 'A test' } }, admin.token);
  const soon = talebank.database.ledgerTime(DAY_MS).toISOString();
  await grantTo(url, admin, three, { expiresAt: soon, priceMinor: 333, currency: 'EUR' });
  mark();
  // Moves the clock without a sweep, so that an expiry is not booked yet.
  movedMs += 2 * DAY_MS;
  await talebank.database.moveClock(movedMs);
  await grantTo(url, admin, three, { amount: 7, priceMinor: 1000, currency: 'EUR' });
  await debitSeqOf(three, 2);
  mark();
  return instants;
}

test('paid and free points at any two instants equal an independent calculation', async () => {
  const instants = await live();
  for (const [index, from] of instants.entries())
    for (const to of instants.slice(index)) {
      const variables = { from: from.toISOString(), to: to.toISOString() };
      const found = (await ask(url, PricedLiability, variables, admin.token)).creditLiability;
      expect({ ...found, opening: 0, closing: 0 }).toEqual({
        ...(await owed(talebank.database, from, to)),
        opening: 0,
        closing: 0,
      });
      for (const { source, paid, free, ...all } of found.rows)
        for (const part of [all, paid, free]) {
          const { opening, granted, grace, debited, refunded, expired, revoked, closing } = part;
          const left = opening + granted + grace - debited + refunded - expired - revoked;
          expect([source, left]).toEqual([source, closing]);
        }
    }
  const { rows, deferredRevenue } = (
    await ask(
      url,
      PricedLiability,
      { from: BEGINNING.toISOString(), to: talebank.database.ledgerTime().toISOString() },
      admin.token,
    )
  ).creditLiability;
  const event = rows.find(({ source }) => source === 'EVENT');
  expect([event?.paid.grace, event?.free.grace]).not.toContain(0);
  expect(deferredRevenue.map(({ currency }) => currency)).toEqual(['EUR', 'JPY', 'USD']);
});

test('a price cannot be changed, added or removed, and verify finds a change made with the triggers off', async () => {
  const listener = await newListener(url);
  const lotId = await grantTo(url, admin, listener, { priceMinor: 999, currency: 'EUR' });
  const [free] = await talebank.database.sql<{ id: string }>(
    `SELECT id FROM credit_lots WHERE user_id = $1 AND source = 'FREE'`,
    [listener.id],
  );
  const changes = [
    ['price_minor = 1', lotId],
    [`currency = 'CHF'`, lotId],
    ['price_minor = NULL, currency = NULL', lotId],
    [`price_minor = 999, currency = 'EUR'`, free?.id ?? ''],
  ].map(([set = '', id = '']) => `UPDATE credit_lots SET ${set} WHERE id = '${id}'`);
  for (const change of changes)
    await expect(talebank.database.sql(change)).rejects.toThrow(/is refused/);
  const { code, stdout } = await preserved(talebank.database, async () => {
    for (const change of changes.filter((_, index) => index % 3 === 0))
      await tamper(talebank.database, change);
    return ledger('verify');
  });
  expect([code, stdout]).toEqual([1, expect.stringContaining(lotId)]);
  expect(stdout).toContain(free?.id);
});
