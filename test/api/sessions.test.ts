import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { hash } from '@node-rs/argon2';
import { ask, execute, send, type Answer } from '../support/client.js';
import {
  ChangePassword,
  Login,
  Refresh,
  Register,
  SignedInDevices,
} from '../support/operations.js';
import { newListener } from '../support/people.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let other: ServerProcess;
let url: string;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  other = await talebank.join();
  url = talebank.url;
});
afterAll(() => talebank.close());

const me = async (token?: string): Promise<string> => {
  const { data, errors } = await send<{ me: { email: string } | null }>(
    url,
    '{ me { email } }',
    {},
    { token },
  );
  return errors[0]?.extensions.code ?? data?.me?.email ?? 'nobody';
};
const refresh = async (
  at: string,
  refreshToken: string,
): Promise<{ code?: string; token?: string; access?: string; status: number }> => {
  const { data, errors, status } = await execute(at, Refresh, { refreshToken });
  const code = errors[0]?.extensions.code;
  return {
    status,
    ...(code === undefined ? {} : { code }),
    ...(data === null
      ? {}
      : { token: data.refreshSession.refreshToken ?? '', access: data.refreshSession.accessToken }),
  };
};

/** That what has just ended is refused to every request that is sent a second later, or after that. */
async function expectWithinASecond(refused: () => Promise<boolean>): Promise<void> {
  const endedAt = performance.now();
  for (;;) {
    const sentAfterMs = performance.now() - endedAt;
    if (await refused()) return;
    expect(sentAfterMs).toBeLessThan(1_000);
    await sleep(50);
  }
}

test('signing up gives tokens, the device and ten points', async () => {
  const input = {
    email: 'New.Listener@Example.com',
    password: 'a good password',
    deviceName: 'Kitchen radio',
  };
  const { register } = await ask(url, Register, { input });
  expect(register).toMatchObject({
    session: { current: true, deviceName: 'Kitchen radio' },
    user: {
      email: 'new.listener@example.com',
      emailVerified: false,
      role: 'USER',
      credits: {
        balance: 10,
        unitLabel: 'Story Points',
        unitSize: 1000,
        bySource: [{ source: 'FREE', balance: 10 }],
      },
    },
  });
  expect(await me(register.accessToken)).toBe('new.listener@example.com');
  const { login } = await ask(url, Login, {
    input: { email: 'NEW.listener@example.com', password: input.password },
  });
  expect(await me(login.accessToken)).toBe('new.listener@example.com');
});

test('a request without a token is anonymous, and one with a wrong token is refused', async () => {
  const { token } = await newListener(url);
  const [header = '', payload = '', signature = ''] = token.split('.');
  const encode = (value: object): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
  expect(await me()).toBe('nobody');
  const wrong = [
    'nonsense',
    `${encode({ alg: 'none', typ: 'at+jwt' })}.${payload}.`,
    `${header}.${encode({ ...claims, exp: 9_999_999_999 })}.${signature}`,
    `${header}.${payload}.${signature.slice(0, -4)}AAAA`,
    `${encode({ alg: 'EdDSA', typ: 'at+jwt', kid: '../../etc/passwd' })}.${payload}.${signature}`,
  ];
  for (const one of wrong) expect(await me(one)).toBe('UNAUTHENTICATED');
  // What is public stays public.
  const { errors } = await send(url, '{ stories { nodes { id } } }', {}, { token: 'nonsense' });
  expect(errors).toEqual([]);
});

test('every refresh gives a new token, and the one before is good for a moment, for the same one', async () => {
  const { id, refreshToken, email } = await newListener(url);
  const first = await refresh(url, refreshToken);
  expect(first.token).not.toBe(refreshToken);
  expect(await me(first.access)).toBe(email);
  // The moment is ten seconds, for which a process may stand still.
  await talebank.database.sql(
    `UPDATE refresh_tokens SET replaced_at = replaced_at + interval '5 minutes' WHERE user_id = $1`,
    [id],
  );
  expect((await refresh(url, refreshToken)).token).toBe(first.token);
  expect((await refresh(url, first.token ?? '')).token).not.toBe(first.token);
});

test('two processes that refresh the same token at once agree on one successor', async () => {
  for (let round = 0; round < 10; round += 1) {
    const { refreshToken } = await newListener(url);
    const answers = await Promise.all(
      [url, other.url, url, other.url].map((at) => refresh(at, refreshToken)),
    );
    expect(new Set(answers.map(({ token }) => token)).size).toBe(1);
    expect(answers[0]?.code).toBeUndefined();
  }
});

