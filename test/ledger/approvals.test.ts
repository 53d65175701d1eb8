import { afterAll, beforeAll, expect, test } from '@jest/globals';
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
import { ask, execute, send } from '../support/client.js';
import { MID_MONTH } from '../support/cluster.js';
import type { BulkGrantInput, RunMaintenanceMutation } from '../support/generated/graphql.js';
import {
  DeleteAccount,
  Proposal,
  Proposals,
  ReinstateUser,
  RunMaintenance,
  SetUserRole,
  SuspendUser,
  Wallet,
} from '../support/operations.js';
import { administrator, newListener, type Person } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

/** The limit, in points. */
const ABOVE = 1_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let talebank: Talebank;
let url: string;
/** An administrator who makes no proposals. */
let approver: Person;

beforeAll(async () => {
  talebank = await startTalebank(
    { ROLE: 'api', APPROVAL_ABOVE: String(ABOVE), MONTHLY_CREDITS: '20' },
    { clockAt: MID_MONTH },
  );
  url = talebank.url;
  approver = await administrator(url);
});
afterAll(() => talebank.close());

const newProposer = (): Promise<Person> => newAdministrator([url], approver);

let movedMs = 0;
/** Moves the clock forward and never back, because the tests run in any order. */
const advance = (ms: number): Promise<void> => talebank.database.moveClock((movedMs += ms));

const balanceOf = async ({ token }: Person): Promise<number> =>
  (await ask(url, Wallet, {}, token)).me?.credits.balance ?? 0;
/** The points granted to a user, without those for signing up and without the allowance. */
const givenTo = async ({ id }: Person): Promise<number> => {
  const [row] = await talebank.database.sql<{ points: number }>(
    `SELECT coalesce(sum(granted), 0)::int AS points FROM credit_lots
     WHERE user_id = $1 AND source NOT IN ('FREE', 'MONTHLY')`,
    [id],
  );
  return row?.points ?? 0;
};

interface Entry {
  readonly action: string;
  readonly actor_id: string;
  readonly target: string;
  readonly reason: string;
  readonly details: Record<string, unknown>;
}
const entriesOf = (proposalId: string): Promise<Entry[]> =>
  talebank.database.sql(
    `SELECT action, actor_id, target, reason, details FROM audit_entries
     WHERE target = $1 OR details->>'proposalId' = $1 ORDER BY seq`,
    [proposalId],
  );

test('a grant of exactly the limit is made, and one point more makes a proposal without other changes', async () => {
  const [proposer, other, listener] = [
    await newProposer(),
    await newProposer(),
    await newListener(url),
  ];
  const { id: userId } = listener;
  expect(outcomeOf(await sendGrant(url, proposer, { userId, amount: ABOVE }))).toBe('done');
  const input = { userId, amount: ABOVE + 1, idempotencyKey: newKey() };
  const answer = await sendGrant(url, other, input);
  const proposalId = proposalOf(answer);
  expect(answer.status).toBe(200);
  expect(answer.errors[0]?.extensions).toEqual({
    code: 'APPROVAL_REQUIRED',
    proposalId,
    points: ABOVE + 1,
    above: ABOVE,
  });
  expect(await givenTo(listener)).toBe(ABOVE);
  expect(await entriesOf(proposalId)).toEqual([
    {
      action: 'proposeGrant',
      actor_id: other.id,
      target: proposalId,
      reason: 'Thanks',
      details: {
        command: 'GRANT_CREDITS',
        userId,
        recipientCount: 1,
        points: ABOVE + 1,
        above: ABOVE,
        source: 'ADD_ON',
        idempotencyKey: input.idempotencyKey,
        expiresAt: null,
        lapsesAt: expect.stringMatching(/Z$/) as unknown,
      },
    },
  ]);
  // The same request gets the same proposal, even from another administrator.
  expect(proposalOf(await sendGrant(url, other, input))).toBe(proposalId);
  expect(proposalOf(await sendGrant(url, proposer, input))).toBe(proposalId);
  const changed = { ...input, amount: ABOVE + 2 };
  expect(outcomeOf(await sendGrant(url, other, changed))).toBe('IDEMPOTENCY_KEY_REUSED');
  expect(await entriesOf(proposalId)).toHaveLength(1);
});

