import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ask } from '../support/client.js';
import { MID_MONTH } from '../support/cluster.js';
import { RunMaintenance, Wallet } from '../support/operations.js';
import {
  administrator,
  englishVoice,
  narrate,
  newListener,
  newStory,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const MINUTE_MS = 60_000;

let talebank: Talebank;
let url: string;
let admin: Person;
let storyId: string;
let voiceId: string;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' }, { clockAt: MID_MONTH });
  url = talebank.url;
  admin = await administrator(url);
  storyId = (await newStory(url, admin, { length: 1500 })).id;
  voiceId = await englishVoice(url);
});
afterAll(() => talebank.close());

const sql = (text: string, values?: unknown[]): Promise<Record<string, unknown>[]> =>
  talebank.database.sql(text, values);
const reap = async (at = url): Promise<{ processed: number; changed: number }> =>
  (await ask(at, RunMaintenance, { task: 'REAP_STUCK_AUDIO' }, admin.token)).runMaintenance;

async function asked(): Promise<{ person: Person; audioId: string }> {
  const person = await newListener(url);
  const { audioId } = await narrate(url, person, storyId, voiceId);
  return { person, audioId };
}

const LOSSES: readonly (readonly [what: string, sql: string])[] = [
  ['deleted', `DELETE FROM pgboss.job WHERE data->>'audioId' = $1`],
  ['given up without a word', `UPDATE pgboss.job SET state = 'failed' WHERE data->>'audioId' = $1`],
  ['cancelled by hand', `UPDATE pgboss.job SET state = 'cancelled' WHERE data->>'audioId' = $1`],
  ['completed by mistake', `UPDATE pgboss.job SET state = 'completed' WHERE data->>'audioId' = $1`],
];

test.each(LOSSES)(
  'a narration whose job was %s fails, and its points come back',
  async (_how, loss) => {
    const lost = await asked();
    const waits = await asked();
    await sql(loss, [lost.audioId]);
    // It may only just have been written.
    expect(await reap()).toMatchObject({ processed: 0, changed: 0 });
    await talebank.database.moveClock(2 * MINUTE_MS);
    expect(await reap()).toMatchObject({ processed: 1, changed: 1 });
    const audio = await waitForAudio(url, lost.person, lost.audioId, ['FAILED']);
    expect(audio).toMatchObject({
      creditsCharged: 0,
      failureReason: 'The recording could not be made.',
      transactions: [{ type: 'DEBIT' }, { type: 'REFUND', amount: 2 }],
    });
    const { me } = await ask(url, Wallet, {}, lost.person.token);
    expect(me?.credits.balance).toBe(10);
    expect(await waitForAudio(url, waits.person, waits.audioId, ['QUEUED'])).toMatchObject({
      creditsCharged: 2,
    });
    expect(await reap()).toMatchObject({ processed: 0, changed: 0 });
    await talebank.database.moveClock(0);
  },
);

test('the reaper leaves a narration that is being settled', async () => {
  const { person, audioId } = await asked();
  await sql(
    `WITH dead AS (UPDATE pgboss.job SET state = 'failed' WHERE data->>'audioId' = $1 RETURNING data)
     INSERT INTO pgboss.job (id, name, data, state, retry_limit)
     SELECT gen_random_uuid(), 'fail-audio', data, 'created', 3 FROM dead`,
    [audioId],
  );
  await talebank.database.moveClock(2 * MINUTE_MS);
  expect(await reap()).toMatchObject({ processed: 0 });
  await waitForAudio(url, person, audioId, ['QUEUED']);
  await talebank.database.moveClock(0);
});

test('several reapers at once settle each narration once', async () => {
  const other = await talebank.join({ ROLE: 'api' });
  const lost = await Promise.all(Array.from({ length: 12 }, asked));
  for (const { audioId } of lost)
    await sql(`DELETE FROM pgboss.job WHERE data->>'audioId' = $1`, [audioId]);
  await talebank.database.moveClock(2 * MINUTE_MS);
  const runs = await Promise.all([reap(), reap(other.url), reap(), reap(other.url)]);
  expect(runs.reduce((sum, { changed }) => sum + changed, 0)).toBe(lost.length);
  for (const { person, audioId } of lost)
    expect((await waitForAudio(url, person, audioId, ['FAILED'])).transactions.length).toBe(2);
  await talebank.database.moveClock(0);
});
