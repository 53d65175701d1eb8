import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ask, execute } from '../support/client.js';
import { MID_MONTH } from '../support/cluster.js';
import type {
  RevokeBulkGrantMutation,
  RevokeCreditLotInput,
  TypedDocumentString,
} from '../support/generated/graphql.js';
import {
  BulkGrant,
  CreditReport,
  LedgerHealth,
  RefundAudio,
  Revoke,
  RevokeBulkGrant,
  RunMaintenance,
  SetMonthlyCredits,
  Wallet,
} from '../support/operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  narrate,
  newListener,
  newStory,
  type Person,
} from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const DAY_MS = 86_400_000;

let talebank: Talebank;
let url: string;
let admin: Person;
let voiceId: string;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api', MONTHLY_CREDITS: '20' }, { clockAt: MID_MONTH });
  url = talebank.url;
  admin = await administrator(url);
  voiceId = await englishVoice(url);
});
afterAll(() => talebank.close());

const inDays = (days: number): string => talebank.database.ledgerTime(days * DAY_MS).toISOString();
const codeOf = async <Variables extends object>(
  document: TypedDocumentString<unknown, Variables>,
  variables: Variables,
): Promise<string | undefined> =>
  (await execute(url, document, variables, { token: admin.token })).errors[0]?.extensions.code;
let keys = 0;
const newKey = (): string => `key-${String((keys += 1))}`;

/** What a refused request must leave as it was. */
const everything = (): Promise<unknown> =>
  talebank.database.sql(`
    SELECT (SELECT count(*) FROM credit_transactions) AS transactions,
      (SELECT count(*) FROM credit_lots) AS lots, (SELECT sum(remaining) FROM credit_lots) AS points,
      (SELECT count(*) FROM audit_entries) AS audit, (SELECT count(*) FROM bulk_grants) AS bulk,
      (SELECT count(*) FROM bulk_revocations) AS revocations,
      (SELECT count(*) FROM users WHERE monthly_credits IS NOT NULL) AS allowances`);

const auditOf = (target: string): Promise<{ action: string; actor_id: string; reason: string }[]> =>
  talebank.database.sql(
    'SELECT action, actor_id, reason FROM audit_entries WHERE target = $1 ORDER BY seq',
    [target],
  );