test('an approved grant has the proposer as its actor, and the audit log names both administrators', async () => {
  const [proposer, listener] = [await newProposer(), await newListener(url)];
  const expiresAt = talebank.database.ledgerTime(30 * DAY_MS).toISOString();
  const input = {
    userId: listener.id,
    amount: 5_000,
    source: 'EVENT' as const,
    expiresAt,
    priceMinor: 4_999,
    currency: 'EUR',
    idempotencyKey: newKey(),
  };
  const id = proposalOf(await sendGrant(url, proposer, input));
  const cheaper = { ...input, priceMinor: 4_998 };
  expect(outcomeOf(await sendGrant(url, proposer, cheaper))).toBe('IDEMPOTENCY_KEY_REUSED');
  const { data } = await sendApproval(url, approver, id);
  expect(data?.approveProposal).toMatchObject({
    replayed: false,
    proposal: {
      id,
      command: 'GRANT_CREDITS',
      state: 'APPROVED',
      points: 5_000,
      above: ABOVE,
      source: 'EVENT',
      expiresAt,
      recipientCount: 1,
      recipients: [{ userId: listener.id, amount: 5_000, priceMinor: 4_999, currency: 'EUR' }],
      user: { id: listener.id },
      proposer: { id: proposer.id },
      decider: { id: approver.id },
      reason: 'Thanks',
      decisionReason: 'Agreed',
      idempotencyKey: input.idempotencyKey,
    },
  });
  expect(await givenTo(listener)).toBe(5_000);
  const both = { proposerId: proposer.id, approverId: approver.id };
  expect(await entriesOf(id)).toMatchObject([
    { action: 'proposeGrant', details: { prices: { EUR: '4999' }, expiresAt } },
    {
      action: 'grantCredits',
      actor_id: proposer.id,
      details: { proposalId: id, amount: 5_000, ...both },
    },
    {
      action: 'approveProposal',
      actor_id: approver.id,
      target: id,
      reason: 'Agreed',
      details: {
        command: 'GRANT_CREDITS',
        userId: listener.id,
        points: 5_000,
        idempotencyKey: input.idempotencyKey,
        ...both,
      },
    },
  ]);
  const again = await sendGrant(url, proposer, input);
  expect(again.data).toMatchObject({
    grantCredits: {
      replayed: true,
      transaction: { amount: 5_000, actor: { id: proposer.id } },
      lot: { source: 'EVENT', expiresAt, priceMinor: 4_999, currency: 'EUR' },
    },
  });
  const repeated = await sendApproval(url, approver, id, 'Once more');
  expect(repeated.data?.approveProposal).toMatchObject({
    replayed: true,
    proposal: { decisionReason: 'Agreed' },
  });
  expect(await givenTo(listener)).toBe(5_000);
  expect(await entriesOf(id)).toHaveLength(3);
});

test('a bulk grant counts as a whole, and has the proposer as its actor after the approval', async () => {
  const [proposer, other] = [await newProposer(), await newProposer()];
  const [ann, ben] = [await newListener(url), await newListener(url)];
  const rows = (amount: number): BulkGrantInput['rows'] => [
    { userId: ann.id, amount: 600, priceMinor: 250, currency: 'PLN' },
    { email: ben.email, amount },
    { email: 'unknown@example.com', amount: 900_000 },
  ];
  expect(outcomeOf(await sendBulk(url, proposer, { rows: rows(400) }))).toBe('done');
  const input = { rows: rows(401), idempotencyKey: newKey() };
  const dry = await sendBulk(url, other, { ...input, dryRun: true });
  expect(dry.data).toMatchObject({ bulkGrantCredits: { points: 1001, dryRun: true } });
  const id = proposalOf(await sendBulk(url, other, input));
  expect(proposalOf(await sendBulk(url, proposer, input))).toBe(id);
  expect(outcomeOf(await sendBulk(url, other, { ...input, rows: rows(402) }))).toBe(
    'IDEMPOTENCY_KEY_REUSED',
  );
  expect([await givenTo(ann), await givenTo(ben)]).toEqual([600, 400]);
  const { data } = await sendApproval(url, approver, id);
  expect(data?.approveProposal.proposal).toMatchObject({
    command: 'BULK_GRANT_CREDITS',
    state: 'APPROVED',
    points: 1001,
    user: null,
    recipientCount: 2,
    recipients: [
      { userId: ann.id, amount: 600, priceMinor: 250, currency: 'PLN' },
      { userId: ben.id, amount: 401, priceMinor: null, currency: null },
    ],
  });
  expect([await givenTo(ann), await givenTo(ben)]).toEqual([1200, 801]);
  const prices = await talebank.database.sql(
    `SELECT price_minor::int AS price, currency FROM credit_lots
     WHERE user_id = $1 AND source = 'REFERRAL' ORDER BY id`,
    [ann.id],
  );
  expect(prices).toEqual(Array(2).fill({ price: 250, currency: 'PLN' }));
  expect(await entriesOf(id)).toMatchObject([
    { action: 'proposeGrant', actor_id: other.id, details: { prices: { PLN: '250' } } },
    {
      action: 'bulkGrantCredits',
      actor_id: other.id,
      target: input.idempotencyKey,
      details: {
        points: 1001,
        prices: { PLN: '250' },
        skipped: 1,
        proposerId: other.id,
        approverId: approver.id,
      },
    },
    { action: 'approveProposal', actor_id: approver.id },
  ]);
  const actors = await talebank.database.sql(
    'SELECT DISTINCT actor_id FROM credit_transactions WHERE idempotency_key = $1',
    [`bulk:${input.idempotencyKey}`],
  );
  expect(actors).toEqual([{ actor_id: other.id }]);
  expect((await sendBulk(url, other, input)).data).toMatchObject({
    bulkGrantCredits: { granted: 2, points: 1001, skipped: [{ row: 2 }], replayed: true },
  });
  expect((await sendApproval(url, approver, id)).data?.approveProposal.replayed).toBe(true);
});

