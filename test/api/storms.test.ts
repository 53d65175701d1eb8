import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { execute, send } from '../support/client.js';
import { Login, Refresh } from '../support/operations.js';
import { newListener, PASSWORD, type Person } from '../support/people.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';
import { expectBelow, timeOf } from '../support/measure.js';

let talebank: Talebank;
let url: string;
let other: ServerProcess;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  other = await talebank.join();
});
afterAll(() => talebank.close());

interface Refreshed {
  readonly code: string | undefined;
  readonly access: string;
  readonly refreshToken: string;
}

/** As a client does it: what is BUSY on a slow machine is asked again. */
async function refresh(at: string, refreshToken: string): Promise<Refreshed> {
  const { data, errors } = await execute(at, Refresh, { refreshToken });
  const code = errors[0]?.extensions.code;
  if (code === 'BUSY') return refresh(at, refreshToken);
  return {
    code,
    access: data?.refreshSession.accessToken ?? '',
    refreshToken: data?.refreshSession.refreshToken ?? '',
  };
}

/** Signing up is slow by design: what is told about refreshing starts here. */
async function families(count: number): Promise<string[]> {
  const { id, refreshToken } = await newListener(url);
  const tokens = [refreshToken];
  const [person] = await talebank.database.sql<{ email: string }>(
    'SELECT email FROM users WHERE id = $1',
    [id],
  );
  const input = { email: person?.email ?? '', password: PASSWORD };
  while (tokens.length < count) {
    const { data } = await execute(url, Login, { input });
    tokens.push(data?.login.refreshToken ?? '');
  }
  return tokens;
}

test('two tabs of each of 100 devices refresh at two processes, and none is signed out', async () => {
  const owners = await Promise.all(Array.from({ length: 10 }, () => families(10)));
  // Two tabs have ten seconds, and a slow machine may take longer for all hundred pairs.
  await talebank.database.sql(`
    CREATE FUNCTION give_time() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.replaced_at := NEW.replaced_at + interval '1 hour'; RETURN NEW; END $$;
    CREATE TRIGGER give_time BEFORE UPDATE ON refresh_tokens FOR EACH ROW EXECUTE FUNCTION give_time()`);
  const first = owners.flat();
  let tokens = first;
  for (let round = 0; round < 3; round += 1) {
    const pairs = await Promise.all(
      tokens.map((token, index) => {
        const [left, right] = index % 2 === 0 ? [url, other.url] : [other.url, url];
        return Promise.all([refresh(left, token), refresh(right, token)]);
      }),
    );
    for (const [left, right] of pairs) {
      expect([left.code, right.code]).toEqual([undefined, undefined]);
      expect(left.refreshToken).toBe(right.refreshToken);
    }
    tokens = pairs.map(([{ refreshToken }]) => refreshToken);
    expect(new Set(tokens).size).toBe(100);
  }
  // Every replay of the first token, now two generations old, ends its family.
  const replays = await Promise.all(
    first.map((token, index) => refresh(index % 2 === 0 ? url : other.url, token)),
  );
  expect(new Set(replays.map(({ code }) => code))).toEqual(new Set(['REFRESH_TOKEN_REUSED']));
  const after = await Promise.all(tokens.map((token) => refresh(url, token)));
  expect(new Set(after.map(({ code }) => code))).toEqual(new Set(['REFRESH_TOKEN_INVALID']));
  const metrics = await Promise.all(
    [url, other.url].map(async (at) => (await fetch(`${at}/metrics`)).text()),
  );
  const reused = metrics.map((text) =>
    Number(/^talebank_sessions_total\{event="reused"\} (\d+)$/m.exec(text)?.[1] ?? 0),
  );
  expect(reused.reduce((sum, count) => sum + count)).toBe(100);
  const [audited] = await talebank.database.sql(
    `SELECT count(*)::int FROM audit_entries WHERE action = 'refreshTokenReused'`,
  );
  expect(audited).toEqual({ count: 100 });
});