describe('revokeCreditLot', () => {
  const again = ({ revokeCreditLot }: { readonly revokeCreditLot: object }): object => ({
    revokeCreditLot: { ...revokeCreditLot, replayed: true },
  });

  test('forfeits what is left, leaves debits alone, and is idempotent', async () => {
    const listener = await newListener(url);
    const lotId = await grantTo(url, admin, listener, {
      amount: 8,
      source: 'EVENT',
      expiresAt: inDays(5),
    });
    const story = await newStory(url, admin, { length: 2500 });
    await narrate(url, listener, story.id, voiceId);
    const input = { lotId, reason: 'Granted by mistake', expectedRemaining: 5 };
    const first = await ask(url, Revoke, { input }, admin.token);
    expect(first.revokeCreditLot).toMatchObject({
      transaction: {
        type: 'REVOCATION',
        amount: -5,
        reason: 'Granted by mistake',
        actor: { id: admin.id },
      },
      lot: { status: 'REVOKED', remaining: 0 },
    });
    const second = await ask(url, Revoke, { input }, admin.token);
    expect(second).toEqual(again(first));
    const { me } = await ask(url, Wallet, {}, listener.token);
    expect(me?.credits.balance).toBe(10);
    expect(await auditOf(lotId)).toContainEqual({
      action: 'revokeCreditLot',
      actor_id: admin.id,
      reason: 'Granted by mistake',
    });
  });

  test('an empty lot dies without a movement, and what comes back to it is forfeited', async () => {
    const listener = await newListener(url);
    const lotId = await grantTo(url, admin, listener, {
      amount: 2,
      source: 'EVENT',
      expiresAt: inDays(5),
    });
    const story = await newStory(url, admin, { length: 1500 });
    const { audioId } = await narrate(url, listener, story.id, voiceId);
    const { revokeCreditLot } = await ask(
      url,
      Revoke,
      { input: { lotId, reason: 'Over' } },
      admin.token,
    );
    expect(revokeCreditLot).toMatchObject({
      transaction: null,
      lot: { status: 'REVOKED', remaining: 0 },
    });
    await ask(url, RefundAudio, { input: { audioId, reason: 'Sorry' } }, admin.token);
    const { me } = await ask(url, Wallet, {}, listener.token);
    expect(me?.credits.balance).toBe(10);
    expect(me?.creditHistory.nodes.slice(0, 2).map(({ type, amount }) => [type, amount])).toEqual([
      ['REVOCATION', -2],
      ['REFUND', 2],
    ]);
  });

  test('a lot that had lapsed is booked as that, and then nothing comes back to it', async () => {
    const listener = await newListener(url);
    const lotId = await grantTo(url, admin, listener, {
      amount: 4,
      source: 'EVENT',
      expiresAt: inDays(1),
    });
    await talebank.database.moveClock(2 * DAY_MS);
    try {
      const input = { lotId: lotId.toUpperCase(), reason: 'Over', expectedRemaining: 4 };
      const first = await ask(url, Revoke, { input }, admin.token);
      expect(first.revokeCreditLot).toMatchObject({
        transaction: null,
        lot: { status: 'REVOKED', remaining: 0 },
      });
      expect(await ask(url, Revoke, { input }, admin.token)).toEqual(again(first));
      const { me } = await ask(url, Wallet, {}, listener.token);
      expect(me?.creditHistory.nodes[0]).toMatchObject({ type: 'EXPIRY', amount: -4 });
    } finally {
      await talebank.database.moveClock(0);
    }
  });

  test('takes back parts of a lot, each once for its key, and leaves it alive', async () => {
    const listener = await newListener(url);
    const lotId = await grantTo(url, admin, listener, {
      amount: 9,
      source: 'EVENT',
      expiresAt: inDays(5),
    });
    const story = await newStory(url, admin, { length: 1500 });
    const { audioId } = await narrate(url, listener, story.id, voiceId);
    const part = (amount: number, key = newKey()): Record<'input', RevokeCreditLotInput> => ({
      input: { lotId, reason: 'Too many', amount, idempotencyKey: key },
    });
    const three = part(3);
    const first = await ask(url, Revoke, three, admin.token);
    expect(first.revokeCreditLot).toMatchObject({
      transaction: { type: 'REVOCATION', amount: -3, reason: 'Too many', actor: { id: admin.id } },
      lot: { status: 'ACTIVE', remaining: 4, revokedAt: null },
      replayed: false,
    });
    expect(await ask(url, Revoke, three, admin.token)).toEqual(again(first));
    expect(await codeOf(Revoke, part(2, three.input.idempotencyKey ?? ''))).toBe(
      'IDEMPOTENCY_KEY_REUSED',
    );
    const before = await everything();
    const five = part(5);
    expect(await codeOf(Revoke, five)).toBe('CONFLICT');
    expect(await everything()).toEqual(before);
    // All that is left, as a part: what comes back can be spent.
    const emptied = await ask(url, Revoke, part(4), admin.token);
    expect(emptied.revokeCreditLot).toMatchObject({
      transaction: { amount: -4 },
      lot: { status: 'EXHAUSTED', remaining: 0, revokedAt: null },
    });
    await ask(url, RefundAudio, { input: { audioId, reason: 'Sorry' } }, admin.token);
    const { me } = await ask(url, Wallet, {}, listener.token);
    expect(me?.credits.balance).toBe(12);
    // A refusal is not remembered under its key.
    const input = { ...five.input, amount: 1 };
    expect((await ask(url, Revoke, { input }, admin.token)).revokeCreditLot).toMatchObject({
      lot: { status: 'ACTIVE', remaining: 1 },
    });
    const rest = { input: { lotId, reason: 'Over' } };
    expect((await ask(url, Revoke, rest, admin.token)).revokeCreditLot).toMatchObject({
      transaction: { amount: -1 },
      lot: { status: 'REVOKED', remaining: 0 },
    });
    expect(await codeOf(Revoke, part(1))).toBe('CONFLICT');
    expect(await ask(url, Revoke, three, admin.token)).toMatchObject({
      revokeCreditLot: { transaction: { amount: -3 }, replayed: true },
    });
    expect((await auditOf(lotId)).length).toBe(5);
  });

  test('a part of a lot that has lapsed is refused, and its lapse is left to the sweep', async () => {
    const listener = await newListener(url);
    const lotId = await grantTo(url, admin, listener, {
      amount: 4,
      source: 'EVENT',
      expiresAt: inDays(1),
    });
    await talebank.database.moveClock(2 * DAY_MS);
    try {
      const before = await everything();
      const input = { lotId, reason: 'Over', amount: 1, idempotencyKey: newKey() };
      expect(await codeOf(Revoke, { input })).toBe('CONFLICT');
      expect(await everything()).toEqual(before);
    } finally {
      await talebank.database.moveClock(0);
    }
  });

  test.each([
    [
      'a lot that is not there',
      { lotId: '01a20913-a9d3-757e-8591-f24872fd11ac' },
      'NOT_FOUND',
      undefined,
    ],
    ['an id that is none', { lotId: 'lot' }, 'NOT_FOUND', undefined],
    ['another number than expected', { expectedRemaining: 3 }, 'CONFLICT', undefined],
    [
      'an expectation below nothing',
      { expectedRemaining: -1 },
      'BAD_USER_INPUT',
      'expectedRemaining',
    ],
    ['an empty reason', { reason: '' }, 'BAD_USER_INPUT', 'reason'],
    ['a reason of spaces', { reason: '   ' }, 'BAD_USER_INPUT', 'reason'],
    ['a reason of two lines', { reason: 'a\nb' }, 'BAD_USER_INPUT', 'reason'],
    ['a part of nothing', { amount: 0, idempotencyKey: 'k' }, 'BAD_USER_INPUT', 'amount'],
    ['a part below nothing', { amount: -1, idempotencyKey: 'k' }, 'BAD_USER_INPUT', 'amount'],
    ['a part without a key', { amount: 1 }, 'BAD_USER_INPUT', 'idempotencyKey'],
    ['a key without a part', { idempotencyKey: 'k' }, 'BAD_USER_INPUT', 'idempotencyKey'],
    [
      'a part with a key of spaces',
      { amount: 1, idempotencyKey: ' ' },
      'BAD_USER_INPUT',
      'idempotencyKey',
    ],
    ['a part that is too large', { amount: 5, idempotencyKey: 'k' }, 'CONFLICT', undefined],
    [
      'a part of another number than expected',
      { amount: 1, idempotencyKey: 'k', expectedRemaining: 3 },
      'CONFLICT',
      undefined,
    ],
  ])('refuses %s and changes nothing', async (_what, wrong, code, field) => {
    const listener = await newListener(url);
    const lotId = await grantTo(url, admin, listener, { amount: 4 });
    const before = await everything();
    const input = { lotId, reason: 'A test', ...wrong };
    const { errors } = await execute(url, Revoke, { input }, { token: admin.token });
    expect(errors[0]?.extensions).toMatchObject({
      code,
      ...(field === undefined ? {} : { field }),
    });
    expect(await everything()).toEqual(before);
  });
});

