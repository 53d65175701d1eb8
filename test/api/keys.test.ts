import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  calculateJwkThumbprint,
  createRemoteJWKSet,
  exportJWK,
  generateKeyPair,
  importJWK,
  jwtVerify,
  SignJWT,
  type JWK,
  type JWTHeaderParameters,
} from 'jose';
import { ask, send } from '../support/client.js';
import { createDatabase } from '../support/cluster.js';
import { until } from '../support/faults.js';
import { V8_FLAGS } from '../support/machine.js';
import { expectBelow, timeOf } from '../support/measure.js';
import { Refresh } from '../support/operations.js';
import { newListener, type Person } from '../support/people.js';
import {
  ADMIN,
  startServer,
  startTalebank,
  type ServerProcess,
  type Talebank,
} from '../support/talebank.js';

const KEYS = fileURLToPath(new URL('../../dist/cli/keys.js', import.meta.url));
/** A process looks at the keys every ten seconds. A slow machine takes longer. */
const KNOWN_MS = 60_000;

let talebank: Talebank;
let other: ServerProcess;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  other = await talebank.join({ ROLE: 'api' });
});
afterAll(() => talebank.close());

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const keys = (...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const env = { ...process.env, DATABASE_URL: talebank.database.url };
    execFile(process.execPath, [...V8_FLAGS, KEYS, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });

/** As if the next key had been published a while ago. */
const ageKeys = (): Promise<unknown> =>
  talebank.database.sql(`UPDATE signing_keys SET created_at = created_at - interval '2 minutes'`);

/** The keys of which the audit log tells. */
const audited = async (action: string): Promise<string[]> => {
  const rows = await talebank.database.sql<{ target: string }>(
    'SELECT target FROM audit_entries WHERE action = $1 ORDER BY id',
    [action],
  );
  return rows.map(({ target }) => target);
};

const standing = async (url: string, token: string): Promise<string | undefined> => {
  const { data, errors } = await send<{ me: { id: string } }>(url, '{ me { id } }', {}, { token });
  return errors[0]?.extensions.code ?? data?.me.id;
};

const kidOf = (token: string): string =>
  (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string })
    .kid;

const refreshed = async (
  url: string,
  { refreshToken }: Pick<Person, 'refreshToken'>,
): Promise<Pick<Person, 'token' | 'refreshToken'>> => {
  const { refreshSession } = await ask(url, Refresh, { refreshToken });
  return { token: refreshSession.accessToken, refreshToken: refreshSession.refreshToken ?? '' };
};