test('only a rise of an allowance above the limit makes a proposal, one for each value', async () => {
  const [proposer, other, listener] = [
    await newProposer(),
    await newProposer(),
    await newListener(url),
  ];
  const allowance = async (): Promise<number | null> => {
    const [row] = await talebank.database.sql<{ monthly_credits: number | null }>(
      'SELECT monthly_credits FROM users WHERE id = $1',
      [listener.id],
    );
    return row?.monthly_credits ?? null;
  };
  expect(outcomeOf(await sendAllowance(url, proposer, listener.id, ABOVE))).toBe('done');
  const id = proposalOf(await sendAllowance(url, proposer, listener.id, ABOVE + 1));
  expect(proposalOf(await sendAllowance(url, other, listener.id, ABOVE + 1))).toBe(id);
  const higher = proposalOf(await sendAllowance(url, proposer, listener.id, ABOVE + 2));
  expect(higher).not.toBe(id);
  expect(await allowance()).toBe(ABOVE);
  const { data } = await sendApproval(url, approver, higher);
  // The other one was proposed against the allowance of before.
  expect(outcomeOf(await sendApproval(url, approver, id))).toBe('CONFLICT');
  expect(await allowance()).toBe(ABOVE + 2);
  expect(data?.approveProposal.proposal).toMatchObject({
    command: 'SET_MONTHLY_CREDITS',
    source: 'MONTHLY',
    idempotencyKey: null,
    user: { id: listener.id },
  });
  expect(await allowance()).toBe(ABOVE + 2);
  expect((await entriesOf(higher)).slice(1)).toMatchObject([
    {
      action: 'setMonthlyCredits',
      actor_id: proposer.id,
      target: listener.id,
      details: {
        monthlyCredits: { from: ABOVE, to: ABOVE + 2 },
        approverId: approver.id,
      },
    },
    { action: 'approveProposal', actor_id: approver.id },
  ]);
  // The same value, a lower one and the default need no approval, even above the limit.
  for (const lower of [ABOVE + 2, ABOVE + 1, null, 0])
    expect(outcomeOf(await sendAllowance(url, proposer, listener.id, lower))).toBe('done');
  await sendDecline(url, approver, id);
  const anew = proposalOf(await sendAllowance(url, proposer, listener.id, ABOVE + 1));
  expect(anew).not.toBe(id);
});

