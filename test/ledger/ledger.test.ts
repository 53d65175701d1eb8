import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { ask, execute, executePatiently, send, type Answer } from '../support/client.js';
import { MID_MONTH } from '../support/cluster.js';
import { Grant, Narrate, SetUserRole, Wallet } from '../support/operations.js';
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
import { violations } from '../support/invariants.js';
import { expectBelow, timeOf } from '../support/measure.js';

const DAY_MS = 86_400_000;

let talebank: Talebank;
let url: string;
let admin: Person;
let voiceId: string;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' }, { clockAt: MID_MONTH });
  url = talebank.url;
  admin = await administrator(url);
  voiceId = await englishVoice(url);
});
afterAll(() => talebank.close());

const inDays = (days: number): string => talebank.database.ledgerTime(days * DAY_MS).toISOString();

test('lots burn by priority, then soonest expiry, then oldest', async () => {
  const listener = await newListener(url);
  const addOn = await grantTo(url, admin, listener, { amount: 2, source: 'ADD_ON' });
  const late = await grantTo(url, admin, listener, {
    amount: 2,
    source: 'EVENT',
    expiresAt: inDays(9),
  });
  const soon = await grantTo(url, admin, listener, {
    amount: 2,
    source: 'EVENT',
    expiresAt: inDays(2),
  });
  const referral = await grantTo(url, admin, listener, { amount: 2, source: 'REFERRAL' });
  const story = await newStory(url, admin, { length: 7500 });
  await narrate(url, listener, story.id, voiceId);
  const { me } = await ask(url, Wallet, {}, listener.token);
  const [debit] = me?.creditHistory.nodes ?? [];
  expect(debit?.allocations.map(({ lot, amount }) => [lot.id, amount])).toEqual([
    [soon, -2],
    [late, -2],
    [referral, -2],
    [addOn, -2],
  ]);
  expect(me?.credits.balance).toBe(10);
});

test('a lapsed lot is gone at the instant of its expiry, swept or not', async () => {
  const listener = await newListener(url);
  await grantTo(url, admin, listener, { amount: 5, source: 'EVENT', expiresAt: inDays(3) });
  const before = await ask(url, Wallet, {}, listener.token);
  expect(before.me?.credits).toMatchObject({ balance: 15, expiring: [{ points: 5 }] });
  await talebank.database.moveClock(4 * DAY_MS);
  try {
    const { me } = await ask(url, Wallet, {}, listener.token);
    expect(me?.credits).toMatchObject({
      balance: 10,
      expiring: [],
      bySource: [{ source: 'FREE', balance: 10 }],
    });
    expect(me?.creditLots.nodes.map(({ status }) => status)).toEqual(['EXPIRED', 'ACTIVE']);
    const story = await newStory(url, admin, { length: 10_500 });
    const { errors } = await execute(
      url,
      Narrate,
      { input: { storyId: story.id, voiceId } },
      { token: listener.token },
    );
    expect(errors[0]?.extensions).toMatchObject({ code: 'INSUFFICIENT_CREDITS', available: 10 });
  } finally {
    await talebank.database.moveClock(0);
  }
});

test('a hundred grants under one key at once grant once, and all say the same', async () => {
  const listener = await newListener(url);
  const input = {
    userId: listener.id,
    amount: 7,
    source: 'FREE' as const,
    reason: 'Once',
    idempotencyKey: 'once',
  };
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => ask(url, Grant, { input }, admin.token)),
  );
  expect(new Set(answers.map(({ grantCredits }) => grantCredits.transaction.id)).size).toBe(1);
  expect(answers.filter(({ grantCredits }) => !grantCredits.replayed).length).toBe(1);
  expect(answers[0]?.grantCredits.transaction).toMatchObject({
    seq: 2,
    type: 'GRANT',
    amount: 7,
    balanceAfter: 17,
    actor: { id: admin.id },
  });
  const { errors } = await execute(
    url,
    Grant,
    { input: { ...input, amount: 8 } },
    { token: admin.token },
  );
  expect(errors[0]?.extensions).toEqual({ code: 'IDEMPOTENCY_KEY_REUSED' });
});

