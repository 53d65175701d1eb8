import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { NarrationJob } from '../../src/services/queues.js';
import type * as Making from '../../src/services/narrations/making/make-narration.js';
import { openTestApp } from '../support/app.js';
import { ask } from '../support/client.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { Wallet } from '../support/operations.js';
import {
  administrator,
  narrate,
  newListener,
  newStory,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { startSpeechServer, type SpeechServer } from '../support/speech-server.js';
import { startTalebank, type Environment, type Talebank } from '../support/talebank.js';

const VOICE = 'openai-alloy';
const DEATHS = 3;

let provider: SpeechServer;
let talebank: Talebank;
let url: string;
let admin: Person;

const speaking = (): Environment => ({
  SPEECH_PROVIDER: 'openai',
  OPENAI_BASE_URL: provider.url,
  OPENAI_TTS_VOICES: 'alloy',
  SPEECH_CONCURRENCY: '1',
  SYNTHESIS_CONCURRENCY: '1',
  // A single failed try would be the last one.
  SYNTHESIS_RETRIES: '0',
  SYNTHESIS_DEATHS: String(DEATHS),
});

beforeAll(async () => {
  provider = await startSpeechServer({ kind: 'openai' });
  talebank = await startTalebank({ ROLE: 'api', ...speaking() });
  url = talebank.url;
  admin = await administrator(url);
});
beforeEach(() => {
  provider.behave('good');
});
afterAll(async () => {
  await talebank.close();
  await provider.close();
});

const rowOf = async (audioId: string): Promise<Record<string, unknown> | undefined> =>
  (
    await talebank.database.sql(
      'SELECT status::text, tries, deaths, attempt FROM audios WHERE id = $1',
      [audioId],
    )
  )[0];

let tales = 0;
interface Asked {
  readonly person: Person;
  readonly audioId: string;
  readonly storyId: string;
  /** The sentence at which the provider does not answer while `provider` hangs. */
  readonly last: string;
}

/** A narration of two sentences that no other story has. */
async function ordered(): Promise<Asked> {
  tales += 1;
  const last = `The ferry number ${String(tales)} never came back.`;
  const content = `There were ${String(tales)} ferries. ${last}`;
  const person = await newListener(url);
  const story = await newStory(url, admin, { content });
  const { audioId } = await narrate(url, person, story.id, VOICE);
  return { person, audioId, storyId: story.id, last };
}

/** Starts a worker, waits until it has sent the last sentence, and kills it. */
async function killInTheMiddle({ last, audioId }: Asked): Promise<void> {
  const before = provider.countByText().get(last) ?? 0;
  const worker = await talebank.join({ ROLE: 'worker', ...speaking() });
  await until('the last sentence is sent', () => (provider.countByText().get(last) ?? 0) > before);
  await worker.kill();
  // The missing heartbeat is not waited for, nor the end of the lease of the sentence.
  await talebank.database.sql(
    `UPDATE pgboss.job SET state = 'retry', start_after = now(), heartbeat_on = NULL
     WHERE name = 'synthesize-audio' AND state = 'active' AND data->>'audioId' = $1`,
    [audioId],
  );
  await talebank.database.sql(`UPDATE spoken_sentences SET leased_until = now() WHERE key IS NULL`);
}

test('a worker that is killed costs a narration no try', async () => {
  const asked = await ordered();
  provider.behave(({ text }) => (text === asked.last ? 'hang before headers' : 'good'));
  for (let kills = 1; kills < DEATHS; kills += 1) await killInTheMiddle(asked);
  expect(await rowOf(asked.audioId)).toMatchObject({ status: 'PROCESSING', tries: 0 });
  provider.behave('good');
  const worker = await talebank.join({ ROLE: 'worker', ...speaking() });
  const audio = await waitForAudio(url, asked.person, asked.audioId);
  await worker.stop();
  expect(audio).toMatchObject({ status: 'READY', creditsCharged: 1 });
  expect(audio.transactions).toHaveLength(1);
  expect(await rowOf(asked.audioId)).toMatchObject({ tries: 0, deaths: DEATHS - 1 });
});

test('a text that ends one worker after the other fails after so many, with the points back', async () => {
  const asked = await ordered();
  provider.behave(({ text }) => (text === asked.last ? 'hang before headers' : 'good'));
  for (let kills = 0; kills < DEATHS; kills += 1) await killInTheMiddle(asked);
  const sent = provider.requests.length;
  const worker = await talebank.join({ ROLE: 'worker', ...speaking() });
  const audio = await waitForAudio(url, asked.person, asked.audioId);
  expect(audio).toMatchObject({
    status: 'FAILED',
    creditsCharged: 0,
    failureReason: 'The recording could not be made.',
    transactions: [{ type: 'DEBIT' }, { type: 'REFUND' }],
  });
  // It was not sent to the provider another time.
  expect(provider.requests).toHaveLength(sent);
  await until('the operator is told', () =>
    worker
      .logs()
      .some(
        ({ event, audioId, deaths }) =>
          event === 'narration-ends-workers' && audioId === asked.audioId && deaths === DEATHS,
      ),
  );
  const { me } = await ask(url, Wallet, {}, asked.person.token);
  expect(me?.credits.balance).toBe(10);

  // A new attempt begins to count anew.
  provider.behave('good');
  await narrate(url, asked.person, asked.storyId, VOICE);
  const again = await waitForAudio(url, asked.person, asked.audioId, ['READY', 'CANCELLED']);
  await worker.stop();
  expect(again).toMatchObject({ status: 'READY', creditsCharged: 1 });
  expect(await rowOf(asked.audioId)).toMatchObject({ attempt: 2, tries: 0, deaths: 0 });
});

test('a process that stops in the middle puts the narration back, which is no death', async () => {
  const asked = await ordered();
  const [job] = await talebank.database.sql<{ id: string; data: NarrationJob }>(
    `UPDATE pgboss.job SET state = 'active', started_on = now() WHERE data->>'audioId' = $1 RETURNING id, data`,
    [asked.audioId],
  );
  if (job === undefined) throw new Error('There is no job.');
  const { makeNarration } = await compiled<typeof Making>(
    'services/narrations/making/make-narration.js',
  );
  const app = await openTestApp(talebank.database, { DATA_DIR: talebank.dataDir, ...speaking() });
  const stopping = new AbortController();
  provider.behave(({ text }) => {
    if (text === asked.last) stopping.abort();
    return 'good';
  });
  try {
    const delivery = { id: job.id, payload: job.data, retryCount: 0, signal: stopping.signal };
    await makeNarration(app, delivery);
    expect(await rowOf(asked.audioId)).toEqual({
      status: 'QUEUED',
      tries: 0,
      deaths: 0,
      attempt: 1,
    });
    // pg-boss puts the job back before it aborts a delivery.
    const { signal } = new AbortController();
    await makeNarration(app, { ...delivery, signal });
    expect(await rowOf(asked.audioId)).toMatchObject({ status: 'READY', deaths: 0 });
  } finally {
    await app.close(5_000);
  }
});