test('the key that signs and the next one are published, with which anyone can check a token', async () => {
  const address = new URL('/.well-known/jwks.json', talebank.url);
  const response = await fetch(address);
  expect(response.headers.get('content-type')).toContain('application/jwk-set+json');
  const { keys: published } = (await response.json()) as { keys: JWK[] };
  expect(published.length).toBeGreaterThanOrEqual(2);
  for (const key of published) {
    expect(key).toMatchObject({ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig' });
    expect(key).not.toHaveProperty('d');
  }
  const { token, id } = await newListener(talebank.url);
  const { payload } = await jwtVerify(token, createRemoteJWKSet(address));
  expect(payload).toMatchObject({ sub: id, iss: 'talebank', aud: 'talebank-api' });
});

/** A token of an unknown key. A process that gets it looks for new keys within a second. */
const STRANGE = `${Buffer.from('{"alg":"EdDSA","kid":"strange"}').toString('base64url')}.e30.AA`;

/** Waits until every process knows the keys that there are now. */
async function known(): Promise<void> {
  const stored = await talebank.database.sql<{ kid: string }>(
    'SELECT kid FROM signing_keys WHERE retired_at IS NULL',
  );
  const deadline = Date.now() + KNOWN_MS;
  for (const url of [talebank.url, other.url])
    for (;;) {
      const response = await fetch(new URL('/.well-known/jwks.json', url));
      const { keys: published } = (await response.json()) as { keys: JWK[] };
      const kids = new Set(published.map(({ kid }) => kid));
      if (stored.every(({ kid }) => kids.has(kid))) break;
      if (Date.now() > deadline) throw new Error('A process does not know the keys.');
      await standing(url, STRANGE);
      await sleep(100);
    }
}

test('a rotation keeps every session valid, on every process', async () => {
  await known();
  const earlier = await audited('keys rotate');
  const people = await Promise.all([talebank.url, other.url].map(newListener));
  const [first] = people as [Person];
  const before = kidOf(first.token);
  await ageKeys();
  let rotating = true;
  const answers: (string | undefined)[] = [];
  const tokens = people.map(({ token }) => token);
  const clients = people.map(async ({ id, refreshToken: from }, at) => {
    let refreshToken = from;
    while (rotating) {
      // Signed by one process and believed by the other.
      const [here, there] = at === 0 ? [talebank.url, other.url] : [other.url, talebank.url];
      const fresh = await refreshed(here, { refreshToken });
      ({ refreshToken } = fresh);
      for (const url of [here, there]) {
        const answer = await standing(url, fresh.token);
        answers.push(answer === id ? 'ok' : answer);
      }
      tokens[at] = fresh.token;
      await sleep(50);
    }
  });
  const { code, stdout } = await keys('rotate');
  expect(code).toBe(0);
  const [signs, next, ...retired] = stdout.trim().split('\n');
  expect(signs).toMatch(/ signs$/);
  expect(next).toMatch(/ signs next$/);
  expect(retired).toContainEqual(expect.stringMatching(new RegExp(`^${before} .*is valid until`)));
  const moved = (): boolean => tokens.every((token) => kidOf(token) !== before);
  await until('both sign with the next key', moved, KNOWN_MS);
  await known();
  await until('they have asked for a while', () => answers.length > 100);
  rotating = false;
  await Promise.all(clients);
  expect(answers.length).toBeGreaterThan(100);
  expect(new Set(answers)).toEqual(new Set(['ok']));
  for (const token of tokens) expect(kidOf(token)).not.toBe(before);
  expect(await audited('keys rotate')).toEqual([...earlier, before]);
  expect(await standing(other.url, first.token)).toBe(first.id);
});

test('a key that signs before every process has read it is looked for', async () => {
  for (const _rotation of [1, 2]) {
    await ageKeys();
    expect((await keys('rotate')).code).toBe(0);
  }
  const late = await talebank.join({ ROLE: 'api' });
  const { id, token } = await newListener(late.url);
  await sleep(1000);
  for (const url of [talebank.url, other.url]) expect(await standing(url, token)).toBe(id);
});

test('a key that not every process can know yet does not sign', async () => {
  await ageKeys();
  expect((await keys('rotate')).code).toBe(0);
  const again = await keys('rotate');
  expect(again).toMatchObject({ code: 1, stdout: '' });
  expect(again.stderr).toMatch(
    /^The next key is not known everywhere yet\. Try again in \d+ s\.\n$/,
  );
  expect((await keys('burn')).stderr).toMatch(/^Usage:/);
  expect((await keys()).stdout.trim().split('\n').length).toBeGreaterThanOrEqual(3);
});

test('the tokens of keys that leaked are refused within seconds, and everybody refreshes', async () => {
  await expectBelow(12_000, async () => {
    const person = await newListener(talebank.url);
    expect(await standing(other.url, person.token)).toBe(person.id);
    expect((await keys('replace')).code).toBe(0);
    expect(await audited('keys replace')).toContain(kidOf(person.token));
    const refused = (url: string) => async (): Promise<boolean> =>
      (await standing(url, person.token)) === 'UNAUTHENTICATED';
    const refusedInMs = await timeOf(() =>
      Promise.all(
        [talebank.url, other.url].map((url) => until('it is refused', refused(url), KNOWN_MS)),
      ),
    );
    const { token } = await refreshed(talebank.url, person);
    for (const url of [talebank.url, other.url]) expect(await standing(url, token)).toBe(person.id);
    return refusedInMs;
  });
});

test('tokens of other keys or algorithms are refused, with any header', async () => {
  const { id, token, refreshToken } = await newListener(talebank.url);
  const [row] = await talebank.database.sql<{ kid: string; private_jwk: JWK }>(
    'SELECT kid, private_jwk FROM signing_keys WHERE kid = $1',
    [kidOf(token)],
  );
  if (row === undefined) throw new Error('The key must be there.');
  const ours = await importJWK(row.private_jwk, 'EdDSA');
  const theirs = await generateKeyPair('EdDSA', { extractable: true });
  const sid = (
    JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sid: string }
  ).sid;
  const seconds = Math.floor(Date.now() / 1000);
  const sign = (
    key: Parameters<SignJWT['sign']>[0],
    change: { header?: Partial<JWTHeaderParameters>; claims?: Record<string, unknown> } = {},
  ): Promise<string> => {
    const claims = { iss: 'talebank', aud: 'talebank-api', sub: id, sid };
    const times = { iat: seconds - 60, exp: seconds + 60 };
    return new SignJWT({ ...claims, ...times, ...change.claims })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: row.kid, ...change.header })
      .sign(key);
  };
  // So that it is the fault that is refused, and not something else about these tokens.
  expect(await standing(talebank.url, await sign(ours))).toBe(id);

  const now = (): number => Math.floor(Date.now() / 1000);
  let [brief, exp, lifetime] = ['', 0, 2];
  for (let answer: string | undefined; answer === undefined; lifetime *= 2) {
    exp = now() + lifetime;
    brief = await sign(ours, { claims: { exp } });
    while (now() < exp - lifetime / 2) await sleep(20);
    answer = await standing(talebank.url, brief);
    // On a slow machine the answer may come when it is over: then one that lives longer is tried.
    if (now() >= exp) answer = undefined;
    else expect(answer).toBe(id);
  }
  while (now() < exp) await sleep(20);
  // Also by the process that has just accepted it.
  for (const url of [talebank.url, other.url])
    expect(await standing(url, brief)).toBe('UNAUTHENTICATED');

  const encode = (value: object): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  const { d: _secret, ...publicJwk } = row.private_jwk;
  const body = token.split('.')[1] ?? '';
  const hs256 = `${encode({ alg: 'HS256', typ: 'at+jwt', kid: row.kid })}.${body}`;
  const hmac = createHmac('sha256', Buffer.from(publicJwk.x ?? '', 'base64url'))
    .update(hs256)
    .digest('base64url');
  const jwk = await exportJWK(theirs.publicKey);
  const [ofAnchors] = await talebank.database.sql<{ kid: string; private_jwk: JWK }>(
    'SELECT kid, private_jwk FROM anchor_keys WHERE private_jwk IS NOT NULL',
  );
  const anchorKey = await importJWK(ofAnchors?.private_jwk ?? {}, 'EdDSA');
  const wrong: Readonly<Record<string, string>> = {
    'no signature': `${encode({ alg: 'none', typ: 'at+jwt', kid: row.kid })}.${body}.`,
    'HS256 with the public key': `${hs256}.${hmac}`,
    'another key': await sign(theirs.privateKey),
    'another key in the header': await sign(theirs.privateKey, { header: { jwk } }),
    'another key at an address': await sign(theirs.privateKey, {
      header: { jku: `${talebank.url}/keys.json` },
    }),
    'the key of anchors': await sign(anchorKey, { header: { kid: ofAnchors?.kid ?? '' } }),
    'the key of anchors by our name': await sign(anchorKey),
    'an unknown key': await sign(ours, { header: { kid: 'nobody' } }),
    'a path for a key': await sign(ours, { header: { kid: '../../../etc/passwd' } }),
    'another audience': await sign(ours, { claims: { aud: 'another-api' } }),
    'another issuer': await sign(ours, { claims: { iss: 'someone' } }),
    'another type': await sign(ours, { header: { typ: 'JWT' } }),
    'a second too late': await sign(ours, { claims: { exp: seconds - 1 } }),
    'no end': await sign(ours, { claims: { exp: undefined } }),
    'no session': await sign(ours, { claims: { sid: undefined } }),
    'someone else’s session': await sign(ours, {
      claims: { sub: (await newListener(talebank.url)).id },
    }),
    'a refresh token': refreshToken,
    'a changed payload': token.replace(body, encode({ sub: id, sid, exp: seconds + 60 })),
  };
  const answers = await Promise.all(
    Object.entries(wrong).map(async ([name, one]) => [name, await standing(talebank.url, one)]),
  );
  expect(Object.fromEntries(answers)).toEqual(
    Object.fromEntries(Object.keys(wrong).map((name) => [name, 'UNAUTHENTICATED'])),
  );
});

