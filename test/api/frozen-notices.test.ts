import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { ask, send } from '../support/client.js';
import { followTyped, stopFollowing } from '../support/events.js';
import { until } from '../support/faults.js';
import { expectBelow } from '../support/measure.js';
import { CreditsUpdated, SuspendUser } from '../support/operations.js';
import { administrator, newListener, type Person } from '../support/people.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let elsewhere: ServerProcess;
let admin: Person;
/** The process of Postgres behind the first server's connection for notices; another one after that was given up. */
let listening: number[] = [];

/** The LISTEN sessions of the first server. Those of the second one, which always run, have another name. */
const noticesOf = async (): Promise<number[]> =>
  (
    await talebank.database.sql<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
       WHERE application_name = 'talebank-notices' AND datname = current_database()`,
    )
  ).map(({ pid }) => pid);

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  const address = new URL(talebank.database.url);
  address.searchParams.set('application_name', 'elsewhere');
  elsewhere = await talebank.join({ ROLE: 'api', DATABASE_URL: address.href });
  admin = await administrator(elsewhere.url);
});
afterEach(stopFollowing);
afterAll(() => talebank.close());

const signal = (name: NodeJS.Signals): void => {
  for (const pid of listening) process.kill(pid, name);
};

async function timeToEnd(
  end: (person: Person) => Promise<unknown>,
  code: string,
  frozenForMs: number,
): Promise<number> {
  const person = await newListener(url);
  const bystander = await newListener(url);
  await until('one connection can be frozen', async () => {
    listening = await noticesOf();
    return listening.length === 1;
  });
  const followed = await followTyped(url, CreditsUpdated, {}, person.token);
  const stays = await followTyped(url, CreditsUpdated, {}, bystander.token);
  await until('both have begun', () => followed.events.length > 0 && stays.events.length > 0);
  signal('SIGSTOP');
  try {
    await sleep(frozenForMs);
    await end(person);
    const endedAt = performance.now();
    await until('it is over', () => followed.isOver());
    const durationMs = performance.now() - endedAt;
    expect(followed.events.at(-1)).toMatchObject({ errors: [{ extensions: { code } }] });
    expect(stays.isOver()).toBe(false);
    return durationMs;
  } finally {
    signal('SIGCONT');
    await sleep(500);
  }
}

const signOut = ({ token }: Person): Promise<unknown> =>
  send(elsewhere.url, 'mutation { logout }', {}, { token });
const suspend = ({ id }: Person): Promise<unknown> =>
  ask(elsewhere.url, SuspendUser, { userId: id, reason: 'A test' }, admin.token);

test.each([
  ['signs out at the moment when notices stop', signOut, 'UNAUTHENTICATED', 0],
  ['signs out when notices have stopped for a while', signOut, 'UNAUTHENTICATED', 1_500],
  ['is suspended when notices have stopped for a while', suspend, 'ACCOUNT_SUSPENDED', 1_500],
] as const)(
  'a subscription ends within a second when its person %s',
  (_name, end, code, frozenForMs) => expectBelow(1_000, () => timeToEnd(end, code, frozenForMs)),
);
