import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { ask, execute, send, type Answer } from '../support/client.js';
import { follow, stopFollowing } from '../support/events.js';
import { until } from '../support/faults.js';
import {
  Login,
  Refresh,
  Register,
  RequestPasswordReset,
  RunMaintenance,
  SuspendUser,
} from '../support/operations.js';
import {
  administrator,
  grantTo,
  newListener,
  newStory,
  PASSWORD,
  type Person,
} from '../support/people.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let other: ServerProcess;

beforeAll(async () => {
  talebank = await startTalebank({
    ROLE: 'api',
    RATE_LIMIT_FACTOR: '1',
    TRUST_PROXY: 'loopback',
  });
  url = talebank.url;
  other = await talebank.join();
});
afterAll(() => talebank.close());

let addresses = 0;
/** An address that was not used before. */
const newAddress = (): string => {
  addresses += 1;
  return `198.51.${String(addresses >> 8)}.${String(addresses & 255)}`;
};
const from = (address: string): { headers: Record<string, string> } => ({
  headers: { 'x-forwarded-for': address },
});

interface Outcome {
  readonly code: string | undefined;
  readonly status: number;
  readonly retryAfter: string | null;
}
const outcomeOf = ({ errors, status, headers }: Answer<unknown>): Outcome => ({
  code: errors[0]?.extensions.code,
  status,
  retryAfter: headers.get('retry-after'),
});

const signUp = async (address = newAddress()): Promise<Person> => {
  const email = `p${crypto.randomUUID()}@example.com`;
  const input = { email, password: PASSWORD };
  const { data } = await execute(url, Register, { input }, from(address));
  const { user, accessToken: token, refreshToken } = data?.register ?? {};
  return { id: user?.id ?? '', email, token: token ?? '', refreshToken: refreshToken ?? '' };
};

const guess = async (
  email: string,
  address: string,
  { password = 'a wrong password', at = url } = {},
): Promise<Outcome> =>
  outcomeOf(await execute(at, Login, { input: { email, password } }, from(address)));

/** How many of so many at once, at both processes, were let through; the others must be RATE_LIMITED. */
async function letThrough(
  count: number,
  one: (at: string, index: number) => Promise<Outcome>,
): Promise<number> {
  const asked = async (index: number): Promise<Outcome> => {
    const outcome = await one(index % 2 === 0 ? url : other.url, index);
    // As a client does it: what could not be counted in time on a slow machine is asked again.
    return outcome.code === 'BUSY' ? asked(index) : outcome;
  };
  const outcomes = await Promise.all(Array.from({ length: count }, (_, index) => asked(index)));
  const refused = outcomes.filter(({ code }) => code === 'RATE_LIMITED');
  for (const { status, retryAfter } of refused) {
    expect(status).toBe(429);
    expect(Number(retryAfter)).toBeGreaterThan(0);
    expect(Number(retryAfter)).toBeLessThanOrEqual(300);
  }
  return count - refused.length;
}

test.each([
  [
    'sign-ins from an address',
    10,
    (address: string) => (at: string, index: number) =>
      guess(`nobody-${String(index)}@example.com`, address, { at }),
  ],
  [
    'registrations from an address',
    5,
    (address: string) => async (at: string) =>
      outcomeOf(
        await execute(at, Register, { input: { email: 'no', password: 'no' } }, from(address)),
      ),
  ],
  [
    'refreshes from an address',
    30,
    (address: string) => async (at: string) =>
      outcomeOf(await execute(at, Refresh, { refreshToken: 'nonsense' }, from(address))),
  ],
  [
    'resets asked for from an address',
    5,
    (address: string) => async (at: string, index: number) =>
      outcomeOf(
        await execute(
          at,
          RequestPasswordReset,
          { email: `somebody-${String(index)}@example.com` },
          from(address),
        ),
      ),
  ],
  [
    'links tried from an address',
    30,
    (address: string) => async (at: string) =>
      outcomeOf(await send(at, 'mutation { verifyEmail(token: "x") }', {}, from(address))),
  ],
])('%s are limited to %i by all processes together', async (_what, limit, asker) => {
  const address = newAddress();
  expect(await letThrough(limit * 2 + 5, asker(address))).toBe(limit);
  expect(await letThrough(4, asker(address))).toBe(0);
  expect(await letThrough(2, asker(newAddress()))).toBe(2);
});