const median = (values: readonly number[]): number =>
  [...values].sort((one, two) => one - two)[Math.floor(values.length / 2)] ?? Number.NaN;

test('an unknown address and a wrong password get the same answer in the same time', async () => {
  const people: Person[] = [];
  for (let count = 0; count < 10; count += 1) people.push(await newListener(url));
  const timed = async (email: string): Promise<{ ms: number; answer: unknown }> => {
    const startedAt = performance.now();
    const { status, data, errors } = await execute(url, Login, {
      input: { email, password: 'a wrong password' },
    });
    return { ms: performance.now() - startedAt, answer: { status, data, errors } };
  };
  // A share of the time that either takes, because a slow machine slows both.
  await expectBelow(0.15, async () => {
    const gaps: number[] = [];
    const times: number[] = [];
    for (let pair = 0; pair < 60; pair += 1) {
      const known = people[pair % people.length]?.email ?? '';
      const unknown = `nobody-${String(pair)}@example.com`;
      const inTurn = pair % 2 === 0 ? [known, unknown] : [unknown, known];
      const one = await timed(inTurn[0] ?? '');
      const two = await timed(inTurn[1] ?? '');
      expect(one.answer).toEqual(two.answer);
      // The first ones are slower for every account.
      if (pair < 10) continue;
      gaps.push((pair % 2 === 0 ? 1 : -1) * (one.ms - two.ms));
      times.push(one.ms, two.ms);
    }
    return Math.abs(median(gaps)) / median(times);
  });
});

test('forty sign-ins at once hold up neither a balance nor the pulse', async () => {
  const { email, token } = await newListener(url);
  const slowestOf = async (
    ask: () => Promise<unknown>,
    until: Promise<unknown>,
  ): Promise<number> => {
    const state = { over: false };
    void until.then(() => (state.over = true));
    const times: number[] = [];
    while (!state.over) {
      times.push(await timeOf(ask));
      await sleep(5);
    }
    // So few looks tell nothing, because a busy machine allows no more: the storm is then repeated.
    if (times.length <= 5) return Infinity;
    // One of a few dozen measurements may have met other work of the machine.
    return times.sort((one, two) => two - one)[1] ?? Number.NaN;
  };
  const balance = '{ me { credits { balance } } }';
  // All forty together take a second or more: what they held up would take as long as most of them.
  await expectBelow(0.3, async () => {
    const startedAt = performance.now();
    const signIns = Promise.all(
      Array.from({ length: 40 }, () =>
        execute(url, Login, { input: { email, password: PASSWORD } }),
      ),
    );
    const [answers, ...slowest] = await Promise.all([
      signIns,
      slowestOf(() => fetch(`${url}/healthz`), signIns),
      slowestOf(() => send(url, balance, {}, { token }), signIns),
    ]);
    expect(answers.flatMap(({ errors }) => errors)).toEqual([]);
    return Math.max(...slowest) / Math.max(1_000, performance.now() - startedAt);
  });
});

/** Asks for so many hashes at once, tells how many were refused and how, and leaves without waiting for the others. */
const MANY_HASHES = `
  const [passwords, count] = process.argv.slice(1);
  const { hashPassword, verifyPassword } = await import(passwords);
  const refused = [];
  const asked = (at) => (at % 2 === 0 ? hashPassword('a good password') : verifyPassword('', 'a good password'));
  await verifyPassword('', 'the first one');
  for (let at = 0; at < Number(count); at += 1) asked(at).catch(({ code }) => refused.push(code));
  setImmediate(() => process.stdout.write(JSON.stringify(refused), () => process.exit()));`;

test('a thousand sign-ins that wait for a password hash delay no other request', async () => {
  const passwords = new URL('../../dist/infra/passwords.js', import.meta.url).href;
  const count = String(1_000 + availableParallelism() + 7);
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '--eval',
    MANY_HASHES,
    passwords,
    count,
  ]);
  expect(JSON.parse(stdout)).toEqual(Array<string>(7).fill('BUSY'));
});