test('an older token, or the one before used later, is theft: the whole family dies', async () => {
  const { id, refreshToken } = await newListener(url);
  const first = await refresh(url, refreshToken);
  const second = await refresh(url, first.token ?? '');
  expect(await refresh(url, refreshToken)).toEqual({ code: 'REFRESH_TOKEN_REUSED', status: 401 });
  expect(await refresh(url, second.token ?? '')).toEqual({
    code: 'REFRESH_TOKEN_INVALID',
    status: 401,
  });
  const refused = async (): Promise<boolean> => (await me(second.access)) === 'UNAUTHENTICATED';
  await expectWithinASecond(refused);
  const audited = await talebank.database.sql(
    'SELECT action FROM audit_entries WHERE actor_id = $1',
    [id],
  );
  expect(audited).toEqual([{ action: 'refreshTokenReused' }]);

  const late = await newListener(url);
  await refresh(url, late.refreshToken);
  await talebank.database.sql(
    `UPDATE refresh_tokens SET replaced_at = replaced_at - interval '11 seconds' WHERE user_id = $1 AND replaced_at IS NOT NULL`,
    [late.id],
  );
  expect(await refresh(url, late.refreshToken)).toMatchObject({ code: 'REFRESH_TOKEN_REUSED' });
});

test('a device lives for thirty days unused, and for ninety at most', async () => {
  const DAY_MS = 86_400_000;
  const { id, refreshToken } = await newListener(url);
  const lives = async (): Promise<{ unusedMs: number; mostMs: number } | undefined> => {
    const [row] = await talebank.database.sql<{ unusedMs: number; mostMs: number }>(
      `SELECT (extract(epoch FROM expires_at - last_used_at) * 1000)::float8 AS "unusedMs",
              (extract(epoch FROM absolute_expires_at - created_at) * 1000)::float8 AS "mostMs"
       FROM sessions WHERE user_id = $1`,
      [id],
    );
    return row;
  };
  const older = (days: number): Promise<unknown> =>
    talebank.database.sql(
      `UPDATE sessions SET created_at = created_at - $2 * interval '1 day', last_used_at = last_used_at - $2 * interval '1 day',
         expires_at = expires_at - $2 * interval '1 day', absolute_expires_at = absolute_expires_at - $2 * interval '1 day'
       WHERE user_id = $1`,
      [id, days],
    );
  expect(await lives()).toEqual({ unusedMs: 30 * DAY_MS, mostMs: 90 * DAY_MS });
  let token = refreshToken;
  for (const [days, leftMs] of [
    [29, 30 * DAY_MS],
    [29, 30 * DAY_MS],
    // The last one reaches to the ninetieth day and no further.
    [29, 3 * DAY_MS],
  ] as const) {
    await older(days);
    const refreshed = await refresh(url, token);
    token = refreshed.token ?? '';
    expect(refreshed).not.toHaveProperty('code');
    const { unusedMs = 0 } = (await lives()) ?? {};
    expect(unusedMs).toBeGreaterThan(leftMs - 600_000);
    expect(unusedMs).toBeLessThanOrEqual(leftMs);
  }
  await older(3);
  expect(await refresh(url, token)).toEqual({ code: 'REFRESH_TOKEN_INVALID', status: 401 });

  const idle = await newListener(url);
  await talebank.database.sql(
    `UPDATE sessions SET expires_at = expires_at - interval '30 days' WHERE user_id = $1`,
    [idle.id],
  );
  expect(await me(idle.token)).toBe('UNAUTHENTICATED');
  const { code } = await refresh(url, idle.refreshToken);
  expect(code).toBe('REFRESH_TOKEN_INVALID');
});

test('a token that is none, a stranger’s, or an access token refreshes nothing', async () => {
  const { token } = await newListener(url);
  for (const wrong of ['', 'nonsense', token, Buffer.alloc(48, 7).toString('base64url')]) {
    expect(await refresh(url, wrong)).toEqual({ code: 'REFRESH_TOKEN_INVALID', status: 401 });
  }
});

test('signing out ends this device on every process within a second, and no other', async () => {
  const { email, token, refreshToken } = await newListener(url);
  const { login } = await ask(url, Login, { input: { email, password: 'a good password' } });
  const elsewhere = (
    bearer: string,
  ): Promise<{ errors: readonly { extensions: { code: string } }[] }> =>
    send(other.url, '{ me { id } }', {}, { token: bearer });
  expect((await elsewhere(token)).errors).toEqual([]);
  const { data } = await send<{ logout: boolean }>(url, 'mutation { logout }', {}, { token });
  expect(data?.logout).toBe(true);
  expect(await me(token)).toBe('UNAUTHENTICATED');
  expect(await refresh(url, refreshToken)).toMatchObject({ code: 'REFRESH_TOKEN_INVALID' });
  const refused = async (): Promise<boolean> =>
    (await elsewhere(token)).errors[0]?.extensions.code === 'UNAUTHENTICATED';
  await expectWithinASecond(refused);
  expect(await me(login.accessToken)).toBe(email);
});

test('in a browser the refresh token travels only in a cookie that scripts cannot see', async () => {
  const { email } = await newListener(url);
  const input = { email, password: 'a good password', transport: 'COOKIE' as const };
  const { data, headers } = await execute(url, Login, { input });
  expect(data?.login.refreshToken).toBeNull();
  const cookie = headers.get('set-cookie') ?? '';
  expect(cookie).toMatch(/^talebank_refresh=[\w-]{64}; .*HttpOnly; SameSite=Strict$/);
  const sent = { headers: { cookie: cookie.split(';')[0] ?? '' } };
  const refreshed = await execute(url, Refresh, {}, sent);
  expect(refreshed.data?.refreshSession).toMatchObject({ refreshToken: null, user: { email } });
  expect(refreshed.headers.get('set-cookie')).not.toBe(cookie);
});