test('many processes spend one account at once and never a point too many', async () => {
  const others = await Promise.all([
    talebank.join({ ROLE: 'api' }),
    talebank.join({ ROLE: 'api' }),
  ]);
  const doors = [url, ...others.map((server) => server.url)];
  const listener = await newListener(url);
  await grantTo(url, admin, listener, { amount: 20 });
  const stories = await Promise.all(Array.from({ length: 45 }, () => newStory(url, admin)));
  const answers = await Promise.all(
    stories.map((story, index) =>
      executePatiently(
        doors[index % doors.length] ?? url,
        Narrate,
        { input: { storyId: story.id, voiceId } },
        { token: listener.token },
      ),
    ),
  );
  const refused = answers.filter(
    ({ errors }) => errors[0]?.extensions.code === 'INSUFFICIENT_CREDITS',
  );
  expect(answers.filter(({ data }) => data !== null).length).toBe(30);
  expect(refused.length).toBe(15);
  const { me } = await ask(url, Wallet, {}, listener.token);
  expect(me?.credits.balance).toBe(0);
});

test('a grant and a debit of one account race, and it is sound in either order', async () => {
  for (let round = 0; round < 40; round += 1) {
    const listener = await newListener(url);
    const story = await newStory(url, admin, { length: 12_000 + round });
    const debit = (): Promise<Answer<unknown>> =>
      executePatiently(
        url,
        Narrate,
        { input: { storyId: story.id, voiceId } },
        { token: listener.token },
      );
    const grant = (): Promise<unknown> => grantTo(url, admin, listener, { amount: 5 });
    const [first, second] = round % 2 === 0 ? [debit, grant] : [grant, debit];
    const [asked, given] = [first(), second()];
    const { errors } = (await (first === debit ? asked : given)) as Answer<unknown>;
    await Promise.all([asked, given]);
    const { me } = await ask(url, Wallet, {}, listener.token);
    // The debit needs the points of the grant, so it is refused when it comes first.
    expect([errors[0]?.extensions.code, me?.creditHistory.nodes.map(({ type }) => type)]).toEqual(
      errors.length === 0
        ? [undefined, ['DEBIT', 'GRANT', 'GRANT']]
        : ['INSUFFICIENT_CREDITS', ['GRANT', 'GRANT']],
    );
  }
});

async function hold(ids: readonly string[]): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: talebank.database.url });
  await client.connect();
  await client.query('BEGIN');
  await client.query('SELECT FROM credit_accounts WHERE user_id = ANY($1) FOR UPDATE', [ids]);
  return client;
}

/** How long a lock is waited for, in milliseconds. */
const LOCK_WAIT_MS = 5_000;

test('an account that another session holds delays no other account', async () => {
  await expectBelow(LOCK_WAIT_MS, async () => {
    const [held, free] = await Promise.all([newListener(url), newListener(url)]);
    const story = await newStory(url, admin);
    const client = await hold([held.id]);
    try {
      const waiting = narrate(url, held, story.id, voiceId);
      const grants = await timeOf(async () => {
        for (let number = 0; number < 3; number += 1)
          await grantTo(url, admin, free, { amount: 1 });
      });
      const debit = await timeOf(() => narrate(url, free, story.id, voiceId));
      await client.query('COMMIT');
      expect(await waiting).toMatchObject({ charged: true, balance: 9 });
      return grants + debit;
    } finally {
      await client.end();
    }
  });
});

test('accounts that others hold for long delay no other, and their own requests are answered BUSY', async () => {
  await expectBelow(LOCK_WAIT_MS, async () => {
    const held = await Promise.all(Array.from({ length: 5 }, () => newListener(url)));
    const brief = await newListener(url);
    const story = await newStory(url, admin);
    const [long, short] = await Promise.all([hold(held.map(({ id }) => id)), hold([brief.id])]);
    try {
      const refused = held.map(({ token }) =>
        execute(url, Narrate, { input: { storyId: story.id, voiceId } }, { token }),
      );
      setTimeout(() => void short.query('COMMIT'), 200);
      const took = await timeOf(() => narrate(url, brief, story.id, voiceId));
      const codes = (await Promise.all(refused)).map(({ errors }) => errors[0]?.extensions.code);
      expect(codes).toEqual(held.map(() => 'BUSY'));
      return took;
    } finally {
      // Locks that are left would make the tests that follow fail too.
      await Promise.all([long.end(), short.end()]);
    }
  });
});