/** A new address of a file, signed by one of the processes. */
async function addressFrom(url: string, { token }: Pick<Person, 'token'>): Promise<URL> {
  const month = new Date().toISOString().slice(0, 7);
  const query = `{ creditStatement(month: "${month}") { csvUrl } }`;
  const { data } = await send<{ creditStatement: { csvUrl: string } }>(url, query, {}, { token });
  return new URL(data?.creditStatement.csvUrl ?? '');
}

/** The status with which a process answers an address of any process. */
async function statusAt(url: string, address: URL): Promise<number> {
  const response = await fetch(new URL(`${address.pathname}${address.search}`, url));
  await response.arrayBuffer();
  return response.status;
}

/** The name of the key that has signed an address. */
async function signerOf(address: URL): Promise<string | undefined> {
  const [, , userId = '', month = ''] = address.pathname.replace('.csv', '').split('/');
  const [expires, name, signature] = ['expires', 'name', 'signature'].map(
    (field) => address.searchParams.get(field) ?? '',
  );
  const text = `statement/${userId}/${month}\n${expires ?? ''}\n${name ?? ''}`;
  const stored = await talebank.database.sql<{ name: string; value: Buffer }>(
    'SELECT name, value FROM secrets',
  );
  return stored.find(
    ({ value }) => createHmac('sha256', value).update(text).digest('base64url') === signature,
  )?.name;
}