const cookieOf = ({ headers }: { headers: Headers }): string =>
  headers.get('set-cookie')?.split(';')[0] ?? '';
const EMPTY = 'talebank_refresh=';

test('a browser whose access token has expired signs out with its cookie, and keeps none', async () => {
  const { email } = await newListener(url);
  const input = { email, password: 'a good password', transport: 'COOKIE' as const };
  const logout = (headers: Record<string, string>, token?: string): Promise<Answer<unknown>> =>
    send(url, 'mutation { logout }', {}, { headers, token });
  for (const token of [undefined, 'expired']) {
    const cookie = cookieOf(await execute(url, Login, { input }));
    const out = await logout({ cookie }, token);
    expect(out.data).toEqual({ logout: true });
    expect(cookieOf(out)).toBe(EMPTY);
    const refused = await execute(url, Refresh, {}, { headers: { cookie } });
    expect(refused.errors[0]?.extensions.code).toBe('REFRESH_TOKEN_INVALID');
    expect(cookieOf(refused)).toBe(EMPTY);
  }
  // A body's token that is refused says nothing about the cookie.
  const cookie = cookieOf(await execute(url, Login, { input }));
  const wrong = await execute(url, Refresh, { refreshToken: 'x' }, { headers: { cookie } });
  expect(wrong.headers.get('set-cookie')).toBeNull();
  const right = await execute(url, Refresh, {}, { headers: { cookie } });
  expect(right.errors).toEqual([]);
  // An anonymous request cannot sign out.
  expect((await logout({})).errors[0]?.extensions.code).toBe('UNAUTHENTICATED');
  expect((await logout({ cookie: `${EMPTY}nonsense` })).data).toEqual({ logout: true });
});

test('of more than a hundred devices the least recently used are signed out', async () => {
  const { id, email } = await newListener(url);
  await talebank.database.sql(
    `INSERT INTO sessions (user_id, id, device_name, created_at, last_used_at, absolute_expires_at, expires_at)
     SELECT $1, gen_random_uuid(), 'Script ' || n, now() - n * interval '1 hour', now() - n * interval '1 hour',
            now() + interval '9 days', now() + interval '9 days' FROM generate_series(1, 120) n`,
    [id],
  );
  const input = { email, password: 'a good password', deviceName: 'Attic' };
  const { login } = await ask(url, Login, { input });
  const { me: person } = await ask(url, SignedInDevices, {}, login.accessToken);
  const names = person?.sessions.map(({ deviceName }) => deviceName) ?? [];
  expect(names).toHaveLength(100);
  expect(names.slice(0, 3)).toEqual(['Attic', null, 'Script 1']);
  expect(names.at(-1)).toBe('Script 98');
  const [living] = await talebank.database.sql(
    'SELECT count(*)::int FROM sessions WHERE user_id = $1 AND revoked_at IS NULL',
    [id],
  );
  expect(living).toEqual({ count: 100 });
});

test('a sign-in during the rehash of the password succeeds', async () => {
  const old = await hash('a good password', { memoryCost: 8192, timeCost: 1, parallelism: 1 });
  for (let round = 0; round < 10; round += 1) {
    const { id, email, token } = await newListener(url);
    await talebank.database.sql('UPDATE users SET password_hash = $2 WHERE id = $1', [id, old]);
    const input = { email, password: 'a good password' };
    const answers = await Promise.all([
      ...[url, other.url, url].map((at) => execute(at, Login, { input })),
      execute(
        url,
        ChangePassword,
        { currentPassword: 'a good password', newPassword: 'quite another one' },
        { token },
      ),
    ]);
    const codes = answers.map(({ errors }) => errors[0]?.extensions.code);
    // Those who came after the change were late; the change itself was right.
    expect(codes.filter((code) => code !== undefined && code !== 'INVALID_CREDENTIALS')).toEqual(
      [],
    );
    expect(codes[3]).toBeUndefined();
    await talebank.database.sql('UPDATE users SET password_hash = $2 WHERE id = $1', [id, old]);
    const again = await Promise.all(
      [url, other.url, url, other.url].map((at) => execute(at, Login, { input })),
    );
    expect(again.flatMap(({ errors }) => errors)).toEqual([]);
    const [row] = await talebank.database.sql<{ password_hash: string }>(
      'SELECT password_hash FROM users WHERE id = $1',
      [id],
    );
    expect(row?.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  }
});

test('no token is stored as it is, nor does any reach the log', async () => {
  const { refreshToken, token } = await newListener(url);
  const rows = await talebank.database.sql<{ hash: Buffer }>('SELECT hash FROM refresh_tokens');
  const hash = createHash('sha256').update(Buffer.from(refreshToken, 'base64url')).digest('hex');
  expect(rows.map((row) => row.hash.toString('hex'))).toContain(hash);
  const everything = JSON.stringify(talebank.server.logs());
  expect(everything).not.toContain(refreshToken);
  expect(everything).not.toContain(token);
  expect(everything).not.toContain('a good password');
});