test('one poisoned request of a batch harms no other request', async () => {
  const people = await Promise.all(Array.from({ length: 6 }, () => newListener(url)));
  const [poisoned] = people;
  const story = await newStory(url, admin);
  // Something that the command cannot foresee: the row of this account is refused by the database.
  await talebank.database.sql(
    `ALTER TABLE audios ADD CONSTRAINT poison CHECK (user_id <> '${poisoned?.id ?? ''}')`,
  );
  const answers = await Promise.all(
    people.map((person) =>
      execute(url, Narrate, { input: { storyId: story.id, voiceId } }, { token: person.token }),
    ),
  );
  await talebank.database.sql('ALTER TABLE audios DROP CONSTRAINT poison');
  expect(answers.map(({ errors }) => errors[0]?.extensions.code ?? 'CHARGED')).toEqual([
    'INTERNAL',
    'CHARGED',
    'CHARGED',
    'CHARGED',
    'CHARGED',
    'CHARGED',
  ]);
  expect(answers[0]?.status).toBe(500);
  expect(answers[0]?.errors[0]?.extensions['requestId']).toMatch(/^[0-9a-f-]{36}$/);
  expect(JSON.stringify(answers[0])).not.toMatch(/poison|constraint|prisma/i);
});

test('history goes forward and backward by cursors, without gaps or repetitions', async () => {
  const listener = await newListener(url);
  for (let number = 0; number < 11; number += 1) await grantTo(url, admin, listener, { amount: 1 });
  const all = Array.from({ length: 12 }, (_, index) => 12 - index);
  const forward: number[] = [];
  for (let after: string | null | undefined, more = true; more;) {
    const { me } = await ask(
      url,
      Wallet,
      { first: 5, ...(after == null ? {} : { after }) },
      listener.token,
    );
    const page = me?.creditHistory;
    expect(page?.pageInfo.hasPreviousPage).toBe(after !== undefined);
    forward.push(...(page?.nodes.map(({ seq }) => seq) ?? []));
    ({ endCursor: after, hasNextPage: more } = page?.pageInfo ?? {
      endCursor: null,
      hasNextPage: false,
    });
  }
  expect(forward).toEqual(all);
  const backward: number[] = [];
  for (let before: string | null | undefined, more = true; more;) {
    const { me } = await ask(
      url,
      Wallet,
      { last: 5, ...(before == null ? {} : { before }) },
      listener.token,
    );
    const page = me?.creditHistory;
    backward.unshift(...(page?.nodes.map(({ seq }) => seq) ?? []));
    ({ startCursor: before, hasPreviousPage: more } = page?.pageInfo ?? {
      startCursor: null,
      hasPreviousPage: false,
    });
  }
  expect(backward).toEqual(all);
});