const ACCOUNT_LIMITS: readonly [string, number, string][] = [
  [
    'narrations',
    10,
    'mutation { synthesizeAudio(input: { storyId: "x", voiceId: "x" }) { balance } }',
  ],
  ['reads of the balance', 60, '{ me { credits { balance } } }'],
  ['reads of the history', 60, '{ creditHistory { nodes { id } } }'],
  ['reads of a statement', 60, '{ creditStatement(month: "2026-01") { opening } }'],
  [
    'documents with two earlier balances',
    20,
    '{ me { credits { a: balanceAt(at: "2026-01-01T00:00:00Z") b: balanceAt(at: "2026-02-01T00:00:00Z") } } }',
  ],
  ['confirmations asked for again', 5, 'mutation { resendVerification }'],
  ['tries to delete it', 3, 'mutation { deleteAccount(password: "wrong") }'],
  [
    'tries to change the password',
    10,
    'mutation { changePassword(currentPassword: "wrong", newPassword: "a better one") { accessToken } }',
  ],
];

test.each(ACCOUNT_LIMITS)(
  '%s of an account are limited to %i, from wherever they are asked',
  async (_what, limit, query) => {
    const [{ token }, neighbour] = await Promise.all([signUp(), signUp()]);
    const asked =
      (bearer: string) =>
      async (at: string): Promise<Outcome> =>
        outcomeOf(await send(at, query, {}, { token: bearer, ...from(newAddress()) }));
    expect(await letThrough(limit + 20, asked(token))).toBe(limit);
    expect(await letThrough(1, asked(neighbour.token))).toBe(1);
  },
);

/** A forged refresh token of a user whose id the attacker knows. */
const madeUp = (id: string): string =>
  Buffer.concat([Buffer.from(id.replaceAll('-', ''), 'hex'), randomBytes(32)]).toString(
    'base64url',
  );

test('refreshes of an account are limited to 30, from wherever they are asked, and to its own tokens', async () => {
  const [{ id, email, refreshToken, token }, neighbour] = await Promise.all([signUp(), signUp()]);
  const refresh =
    (presented: () => string) =>
    async (at: string): Promise<Outcome> =>
      outcomeOf(await execute(at, Refresh, { refreshToken: presented() }, from(newAddress())));
  const input = { email, password: PASSWORD };
  const { data } = await execute(url, Login, { input }, from(newAddress()));
  await send(url, 'mutation { logout }', {}, { token });
  // Neither strangers nor who has a token of a device that was signed out count against it.
  expect(
    await letThrough(
      40,
      refresh(() => madeUp(id)),
    ),
  ).toBe(40);
  expect(
    await letThrough(
      40,
      refresh(() => refreshToken),
    ),
  ).toBe(40);
  const good = data?.login.refreshToken ?? '';
  expect(await refresh(() => good)(url)).toMatchObject({ code: undefined });
  // Two who share a token have ten seconds, and a slow machine may take longer.
  await talebank.database.sql(
    `UPDATE refresh_tokens SET replaced_at = replaced_at + interval '1 hour' WHERE user_id = $1`,
    [id],
  );
  expect(
    await letThrough(
      50,
      refresh(() => good),
    ),
  ).toBe(29);
  expect(
    await letThrough(
      1,
      refresh(() => neighbour.refreshToken),
    ),
  ).toBe(1);
  const tokens = await talebank.database.sql('SELECT FROM refresh_tokens WHERE user_id = $1', [id]);
  expect(tokens).toHaveLength(3);
});