const ageUrlKeys = (): Promise<unknown> =>
  talebank.database.sql(`UPDATE secrets SET created_at = created_at - interval '2 minutes'`);

test('a rotation of the keys of addresses refuses no address, on any process', async () => {
  const person = await newListener(talebank.url);
  const first = await addressFrom(talebank.url, person);
  const before = await signerOf(first);
  expect(before).toBeDefined();
  await ageUrlKeys();
  let rotating = true;
  const statuses: number[] = [];
  const signers: (string | undefined)[] = [before, before];
  const pairs = [
    [talebank.url, other.url],
    [other.url, talebank.url],
  ] as const;
  const clients = pairs.map(async ([here, there], at) => {
    while (rotating) {
      const address = await addressFrom(here, person);
      for (const url of [here, there]) statuses.push(await statusAt(url, address));
      statuses.push(await statusAt(there, first));
      signers[at] = await signerOf(address);
      await sleep(50);
    }
  });
  const { code, stdout } = await keys('rotate-addresses');
  expect(code).toBe(0);
  const [signs, next, ...retired] = stdout.trim().split('\n');
  expect(signs).toMatch(/ signs$/);
  expect(next).toMatch(/ signs next$/);
  expect(retired).toContainEqual(
    expect.stringMatching(new RegExp(`^${before ?? ''} .*is valid until`)),
  );
  const moved = (): boolean => signers.every((name) => name === signs?.split(' ')[0]);
  await until('both sign with the next key', moved, KNOWN_MS);
  await until('they have asked for a while', () => statuses.length > 50);
  rotating = false;
  await Promise.all(clients);
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(await audited('keys rotate-addresses')).toContain(before);
  // The address of an archive is valid for a day, and the old key as long.
  const [row] = await talebank.database.sql<{ hours: number }>(
    `SELECT extract(epoch FROM retired_at - clock_timestamp())::float8 / 3600 AS hours
     FROM secrets WHERE name = $1`,
    [before],
  );
  expect(row?.hours).toBeGreaterThan(23);
  const again = await keys('rotate-addresses');
  expect(again).toMatchObject({ code: 1, stdout: '' });
  expect(again.stderr).toMatch(/^The next key is not known everywhere yet/);
});

test('a key of addresses that signs before every process has read it is looked for', async () => {
  for (const _rotation of [1, 2]) {
    await ageUrlKeys();
    expect((await keys('rotate-addresses')).code).toBe(0);
  }
  const late = await talebank.join({ ROLE: 'api' });
  const address = await addressFrom(late.url, await newListener(late.url));
  await sleep(1000);
  for (const url of [talebank.url, other.url]) expect(await statusAt(url, address)).toBe(200);
});