test('what comes back to a lot that lapsed before it was revoked is made good for', async () => {
  const listener = await newListener(url);
  const expiresAt = inDays(1);
  const lotId = await grantTo(url, admin, listener, { amount: 2, source: 'EVENT', expiresAt });
  const story = await newStory(url, admin, { length: 1500 });
  const { audioId } = await narrate(url, listener, story.id, voiceId);
  await talebank.database.moveClock(2 * DAY_MS);
  try {
    await ask(url, Revoke, { input: { lotId, reason: 'Over' } }, admin.token);
    await ask(url, RefundAudio, { input: { audioId, reason: 'Sorry' } }, admin.token);
    const { me } = await ask(url, Wallet, {}, listener.token);
    expect(me?.credits.balance).toBe(12);
    expect(me?.creditLots.nodes[0]).toMatchObject({ source: 'EVENT', parent: { id: lotId } });
  } finally {
    await talebank.database.moveClock(0);
  }
});

test('while the clock is set back an account’s time stands, and its history never runs backwards', async () => {
  const listener = await newListener(url);
  await grantTo(url, admin, listener, { amount: 1 });
  await talebank.database.moveClock(-60_000);
  try {
    await grantTo(url, admin, listener, { amount: 1 });
  } finally {
    await talebank.database.moveClock(0);
  }
  const { me } = await ask(url, Wallet, {}, listener.token);
  const times = me?.creditHistory.nodes.map(({ recordedAt }) => recordedAt).reverse();
  expect(times).toEqual([...(times ?? [])].sort());
});