test('the grants of a day count together, without the approved ones', async () => {
  await advance(DAY_MS);
  const [proposer, listener] = [await newProposer(), await newListener(url)];
  const { id: userId } = listener;
  const grant = (amount: number): Promise<string> =>
    sendGrant(url, proposer, { userId, amount }).then(outcomeOf);
  expect(await grant(300)).toBe('done');
  expect(outcomeOf(await sendBulk(url, proposer, { rows: [{ userId, amount: 300 }] }))).toBe(
    'done',
  );
  expect(outcomeOf(await sendAllowance(url, proposer, userId, 300))).toBe('done');
  const input = { userId, amount: 101, idempotencyKey: newKey() };
  const id = proposalOf(await sendGrant(url, proposer, input));
  expect(outcomeOf(await sendApproval(url, approver, id))).toBe('done');
  expect(outcomeOf(await sendGrant(url, proposer, input))).toBe('done');
  expect(await grant(100)).toBe('done');
  expect(await grant(1)).toBe('APPROVAL_REQUIRED');
  const rows = [{ userId, amount: 1 }];
  expect(outcomeOf(await sendBulk(url, proposer, { rows }))).toBe('APPROVAL_REQUIRED');
  expect(outcomeOf(await sendAllowance(url, proposer, userId, 301))).toBe('APPROVAL_REQUIRED');
  // The approved grant does not count for the approver either. Refused and repeated requests do not count.
  expect(outcomeOf(await sendGrant(url, approver, { userId, amount: ABOVE }))).toBe('done');
  await advance(DAY_MS);
  expect(await grant(0)).toBe('BAD_USER_INPUT');
  const once = { userId, amount: ABOVE, idempotencyKey: newKey() };
  expect(outcomeOf(await sendGrant(url, proposer, once))).toBe('done');
  expect(outcomeOf(await sendGrant(url, proposer, once))).toBe('done');
  expect(await grant(1)).toBe('APPROVAL_REQUIRED');
});

test('the day begins at midnight UTC', async () => {
  const [proposer, listener] = [await newProposer(), await newListener(url)];
  const { id: userId } = listener;
  const now = talebank.database.ledgerTime().getTime();
  // Moves to an hour before midnight.
  await advance(DAY_MS - (now % DAY_MS) - HOUR_MS);
  expect(outcomeOf(await sendGrant(url, proposer, { userId, amount: ABOVE }))).toBe('done');
  expect(outcomeOf(await sendGrant(url, proposer, { userId, amount: 1 }))).toBe(
    'APPROVAL_REQUIRED',
  );
  await advance(HOUR_MS);
  expect(outcomeOf(await sendGrant(url, proposer, { userId, amount: ABOVE }))).toBe('done');
});

test('a proposer cannot decide, not even in SQL, and a decision never changes', async () => {
  const [proposer, listener] = [await newProposer(), await newListener(url)];
  const id = proposalOf(await sendGrant(url, proposer, { userId: listener.id, amount: 2_000 }));
  for (const decide of [sendApproval, sendDecline]) {
    const { errors } = await decide(url, proposer, id);
    expect(errors[0]).toMatchObject({ extensions: { code: 'FORBIDDEN' } });
    expect(errors[0]?.message).toContain('You proposed this yourself');
  }
  expect(await stateOf(url, approver, id)).toBe('PENDING');
  const decide = (who: string): Promise<unknown> =>
    talebank.database.sql(
      `UPDATE grant_proposals SET decision = 'APPROVED', decider_id = $2, decided_at = ledger_now(),
         decision_reason = 'Mine' WHERE id = $1`,
      [id, who],
    );
  await expect(decide(proposer.id)).rejects.toThrow('grant_proposals_four_eyes');
  await sendDecline(url, approver, id, 'Too many');
  await expect(decide(approver.id)).rejects.toThrow();
  for (const sql of ['DELETE FROM grant_proposals', 'TRUNCATE grant_proposals'])
    await expect(talebank.database.sql(sql)).rejects.toThrow();
  expect(await givenTo(listener)).toBe(0);
});

test('a declined proposal stays declined, and the grant needs a new key', async () => {
  const [proposer, listener] = [await newProposer(), await newListener(url)];
  const input = { userId: listener.id, amount: 2_000, idempotencyKey: newKey() };
  const id = proposalOf(await sendGrant(url, proposer, input));
  const { data } = await sendDecline(url, approver, id, 'Too many');
  expect(data?.declineProposal).toMatchObject({
    replayed: false,
    proposal: { state: 'DECLINED', decider: { id: approver.id }, decisionReason: 'Too many' },
  });
  expect((await entriesOf(id)).at(-1)).toMatchObject({
    action: 'declineProposal',
    actor_id: approver.id,
    details: { proposerId: proposer.id, declinerId: approver.id, points: 2_000 },
  });
  const refused = await sendGrant(url, proposer, input);
  expect(refused.errors[0]?.message).toContain('was declined');
  expect(outcomeOf(refused)).toBe('CONFLICT');
  expect(outcomeOf(await sendApproval(url, approver, id))).toBe('CONFLICT');
  const again = await sendDecline(url, approver, id, 'Still');
  expect(again.data?.declineProposal).toMatchObject({
    replayed: true,
    proposal: { decisionReason: 'Too many' },
  });
  expect(
    proposalOf(await sendGrant(url, proposer, { ...input, idempotencyKey: newKey() })),
  ).not.toBe(id);
  expect(await balanceOf(listener)).toBeLessThan(ABOVE);
});