test('the addresses of keys that leaked are refused within seconds', async () => {
  const person = await newListener(talebank.url);
  const leaked = await addressFrom(talebank.url, person);
  expect(await statusAt(other.url, leaked)).toBe(200);
  const name = await signerOf(leaked);
  expect((await keys('replace-addresses')).code).toBe(0);
  expect(await audited('keys replace-addresses')).toContain(name);
  for (const url of [talebank.url, other.url]) {
    const refused = async (): Promise<boolean> => (await statusAt(url, leaked)) === 403;
    await until('it is refused', refused, KNOWN_MS);
    const address = await addressFrom(url, person);
    expect(await signerOf(address)).not.toBe(name);
    await sleep(1000);
    for (const at of [talebank.url, other.url]) expect(await statusAt(at, address)).toBe(200);
  }
});

test('addresses are checked without the database', async () => {
  const person = await newListener(talebank.url);
  const address = await addressFrom(talebank.url, person);
  const forged = new URL(address);
  forged.searchParams.set('signature', 'A'.repeat(43));
  await talebank.database.setReachable(false);
  try {
    // A wrong signature is known to be wrong; a right one gets as far as the statement, which the database has.
    expect(await statusAt(other.url, forged)).toBe(403);
    expect(await statusAt(other.url, address)).toBe(503);
  } finally {
    await talebank.database.setReachable(true);
  }
  const works = async (): Promise<boolean> => (await statusAt(other.url, address)) === 200;
  await until('the database is back', works, KNOWN_MS);
});

test('processes that start at once on an empty database agree on two keys', async () => {
  const empty = await createDatabase();
  const environment = {
    ROLE: 'api',
    DATABASE_URL: empty.url,
    DATA_DIR: talebank.dataDir,
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
  };
  const processes = await Promise.all([1, 2, 3].map(() => startServer(environment)));
  const [count] = await empty.sql<{ count: number }>(
    'SELECT count(*)::int FROM signing_keys WHERE retired_at IS NULL',
  );
  expect(count?.count).toBe(2);
  const secrets = await empty.sql<{ name: string }>('SELECT name FROM secrets ORDER BY name');
  expect(secrets.map(({ name }) => name)).toEqual([
    'url-signing',
    expect.stringMatching(/^url-signing-[\w-]{16}$/),
  ]);
  await Promise.all(processes.map((one) => one.stop()));
  await empty.drop();
});

test('keys of the environment sign instead of those in the database, and change places without a refusal', async () => {
  const made = JSON.parse((await keys('make')).stdout) as [JWK, JWK];
  const [first, second] = made;
  const third = (JSON.parse((await keys('make')).stdout) as [JWK, JWK])[0];
  const apart = await startTalebank({ ROLE: 'api', JWT_PRIVATE_KEYS: JSON.stringify(made) });
  try {
    const person = await newListener(apart.url);
    expect(kidOf(person.token)).toBe(first.kid);
    expect(await apart.database.sql('SELECT 1 FROM signing_keys')).toEqual([]);
    const next = await apart.join({ JWT_PRIVATE_KEYS: JSON.stringify([second, first, third]) });
    expect(await standing(next.url, person.token)).toBe(person.id);
    const { refreshSession } = await ask(next.url, Refresh, { refreshToken: person.refreshToken });
    expect(kidOf(refreshSession.accessToken)).toBe(second.kid);
    // The process that has not been changed yet believes it as well.
    expect(await standing(apart.url, refreshSession.accessToken)).toBe(person.id);
    const published = (await (await fetch(`${apart.url}/.well-known/jwks.json`)).json()) as {
      keys: JWK[];
    };
    expect(published.keys.map(({ kid, d }) => [kid, d])).toEqual([
      [first.kid, undefined],
      [second.kid, undefined],
      // The one of anchors, which is named after itself.
      [await calculateJwkThumbprint(published.keys[2] ?? {}), undefined],
    ]);
  } finally {
    await apart.close();
  }
});

test('keys that are kept in the environment are not changed behind its back', async () => {
  const { stdout } = await keys('make');
  process.env['JWT_PRIVATE_KEYS'] = stdout.trim();
  try {
    for (const command of ['rotate', 'replace', 'list']) {
      const { code, stderr } = await keys(command);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^JWT_PRIVATE_KEYS is set/);
    }
  } finally {
    delete process.env['JWT_PRIVATE_KEYS'];
  }
});
