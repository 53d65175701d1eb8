import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ask, execute, send } from '../support/client.js';
import { until } from '../support/faults.js';
import { expectBelow, timeOf } from '../support/measure.js';
import {
  AuditLog,
  ChangePassword,
  Login,
  Refresh,
  Register,
  ReinstateUser,
  RevokeOtherSessions,
  RevokeSession,
  SetUserRole,
  SignedInDevices,
  SuspendUser,
  UpdateProfile,
  Users,
} from '../support/operations.js';
import { administrator, newListener, newStory, PASSWORD, type Person } from '../support/people.js';
import { ADMIN, startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

/** Half of the time for which a process believes what it knows, if no notice tells it of a change. */
const WITHIN_MS = 30_000;

let talebank: Talebank;
let url: string;
/** Another process, which has to hear of everything. */
let other: ServerProcess;
let admin: Person;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  other = await talebank.join({ ROLE: 'api' });
  admin = await administrator(url);
});
afterAll(() => talebank.close());

const signIn = async (
  { email }: Pick<Person, 'email'>,
  { password = PASSWORD, deviceName = 'Attic' } = {},
): Promise<{ token: string; refreshToken: string }> => {
  const { login } = await ask(url, Login, { input: { email, password, deviceName } });
  return { token: login.accessToken, refreshToken: login.refreshToken ?? '' };
};

/** What a process says to a token: the viewer's id, or the code of its refusal. */
const standing = async (at: string, token: string): Promise<string | undefined> => {
  const { data, errors } = await send<{ me: { id: string } }>(at, '{ me { id } }', {}, { token });
  return errors[0]?.extensions.code ?? data?.me.id;
};

/** Both processes come to say this to a token. */
const everywhere = async (token: string, said: string): Promise<unknown> =>
  Promise.all(
    [url, other.url].map((at) =>
      until(`it is ${said}`, async () => (await standing(at, token)) === said, WITHIN_MS),
    ),
  );