test('a proposal lapses after a week by the ledger’s clock, and then cannot be approved', async () => {
  const [proposer, listener] = [await newProposer(), await newListener(url)];
  const input = { userId: listener.id, amount: 2_000, idempotencyKey: newKey() };
  const id = proposalOf(await sendGrant(url, proposer, input));
  const rows = [{ userId: listener.id, amount: 2_000 }];
  const many = { rows, idempotencyKey: newKey() };
  const bulkId = proposalOf(await sendBulk(url, proposer, many));
  const { proposal } = await ask(url, Proposal, { id }, approver.token);
  expect(Date.parse(proposal.lapsesAt) - Date.parse(proposal.proposedAt)).toBe(7 * DAY_MS);
  await advance(7 * DAY_MS - HOUR_MS);
  expect(await stateOf(url, approver, id)).toBe('PENDING');
  expect(proposalOf(await sendGrant(url, proposer, input))).toBe(id);
  await advance(HOUR_MS);
  expect(await stateOf(url, approver, id)).toBe('LAPSED');
  for (const decide of [sendApproval, sendDecline]) {
    const { errors } = await decide(url, approver, id);
    expect(errors[0]).toMatchObject({ extensions: { code: 'CONFLICT' } });
    expect(errors[0]?.message).toContain('has lapsed');
  }
  for (const refused of [
    await sendGrant(url, proposer, input),
    await sendBulk(url, proposer, many),
  ]) {
    expect(outcomeOf(refused)).toBe('CONFLICT');
    expect(refused.errors[0]?.message).toContain('has lapsed');
  }
  expect(await stateOf(url, approver, bulkId)).toBe('LAPSED');
  expect(await givenTo(listener)).toBe(0);
});

test('a proposal cannot be approved while its proposer is not an active administrator', async () => {
  const [proposer, listener] = [await newProposer(), await newListener(url)];
  const { id: userId } = listener;
  const about = { userId: proposer.id, reason: 'A test' };
  const proposals = [
    proposalOf(await sendGrant(url, proposer, { userId, amount: 2_000 })),
    proposalOf(await sendBulk(url, proposer, { rows: [{ userId, amount: 2_000 }] })),
    proposalOf(await sendAllowance(url, proposer, userId, 2_000)),
  ];
  const approvals = async (): Promise<string[]> => {
    const outcomes: string[] = [];
    for (const id of proposals) outcomes.push(outcomeOf(await sendApproval(url, approver, id)));
    return outcomes;
  };
  await ask(url, SuspendUser, about, approver.token);
  expect(await approvals()).toEqual(['CONFLICT', 'CONFLICT', 'CONFLICT']);
  await ask(url, ReinstateUser, about, approver.token);
  await ask(url, SetUserRole, { ...about, role: 'USER' }, approver.token);
  expect(await approvals()).toEqual(['CONFLICT', 'CONFLICT', 'CONFLICT']);
  expect(await givenTo(listener)).toBe(0);
  for (const id of proposals) expect(await stateOf(url, approver, id)).toBe('PENDING');
  await ask(url, SetUserRole, { ...about, role: 'ADMIN' }, approver.token);
  expect(await approvals()).toEqual(['done', 'done', 'done']);
  expect(await givenTo(listener)).toBe(4_000);
});

