import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { makeAccounts } from '../support/app.js';
import {
  newAdministrator,
  newKey,
  outcomeOf,
  proposalOf,
  sendAllowance,
  sendApproval,
  sendBulk,
  sendDecline,
  sendGrant,
  stateOf,
} from '../support/approvals.js';
import { MID_MONTH } from '../support/cluster.js';
import { until } from '../support/faults.js';
import { administrator, newListener, type Person } from '../support/people.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

/** The limit of both processes, which use the same database. */
const ABOVE = 1_000;

let talebank: Talebank;
let other: ServerProcess;
let urls: readonly [string, string];
let url: string;
let approvers: readonly [Person, Person];

beforeAll(async () => {
  talebank = await startTalebank(
    { ROLE: 'api', APPROVAL_ABOVE: String(ABOVE) },
    { clockAt: MID_MONTH },
  );
  other = await talebank.join();
  urls = [talebank.url, other.url];
  url = talebank.url;
  const admin = await administrator(url);
  approvers = [admin, await newAdministrator(urls, admin)];
});
afterAll(() => talebank.close());

const newProposer = (): Promise<Person> => newAdministrator(urls, approvers[0]);
const at = (index: number): string => urls[index % 2] ?? url;
const count = (outcomes: readonly string[], outcome: string): number =>
  outcomes.filter((one) => one === outcome).length;

const sumOf = async (sql: string, values: unknown[]): Promise<number> => {
  const [row] = await talebank.database.sql<{ sum: number }>(sql, values);
  return row?.sum ?? 0;
};
const givenBy = ({ id }: Person): Promise<number> =>
  sumOf(
    `SELECT coalesce(sum(amount), 0)::int AS sum FROM credit_transactions WHERE actor_id = $1`,
    [id],
  );

test('concurrent grants of one administrator on two processes stay within the limit of the day', async () => {
  const proposer = await newProposer();
  const people = await Promise.all(Array.from({ length: 24 }, () => newListener(url)));
  const answers = await Promise.all(
    people.map(({ id: userId }, index) => sendGrant(at(index), proposer, { userId, amount: 150 })),
  );
  const outcomes = answers.map(outcomeOf);
  expect([count(outcomes, 'done'), count(outcomes, 'APPROVAL_REQUIRED')]).toEqual([6, 18]);
  expect(await givenBy(proposer)).toBe(900);
});

test('concurrent grants of all kinds stay within the limit of the day', async () => {
  const proposer = await newProposer();
  const people = await Promise.all(Array.from({ length: 18 }, () => newListener(url)));
  const answers = await Promise.all(
    people.map(({ id: userId }, index) => {
      const kind = Math.floor(index / 2) % 3;
      if (kind === 0) return sendGrant(at(index), proposer, { userId, amount: 150 });
      if (kind === 1) return sendBulk(at(index), proposer, { rows: [{ userId, amount: 150 }] });
      return sendAllowance(at(index), proposer, userId, 150);
    }),
  );
  const outcomes = answers.map(outcomeOf);
  expect([count(outcomes, 'done'), count(outcomes, 'APPROVAL_REQUIRED')]).toEqual([6, 12]);
  const allowances = await sumOf(
    'SELECT coalesce(sum(monthly_credits), 0)::int AS sum FROM users WHERE id = ANY($1)',
    [people.map(({ id }) => id)],
  );
  expect((await givenBy(proposer)) + allowances).toBe(900);
});

test('concurrent copies of one request make one proposal', async () => {
  const [one, two, listener] = [await newProposer(), await newProposer(), await newListener(url)];
  const { id: userId } = listener;
  const rows = [{ userId, amount: 2_000 }];
  const [grantKey, bulkKey] = [newKey(), newKey()];
  const each = Array.from({ length: 8 }, (_, index) => index);
  const who = (index: number): Person => (index % 4 < 2 ? one : two);
  const proposed = async (
    ask: (index: number) => ReturnType<typeof sendGrant>,
  ): Promise<number> => {
    const answers = await Promise.all(each.map(ask));
    return new Set(answers.map(proposalOf)).size;
  };
  expect(
    await proposed((index) =>
      sendGrant(at(index), who(index), { userId, amount: 2_000, idempotencyKey: grantKey }),
    ),
  ).toBe(1);
  expect(
    await proposed((index) => sendBulk(at(index), who(index), { rows, idempotencyKey: bulkKey })),
  ).toBe(1);
  expect(await proposed((index) => sendAllowance(at(index), who(index), userId, 2_000))).toBe(1);
  const made = await talebank.database.sql(
    `SELECT DISTINCT target FROM audit_entries
     WHERE action = 'proposeGrant' AND actor_id IN ($1, $2)`,
    [one.id, two.id],
  );
  expect(made).toHaveLength(3);
});