const CUT = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE application_name = 'talebank-notices' AND datname = current_database()`;
const HEARING = `SELECT FROM pg_stat_activity WHERE application_name = 'talebank-notices'
  AND datname = current_database() AND query LIKE '%pg_listening_channels%'`;
const bothHear = (): Promise<void> =>
  until('both hear', async () => (await talebank.database.sql(HEARING)).length === 2);

const codeOf = async (
  answer: Promise<{ errors: readonly { extensions: { code: string } }[] }>,
): Promise<string | undefined> => (await answer).errors[0]?.extensions.code;

const audited = async (target: string): Promise<string[]> => {
  const rows = await talebank.database.sql<{ action: string; reason: string | null }>(
    'SELECT action, reason FROM audit_entries WHERE target = $1 ORDER BY id',
    [target],
  );
  return rows.map(({ action, reason }) => `${action}: ${reason ?? ''}`);
};

test('one device is signed out by another, everywhere; a stranger’s is not found', async () => {
  const [person, stranger] = await Promise.all([newListener(url), newListener(url)]);
  const attic = await signIn(person);
  expect(await standing(other.url, attic.token)).toBe(person.id);
  const { me } = await ask(url, SignedInDevices, {}, person.token);
  const device = me?.sessions.find(({ deviceName }) => deviceName === 'Attic');
  expect(me?.sessions).toHaveLength(2);
  expect(device?.current).toBe(false);
  const id = device?.id ?? '';
  for (const [token, wrong] of [
    [stranger.token, id],
    [person.token, person.id],
    [person.token, 'nonsense'],
  ] as const)
    expect(await codeOf(execute(url, RevokeSession, { id: wrong }, { token }))).toBe('NOT_FOUND');
  expect(await audited(id)).toEqual([]);

  expect(await ask(url, RevokeSession, { id }, person.token)).toEqual({ revokeSession: true });
  expect(await standing(url, attic.token)).toBe('UNAUTHENTICATED');
  await everywhere(attic.token, 'UNAUTHENTICATED');
  expect(await codeOf(execute(url, Refresh, { refreshToken: attic.refreshToken }))).toBe(
    'REFRESH_TOKEN_INVALID',
  );
  const again = execute(url, RevokeSession, { id }, { token: person.token });
  expect(await codeOf(again)).toBe('NOT_FOUND');
  expect(await standing(url, person.token)).toBe(person.id);
  expect(await audited(id)).toEqual(['revokeSession: ']);
});

test.each<[what: string, sql: string, told: (token: string) => Promise<unknown>]>([
  [
    'a session that ends',
    'UPDATE sessions SET revoked_at = now() WHERE user_id = $1',
    (token) => everywhere(token, 'UNAUTHENTICATED'),
  ],
  [
    'a suspension',
    'UPDATE users SET suspended_at = now() WHERE id = $1',
    (token) => everywhere(token, 'ACCOUNT_SUSPENDED'),
  ],
  ['a role', `UPDATE users SET role = 'AUDITOR' WHERE id = $1`, (token) => seesEverywhere(token)],
])('%s is known everywhere within a second', (_what, sql, told) =>
  expectBelow(1_000, async () => {
    const { id, token } = await newListener(url);
    for (const at of [url, other.url]) expect(await standing(at, token)).toBe(id);
    await talebank.database.sql(sql, [id]);
    return timeOf(() => told(token));
  }),
);

test('a change holds even while no process can receive notices', async () => {
  // No connection for notices opens while this is there.
  await talebank.database.sql(`
    CREATE FUNCTION refuse_notices() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF current_setting('application_name') = 'talebank-notices' THEN RAISE EXCEPTION 'deaf'; END IF;
    END $$;
    CREATE EVENT TRIGGER deaf ON login EXECUTE FUNCTION refuse_notices();
    ALTER EVENT TRIGGER deaf ENABLE ALWAYS`);
  try {
    const person = await newListener(url);
    for (const at of [url, other.url]) expect(await standing(at, person.token)).toBe(person.id);
    expect(await talebank.database.sql(CUT)).toHaveLength(2);
    await talebank.database.sql('UPDATE sessions SET revoked_at = now() WHERE user_id = $1', [
      person.id,
    ]);
    await everywhere(person.token, 'UNAUTHENTICATED');
    expect(await talebank.database.sql(HEARING)).toEqual([]);
  } finally {
    await talebank.database.sql('DROP EVENT TRIGGER deaf; DROP FUNCTION refuse_notices');
  }
  await bothHear();
});

test('a change that is announced while a process is disconnected reaches it afterwards', async () => {
  for (const pauseMs of [0, 20, 300, 900]) {
    const person = await newListener(url);
    for (const at of [url, other.url]) expect(await standing(at, person.token)).toBe(person.id);
    expect(await talebank.database.sql(CUT)).toHaveLength(2);
    await sleep(pauseMs);
    // As another process would, of which these hear nothing.
    await talebank.database.sql('UPDATE sessions SET revoked_at = now() WHERE user_id = $1', [
      person.id,
    ]);
    await everywhere(person.token, 'UNAUTHENTICATED');
    await bothHear();
  }
});

test('all other devices are signed out at once, and this one stays', async () => {
  const person = await newListener(url);
  const others = await Promise.all([signIn(person), signIn(person), signIn(person)]);
  const { revokeOtherSessions } = await ask(url, RevokeOtherSessions, {}, person.token);
  expect(revokeOtherSessions).toBe(3);
  await Promise.all(others.map(({ token }) => everywhere(token, 'UNAUTHENTICATED')));
  expect(await standing(other.url, person.token)).toBe(person.id);
  expect(await ask(url, RevokeOtherSessions, {}, person.token)).toEqual({ revokeOtherSessions: 0 });
});

test('a changed password signs every device out, and this one in anew', async () => {
  const person = await newListener(url);
  const attic = await signIn(person);
  const change = (currentPassword: string, newPassword: string): Promise<string | undefined> =>
    codeOf(execute(url, ChangePassword, { currentPassword, newPassword }, { token: person.token }));
  expect(await change('another password', 'quite another one')).toBe('INVALID_CREDENTIALS');
  const wrong = { currentPassword: 'another password', newPassword: 'quite another one' };
  const { errors } = await execute(url, ChangePassword, wrong, { token: person.token });
  expect(errors[0]?.message).toBe('The password is wrong.');
  expect(await change(PASSWORD, 'short')).toBe('BAD_USER_INPUT');
  expect(await standing(url, attic.token)).toBe(person.id);
  expect(await audited(person.id)).toEqual([]);

  const passwords = { currentPassword: PASSWORD, newPassword: 'quite another one' };
  const { changePassword } = await ask(url, ChangePassword, passwords, person.token);
  expect(changePassword.session.current).toBe(true);
  await Promise.all([attic, person].map(({ token }) => everywhere(token, 'UNAUTHENTICATED')));
  for (const at of [url, other.url])
    expect(await standing(at, changePassword.accessToken)).toBe(person.id);
  expect(await codeOf(execute(url, Refresh, { refreshToken: person.refreshToken }))).toBe(
    'REFRESH_TOKEN_INVALID',
  );
  const { email } = person;
  const old = execute(url, Login, { input: { email, password: PASSWORD } });
  expect(await codeOf(old)).toBe('INVALID_CREDENTIALS');
  await signIn(person, { password: 'quite another one' });
  expect(await audited(person.id)).toEqual(['changePassword: ']);
});

test('a sign-in that races with a change of the password leaves no session with the old one', async () => {
  let both = 0;
  for (let round = 0; round < 20; round += 1) {
    const person = await newListener(url);
    const { email, token } = person;
    const passwords = { currentPassword: PASSWORD, newPassword: 'quite another one' };
    const [changed, ...signIns] = await Promise.all([
      execute(url, ChangePassword, passwords, { token }),
      ...[url, other.url, url].map((at) =>
        execute(at, Login, { input: { email, password: PASSWORD } }),
      ),
    ]);
    expect(changed.errors).toEqual([]);
    if (signIns.some(({ errors }) => errors.length === 0)) both += 1;
    const [living] = await talebank.database.sql<{ count: number }>(
      'SELECT count(*)::int FROM sessions WHERE user_id = $1 AND revoked_at IS NULL',
      [person.id],
    );
    expect(living?.count).toBe(1);
  }
  expect(both).toBeGreaterThan(0);
});

test('a suspended user is refused everywhere, and is let in again when reinstated', async () => {
  const person = await newListener(url);
  const { id: userId, email, token } = person;
  expect(await standing(other.url, token)).toBe(userId);
  const why = { userId, reason: 'Sold their points' };
  expect(await ask(url, SuspendUser, why, admin.token)).toEqual({
    suspendUser: { suspended: true },
  });
  await everywhere(token, 'ACCOUNT_SUSPENDED');
  for (const at of [url, other.url]) {
    const login = execute(at, Login, { input: { email, password: PASSWORD } });
    expect(await codeOf(login)).toBe('ACCOUNT_SUSPENDED');
    const refresh = execute(at, Refresh, { refreshToken: person.refreshToken });
    expect(await codeOf(refresh)).toBe('ACCOUNT_SUSPENDED');
  }
  await ask(url, SuspendUser, { userId, reason: 'Once more' }, admin.token);
  const back = { userId, reason: 'It was a gift' };
  expect(await ask(url, ReinstateUser, back, admin.token)).toEqual({
    reinstateUser: { suspended: false },
  });
  await everywhere(token, userId);
  // What changed nothing left no trace.
  expect(await audited(userId)).toEqual([
    'suspendUser: Sold their points',
    'reinstateUser: It was a gift',
  ]);
});

/** Waits until both processes let this user read what administrators and auditors read, or refuse it with `said`. */
const seesEverywhere = async (token: string, said?: 'FORBIDDEN'): Promise<unknown> =>
  Promise.all(
    [url, other.url].map((at) => {
      const asked = (): Promise<string | undefined> =>
        codeOf(execute(at, AuditLog, { first: 1 }, { token }));
      return until(`it is ${said ?? 'allowed'}`, async () => (await asked()) === said, WITHIN_MS);
    }),
  );

test.each(['ADMIN', 'AUDITOR'] as const)(
  'the role %s holds everywhere, given and taken',
  async (role) => {
    const person = await newListener(url);
    const { id: userId, token } = person;
    const mayAudit = (): Promise<string | undefined> =>
      codeOf(execute(other.url, AuditLog, { first: 1 }, { token }));
    expect(await mayAudit()).toBe('FORBIDDEN');
    await ask(url, SetUserRole, { userId, role, reason: 'On holiday duty' }, admin.token);
    await seesEverywhere(token);
    await ask(url, SetUserRole, { userId, role: 'USER', reason: 'Back again' }, admin.token);
    await seesEverywhere(token, 'FORBIDDEN');
    expect(await audited(userId)).toEqual([
      'setUserRole: On holiday duty',
      'setUserRole: Back again',
    ]);
  },
);

test('an administrator who becomes an auditor reads on and changes nothing any more; the last one cannot', async () => {
  const { id: userId, token } = await newListener(url);
  const last = { userId: admin.id, role: 'AUDITOR' as const, reason: 'A change' };
  expect(await codeOf(execute(url, SetUserRole, last, { token: admin.token }))).toBe('CONFLICT');
  const change = { userId, role: 'ADMIN' as const, reason: 'A deputy' };
  await ask(url, SetUserRole, change, admin.token);
  await seesEverywhere(token);
  await ask(url, SetUserRole, { ...change, role: 'AUDITOR' }, token);
  const administers = (): Promise<string | undefined> =>
    codeOf(execute(other.url, SetUserRole, change, { token }));
  await until('it is refused', async () => (await administers()) === 'FORBIDDEN', WITHIN_MS);
  await seesEverywhere(token);
});

test('the last administrator keeps the role, also when many requests to take it away run at once', async () => {
  const { id: userId, token } = admin;
  const before = await audited(userId);
  const demote = { userId, role: 'USER' as const, reason: 'Tired' };
  expect(await codeOf(execute(url, SetUserRole, demote, { token }))).toBe('CONFLICT');
  expect(await codeOf(execute(url, SuspendUser, { userId, reason: 'Tired' }, { token }))).toBe(
    'CONFLICT',
  );
  expect(await audited(userId)).toEqual(before);
  const second = await newListener(url);
  const promote = { userId: second.id, role: 'ADMIN' as const, reason: 'A deputy' };
  for (let round = 0; round < 10; round += 1) {
    await talebank.database.sql(`UPDATE users SET role = 'ADMIN' WHERE id = $1`, [userId]);
    await ask(url, SetUserRole, promote, (await signIn(ADMIN, ADMIN)).token);
    await Promise.all([token, second.token].map((one) => seesEverywhere(one)));
    await Promise.all([
      execute(url, SetUserRole, { ...demote, userId: second.id }, { token }),
      execute(other.url, SetUserRole, demote, { token: second.token }),
      execute(other.url, SuspendUser, { userId: second.id, reason: 'A race' }, { token }),
    ]);
    const [left] = await talebank.database.sql<{ count: number }>(
      `SELECT count(*)::int FROM users WHERE role = 'ADMIN' AND suspended_at IS NULL`,
    );
    expect(left?.count).toBe(1);
    await talebank.database.sql('UPDATE users SET suspended_at = NULL WHERE id = $1', [second.id]);
  }
  await talebank.database.sql(
    `UPDATE users SET role = CASE WHEN id = $1 THEN 'ADMIN' ELSE 'USER' END::role`,
    [userId],
  );
  await seesEverywhere(token);
});

test('a request of an administrator who loses the role while it waits is refused', async () => {
  const [deputy, person] = await Promise.all([newListener(url), newListener(url)]);
  const { id: userId } = person;
  const promote = { userId: deputy.id, role: 'ADMIN' as const, reason: 'A deputy' };
  await ask(url, SetUserRole, promote, admin.token);
  await seesEverywhere(deputy.token);
  const client = new pg.Client({ connectionString: talebank.database.url });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query(`UPDATE users SET role = 'USER' WHERE id = $1`, [deputy.id]);
    const suspend = { userId, reason: 'A last deed' };
    const waiting = codeOf(execute(url, SuspendUser, suspend, { token: deputy.token }));
    // Postgres itself commits as soon as a session waits, because a wait for a lock ends after five seconds.
    await client.query(`
      DO $$ BEGIN
        WHILE NOT EXISTS (
          SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
        ) LOOP PERFORM pg_sleep(0.01); END LOOP;
      END $$;
      COMMIT`);
    expect(await waiting).toBe('FORBIDDEN');
  } finally {
    await client.end();
  }
  expect(await audited(userId)).toEqual([]);
  expect(await standing(url, person.token)).toBe(userId);
});

test('administrators find people page by page, and by a part of their address or name', async () => {
  const people: Person[] = [];
  for (let count = 0; count < 5; count += 1) people.push(await newListener(url));
  const first = await ask(url, Users, { first: 2 }, admin.token);
  const after = first.users.pageInfo.endCursor;
  const second = await ask(url, Users, { first: 3, after }, admin.token);
  expect([...first.users.nodes, ...second.users.nodes].map(({ id }) => id)).toEqual(
    people.map(({ id }) => id).reverse(),
  );
  const before = second.users.pageInfo.startCursor;
  const back = await ask(url, Users, { last: 2, before }, admin.token);
  expect(back.users.nodes).toEqual(first.users.nodes);

  const [person] = people as [Person];
  const search = async (words: string): Promise<string[]> =>
    (await ask(url, Users, { search: words }, admin.token)).users.nodes.map(({ id }) => id);
  expect(await search(person.email.slice(3, -5).toUpperCase())).toEqual([person.id]);
  await ask(url, UpdateProfile, { displayName: ' 100% Grandma_ ' }, person.token);
  expect(await search('0% grandma_')).toEqual([person.id]);
  expect(await search('0_ grandma')).toEqual([]);
  // Left out, it stays; null takes it away.
  expect(await ask(url, UpdateProfile, {}, person.token)).toEqual({
    updateProfile: { displayName: '100% Grandma_' },
  });
  for (const displayName of [null, '', '  '])
    expect(await ask(url, UpdateProfile, { displayName }, person.token)).toEqual({
      updateProfile: { displayName: null },
    });
  // The same when they sign up.
  const input = { email: `nameless-${crypto.randomUUID()}@example.com`, password: PASSWORD };
  const { register } = await ask(url, Register, { input: { ...input, displayName: ' ' } });
  const me = '{ me { displayName } }';
  const { data } = await send(url, me, {}, { token: register.accessToken });
  expect(data).toEqual({ me: { displayName: null } });
});

test('the audit log holds the actor, the action, the target and the reason, and cannot be changed', async () => {
  const { id: userId } = await newListener(url);
  await ask(url, SuspendUser, { userId, reason: 'For the log' }, admin.token);
  const { auditLog } = await ask(url, AuditLog, { first: 1 }, admin.token);
  const [entry] = auditLog.nodes;
  expect(entry).toMatchObject({
    action: 'suspendUser',
    target: userId,
    reason: 'For the log',
    actor: { id: admin.id },
  });
  const earlier = await ask(
    url,
    AuditLog,
    { first: 1, after: auditLog.pageInfo.endCursor },
    admin.token,
  );
  expect(earlier.auditLog.nodes[0]?.id).not.toBe(entry?.id);
  const byId = `{ node(id: "${entry?.id ?? ''}") { __typename id } }`;
  const found = await send<{ node: unknown }>(url, byId, {}, { token: admin.token });
  expect(found.data?.node).toEqual({ __typename: 'AuditEntry', id: entry?.id });
  const { token } = await newListener(url);
  expect(await codeOf(send(url, byId, {}, { token }))).toBe('NOT_FOUND');
  for (const statement of [
    `UPDATE audit_entries SET reason = 'Other'`,
    'DELETE FROM audit_entries',
    'TRUNCATE audit_entries',
  ])
    await expect(talebank.database.sql(statement)).rejects.toThrow();
  // The configuration made the first administrator, so that the entry has no actor.
  const first = await talebank.database.sql(
    'SELECT actor_id, action FROM audit_entries ORDER BY id LIMIT 1',
  );
  expect(first).toEqual([{ actor_id: null, action: 'createAdministrator' }]);
  expect(await audited(admin.id)).toContain('createAdministrator: ');
});

test('what an administrator does to a story is in the audit log, and what is refused is not', async () => {
  const title = 'The Owl Who Could Not Sleep';
  const { id } = await newStory(url, admin, { title });
  const story = { title, author: 'Talebank', language: 'en', content: 'Hoo.', published: false };
  const document =
    'mutation ($id: ID!, $story: StoryInput!) { updateStory(id: $id, input: $story) { id } }';
  const { token } = admin;
  expect((await send(url, document, { id, story }, { token })).errors).toEqual([]);
  const wrong = { id, story: { ...story, language: 'not a language' } };
  expect(await codeOf(send(url, document, wrong, { token }))).toBe('BAD_USER_INPUT');
  const remove = `mutation { deleteStory(id: "${id}") }`;
  expect((await send(url, remove, {}, { token })).errors).toEqual([]);
  expect(await codeOf(send(url, remove, {}, { token }))).toBe('NOT_FOUND');
  expect(await audited(id)).toEqual(['createStory: ', 'updateStory: ', 'deleteStory: ']);
});

test('only administrators can use their mutations, and a wrong request changes nothing', async () => {
  const [person, stranger] = await Promise.all([newListener(url), newListener(url)]);
  const reason = 'Because';
  const { id: userId } = stranger;
  for (const [document, variables] of [
    [SuspendUser, { userId, reason }],
    [ReinstateUser, { userId, reason }],
    [SetUserRole, { userId, reason, role: 'ADMIN' as const }],
    [Users, {}],
    [AuditLog, {}],
  ] as const) {
    const text = document.toString();
    expect(await codeOf(send(url, text, variables, { token: person.token }))).toBe('FORBIDDEN');
    expect(await codeOf(send(url, text, variables))).toBe('UNAUTHENTICATED');
  }
  const { token } = admin;
  for (const [wrong, code] of [
    [{ userId, reason: ' ' }, 'BAD_USER_INPUT'],
    [{ userId, reason: 'x'.repeat(501) }, 'BAD_USER_INPUT'],
    [{ userId, reason: 'two\nlines' }, 'BAD_USER_INPUT'],
    [{ userId: 'nonsense', reason }, 'NOT_FOUND'],
    [{ userId: '00000000-0000-7000-8000-000000000000', reason }, 'NOT_FOUND'],
  ] as const)
    expect(await codeOf(execute(url, SuspendUser, wrong, { token }))).toBe(code);
  expect(await audited(userId)).toEqual([]);
  expect(await standing(url, stranger.token)).toBe(userId);
});
