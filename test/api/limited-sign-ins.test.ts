import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { execute, type Answer } from '../support/client.js';
import { timeOf } from '../support/measure.js';
import { Login, Register } from '../support/operations.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const PASSWORD = 'a good password';
const TRIES = 10;

let talebank: Talebank;
let url: string;

beforeAll(async () => {
  talebank = await startTalebank({
    ROLE: 'api',
    RATE_LIMIT_FACTOR: '1',
    RATE_LIMIT_LOGIN: `${String(TRIES)}/600`,
    TRUST_PROXY: 'loopback',
  });
  url = talebank.url;
});
afterAll(() => talebank.close());

let addresses = 0;
const newAddress = (): string =>
  `203.0.${String((addresses += 1) >> 8)}.${String(addresses & 255)}`;

const signIn = (
  email: string,
  address: string,
  password = 'a wrong password',
): Promise<Answer<unknown>> =>
  execute(url, Login, { input: { email, password } }, { headers: { 'x-forwarded-for': address } });

const signUp = async (address: string): Promise<string> => {
  const email = `p${crypto.randomUUID()}@example.com`;
  const input = { email, password: PASSWORD };
  await execute(url, Register, { input }, { headers: { 'x-forwarded-for': address } });
  return email;
};

const hammer = async (email: string, times: number): Promise<void> => {
  for (let at = 0; at < times; at += 1) await signIn(email, newAddress());
};

/** Everything that is answered, but for the seconds that pass while one asks after the other. */
const seen = ({ data, status, errors, headers }: Answer<unknown>): object => {
  const [error] = errors;
  const { retryAfterSeconds, ...extensions } = error?.extensions ?? { code: '' };
  const waits = [Number(retryAfterSeconds), Number(headers.get('retry-after'))];
  return {
    data,
    status,
    message: error?.message.replace(/\d+/g, 'N'),
    extensions,
    waits: waits.map((wait) => (wait > 500 && wait <= 600 ? 'as long as it counts' : wait)),
  };
};

let home: string;
let email: string;
beforeEach(async () => {
  home = newAddress();
  email = await signUp(home);
});

test('a limited sign-in gets the same answer from a known network, from another one, and for an unknown address', async () => {
  const nobody = `nobody-${crypto.randomUUID()}@example.com`;
  await hammer(email, TRIES);
  await hammer(nobody, TRIES);
  const [fromHome, fromElsewhere, forNobody, withTheRightPassword] = await Promise.all([
    signIn(email, home),
    signIn(email, newAddress()),
    signIn(nobody, home),
    signIn(email, newAddress(), PASSWORD),
  ]);
  expect(fromHome.errors[0]?.extensions.code).toBe('RATE_LIMITED');
  expect(seen(fromHome)).toEqual(seen(fromElsewhere));
  expect(seen(forNobody)).toEqual(seen(fromElsewhere));
  expect(seen(withTheRightPassword)).toEqual(seen(fromElsewhere));
});

test('tries from home count like those from elsewhere, so that counting them tells nothing', async () => {
  for (let at = 0; at < 4; at += 1) await signIn(email, home);
  await hammer(email, TRIES - 5);
  expect((await signIn(email, newAddress())).errors[0]?.extensions.code).toBe(
    'INVALID_CREDENTIALS',
  );
  expect((await signIn(email, newAddress())).errors[0]?.extensions.code).toBe('RATE_LIMITED');
});

test('the owner gets in from home however long strangers hammer, and from elsewhere waits', async () => {
  await hammer(email, TRIES + 3);
  expect((await signIn(email, home, PASSWORD)).errors).toEqual([]);
  expect((await signIn(email, newAddress(), PASSWORD)).errors[0]?.extensions.code).toBe(
    'RATE_LIMITED',
  );
});

test('home is the whole IPv6 network in which a device changes its address every day', async () => {
  const owner = await signUp('2001:db8:77:1::aaaa');
  await hammer(owner, TRIES);
  expect((await signIn(owner, '2001:db8:77:1:1234:5678::1', PASSWORD)).errors).toEqual([]);
  const neighbour = await signIn(owner, '2001:db8:77:2::aaaa', PASSWORD);
  expect(neighbour.errors[0]?.extensions.code).toBe('RATE_LIMITED');
});

test('an address with a zone, or none, breaks nothing', async () => {
  await talebank.database.sql(
    `UPDATE sessions SET ip_address = 'fe80::1%eth0'
     WHERE user_id = (SELECT id FROM users WHERE email = $1)`,
    [email],
  );
  await hammer(email, TRIES);
  const { errors } = await signIn(email, '2001:db8:78:1::1', PASSWORD);
  expect(errors[0]?.extensions.code).toBe('RATE_LIMITED');
});

test('a limited sign-in takes as long as one that checks a password, for everybody', async () => {
  const nobody = `nobody-${crypto.randomUUID()}@example.com`;
  await hammer(email, TRIES);
  await hammer(nobody, TRIES);
  const least = async (whose: string, from: () => string): Promise<number> => {
    let fastest = Infinity;
    for (let at = 0; at < 5; at += 1)
      fastest = Math.min(fastest, await timeOf(() => signIn(whose, from())));
    return fastest;
  };
  const times = [
    await least(email, () => home),
    await least(email, newAddress),
    await least(nobody, newAddress),
  ];
  // A refusal without the hash would take a tenth of the time.
  expect(Math.max(...times)).toBeLessThan(4 * Math.min(...times));
});
