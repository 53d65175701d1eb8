import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ask, send } from '../support/client.js';
import { SetMonthlyCredits, SetUserRole, SuspendUser } from '../support/operations.js';
import { administrator, newListener, type Person } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let admin: Person;
let second: Person;
let one: Person;
let two: Person;
/** When the second administrator begins. */
let midway: string;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  admin = await administrator(url);
  [second, one, two] = await Promise.all([newListener(url), newListener(url), newListener(url)]);
  await ask(url, SetUserRole, { userId: second.id, role: 'ADMIN', reason: 'Helps' }, admin.token);
  await setCredits(admin, one, 1);
  await setCredits(admin, two, 2);
  await ask(url, SuspendUser, { userId: one.id, reason: 'A test' }, admin.token);
  const [{ now }] = (await talebank.database.sql(
    `SELECT pg_sleep(0.01), ledger_now()::text AS now`,
  )) as [{ now: string }];
  midway = new Date(now).toISOString();
  await setCredits(second, one, 3);
});
afterAll(() => talebank.close());

const setCredits = (by: Person, of: Person, amount: number): Promise<unknown> =>
  ask(url, SetMonthlyCredits, { userId: of.id, amount, reason: 'A test' }, by.token);

interface Selected {
  readonly auditLog: {
    readonly nodes: readonly { readonly action: string; readonly target: string }[];
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string };
  } | null;
}

const select = (
  variables: Record<string, unknown>,
  by = second,
): ReturnType<typeof send<Selected>> =>
  send<Selected>(
    url,
    `query ($first: Int, $after: String, $actorId: ID, $action: [String!], $target: ID, $from: DateTime, $to: DateTime) {
      auditLog(first: $first, after: $after, actorId: $actorId, action: $action, target: $target, from: $from, to: $to) {
        nodes { action target }
        pageInfo { hasNextPage endCursor }
      }
    }`,
    variables,
    { token: by.token },
  );

const actionsOf = async (variables: Record<string, unknown>): Promise<string[]> =>
  ((await select(variables)).data?.auditLog?.nodes ?? []).map(({ action }) => action);

test('the audit log is filtered by actor, action, target and time', async () => {
  expect(await actionsOf({ actorId: second.id })).toEqual(['setMonthlyCredits']);
  expect(await actionsOf({ actorId: admin.id, target: one.id })).toEqual([
    'suspendUser',
    'setMonthlyCredits',
  ]);
  const actions = ['setUserRole', 'suspendUser', 'suspendUser', 'noSuchAction'];
  expect(await actionsOf({ action: actions })).toEqual(['suspendUser', 'setUserRole']);
  expect(await actionsOf({ action: [] })).toEqual([]);
  expect(await actionsOf({ target: two.id })).toEqual(['setMonthlyCredits']);
  expect(await actionsOf({ target: 'no such thing' })).toEqual([]);
  expect(await actionsOf({ target: one.id, from: midway })).toEqual(['setMonthlyCredits']);
  expect(await actionsOf({ target: one.id, to: midway })).toEqual([
    'suspendUser',
    'setMonthlyCredits',
  ]);
});

test('a filtered audit log is read page by page', async () => {
  const action = ['setMonthlyCredits'];
  const { data } = await select({ action, first: 2 });
  expect(data?.auditLog?.nodes.map(({ target }) => target)).toEqual([one.id, two.id]);
  expect(data?.auditLog?.pageInfo.hasNextPage).toBe(true);
  const rest = await select({ action, first: 2, after: data?.auditLog?.pageInfo.endCursor });
  expect(rest.data?.auditLog?.nodes.map(({ target }) => target)).toEqual([one.id]);
});

test.each([
  [{ actorId: 'no id' }, 'actorId'],
  [{ target: 'a\0b' }, 'target'],
  [{ target: '' }, 'target'],
  [{ action: ['a'.repeat(101)] }, 'action'],
  [{ from: '2026-02-01T00:00:00Z', to: '2026-01-01T00:00:00Z' }, 'from'],
])('what selects nothing that could be there is refused: %j', async (variables, field) => {
  const { errors } = await select(variables);
  expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field } }]);
});

test('only administrators and auditors read the audit log, with any filter', async () => {
  const { errors } = await select({ target: two.id }, two);
  expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
});