describe('bulkGrantCredits', () => {
  const rowsFor = (people: readonly Person[]): { userId: string; amount: number }[] =>
    people.map(({ id }, index) => ({ userId: id, amount: index + 1 }));

  test('gives each their points, by id or address, and says which rows it skipped', async () => {
    const people = await Promise.all(Array.from({ length: 4 }, () => newListener(url)));
    const [one, two, three, four] = people as [Person, Person, Person, Person];
    const input = {
      source: 'REFERRAL' as const,
      reason: 'For bringing a friend',
      idempotencyKey: newKey(),
      rows: [
        { userId: one.id, amount: 1 },
        { email: ` ${two.email.toUpperCase()} `, amount: 2 },
        { userId: three.id, email: three.email, amount: 3 },
        { userId: 'nobody', amount: 1 },
        { userId: '01a20913-a9d3-757e-8591-f24872fd11ac', amount: 1 },
        { email: 'nobody@example.com', amount: 1 },
        { amount: 1 },
        { userId: one.id, email: two.email, amount: 1 },
        { email: one.email, amount: 5 },
      ],
    };
    const dry = await ask(url, BulkGrant, { input: { ...input, dryRun: true } }, admin.token);
    const before = await ask(url, Wallet, {}, one.token);
    expect(before.me?.credits.balance).toBe(10);
    const { bulkGrantCredits } = await ask(url, BulkGrant, { input }, admin.token);
    expect(bulkGrantCredits).toMatchObject({
      granted: 3,
      points: 6,
      dryRun: false,
      replayed: false,
    });
    expect(bulkGrantCredits.skipped).toEqual([
      { row: 3, reason: 'There is no such user.' },
      { row: 4, reason: 'There is no such user.' },
      { row: 5, reason: 'There is no such user.' },
      { row: 6, reason: 'Neither userId nor email is given.' },
      { row: 7, reason: 'userId and email are not the same user.' },
      { row: 8, reason: 'The same user as in row 0.' },
    ]);
    expect(dry.bulkGrantCredits).toEqual({ ...bulkGrantCredits, dryRun: true });
    const balances = await Promise.all(
      [one, two, three, four].map(
        async ({ token }) => (await ask(url, Wallet, {}, token)).me?.credits.balance,
      ),
    );
    expect(balances).toEqual([11, 12, 13, 10]);
    const again = await ask(url, BulkGrant, { input }, admin.token);
    expect(again.bulkGrantCredits).toEqual({ ...bulkGrantCredits, replayed: true });
    const other = await execute(
      url,
      BulkGrant,
      { input: { ...input, reason: 'Other' } },
      { token: admin.token },
    );
    expect(other.errors[0]?.extensions.code).toBe('IDEMPOTENCY_KEY_REUSED');
    expect(await auditOf(input.idempotencyKey)).toEqual([
      { action: 'bulkGrantCredits', actor_id: admin.id, reason: 'For bringing a friend' },
    ]);
  });

  test('an interrupted bulk grant is finished, and no account is granted twice', async () => {
    const people = await Promise.all(Array.from({ length: 6 }, () => newListener(url)));
    const input = {
      source: 'FREE' as const,
      reason: 'Thanks',
      idempotencyKey: newKey(),
      rows: rowsFor(people),
    };
    // As a process leaves it that dies after its grants and before it has noted the result.
    await ask(url, BulkGrant, { input }, admin.token);
    await talebank.database.sql('UPDATE bulk_grants SET result = NULL WHERE idempotency_key = $1', [
      input.idempotencyKey,
    ]);
    const { bulkGrantCredits } = await ask(url, BulkGrant, { input }, admin.token);
    expect(bulkGrantCredits).toMatchObject({ granted: 6, points: 21, skipped: [] });
    const balances = await Promise.all(
      people.map(async ({ token }) => (await ask(url, Wallet, {}, token)).me?.credits.balance),
    );
    expect(balances).toEqual([11, 12, 13, 14, 15, 16]);
  });

  test('the same twenty times at once is one, and all say the same', async () => {
    const people = await Promise.all(Array.from({ length: 5 }, () => newListener(url)));
    const input = {
      source: 'FREE' as const,
      reason: 'Thanks',
      idempotencyKey: newKey(),
      rows: rowsFor(people),
    };
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ask(url, BulkGrant, { input }, admin.token)),
    );
    expect(
      new Set(
        answers.map(
          ({ bulkGrantCredits: { granted, points } }) => `${String(granted)} ${String(points)}`,
        ),
      ),
    ).toEqual(new Set(['5 15']));
    const { me } = await ask(url, Wallet, {}, people[0]?.token);
    expect(me?.credits.balance).toBe(11);
  });

  test.each([
    ['no rows', { rows: [] }, 'rows'],
    ['an amount of 0', { rows: [{ userId: 'x', amount: 0 }] }, 'amount'],
    ['an amount below 0', { rows: [{ userId: 'x', amount: -3 }] }, 'amount'],
    ['an amount over the limit', { rows: [{ userId: 'x', amount: 1_000_001 }] }, 'amount'],
    [
      'more points than can be said',
      { rows: Array.from({ length: 2_001 }, () => ({ userId: 'x', amount: 1_000_000 })) },
      'rows',
    ],
    ['an event without an expiry', { source: 'EVENT' }, 'expiresAt'],
    ['a past expiry', { expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
    ['an absurd expiry', { expiresAt: '9999-01-01T00:00:00Z' }, 'expiresAt'],
    ['an empty reason', { reason: '' }, 'reason'],
    ['an empty key', { idempotencyKey: '' }, 'idempotencyKey'],
    ['a key that is not ASCII', { idempotencyKey: 'clé' }, 'idempotencyKey'],
    ['a key that is too long', { idempotencyKey: 'k'.repeat(256) }, 'idempotencyKey'],
  ])('refuses %s and changes nothing', async (_what, wrong, field) => {
    const before = await everything();
    const input = {
      source: 'FREE',
      reason: 'A test',
      idempotencyKey: newKey(),
      rows: [{ userId: admin.id, amount: 1 }],
      ...wrong,
    };
    const { errors } = await execute(
      url,
      BulkGrant,
      { input: input as never },
      { token: admin.token },
    );
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
    expect(await everything()).toEqual(before);
  });
});