/** A new user whom every process knows as an administrator. */
async function newAdministrator(): Promise<Person> {
  const person = await signUp();
  await talebank.database.sql(`UPDATE users SET role = 'ADMIN' WHERE id = $1`, [person.id]);
  const isKnown = async (at: string): Promise<boolean> =>
    (await send(at, '{ auditLog(first: 1) { nodes { id } } }', {}, person)).errors.length === 0;
  for (const at of [url, other.url]) await until('the role holds', () => isKnown(at));
  return person;
}

test('administrators write sixty times a minute', async () => {
  const { token } = await newAdministrator();
  const suspend = async (at: string): Promise<Outcome> =>
    outcomeOf(await execute(at, SuspendUser, { userId: 'nobody', reason: 'A test' }, { token }));
  expect(await letThrough(80, suspend)).toBe(60);
});

test('many under other names in one document count as many', async () => {
  const logins = Array.from(
    { length: 40 },
    (_, at) =>
      `a${String(at)}: login(input: { email: "n${String(at)}@example.com", password: "guess" }) { accessToken }`,
  );
  const inFragments = `mutation { ...A ... on Mutation { ...B } }
    fragment A on Mutation { ${logins.slice(0, 6).join(' ')} }
    fragment B on Mutation { ${logins.slice(6, 12).join(' ')} }`;
  for (const document of [`mutation { ${logins.join(' ')} }`, inFragments]) {
    const { errors, status } = await send(url, document, {}, from(newAddress()));
    expect(errors.map(({ extensions }) => extensions.code)).toEqual(['RATE_LIMITED']);
    expect(status).toBe(429);
  }
  const { token } = await signUp();
  const reads = Array.from({ length: 40 }, (_, at) => `a${String(at)}: me { credits { balance } }`);
  const read = (): Promise<Answer<unknown>> => send(url, `{ ${reads.join(' ')} }`, {}, { token });
  expect((await read()).errors).toEqual([]);
  const second = await read();
  // Some fields have values, so that a client must read the answer (GraphQL over HTTP, 6.4).
  expect(second.status).toBe(200);
  expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(second.errors.map(({ extensions }) => extensions.code)).toContain('RATE_LIMITED');
  expect(
    second.errors.filter(({ extensions }) => extensions.code === 'RATE_LIMITED').length,
  ).toBeLessThanOrEqual(20);
});

test('reads in the answer of a mutation are counted before it, so that no answer of what is done is lost', async () => {
  const { token } = await signUp();
  const document = `mutation ($name: String!) { updateProfile(displayName: $name) { displayName ...Points } }
    fragment Points on User { a: credits { balance } b: credits { balance } creditLots { nodes { id } } }`;
  const rename = (name: string): Promise<Answer<unknown>> =>
    send(url, document, { name }, { token });
  for (let at = 1; at <= 20; at += 1) expect((await rename(String(at))).errors).toEqual([]);
  const { errors, data } = await rename('21');
  expect(errors.map(({ extensions }) => extensions.code)).toEqual(['RATE_LIMITED']);
  expect(data).toBeNull();
  const name = await send(url, '{ me { displayName } }', {}, { token });
  expect(name.data).toEqual({ me: { displayName: '20' } });
});

test('reads of one fragment in the answer of a mutation count at each of its places', async () => {
  const { token } = await signUp();
  const users = Array.from({ length: 49 }, (_, at) => `a${String(at)}: user { ...Points }`);
  const change = `mutation ($password: String!) {
      changePassword(currentPassword: $password, newPassword: $password) { accessToken ${users.join(' ')} }
    }
    fragment Points on User { credits { balance } ...Again ...Again }
    fragment Again on User { creditLots { nodes { id } } }`;
  const { errors, data } = await send(url, change, { password: PASSWORD }, { token });
  expect(errors.map(({ extensions }) => extensions.code)).toEqual(['RATE_LIMITED']);
  expect(data).toBeNull();
  const once = change.replace(users.slice(29).join(' '), '');
  expect((await send(url, once, { password: PASSWORD }, await signUp())).errors).toEqual([]);
});