test('a proposal that cannot be carried out any more is refused and stays pending', async () => {
  const [proposer, leaver, listener] = [
    await newProposer(),
    await newListener(url),
    await newListener(url),
  ];
  const gone = proposalOf(await sendGrant(url, proposer, { userId: leaver.id, amount: 2_000 }));
  const rise = proposalOf(await sendAllowance(url, proposer, leaver.id, 2_000));
  const rows = [leaver, listener].map(({ id: userId }) => ({ userId, amount: 2_000 }));
  const many = proposalOf(await sendBulk(url, proposer, { rows }));
  await ask(url, DeleteAccount, { password: 'a good password' }, leaver.token);
  for (const id of [gone, rise]) {
    expect(outcomeOf(await sendApproval(url, approver, id))).toBe('NOT_FOUND');
    expect(await stateOf(url, approver, id)).toBe('PENDING');
  }
  expect(outcomeOf(await sendApproval(url, approver, many))).toBe('done');
  expect([await givenTo(leaver), await givenTo(listener)]).toEqual([0, 2_000]);
  const expiresAt = talebank.database.ledgerTime(HOUR_MS).toISOString();
  const soon = { expiresAt, source: 'EVENT' as const };
  const lapsing = [
    proposalOf(await sendGrant(url, proposer, { userId: listener.id, amount: 2_000, ...soon })),
    proposalOf(await sendBulk(url, proposer, { rows: [{ ...rows[1], amount: 3_000 }], ...soon })),
  ];
  await advance(HOUR_MS);
  for (const id of lapsing) {
    expect(outcomeOf(await sendApproval(url, approver, id))).toBe('BAD_USER_INPUT');
    expect(await stateOf(url, approver, id)).toBe('PENDING');
  }
  // An invalid request is refused and not proposed.
  const past = { userId: listener.id, amount: 2_000, ...soon };
  expect(outcomeOf(await sendGrant(url, proposer, past))).toBe('BAD_USER_INPUT');
  expect(outcomeOf(await sendGrant(url, proposer, { ...past, userId: leaver.id }))).toBe(
    'NOT_FOUND',
  );
});

test('proposals are listed newest first, by state and by page, and found by id', async () => {
  const [proposer, listener] = [await newProposer(), await newListener(url)];
  const make = async (): Promise<string> =>
    proposalOf(await sendGrant(url, proposer, { userId: listener.id, amount: 2_000 }));
  const [lapsed, declined] = [await make(), await make()];
  await sendDecline(url, approver, declined);
  await advance(7 * DAY_MS);
  const [approved, pending] = [await make(), await make()];
  await sendApproval(url, approver, approved);
  const { token } = approver;
  const newest = async (variables: object): Promise<string[]> => {
    const { proposals } = await ask(url, Proposals, { first: 100, ...variables }, token);
    const mine = [lapsed, declined, approved, pending];
    return proposals.nodes.flatMap(({ id, state }) => (mine.includes(id) ? [state] : []));
  };
  expect(await newest({})).toEqual(['PENDING', 'APPROVED', 'DECLINED', 'LAPSED']);
  expect(await newest({ state: ['PENDING'] })).toEqual(['PENDING']);
  expect(await newest({ state: ['LAPSED', 'PENDING'] })).toEqual(['PENDING', 'LAPSED']);
  expect(await newest({ state: ['APPROVED', 'LAPSED'] })).toEqual(['APPROVED', 'LAPSED']);
  const { proposals } = await ask(url, Proposals, { first: 2 }, token);
  expect(proposals.nodes.map(({ id }) => id)).toEqual([pending, approved]);
  const after = proposals.pageInfo.endCursor ?? null;
  const next = await ask(url, Proposals, { first: 1, after }, token);
  expect(next.proposals.nodes.map(({ id }) => id)).toEqual([declined]);
  const last = await ask(url, Proposals, { last: 1 }, token);
  expect(last.proposals.nodes.map(({ state }) => state)).not.toEqual(['PENDING']);
  const { data } = await send(
    url,
    `{ node(id: "${pending}") { id ... on GrantProposal { state } } }`,
    {},
    { token },
  );
  expect(data).toEqual({ node: { id: pending, state: 'PENDING' } });
  const waiting = await ask(url, Proposals, { first: 100, state: ['PENDING'] }, token);
  expect(await (await fetch(`${url}/metrics`)).text()).toContain(
    `\ntalebank_ledger_proposals_pending ${String(waiting.proposals.nodes.length)}\n`,
  );
  for (const id of ['nonsense', listener.id])
    expect(outcomeOf(await sendApproval(url, approver, id))).toBe('NOT_FOUND');
});

test('the sum of a day is deleted after a week', async () => {
  const days = (): Promise<unknown[]> =>
    talebank.database.sql('SELECT FROM granting_days WHERE actor_id = $1', [proposer.id]);
  const [proposer, listener] = [await newProposer(), await newListener(url)];
  await sendGrant(url, proposer, { userId: listener.id, amount: 1 });
  const prune = (): Promise<RunMaintenanceMutation> =>
    ask(url, RunMaintenance, { task: 'PRUNE_SESSIONS' }, approver.token);
  await advance(7 * DAY_MS);
  await prune();
  expect(await days()).toHaveLength(1);
  await advance(DAY_MS);
  await prune();
  expect(await days()).toHaveLength(0);
});