describe('revokeBulkGrant', () => {
  const reason = 'Granted by mistake';
  const revoke = async (
    idempotencyKey: string,
    why = reason,
  ): Promise<RevokeBulkGrantMutation['revokeBulkGrant']> =>
    (await ask(url, RevokeBulkGrant, { idempotencyKey, reason: why }, admin.token)).revokeBulkGrant;
  const grantAll = async (
    people: readonly Person[],
    terms: { source?: 'REFERRAL' | 'EVENT'; expiresAt?: string } = {},
  ): Promise<string> => {
    const idempotencyKey = newKey();
    const rows = people.map(({ id }) => ({ userId: id, amount: 5 }));
    const input = { source: 'REFERRAL' as const, reason: 'Thanks', idempotencyKey, rows, ...terms };
    await ask(url, BulkGrant, { input }, admin.token);
    return idempotencyKey;
  };
  const listeners = (count: number): Promise<Person[]> =>
    Promise.all(Array.from({ length: count }, () => newListener(url)));
  const balanceOf = async ({ token }: Person): Promise<number | undefined> =>
    (await ask(url, Wallet, {}, token)).me?.credits.balance;
  const lotOf = async ({ id }: Person): Promise<string> => {
    const [lot] = await talebank.database.sql<{ id: string }>(
      `SELECT id FROM credit_lots WHERE user_id = $1 AND source = 'REFERRAL'`,
      [id],
    );
    return lot?.id ?? '';
  };

  test('takes back what is left of each lot, says what became of the rest, and is made once', async () => {
    const people = await listeners(6);
    const [untouched, half, spent, before, part, other] = people as [
      Person,
      Person,
      Person,
      Person,
      Person,
      Person,
    ];
    const key = await grantAll(people);
    const untold = await grantAll([other]);
    const [short, long] = [
      await newStory(url, admin, { length: 1500 }),
      await newStory(url, admin, { length: 4500 }),
    ];
    await narrate(url, half, short.id, voiceId);
    const { audioId } = await narrate(url, spent, long.id, voiceId);
    const whole = { lotId: await lotOf(before), reason: 'Over' };
    await ask(url, Revoke, { input: whole }, admin.token);
    const some = {
      lotId: await lotOf(part),
      reason: 'Too many',
      amount: 1,
      idempotencyKey: 'some',
    };
    await ask(url, Revoke, { input: some }, admin.token);
    const outcome = {
      accounts: 6,
      granted: 30,
      revoked: 17,
      spent: 7,
      lapsed: 0,
      revokedOtherwise: 6,
      replayed: false,
    };
    const answers = await Promise.all(Array.from({ length: 5 }, () => revoke(key)));
    for (const answer of answers) expect({ ...answer, replayed: false }).toEqual(outcome);
    expect(await Promise.all(people.map(balanceOf))).toEqual([10, 10, 10, 10, 10, 15]);
    // What comes back to a lot that is gone is gone, also when nothing was left of it, and changes no report.
    await ask(url, RefundAudio, { input: { audioId, reason: 'Sorry' } }, admin.token);
    expect(await balanceOf(spent)).toBe(10);
    expect(await revoke(key, 'Another reason')).toEqual({ ...outcome, replayed: true });
    expect(await auditOf(key)).toEqual([
      { action: 'bulkGrantCredits', actor_id: admin.id, reason: 'Thanks' },
      { action: 'revokeBulkGrant', actor_id: admin.id, reason },
    ]);
    const { ledgerHealth } = await ask(url, LedgerHealth, {}, admin.token);
    expect(ledgerHealth.checks.find(({ invariant }) => invariant === '15')?.sample).toEqual([]);
    const { me } = await ask(url, Wallet, {}, untouched.token);
    expect(me?.creditHistory.nodes[0]).toMatchObject({ type: 'REVOCATION', amount: -5, reason });
    expect(await revoke(untold)).toMatchObject({ accounts: 1, revoked: 5, replayed: false });
  });

  test('what is refunded between the revocation of a lot and the report changes no report', async () => {
    const people = await listeners(2);
    const [spent] = people as [Person];
    const key = await grantAll(people);
    const story = await newStory(url, admin, { length: 3500 });
    const { audioId } = await narrate(url, spent, story.id, voiceId);
    const first = await revoke(key);
    expect(first).toMatchObject({ granted: 10, revoked: 6, spent: 4 });
    await ask(url, RefundAudio, { input: { audioId, reason: 'Sorry' } }, admin.token);
    // As a process leaves it that dies after it has revoked the last lot.
    await talebank.database.sql(
      'UPDATE bulk_revocations SET result = NULL WHERE idempotency_key = $1',
      [key],
    );
    expect(await revoke(key)).toEqual(first);
  });

  test('a lot that has lapsed is booked as that', async () => {
    const people = await listeners(2);
    const key = await grantAll(people, { source: 'EVENT', expiresAt: inDays(1) });
    await talebank.database.moveClock(2 * DAY_MS);
    try {
      expect(await revoke(key)).toMatchObject({ granted: 10, revoked: 0, lapsed: 10 });
    } finally {
      await talebank.database.moveClock(0);
    }
  });

  test('a grant that is not finished is refused, and so is one that is not there', async () => {
    const key = await grantAll(await listeners(1));
    const [kept] = await talebank.database.sql<{ result: object }>(
      'SELECT result FROM bulk_grants WHERE idempotency_key = $1',
      [key],
    );
    const setResult = (result: object | null): Promise<unknown> =>
      talebank.database.sql('UPDATE bulk_grants SET result = $2 WHERE idempotency_key = $1', [
        key,
        result,
      ]);
    await setResult(null);
    const before = await everything();
    expect(await codeOf(RevokeBulkGrant, { idempotencyKey: key, reason })).toBe('CONFLICT');
    expect(await codeOf(RevokeBulkGrant, { idempotencyKey: newKey(), reason })).toBe('NOT_FOUND');
    expect(await everything()).toEqual(before);
    await setResult(kept?.result ?? null);
    expect(await revoke(key)).toMatchObject({ revoked: 5, replayed: false });
  });

  test.each([
    ['an empty key', { idempotencyKey: '' }, 'idempotencyKey'],
    ['a key that is too long', { idempotencyKey: 'k'.repeat(256) }, 'idempotencyKey'],
    ['an empty reason', { reason: ' ' }, 'reason'],
    ['a reason that is too long', { reason: 'r'.repeat(501) }, 'reason'],
  ])('refuses %s and changes nothing', async (_what, wrong, field) => {
    const before = await everything();
    const variables = { idempotencyKey: 'key', reason, ...wrong };
    const { errors } = await execute(url, RevokeBulkGrant, variables, { token: admin.token });
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
    expect(await everything()).toEqual(before);
  });
});