test('equal bulk grants at the same time are made once or proposed once, although two pass the limit', async () => {
  const [one, two, listener] = [await newProposer(), await newProposer(), await newListener(url)];
  const rows = [{ userId: listener.id, amount: 600 }];
  const sendAtOnce = async (first: Person, second: Person): Promise<number[]> => {
    const idempotencyKey = newKey();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        sendBulk(at(index), index < 4 ? first : second, { rows, idempotencyKey }),
      ),
    );
    const outcomes = answers.map(outcomeOf);
    const proposals = await talebank.database.sql(
      'SELECT FROM grant_proposals WHERE idempotency_key = $1',
      [idempotencyKey],
    );
    return [count(outcomes, 'done'), count(outcomes, 'APPROVAL_REQUIRED'), proposals.length];
  };
  expect(await sendAtOnce(one, one)).toEqual([8, 0, 0]);
  // The first has given 600 today and the second nothing, so it depends on who comes first.
  expect([
    [8, 0, 0],
    [0, 8, 1],
  ]).toContainEqual(await sendAtOnce(one, two));
});

test('concurrent approvals make one decision and one grant', async () => {
  const [proposer, listener] = [await newProposer(), await newListener(url)];
  const { id: userId } = listener;
  for (const propose of [
    () => sendGrant(url, proposer, { userId, amount: 2_000 }),
    () => sendBulk(url, proposer, { rows: [{ userId, amount: 2_000 }] }),
  ]) {
    const id = proposalOf(await propose());
    const answers = await Promise.all(
      [0, 1, 2, 3].map((index) =>
        sendApproval(at(index), approvers[index < 2 ? 0 : 1], id, `By ${String(index)}`),
      ),
    );
    expect(answers.map(outcomeOf)).toEqual(['done', 'done', 'done', 'done']);
    const decisions = answers.map(({ data }) => data?.approveProposal);
    expect(decisions.filter((one) => one?.replayed === false)).toHaveLength(1);
    expect(new Set(decisions.map((one) => one?.proposal.decisionReason)).size).toBe(1);
    const entries = await talebank.database.sql(
      `SELECT FROM audit_entries WHERE action = 'approveProposal' AND target = $1`,
      [id],
    );
    expect(entries).toHaveLength(1);
  }
  expect(await givenBy(proposer)).toBe(4_000);
});

test('a concurrent approval and decline make exactly one decision', async () => {
  const [proposer, listener] = [await newProposer(), await newListener(url)];
  let approved = 0;
  for (let round = 0; round < 10; round += 1) {
    const id = proposalOf(await sendGrant(url, proposer, { userId: listener.id, amount: 2_000 }));
    const [yes, no] = await Promise.all([
      sendApproval(at(round), approvers[0], id),
      sendDecline(at(round + 1), approvers[1], id),
    ]);
    const outcomes = [outcomeOf(yes), outcomeOf(no)];
    expect(outcomes.sort()).toEqual(['CONFLICT', 'done']);
    const isApproved = outcomeOf(yes) === 'done';
    approved += isApproved ? 1 : 0;
    expect(await stateOf(url, approvers[0], id)).toBe(isApproved ? 'APPROVED' : 'DECLINED');
    expect(await givenBy(proposer)).toBe(2_000 * approved);
  }
});