test('reads that are left out of a query do not count, and of those counted at once only what is beyond the limit is refused', async () => {
  const { token } = await signUp();
  const document = `query ($more: Boolean!, $less: Boolean!) {
      a: me { credits { balance } } b: me { ...Points ...Points } creditLots { nodes { id } }
      c: me { credits @include(if: $more) { balance } id }
      d: me { creditHistory @skip(if: $less) { nodes { id } } id }
      e: me { ...Points @include(if: $more) id }
      f: me { ... @skip(if: $less) { credits { balance } } id }
    }
    fragment Points on User { credits { balance } }`;
  const read = (more: boolean): Promise<Answer<Record<string, unknown>>> =>
    send(url, document, { more, less: !more }, { token });
  for (let at = 1; at <= 18; at += 1) expect((await read(false)).errors).toEqual([]);
  // 54 have been counted, and now seven at once.
  const { errors } = await read(true);
  expect(errors.map(({ extensions }) => extensions.code)).toEqual(['RATE_LIMITED']);
});

/** A selection of a user with this many reads of points, two under each name. */
const pairsOfReads = (count: number): string =>
  Array.from(
    { length: count },
    (_, at) => `r${String(at)}: credits { balance balanceAt(at: "2026-01-01T00:00:00Z") }`,
  ).join(' ');

test('the reads in the answers of all mutations of a document are counted before the first is done', async () => {
  const { token } = await signUp();
  const document = `mutation {
      first: updateProfile(displayName: "first") { displayName ...Reads }
      second: updateProfile(displayName: "second") { displayName ...Reads }
    }
    fragment Reads on User { ${pairsOfReads(20)} }`;
  const { errors, data } = await send(url, document, {}, { token });
  expect(errors.map(({ path, extensions }) => [path, extensions.code])).toEqual([
    [['first'], 'RATE_LIMITED'],
  ]);
  expect(data).toBeNull();
  const name = await send(other.url, '{ me { displayName } }', {}, { token });
  expect(name.data).toEqual({ me: { displayName: null } });
  // Within the limit, both are done, and each place counts once for both together.
  const half = document.replaceAll(pairsOfReads(20), pairsOfReads(15));
  const { token: another } = await signUp();
  expect((await send(url, half, {}, { token: another })).errors).toEqual([]);
  const next = await send(url, '{ me { credits { balance } } }', {}, { token: another });
  expect(outcomeOf(next)).toMatchObject({ code: 'RATE_LIMITED', status: 429 });
});

test('only the reads of the operation that is executed count, by the default values of its variables', async () => {
  const { token } = await signUp();
  const query = `query Few($all: Boolean = false, $some: Boolean! = true) { me { ...Reads } }
    query Many($all: Boolean = true, $some: Boolean! = true) { me { ...Reads } }
    fragment Reads on User {
      ...Many @include(if: $all)
      ... @include(if: $some) { creditLots { nodes { id } } creditLots { nodes { remaining } } }
    }
    fragment Many on User { ${pairsOfReads(20)} }`;
  const ask = async (operationName: string, variables = {}): Promise<Outcome> => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, operationName, variables }),
    });
    const { errors = [] } = (await response.json()) as Partial<Answer<unknown>>;
    const retryAfter = response.headers.get('retry-after');
    return { code: errors[0]?.extensions.code, status: response.status, retryAfter };
  };
  for (let at = 1; at <= 18; at += 1) expect((await ask('Few')).code).toBeUndefined();
  // 18 have been counted, and now 40, one and one.
  expect((await ask('Many', { some: false })).code).toBeUndefined();
  expect((await ask('Few')).code).toBeUndefined();
  expect((await ask('Many', { all: false })).code).toBeUndefined();
  expect((await ask('Many', { all: false, some: false })).code).toBeUndefined();
  expect((await ask('Few')).code).toBe('RATE_LIMITED');
});

