import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { execute, type Answer } from '../support/client.js';
import { until } from '../support/faults.js';
import { Narrate, UpdateProfile } from '../support/operations.js';
import {
  administrator,
  englishVoice,
  narrate,
  newListener,
  newStory,
  type Person,
} from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

/** An operator's time-outs are for other programs: what has to wait here waits as long as it should. */
const TIME_OUTS = {
  statement_timeout: '300ms',
  lock_timeout: '100ms',
  idle_in_transaction_session_timeout: '100ms',
  idle_session_timeout: '500ms',
  transaction_timeout: '400ms',
};

/** Also those of the tests, which have no settings of their own. Waits until they have ended. */
const END_OTHERS = `SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid()`;

let talebank: Talebank;
let listener: Person;
let other: Person;
let input: { storyId: string; voiceId: string };
let operator: pg.Client;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  const { url, database } = talebank;
  operator = new pg.Client({ connectionString: database.url });
  await operator.connect();
  const name = new URL(database.url).pathname.slice(1);
  for (const [setting, value] of Object.entries(TIME_OUTS))
    await operator.query(`ALTER DATABASE ${name} SET ${setting} = '${value}'`);
  await operator.query(END_OTHERS);
  await until('it is ready again', async () => (await fetch(`${url}/readyz`)).status === 200);
  listener = await newListener(url);
  other = await newListener(url);
  const story = await newStory(url, await administrator(url));
  input = { storyId: story.id, voiceId: await englishVoice(url) };
});
afterAll(async () => {
  await operator.query(
    `ALTER DATABASE ${new URL(talebank.database.url).pathname.slice(1)} RESET ALL`,
  );
  await operator.query(END_OTHERS);
  await operator.end();
  await talebank.close();
});

/** Holds the listener's account while `work` is done, as another process would. */
async function holding<Result>(work: () => Promise<Result>): Promise<Result> {
  await operator.query('BEGIN');
  await operator.query('SELECT FROM credit_accounts WHERE user_id = $1 FOR UPDATE', [listener.id]);
  return work().finally(() => operator.query('ROLLBACK'));
}

const ask = (): Promise<Answer<unknown>> =>
  execute(talebank.url, Narrate, { input }, { token: listener.token });

const code = ({ status, errors }: Answer<unknown>): unknown => [status, errors[0]?.extensions.code];

test('an account that is held is BUSY after some seconds, with any time-outs of the database', async () => {
  await holding(async () => {
    const startedAt = performance.now();
    expect(code(await ask())).toEqual([503, 'BUSY']);
    expect(performance.now() - startedAt).toBeGreaterThan(2_000);
    // It delays no other account.
    expect((await narrate(talebank.url, other, input.storyId, input.voiceId)).charged).toBe(true);
  });
});

test('an account that is held for longer than the time-outs is waited for', async () => {
  const { balance } = await holding(async () => {
    const answer = narrate(talebank.url, listener, input.storyId, input.voiceId);
    answer.catch(() => undefined);
    // Timed by the database: were the test stopped meanwhile, the account would be held for too long.
    await operator.query('SELECT pg_sleep(1.5); ROLLBACK');
    return answer;
  });
  expect(balance).toBe(9);
});

test.each([
  ['cancelled (57014)', 'pg_cancel_backend'],
  ['ended (57P01)', 'pg_terminate_backend'],
])('a statement that an operator has %s is BUSY, and can be repeated', async (_how, end) => {
  const update = (): Promise<Answer<unknown>> =>
    execute(talebank.url, UpdateProfile, { displayName: 'Ania' }, { token: listener.token });
  await operator.query('BEGIN');
  await operator.query('SELECT FROM users WHERE id = $1 FOR UPDATE', [listener.id]);
  let answer = update();
  try {
    await until('it waits, and is no longer let wait', async () => {
      const { rowCount } = await operator.query(
        `SELECT ${end}(pid) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))`,
      );
      if (rowCount !== 0) return true;
      // A test that was stopped for five seconds finds that it has been given up, and asks again.
      const isOver = await Promise.race([answer.then(() => true), sleep(50, false)]);
      if (isOver) answer = update();
      return false;
    });
    expect(code(await answer)).toEqual([503, 'BUSY']);
  } finally {
    await operator.query('ROLLBACK');
  }
  expect(code(await update())).toEqual([200, undefined]);
});

test('a row that is held is BUSY after five seconds, also outside of the ledger (55P03)', async () => {
  await operator.query('BEGIN');
  await operator.query('SELECT FROM users WHERE id = $1 FOR UPDATE', [listener.id]);
  try {
    const answer = await execute(
      talebank.url,
      UpdateProfile,
      { displayName: 'Ola' },
      { token: listener.token },
    );
    expect(code(answer)).toEqual([503, 'BUSY']);
  } finally {
    await operator.query('ROLLBACK');
  }
});

test('sessions that wait for work are not ended by the database', async () => {
  // The one session that no pool closes when it was idle for a while.
  const sessions = `SELECT pid FROM pg_stat_activity WHERE datname = current_database()
    AND application_name = 'talebank-notices'`;
  // It may still be on its way back from when the others were ended, or from when a slow machine did not answer in time.
  await until('it stays', async () => {
    const { rows } = await operator.query(sessions);
    // Three times as long as the database lets a session be idle.
    await sleep(1_500);
    const { rows: later } = await operator.query(sessions);
    return rows.length === 1 && isDeepStrictEqual(later, rows);
  });
  expect(talebank.server.output()).not.toContain('idle-session timeout');
});
