import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { ask, execute, send } from '../support/client.js';
import { Login, SetMonthlyCredits, SetUserRole } from '../support/operations.js';
import { administrator, newListener, type Person } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let admin: Person;
let person: Person;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  admin = await administrator(url);
});
afterAll(() => talebank.close());
beforeEach(async () => {
  person = await newListener(url);
});

const read = async (query: string, { token } = admin): Promise<void> => {
  expect((await send(url, query, {}, { token })).errors).toEqual([]);
};

const entries = (target: string): Promise<{ action: string; actor_id: string }[]> =>
  talebank.database.sql(
    'SELECT action, actor_id FROM audit_entries WHERE target = $1 ORDER BY id',
    [target],
  );

const countOf = async (): Promise<number> => {
  const rows = await talebank.database.sql<{ count: number }>(
    'SELECT count(*)::int FROM audit_entries',
  );
  return rows[0]?.count ?? 0;
};

const ONE_READ = [{ action: 'readUser', actor_id: '' }];
const expectOneRead = async (target: string): Promise<void> => {
  expect(await entries(target)).toEqual(ONE_READ.map((one) => ({ ...one, actor_id: admin.id })));
};

test.each([
  ['by id', ({ id }: Person) => `{ user(id: "${id}") { id } }`],
  ['by address', ({ email }: Person) => `{ user(email: "${email}") { displayName } }`],
  ['in a list', ({ email }: Person) => `{ users(search: "${email}") { nodes { id } } }`],
  ['its edges', ({ email }: Person) => `{ users(search: "${email}") { edges { node { id } } } }`],
  [
    'everything of them',
    ({ id }: Person) => `{ a: user(id: "${id}") { email createdAt suspended monthlyCredits
      credits { balance } creditLots { nodes { id } } creditHistory { nodes { id } }
      audio { nodes { id } } sessions { id ipAddress } } b: user(id: "${id}") { email } }`,
  ],
])('an administrator who reads a user %s leaves one entry', async (_how, query) => {
  await read(query(person));
  await expectOneRead(person.id);
  await read(query(person));
  await expectOneRead(person.id);
});

test('a read through another object leaves an entry as well', async () => {
  await talebank.database.sql(
    `INSERT INTO audit_entries (id, at, actor_id, action) VALUES ($1, now(), $2, 'test')`,
    ['ffffffff-0000-7000-8000-000000000000', person.id],
  );
  await read('{ auditLog(first: 1) { nodes { actor { id displayName } } } }');
  expect(await entries(person.id)).toEqual([]);
  await read('{ auditLog(first: 1) { nodes { actor { email } } } }');
  await expectOneRead(person.id);
});

test.each(['transaction', 'node'])(
  'a movement by its id, as %s, leaves one as well',
  async (field) => {
    const [movement] = await talebank.database.sql<{ id: string }>(
      'SELECT id FROM credit_transactions WHERE user_id = $1',
      [person.id],
    );
    const query = `{ ${field}(id: "${movement?.id ?? ''}") { id } }`;
    await read(query, person);
    expect(await entries(person.id)).toEqual([]);
    await read(query);
    await expectOneRead(person.id);
  },
);

test('an auditor who reads a user leaves one entry, as an administrator does', async () => {
  const auditor = await newListener(url);
  const role = { userId: auditor.id, role: 'AUDITOR' as const, reason: 'Audits' };
  await ask(url, SetUserRole, role, admin.token);
  await read(`{ user(id: "${person.id}") { email } }`, auditor);
  expect(await entries(person.id)).toEqual([{ action: 'readUser', actor_id: auditor.id }]);
});

test('a page of users leaves one entry for each user, within the request', async () => {
  const people = await Promise.all(Array.from({ length: 20 }, () => newListener(url)));
  const before = await countOf();
  await read('{ users(first: 20) { nodes { email credits { balance } sessions { id } } } }');
  expect((await countOf()) - before).toBe(20);
  for (const { id } of people.slice(0, 3)) await expectOneRead(id);
});

test('reads of one’s own data and of public data leave no entry', async () => {
  const before = await countOf();
  await read('{ me { email sessions { id } credits { balance } } }', person);
  await read('{ me { email sessions { id } credits { balance } } }');
  await read(`{ user(id: "${admin.id}") { email } }`);
  const answer = await execute(url, Login, {
    input: { email: person.email, password: 'a good password' },
  });
  expect(answer.errors).toEqual([]);
  expect(await countOf()).toBe(before);
});

test('the same read an hour later leaves another entry', async () => {
  await talebank.database.sql(
    `INSERT INTO audit_entries (id, at, actor_id, action, target)
     VALUES ($1, now() - interval '61 minutes', $2, 'readUser', $3)`,
    [idAt(Date.now() - 61 * 60_000), admin.id, person.id],
  );
  await read(`{ user(id: "${person.id}") { email } }`);
  expect(await entries(person.id)).toHaveLength(2);
  await talebank.database.sql(
    `INSERT INTO audit_entries (id, at, actor_id, action, target)
     VALUES ($1, now() - interval '59 minutes', $2, 'readUser', $3)`,
    [idAt(Date.now() - 59 * 60_000), admin.id, (person = await newListener(url)).id],
  );
  await read(`{ user(id: "${person.id}") { email } }`);
  expect(await entries(person.id)).toHaveLength(1);
});

/** A UUID of version 7 of that time. */
const idAt = (time: number): string => {
  const hex = time.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${crypto.randomUUID().slice(15)}`;
};

test('the answer of a mutation is covered by its entry, and a mutation without effect leaves an entry for the read', async () => {
  const allowance = { userId: person.id, amount: 5, reason: 'A test' };
  await ask(url, SetMonthlyCredits, allowance, admin.token);
  expect((await entries(person.id)).map(({ action }) => action)).toEqual(['setMonthlyCredits']);
  const other = await newListener(url);
  const reinstate = `mutation { reinstateUser(userId: "${other.id}", reason: "No") { email sessions { id } } }`;
  await read(reinstate);
  await expectOneRead(other.id);
});

test('a read whose entry cannot be written is refused', async () => {
  await talebank.database.sql('ALTER TABLE audit_entries RENAME TO audit_entries_away');
  try {
    const query = `{ user(id: "${person.id}") { email } }`;
    const { data, errors } = await send(url, query, {}, { token: admin.token });
    expect(errors[0]?.extensions.code).toBe('BUSY');
    expect(JSON.stringify(data)).not.toContain(person.email);
  } finally {
    await talebank.database.sql('ALTER TABLE audit_entries_away RENAME TO audit_entries');
  }
});