test('what is stored and what is shown of a proposal must agree, or nothing is done', async () => {
  const [proposer, listener] = [await newProposer(), await newListener(url)];
  const { id: userId } = listener;
  const rows = [{ userId, amount: 2_000 }];
  for (const [answer, change] of [
    [
      await sendGrant(url, proposer, { userId, amount: 2_000 }),
      `jsonb_set(request, '{terms,amount}', '2001')`,
    ],
    [
      await sendGrant(url, proposer, { userId, amount: 2_000, expiresAt: '2190-01-01T00:00:00Z' }),
      `jsonb_set(request, '{terms,expiresAt}', 'null')`,
    ],
    [
      await sendBulk(url, proposer, { rows }),
      `jsonb_set(request, '{recipients,0,amount}', '2001')`,
    ],
  ] as const) {
    const id = proposalOf(answer);
    await talebank.database.sql(`ALTER TABLE grant_proposals DISABLE TRIGGER USER`);
    await talebank.database.sql(`UPDATE grant_proposals SET request = ${change} WHERE id = $1`, [
      id,
    ]);
    await talebank.database.sql(`ALTER TABLE grant_proposals ENABLE TRIGGER USER`);
    expect(outcomeOf(await sendApproval(url, approver, id))).toBe('INTERNAL');
    expect(await stateOf(url, approver, id)).toBe('PENDING');
  }
  expect(await givenTo(listener)).toBe(0);
});

test('an approver sees the largest amounts of a bulk grant first, and a hundred of them', async () => {
  const proposer = await newProposer();
  const people = await Promise.all(Array.from({ length: 103 }, () => newListener(url)));
  const rows = people.map(({ id: userId }, index) => ({ userId, amount: 100 + index }));
  const id = proposalOf(await sendBulk(url, proposer, { rows }));
  const { proposal } = await ask(url, Proposal, { id }, approver.token);
  expect(proposal.recipients.map(({ amount }) => amount)).toEqual(
    Array.from({ length: 100 }, (_, index) => 202 - index),
  );
  expect(outcomeOf(await sendDecline(url, approver, id))).toBe('done');
});

test('the default allowance is not approved once it has become another one', async () => {
  const [proposer, listener] = [await newProposer(), await newListener(url)];
  const generous = await talebank.join({ MONTHLY_CREDITS: '2000' });
  expect(outcomeOf(await sendAllowance(url, proposer, listener.id, 5))).toBe('done');
  const id = proposalOf(await sendAllowance(generous.url, proposer, listener.id, null));
  const { errors } = await sendApproval(url, approver, id);
  expect(errors[0]).toMatchObject({
    message: expect.stringContaining('would be 20 points, not the 2000') as unknown,
    extensions: { code: 'CONFLICT' },
  });
  expect(outcomeOf(await sendApproval(generous.url, approver, id))).toBe('done');
  await generous.stop();
});

test('without a limit no sums are kept and no proposals are made', async () => {
  const unlimited = await talebank.join({ APPROVAL_ABOVE: '' });
  const [proposer, listener] = [await newProposer(), await newListener(url)];
  const { id: userId } = listener;
  const before = await execute(unlimited.url, Proposals, { first: 1 }, { token: approver.token });
  for (const answer of [
    await sendGrant(unlimited.url, proposer, { userId, amount: 1_000_000 }),
    await sendBulk(unlimited.url, proposer, { rows: [{ userId, amount: 1_000_000 }] }),
    await sendAllowance(unlimited.url, proposer, userId, 1_000_000),
  ])
    expect(outcomeOf(answer)).toBe('done');
  const after = await execute(unlimited.url, Proposals, { first: 1 }, { token: approver.token });
  expect(after.data).toEqual(before.data);
  expect(
    await talebank.database.sql('SELECT FROM granting_days WHERE actor_id = $1', [proposer.id]),
  ).toEqual([]);
  // A process without the limit can still decide a pending proposal.
  const id = proposalOf(await sendGrant(url, proposer, { userId, amount: 2_000 }));
  expect(outcomeOf(await sendApproval(unlimited.url, approver, id))).toBe('done');
  await unlimited.stop();
});