test('an approval and concurrent repeats of the request make one grant', async () => {
  const [proposer, listener] = [await newProposer(), await newListener(url)];
  const input = { userId: listener.id, amount: 2_000, idempotencyKey: newKey() };
  const rows = [{ userId: listener.id, amount: 2_000 }];
  const many = { rows, idempotencyKey: newKey() };
  for (const again of [
    (index: number) => sendGrant(at(index), proposer, input),
    (index: number) => sendBulk(at(index), proposer, many),
  ]) {
    const id = proposalOf(await again(0));
    const repeated = Array.from({ length: 6 }, (_, index) => again(index));
    expect(outcomeOf(await sendApproval(url, approvers[0], id))).toBe('done');
    for (const answer of await Promise.all(repeated))
      expect(['done', 'APPROVAL_REQUIRED']).toContain(outcomeOf(answer));
    expect(outcomeOf(await again(1))).toBe('done');
  }
  expect(await givenBy(proposer)).toBe(4_000);
});

const RECIPIENTS = 1_500;

/** Makes a pending proposal of a bulk grant. */
async function proposedForMany(): Promise<{
  readonly proposer: Person;
  readonly id: string;
  readonly key: string;
  readonly rows: { userId: string; amount: number }[];
  readonly done: () => Promise<number>;
}> {
  const proposer = await newProposer();
  const users = await makeAccounts(talebank.database, RECIPIENTS);
  const rows = users.map((userId) => ({ userId, amount: 2 }));
  const key = newKey();
  const id = proposalOf(await sendBulk(url, proposer, { rows, idempotencyKey: key }));
  const done = (): Promise<number> =>
    sumOf('SELECT count(*)::int AS sum FROM credit_transactions WHERE idempotency_key = $1', [
      `bulk:${key}`,
    ]);
  return { proposer, id, key, rows, done };
}

/** Sends the approval to a new process, and kills the process when it cannot grant the lots of one account. */
async function killAtHalf({
  id,
  rows,
  done,
}: Awaited<ReturnType<typeof proposedForMany>>): Promise<void> {
  const doomed = await talebank.join();
  const holder = new pg.Client({ connectionString: talebank.database.url });
  await holder.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT FROM credit_accounts WHERE user_id = $1 FOR UPDATE', [
      rows.at(-1)?.userId,
    ]);
    sendApproval(doomed.url, approvers[0], id).catch(() => undefined);
    await until('it has begun', async () => (await done()) > 0);
    await doomed.kill();
    const { pathname } = new URL(talebank.database.url);
    // What its sessions still do is over before the account is free.
    await until('its sessions are gone', async () => {
      const [row] = await talebank.database.sql<{ count: number }>(
        `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'`,
        [pathname.slice(1)],
      );
      return row?.count === 0;
    });
    const half = await done();
    expect(half).toBeGreaterThan(0);
    expect(half).toBeLessThan(RECIPIENTS);
  } finally {
    await holder.end();
  }
}

test('a repeated approval finishes one whose process was killed, and grants nothing twice', async () => {
  const proposed = await proposedForMany();
  const { proposer, id, key, rows, done } = proposed;
  await killAtHalf(proposed);
  expect(await stateOf(url, approvers[0], id)).toBe('APPROVED');
  const again = await sendApproval(url, approvers[1], id);
  expect(again.data?.approveProposal).toMatchObject({
    replayed: true,
    proposal: { decider: { id: approvers[0].id } },
  });
  expect(await done()).toBe(RECIPIENTS);
  const { data } = await sendBulk(url, proposer, { rows, idempotencyKey: key });
  expect(data).toMatchObject({ bulkGrantCredits: { granted: RECIPIENTS, replayed: true } });
  expect(await givenBy(proposer)).toBe(2 * RECIPIENTS);
});

test('a job finishes an approval whose process was killed', async () => {
  const proposed = await proposedForMany();
  const { proposer, done } = proposed;
  await killAtHalf(proposed);
  const worker = await talebank.join({ ROLE: 'worker' });
  await talebank.database.sql(
    `UPDATE pgboss.job SET start_after = now() WHERE name = 'finish-bulk-grant' AND state = 'created'`,
  );
  await until('it is finished', async () => (await done()) === RECIPIENTS);
  await worker.stop();
  expect(await givenBy(proposer)).toBe(2 * RECIPIENTS);
});