describe('refundAudio', () => {
  test('gives back once, names the administrator, and the narration stays', async () => {
    const listener = await newListener(url);
    const story = await newStory(url, admin, { length: 3500 });
    const { audioId } = await narrate(url, listener, story.id, voiceId);
    const input = { audioId, reason: 'A noise in the middle' };
    const { refundAudio } = await ask(url, RefundAudio, { input }, admin.token);
    expect(refundAudio).toMatchObject({
      audio: { id: audioId, status: 'QUEUED', creditsCharged: 0 },
      refund: { type: 'REFUND', amount: 4, debit: { seq: 2 }, actor: { id: admin.id } },
    });
    const again = await ask(url, RefundAudio, { input }, admin.token);
    expect(again.refundAudio.refund).toBeNull();
    expect(await auditOf(audioId)).toEqual([
      { action: 'refundAudio', actor_id: admin.id, reason: 'A noise in the middle' },
    ]);
  });

  test.each([
    [
      'a narration that is not there',
      { audioId: '01a20913-a9d3-757e-8591-f24872fd11ac' },
      'NOT_FOUND',
    ],
    ['an id that is none', { audioId: '' }, 'NOT_FOUND'],
    ['an empty reason', { reason: ' ' }, 'BAD_USER_INPUT'],
  ])('refuses %s', async (_what, wrong, code) => {
    const input = { audioId: admin.id, reason: 'A test', ...wrong };
    const { errors } = await execute(url, RefundAudio, { input }, { token: admin.token });
    expect(errors[0]?.extensions.code).toBe(code);
  });
});