test('each event of a subscription counts its reads, besides the read with which it begins', async () => {
  const [person, admin] = [await signUp(), await newAdministrator()];
  const query = `subscription { creditsUpdated { balance ...Reads ...Reads } }
    fragment Reads on Credits { balanceAt(at: "2026-01-01T00:00:00Z") }`;
  const { token } = person;
  const following = await follow<{ creditsUpdated: object }>(url, query, {}, { token });
  await until('it has begun', () => following.events.length === 1);
  // Two have been counted, and now 57.
  const much = `{ creditLots { nodes { id } } me { ${pairsOfReads(28)} } }`;
  expect((await send(url, much, {}, { token })).errors).toEqual([]);
  await grantTo(url, admin, person, { amount: 1 });
  await until('the grant is told', () => following.events.length === 2);
  expect(following.events.map(({ errors }) => errors)).toEqual([[], []]);
  await grantTo(url, admin, person, { amount: 1 });
  await until('the other grant is told', () => following.events.length === 3);
  const [refusal] = following.events[2]?.errors ?? [];
  expect([refusal?.path, refusal?.extensions.code]).toEqual([
    ['creditsUpdated', 'balanceAt'],
    'RATE_LIMITED',
  ]);
  expect(outcomeOf(await send(url, '{ me { credits { balance } } }', {}, { token }))).toMatchObject(
    { code: 'RATE_LIMITED', status: 429 },
  );
  stopFollowing();
});

test('reads that are not allowed do not count', async () => {
  const [{ token }, { id }] = [await signUp(), await signUp()];
  const others = `{ user(id: "${id}") { ${pairsOfReads(40)} } }`;
  expect(outcomeOf(await send(url, others, {}, { token })).code).toBe('FORBIDDEN');
  const own = `{ me { ${pairsOfReads(30)} } }`;
  expect((await send(url, own, {}, { token })).errors).toEqual([]);
  expect(outcomeOf(await send(url, own, {}, { token })).code).toBe('RATE_LIMITED');
});

test('what is asked of many people in one field counts once', async () => {
  const { token } = await newAdministrator();
  const list = '{ users(first: 100) { nodes { credits { balance } } } }';
  for (let round = 0; round < 10; round += 1)
    expect((await send(url, list, {}, { token })).errors).toEqual([]);
});

test('strangers who hammer an account stop at ten together, and its owner gets in', async () => {
  const home = newAddress();
  const { email } = await signUp(home);
  const strangers = await letThrough(40, (at) => guess(email, newAddress(), { at }));
  expect(strangers).toBe(10);
  expect(await guess(email, home, { password: PASSWORD })).toMatchObject({ code: undefined });
  // A wrong password from there is answered as one from anywhere else.
  expect(await letThrough(5, (at) => guess(email, home, { at }))).toBe(0);
  // An account that is not there is no different.
  const nobody = `nobody-${crypto.randomUUID()}@example.com`;
  expect(await letThrough(40, (at) => guess(nobody, newAddress(), { at }))).toBe(10);
});

test('an address gets at most five mails, and the askers cannot tell', async () => {
  const { email, id } = await signUp();
  const asked = async (at: string): Promise<Outcome> =>
    outcomeOf(
      await execute(
        at,
        RequestPasswordReset,
        { email: ` ${email.toUpperCase()} ` },
        from(newAddress()),
      ),
    );
  expect(await letThrough(12, asked)).toBe(12);
  const jobs = await talebank.database.sql(
    `SELECT 1 FROM pgboss.job WHERE name = 'send-mail' AND data->>'mail' = 'RESET' AND data->>'userId' = $1`,
    [id],
  );
  expect(jobs).toHaveLength(5);
});

