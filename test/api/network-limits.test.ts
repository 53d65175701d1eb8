import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { send } from '../support/client.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;

beforeAll(async () => {
  talebank = await startTalebank({
    ROLE: 'api',
    RATE_LIMIT_FACTOR: '1',
    RATE_LIMIT_IPV6_SITE_FACTOR: '3',
    // As many as by default, and for an hour: no window ends while a slow machine is still asking.
    RATE_LIMIT_LOGIN: '10/3600',
    RATE_LIMIT_REGISTER: '5/3600',
    RATE_LIMIT_REFRESH: '30/3600',
    RATE_LIMIT_RESET: '5/3600',
    RATE_LIMIT_MAILED_TOKENS: '30/3600',
    TRUST_PROXY: 'loopback',
  });
});
afterAll(() => talebank.close());

const REGISTER = 'mutation { register(input: { email: "no", password: "no" }) { accessToken } }';
const RESET = 'mutation { requestPasswordReset(email: "no") }';
const VERIFY = 'mutation { verifyEmail(token: "x") }';
const REFRESH = 'mutation { refreshSession(refreshToken: "x") { accessToken } }';
/** A sign-in with another account each time, because accounts are counted as well. */
const login = (at: number): string =>
  `mutation { login(input: { email: "n${String(at)}@example.com", password: "guess" }) { accessToken } }`;

/** So few at once that none waits for long, because one that the limiter cannot count in time is refused as BUSY. */
const AT_ONCE = 5;

async function letThrough(
  documents: readonly string[],
  address: (at: number) => string,
): Promise<number> {
  const ask = async (document: string, at: number): Promise<string | undefined> => {
    const headers = { 'x-forwarded-for': address(at) };
    return (await send(talebank.url, document, {}, { headers })).errors[0]?.extensions.code;
  };
  const codes: (string | undefined)[] = [];
  for (let from = 0; from < documents.length; from += AT_ONCE) {
    const some = documents.slice(from, from + AT_ONCE);
    codes.push(...(await Promise.all(some.map((document, at) => ask(document, from + at)))));
  }
  expect(codes).not.toContain('BUSY');
  return codes.filter((code) => code !== 'RATE_LIMITED').length;
}

test.each([
  ['registrations', Array<string>(40).fill(REGISTER), '2001:db8:1', 15],
  ['resets', Array<string>(40).fill(RESET), '2001:db8:2', 15],
  ['links', Array<string>(120).fill(VERIFY), '2001:db8:3', 90],
  ['sign-ins', Array.from({ length: 40 }, (_, at) => login(at)), '2001:db8:4', 30],
])(
  '%s from everywhere in one network of 48 bits are limited, and leave the next one alone',
  async (_what, documents, site, most) => {
    const spread = (at: number): string => `${site}:${at.toString(16)}::1`;
    expect(await letThrough(documents, spread)).toBe(most);
    expect(await letThrough(documents.slice(0, 2), (at) => `${site}f:${String(at)}::1`)).toBe(2);
  },
);

test('who is refused in a network of 64 bits does not use up that of 48 bits', async () => {
  const documents = Array<string>(30).fill(REGISTER);
  expect(await letThrough(documents, () => '2001:db8:5:1::1')).toBe(5);
  expect(await letThrough(documents.slice(0, 5), () => '2001:db8:5:2::1')).toBe(5);
});

test('devices that refresh are counted by 64 bits alone, because a mobile network has many in 48', async () => {
  const documents = Array<string>(120).fill(REFRESH);
  expect(await letThrough(documents, (at) => `2001:db8:6:${at.toString(16)}::1`)).toBe(120);
});

test('an IPv4 address counts as one, however it is written as IPv6', async () => {
  const forms = ['8.8.4.4', '::ffff:8.8.4.4', '64:ff9b::8.8.4.4', '2002:808:404:7::1'];
  const documents = Array<string>(20).fill(REGISTER);
  expect(await letThrough(documents, (at) => forms[at % forms.length] ?? '')).toBe(5);
});