describe('the allowance', () => {
  const verify = (person: Person): Promise<unknown> =>
    talebank.database.sql('UPDATE users SET email_verified_at = now() WHERE id = $1', [person.id]);

  test('goes once a month to those who are active and verified, each their own amount', async () => {
    const [usual, own, none, unverified, suspended] = (await Promise.all(
      Array.from({ length: 5 }, () => newListener(url)),
    )) as [Person, Person, Person, Person, Person];
    await Promise.all([usual, own, none, suspended].map(verify));
    await talebank.database.sql('UPDATE users SET suspended_at = now() WHERE id = $1', [
      suspended.id,
    ]);
    const set = (person: Person, amount: number | null): Promise<unknown> =>
      ask(url, SetMonthlyCredits, { userId: person.id, amount, reason: 'As agreed' }, admin.token);
    await set(own, 35);
    await set(none, 0);
    const grantAll = (): Promise<unknown> =>
      ask(url, RunMaintenance, { task: 'GRANT_MONTHLY_CREDITS' }, admin.token);
    await grantAll();
    await grantAll();
    const balances = (): Promise<unknown[]> =>
      talebank.database.sql(
        `SELECT sum(remaining)::int AS balance FROM credit_lots WHERE user_id = ANY($1) GROUP BY user_id
         ORDER BY array_position($1, user_id)`,
        [[usual.id, own.id, none.id, unverified.id, suspended.id]],
      );
    expect(await balances()).toEqual([30, 45, 10, 10, 10].map((balance) => ({ balance })));
    const [lot] = await talebank.database.sql<{
      expires_at: Date;
      period: string;
      granted_at: Date;
    }>(
      `SELECT expires_at, period, granted_at FROM credit_lots WHERE user_id = $1 AND source = 'MONTHLY'`,
      [usual.id],
    );
    const [year = 0, month = 0] = (lot?.period ?? '').split('-').map(Number);
    expect(lot?.period).toBe(lot?.granted_at.toISOString().slice(0, 7));
    expect(lot?.expires_at).toEqual(new Date(Date.UTC(year, month)));
    expect(await auditOf(own.id)).toEqual([
      { action: 'setMonthlyCredits', actor_id: admin.id, reason: 'As agreed' },
    ]);
    // Next month: the old lot has lapsed to the instant, and a new one comes with the first read, or with the job.
    await talebank.database.moveClock(
      Date.UTC(year, month) - talebank.database.ledgerTime().getTime(),
    );
    try {
      const { me } = await ask(url, Wallet, {}, usual.token);
      expect(me?.credits.balance).toBe(30);
      await grantAll();
      await ask(url, RunMaintenance, { task: 'EXPIRE_CREDITS' }, admin.token);
      expect(await balances()).toEqual([30, 45, 10, 10, 10].map((balance) => ({ balance })));
      const { ledgerHealth } = await ask(url, LedgerHealth, {}, admin.token);
      expect(ledgerHealth.ok).toBe(true);
    } finally {
      await talebank.database.moveClock(0);
    }
  });

  test.each([
    [
      'a user who is not there',
      { userId: '01a20913-a9d3-757e-8591-f24872fd11ac' },
      'NOT_FOUND',
      undefined,
    ],
    ['less than nothing', { amount: -1 }, 'BAD_USER_INPUT', 'amount'],
    ['more than a million', { amount: 1_000_001 }, 'BAD_USER_INPUT', 'amount'],
    ['an empty reason', { reason: '' }, 'BAD_USER_INPUT', 'reason'],
  ])('refuses %s and changes nothing', async (_what, wrong, code, field) => {
    const before = await everything();
    const variables = { userId: admin.id, amount: 5, reason: 'A test', ...wrong };
    const { errors } = await execute(url, SetMonthlyCredits, variables, { token: admin.token });
    expect(errors[0]?.extensions).toMatchObject({
      code,
      ...(field === undefined ? {} : { field }),
    });
    expect(await everything()).toEqual(before);
  });
});