test('one customer has all addresses of an IPv6 network', async () => {
  const asked = (network: string) => (at: string, index: number) =>
    guess('nobody@example.com', `${network}${(index + 1).toString(16)}`, { at });
  expect(await letThrough(30, asked('2001:db8:1:2:3:4:5:'))).toBe(10);
  expect(await letThrough(2, asked('2001:db8:1:3::'))).toBe(0);
});

test('a forwarded address is accepted from a trusted proxy alone', async () => {
  const [direct, behindTwo] = await Promise.all([
    talebank.join({ TRUST_PROXY: 'false' }),
    talebank.join({ TRUST_PROXY: '1' }),
  ]);
  const seenBy = async (at: string, forwarded: string): Promise<string | undefined> => {
    const { email } = await signUp();
    const { data } = await execute(
      at,
      Login,
      { input: { email, password: PASSWORD } },
      { headers: { 'x-forwarded-for': forwarded } },
    );
    const me = await send<{ me: { sessions: { ipAddress: string; current: boolean }[] } }>(
      url,
      '{ me { sessions { ipAddress current } } }',
      {},
      { token: data?.login.accessToken },
    );
    return me.data?.me.sessions.find(({ current }) => current)?.ipAddress;
  };
  expect(await seenBy(url, '203.0.113.7')).toBe('203.0.113.7');
  // What a client claims stands before what the proxy adds.
  expect(await seenBy(url, '192.0.2.66, 203.0.113.8')).toBe('203.0.113.8');
  expect(await seenBy(behindTwo.url, '192.0.2.66, 203.0.113.9')).toBe('203.0.113.9');
  expect(await seenBy(direct.url, '203.0.113.10')).toBe('127.0.0.1');
  // Some proxies append the port. Requests from different ports must count as one client.
  expect(await seenBy(url, '203.0.113.11:50123')).toBe('203.0.113.11');
  expect(await seenBy(url, '[2001:db8::7]:50123')).toBe('2001:db8::7');
  for (const nonsense of ['nobody', '203.0.113.999', 'x'.repeat(5000)])
    expect(await seenBy(url, nonsense)).toBe('127.0.0.1');
});

test('each limit can be set, and a factor multiplies them all', async () => {
  const apart = await startTalebank({
    ROLE: 'api',
    RATE_LIMIT_LOGIN: '2/900',
    RATE_LIMIT_RESET: '1/2',
    RATE_LIMIT_FACTOR: '2',
  });
  try {
    const outcomes: Outcome[] = [];
    for (let index = 0; index < 6; index += 1) {
      const input = { email: `n${String(index)}@example.com`, password: 'guess guess' };
      outcomes.push(outcomeOf(await execute(apart.url, Login, { input })));
    }
    expect(outcomes.map(({ code }) => code)).toEqual([
      ...Array<string>(4).fill('INVALID_CREDENTIALS'),
      ...Array<string>(2).fill('RATE_LIMITED'),
    ]);
    const waitSeconds = Number(outcomes[4]?.retryAfter);
    expect(waitSeconds).toBeGreaterThan(600);
    expect(waitSeconds).toBeLessThanOrEqual(900);
    // After its time a limit counts anew.
    let resets = 0;
    const isRefused = async (): Promise<boolean> => {
      const email = `n${String((resets += 1))}@example.com`;
      const { errors } = await execute(apart.url, RequestPasswordReset, { email });
      return errors[0]?.extensions.code === 'RATE_LIMITED';
    };
    await until('it is refused', async () => {
      const answers = await Promise.all(Array.from({ length: 6 }, isRefused));
      return answers.includes(true);
    });
    await until('it is let through again', async () => !(await isRefused()));
  } finally {
    await apart.close();
  }
});

