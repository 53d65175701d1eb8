import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ask, send } from '../support/client.js';
import { brokenAudit } from '../support/chain.js';
import {
  BulkGrant,
  ChangePassword,
  DeleteAccount,
  Login,
  RefundAudio,
  ReinstateUser,
  Revoke,
  RevokeBulkGrant,
  RevokeOtherSessions,
  SetMonthlyCredits,
  SetUserRole,
  SuspendUser,
  UpdateStory,
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

/** Audit entries say what changed, from what to what, and no word about who a person is. */
let talebank: Talebank;
let url: string;
let admin: Person;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  admin = await administrator(url);
});
afterAll(() => talebank.close());

interface Entry {
  readonly action: string;
  readonly target: string;
  readonly details: Record<string, unknown> | null;
}

/** The details of the entries about something, oldest first. */
async function detailsOf(action: string, target: string): Promise<Entry['details'][]> {
  const { data } = await send<{ auditLog: { nodes: Entry[] } }>(
    url,
    `query ($action: [String!], $target: ID) {
      auditLog(first: 100, action: $action, target: $target) { nodes { action target details } }
    }`,
    { action: [action], target },
    { token: admin.token },
  );
  return (data?.auditLog.nodes ?? []).map(({ details }) => details).reverse();
}

const reason = 'A test';
const instant = expect.stringMatching(/^\d{4}-.*Z$/) as unknown;

test('a change of the allowance or of a role records the old and the new value', async () => {
  const { id: userId } = await newListener(url);
  for (const amount of [999, 5, null])
    await ask(url, SetMonthlyCredits, { userId, amount, reason }, admin.token);
  expect(await detailsOf('setMonthlyCredits', userId)).toEqual([
    { monthlyCredits: { from: null, to: 999 } },
    { monthlyCredits: { from: 999, to: 5 } },
    { monthlyCredits: { from: 5, to: null } },
  ]);
  for (const role of ['ADMIN', 'AUDITOR', 'USER'] as const)
    await ask(url, SetUserRole, { userId, role, reason }, admin.token);
  expect(await detailsOf('setUserRole', userId)).toEqual([
    { role: { from: 'USER', to: 'ADMIN' } },
    { role: { from: 'ADMIN', to: 'AUDITOR' } },
    { role: { from: 'AUDITOR', to: 'USER' } },
  ]);
  await ask(url, SuspendUser, { userId, reason }, admin.token);
  await ask(url, ReinstateUser, { userId, reason }, admin.token);
  expect(await detailsOf('suspendUser', userId)).toEqual([
    { suspendedAt: { from: null, to: instant } },
  ]);
  expect(await detailsOf('reinstateUser', userId)).toEqual([
    { suspendedAt: { from: instant, to: null } },
  ]);
});

test('an entry about points records the account, the amount and the transaction', async () => {
  const listener = await newListener(url);
  const { id: userId } = listener;
  const lotId = await grantTo(url, admin, listener, { amount: 7, source: 'ADD_ON' });
  expect(await detailsOf('grantCredits', lotId)).toEqual([
    { userId, seq: 2, source: 'ADD_ON', amount: 7, expiresAt: null },
  ]);
  const story = await newStory(url, admin, { length: 1500 });
  const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
  await ask(url, RefundAudio, { input: { audioId, reason } }, admin.token);
  expect(await detailsOf('refundAudio', audioId)).toEqual([
    { userId, debitSeq: 3, seq: 4, amount: 2 },
  ]);
  const part = { lotId, reason, amount: 2, idempotencyKey: 'two' };
  await ask(url, Revoke, { input: part }, admin.token);
  await ask(url, Revoke, { input: { lotId, reason } }, admin.token);
  expect(await detailsOf('revokeCreditLot', lotId)).toEqual([
    { userId, seq: 5, amount: 2, remaining: { from: 7, to: 5 } },
    { userId, seq: 6, remaining: { from: 5, to: 0 } },
  ]);
  const input = {
    rows: [
      { userId, amount: 2 },
      { userId, amount: 3 },
    ],
    source: 'FREE' as const,
    reason,
    idempotencyKey: 'many',
  };
  await ask(url, BulkGrant, { input }, admin.token);
  expect(await detailsOf('bulkGrantCredits', 'many')).toEqual([
    { recipients: 1, points: 2, skipped: 1 },
  ]);
  await ask(url, RevokeBulkGrant, { idempotencyKey: 'many', reason }, admin.token);
  expect(await detailsOf('revokeBulkGrant', 'many')).toEqual([{ accounts: 1, granted: 2 }]);
  await talebank.database.sql(
    `UPDATE audios SET status = 'FAILED', failure_reason = 'A test' WHERE id = $1`,
    [audioId],
  );
});

test('an entry about a story lists the changed fields', async () => {
  const input = {
    title: 'One',
    author: 'Talebank',
    language: 'en',
    content: 'Once upon a time.',
    announced: false,
  };
  const { id } = await newStory(url, admin, { ...input, published: false });
  await ask(url, UpdateStory, { id, input: { ...input, title: 'Two' } }, admin.token);
  await ask(
    url,
    UpdateStory,
    {
      id,
      input: { ...input, title: 'Two', published: true, announced: true, content: 'Twice.' },
    },
    admin.token,
  );
  const hash = expect.stringMatching(/^[0-9a-f]{64}$/) as unknown;
  expect(await detailsOf('createStory', id)).toEqual([
    expect.objectContaining({
      title: { from: null, to: 'One' },
      published: { from: null, to: false },
    }),
  ]);
  expect(await detailsOf('updateStory', id)).toEqual([
    { title: { from: 'One', to: 'Two' } },
    {
      published: { from: false, to: true },
      announced: { from: false, to: true },
      textHash: { from: hash, to: hash },
    },
  ]);
});

test('entries about what users do themselves hold counts and times, and no address outlives its account', async () => {
  const listener = await newListener(url);
  const [password, newPassword] = ['a good password', 'another good password'];
  await ask(url, Login, { input: { email: listener.email, password } });
  await ask(url, RevokeOtherSessions, {}, listener.token);
  await ask(url, Login, { input: { email: listener.email, password } });
  const { changePassword } = await ask(
    url,
    ChangePassword,
    { currentPassword: password, newPassword },
    listener.token,
  );
  expect(await detailsOf('changePassword', listener.id)).toEqual([{ sessionsEnded: 2 }]);
  await ask(url, DeleteAccount, { password: newPassword }, changePassword.accessToken);
  expect(await detailsOf('deleteAccount', listener.id)).toEqual([
    { deletedAt: { from: null, to: instant }, sessionsEnded: 1 },
  ]);
  const ended = await talebank.database.sql(
    `SELECT details FROM audit_entries WHERE action = 'revokeOtherSessions' AND actor_id = $1`,
    [listener.id],
  );
  expect(ended).toEqual([{ details: { revokedAt: { from: null, to: instant } } }]);
  const named = await talebank.database.sql(
    `SELECT id FROM audit_entries e WHERE e::text ILIKE '%listener-%' OR e::text ILIKE '%@example%'`,
  );
  expect(named).toEqual([]);
  expect(await brokenAudit(talebank.database)).toEqual([]);
});