describe('creditReport', () => {
  interface Row {
    source: string;
    granted: number;
    grace: number;
    debited: number;
    refunded: number;
    expired: number;
    revoked: number;
    outstanding: number;
  }
  const report = async (
    from: string,
    to: string,
  ): Promise<{ rows: Row[]; outstanding: number; runOff: unknown[] }> =>
    (await ask(url, CreditReport, { from, to }, admin.token)).creditReport;
  const now = async (): Promise<string> => {
    const [row] = await talebank.database.sql<{ now: Date }>('SELECT ledger_now() AS now');
    return row?.now.toISOString() ?? '';
  };

  test('adds up from any instant to any other, before and after the sweep, and never changes afterwards', async () => {
    const listener = await newListener(url);
    const instants = ['2020-01-01T00:00:00.000Z', await now()];
    const event = await grantTo(url, admin, listener, {
      amount: 6,
      source: 'EVENT',
      expiresAt: inDays(2),
    });
    const story = await newStory(url, admin, { length: 3500 });
    const { audioId } = await narrate(url, listener, story.id, voiceId);
    instants.push(await now());
    const addOn = await grantTo(url, admin, listener, { amount: 9, source: 'ADD_ON' });
    const part = { lotId: addOn, reason: 'Too many', amount: 4, idempotencyKey: newKey() };
    await ask(url, Revoke, { input: part }, admin.token);
    instants.push(await now());
    await ask(url, Revoke, { input: { lotId: addOn, reason: 'Over' } }, admin.token);
    instants.push(await now());
    await talebank.database.moveClock(3 * DAY_MS);
    try {
      instants.push(await now());
      const before = await report(instants[0] ?? '', instants.at(-1) ?? '');
      await ask(url, RefundAudio, { input: { audioId, reason: 'Sorry' } }, admin.token);
      await ask(url, RunMaintenance, { task: 'EXPIRE_CREDITS' }, admin.token);
      // What is over is over: neither the sweep nor the refund of today rewrites it.
      expect(await report(instants[0] ?? '', instants.at(-1) ?? '')).toEqual(before);
      instants.push(await now());
      expect(event).not.toBe('');
      for (const [index, from] of instants.entries()) {
        for (const to of instants.slice(index)) {
          const [opening, period] = await Promise.all([
            report(instants[0] ?? '', from),
            report(from, to),
          ]);
          period.rows.forEach((row, place) => {
            const { granted, grace, debited, refunded, expired, revoked, outstanding } = row;
            const begun = opening.rows[place]?.outstanding ?? 0;
            const closing = begun + granted + grace - debited + refunded - expired - revoked;
            expect([row.source, closing]).toEqual([row.source, outstanding]);
          });
          expect(period.rows.reduce((sum, { outstanding }) => sum + outstanding, 0)).toBe(
            period.outstanding,
          );
        }
      }
      const [balances] = await talebank.database.sql<{ points: number }>(
        // Not what remains in the lots: another test was in the next month, and came back.
        `SELECT sum(a.amount)::int AS points
         FROM credit_transactions t JOIN credit_allocations a USING (user_id, seq)
         WHERE t.effective_at <= ledger_now()`,
      );
      const last = await report(instants[0] ?? '', await now());
      expect(last.outstanding).toBe(balances?.points);
      expect(last.runOff.at(-1)).toMatchObject({ day: null });
    } finally {
      await talebank.database.moveClock(0);
    }
  });

  test('refuses a period that ends before it begins', async () => {
    const { errors } = await execute(
      url,
      CreditReport,
      { from: inDays(1), to: inDays(0) },
      { token: admin.token },
    );
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'from' });
  });
});

test('ledgerHealth names all rules, and a listener may not ask', async () => {
  const { ledgerHealth } = await ask(url, LedgerHealth, {}, admin.token);
  expect(ledgerHealth.checks.map(({ invariant }) => invariant)).toEqual(
    Array.from({ length: 17 }, (_, index) => String(index + 1)),
  );
  const listener = await newListener(url);
  const { errors } = await execute(url, LedgerHealth, {}, { token: listener.token });
  expect(errors[0]?.extensions.code).toBe('FORBIDDEN');
});

test('what administrators did cannot be rewritten', async () => {
  await grantTo(url, admin, await newListener(url));
  await expect(talebank.database.sql('DELETE FROM audit_entries')).rejects.toThrow(
    /only accumulates/,
  );
  await expect(talebank.database.sql(`UPDATE audit_entries SET reason = ''`)).rejects.toThrow(
    /only accumulates/,
  );
  await expect(talebank.database.sql('TRUNCATE audit_entries')).rejects.toThrow(/only accumulates/);
});