test('while the counters cannot be reached, sign-ins are refused and signed-in users can read', async () => {
  const apart = await startTalebank({ ROLE: 'api', RATE_LIMIT_FACTOR: '1' });
  try {
    const { token, email } = await newListener(apart.url);
    const admin = await administrator(apart.url);
    await apart.database.sql('ALTER TABLE rate_limits RENAME TO gone');
    const input = { email, password: PASSWORD };
    expect(outcomeOf(await execute(apart.url, Login, { input }))).toMatchObject({
      code: 'BUSY',
      status: 503,
    });
    for (let round = 0; round < 70; round += 1) {
      const query = '{ me { credits { balance } } }';
      expect((await send(apart.url, query, {}, { token })).errors).toEqual([]);
    }
    await newStory(apart.url, admin);
    await apart.database.sql('ALTER TABLE gone RENAME TO rate_limits');
    await ask(apart.url, Login, { input });
  } finally {
    await apart.close();
  }
});

test('pruning skips rows that others hold, and deletes them the next time', async () => {
  const { id, token } = await newAdministrator();
  await ask(url, RunMaintenance, { task: 'PRUNE_SESSIONS' }, token);
  await talebank.database.sql(
    `INSERT INTO sessions (user_id, id, created_at, last_used_at, absolute_expires_at, expires_at)
     SELECT $1, gen_random_uuid(), now(), now(), now(), now() - n * interval '1 minute' FROM generate_series(1, 250) n`,
    [id],
  );
  const lapsed = async (): Promise<number> =>
    (await talebank.database.sql('SELECT 1 FROM sessions WHERE expires_at < now()')).length;
  const client = new pg.Client({ connectionString: talebank.database.url });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query(
      'SELECT FROM sessions WHERE expires_at < now() ORDER BY expires_at LIMIT 1 FOR UPDATE',
    );
    await ask(url, RunMaintenance, { task: 'PRUNE_SESSIONS' }, token);
    expect(await lapsed()).toBe(1);
  } finally {
    await client.end();
  }
  await ask(url, RunMaintenance, { task: 'PRUNE_SESSIONS' }, token);
  expect(await lapsed()).toBe(0);
});

const LOGIN_REFUSALS = /^talebank_rate_limit_refusals_total\{limit="login",by="address"\} (\d+)$/m;

test('refusals are counted, and what has lapsed is pruned', async () => {
  const address = newAddress();
  const refusals = async (): Promise<number> => {
    const pages = await Promise.all(
      [url, other.url].map(async (at) => (await fetch(`${at}/metrics`)).text()),
    );
    const counts = pages.map((page) => Number(LOGIN_REFUSALS.exec(page)?.[1] ?? 0));
    return counts.reduce((sum, count) => sum + count, 0);
  };
  const before = await refusals();
  const through = await letThrough(15, (at, index) =>
    guess(`m${String(index)}@example.com`, address, { at }),
  );
  expect(through).toBe(10);
  expect((await refusals()) - before).toBe(5);
  // No name of a person or a place is kept longer than it counts, nor any address of a person at all.
  const keys = await talebank.database.sql<{ key: string }>('SELECT key FROM rate_limits');
  expect(keys.length).toBeGreaterThan(0);
  expect(keys.filter(({ key }) => key.includes('@'))).toEqual([]);
  await talebank.database.sql('UPDATE rate_limits SET expire = expire - 1000000');
  await talebank.database.sql(
    `INSERT INTO sessions (user_id, id, created_at, last_used_at, absolute_expires_at, expires_at)
     SELECT id, gen_random_uuid(), now() - interval '99 days', now() - interval '99 days', now(), now() - interval '1 minute'
     FROM users LIMIT 3`,
  );
  const { token } = await newAdministrator();
  const { runMaintenance } = await ask(url, RunMaintenance, { task: 'PRUNE_SESSIONS' }, token);
  // Those who asked meanwhile are counted anew.
  expect(runMaintenance.changed).toBeGreaterThanOrEqual(keys.length);
  const [left] = await talebank.database.sql(
    `SELECT (SELECT count(*) FROM sessions WHERE expires_at < now())::int AS sessions,
       (SELECT count(*) FROM sessions WHERE expires_at > now()) > 0 AS living`,
  );
  expect(left).toEqual({ sessions: 0, living: true });
});