interface HistoryPage {
  readonly nodes: readonly { readonly seq: number }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

test('history is read by source and narration, also by an auditor of others', async () => {
  const [listener, auditor] = await Promise.all([newListener(url), newListener(url)]);
  const role = { userId: auditor.id, role: 'AUDITOR' as const, reason: 'Audits' };
  await ask(url, SetUserRole, role, admin.token);
  for (const source of ['ADD_ON', 'REFERRAL'] as const)
    await grantTo(url, admin, listener, { amount: 1, source });
  const story = await newStory(url, admin, { length: 1500 });
  const { audioId } = await narrate(url, listener, story.id, voiceId);
  const selection = `creditHistory(first: 2, after: $after, source: $source, audioId: $audioId, type: $type) {
    nodes { seq } pageInfo { hasNextPage endCursor } }`;
  const declared = `$after: String, $source: [CreditSource!], $audioId: ID, $type: [CreditTransactionType!]`;
  const ways: [string, Person][] = [
    [`query (${declared}) { person: me { ${selection} } }`, listener],
    [`query (${declared}) { person: user(id: "${listener.id}") { ${selection} } }`, auditor],
  ];
  const numbers = async (
    [query, { token }]: (typeof ways)[number],
    variables: object,
  ): Promise<number[]> => {
    const found: number[] = [];
    for (let after: string | null = null, more = true; more;) {
      const asked: object = { ...variables, after };
      const { data, errors } = await send<{ person: { creditHistory: HistoryPage } }>(
        url,
        query,
        asked,
        { token },
      );
      expect(errors).toEqual([]);
      const page = data?.person.creditHistory;
      found.push(...(page?.nodes ?? []).map(({ seq }) => seq));
      more = page?.pageInfo.hasNextPage ?? false;
      after = page?.pageInfo.endCursor ?? null;
    }
    return found;
  };
  for (const way of ways) {
    // The narration takes from all three lots.
    expect(await numbers(way, {})).toEqual([4, 3, 2, 1]);
    expect(await numbers(way, { source: ['ADD_ON'] })).toEqual([4, 2]);
    expect(await numbers(way, { source: ['FREE', 'REFERRAL', 'FREE'] })).toEqual([4, 3, 1]);
    expect(await numbers(way, { source: ['REFERRAL'], type: ['GRANT'] })).toEqual([3]);
    expect(await numbers(way, { source: [] })).toEqual([]);
    expect(await numbers(way, { audioId })).toEqual([4]);
    expect(await numbers(way, { audioId: audioId.toUpperCase(), type: ['GRANT'] })).toEqual([]);
    expect(await numbers(way, { audioId: auditor.id })).toEqual([]);
  }
});

test('the balance of a past instant is what could be spent then', async () => {
  const listener = await newListener(url);
  const query = 'query ($at: DateTime!) { me { credits { balanceAt(at: $at) } } }';
  const at = async (instant: string): Promise<number | undefined> => {
    const { data } = await send<{ me: { credits: { balanceAt: number } } }>(
      url,
      query,
      { at: instant },
      { token: listener.token },
    );
    return data?.me.credits.balanceAt;
  };
  const { me } = await ask(url, Wallet, {}, listener.token);
  const signedUpAt = me?.creditHistory.nodes[0]?.recordedAt ?? '';
  await grantTo(url, admin, listener, { amount: 5 });
  expect(await at(signedUpAt)).toBe(10);
  expect(await at(new Date(Date.parse(signedUpAt) - 1).toISOString())).toBe(0);
});

test.each([
  'UPDATE credit_transactions SET amount = amount',
  'DELETE FROM credit_transactions',
  'TRUNCATE credit_transactions CASCADE',
  'UPDATE credit_allocations SET amount = amount',
  'DELETE FROM credit_allocations',
  'TRUNCATE credit_allocations',
])('the database refuses to rewrite history: %s', async (statement) => {
  await expect(talebank.database.sql(statement)).rejects.toThrow(/the ledger only accumulates/);
});

test.each([
  'UPDATE credit_lots SET remaining = -1',
  'UPDATE credit_lots SET remaining = granted + 1',
  'DELETE FROM users',
  'UPDATE credit_accounts SET user_id = gen_random_uuid()',
  // The same key twice.
  `WITH first AS (SELECT * FROM credit_transactions LIMIT 1)
   INSERT INTO credit_transactions (user_id, seq, id, type, amount, balance_after, idempotency_key,
     effective_at, recorded_at, hash)
   SELECT user_id, 1000000, gen_random_uuid(), type, amount, balance_after, idempotency_key, effective_at,
     recorded_at, hash FROM first`,
  // The same month twice.
  `WITH first AS (SELECT user_id FROM credit_accounts LIMIT 1)
   INSERT INTO credit_lots (user_id, id, source, priority, granted, remaining, granted_at, period)
   SELECT user_id, gen_random_uuid(), 'MONTHLY', 20, 1, 0, now(), '2026-11' FROM first, generate_series(1, 2)`,
])('the database refuses what the rules forbid: %s', async (statement) => {
  await expect(talebank.database.sql(statement)).rejects.toThrow(/violates/);
});

test('the checks of this suite see what they are for', async () => {
  const listener = await newListener(url);
  const plant = async (sql: string, undo: string): Promise<string[]> => {
    await talebank.database.sql(
      `SET session_replication_role = replica; ${sql}; SET session_replication_role = origin`,
    );
    const seen = Object.keys(await violations(talebank.database)).map(
      (name) => name.split(' ')[0] ?? '',
    );
    await talebank.database.sql(
      `SET session_replication_role = replica; ${undo}; SET session_replication_role = origin`,
    );
    return seen;
  };
  const mine = `user_id = '${listener.id}'`;
  expect(
    await plant(
      `UPDATE credit_lots SET remaining = 9 WHERE ${mine}`,
      `UPDATE credit_lots SET remaining = 10 WHERE ${mine}`,
    ),
  ).toEqual(['1', '11']);
  expect(
    await plant(
      `UPDATE credit_transactions SET reason = 'x' WHERE ${mine}`,
      `UPDATE credit_transactions SET reason = 'Welcome' WHERE ${mine}`,
    ),
  ).toEqual(['9']);
  expect(
    await plant(
      `UPDATE credit_accounts SET last_seq = 2 WHERE ${mine}`,
      `UPDATE credit_accounts SET last_seq = 1 WHERE ${mine}`,
    ),
  ).toEqual(['9']);
});
