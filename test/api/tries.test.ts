import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { NarrationJob } from '../../src/services/queues.js';
import type * as Making from '../../src/services/narrations/synthesis/make-narration.js';
import { openTestApp } from '../support/app.js';
import { ask } from '../support/client.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { AudioWaiting, CancelAudio, RunMaintenance, Wallet } from '../support/operations.js';
import {
  administrator,
  narrate,
  newListener,
  newStory,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { SpeechError } from '../../src/infra/speech/provider.js';
import { restMsOf } from '../../src/services/narrations/retries/rests.js';
import { answerWith, startSpeechServer, type SpeechServer } from '../support/speech-server.js';
import {
  startTalebank,
  type Environment,
  type ServerProcess,
  type Talebank,
} from '../support/talebank.js';

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
  const killed = { status: 'PROCESSING', tries: 0, deaths: DEATHS - 2 };
  expect(await rowOf(asked.audioId)).toMatchObject(killed);
  provider.behave('good');
  const worker = await talebank.join({ ROLE: 'worker', ...speaking() });
  const audio = await waitForAudio(url, asked.person, asked.audioId);
  await worker.stop();
  expect(audio).toMatchObject({ status: 'READY', creditsCharged: 1 });
  expect(audio.transactions).toHaveLength(1);
  // The text has not caused the deaths, because it was spoken on.
  expect(await rowOf(asked.audioId)).toMatchObject({ tries: 0, deaths: 0 });
});

test('a recording that is being deleted costs a narration of the same text no try', async () => {
  const first = await ordered();
  const worker = await talebank.join({ ROLE: 'worker', ...speaking() });
  expect(await waitForAudio(url, first.person, first.audioId)).toMatchObject({ status: 'READY' });
  const mark = (since: string): Promise<unknown> =>
    talebank.database.sql(
      `UPDATE renditions SET erasing_since = ${since}, erasing_by = $2
       WHERE hash = (SELECT rendition_hash FROM audios WHERE id = $1)`,
      [first.audioId, first.person.id],
    );
  await mark('clock_timestamp()');
  const other = await newListener(url);
  const { audioId } = await narrate(url, other, first.storyId, VOICE);
  const claims = async (): Promise<unknown> =>
    (await talebank.database.sql('SELECT claim FROM audios WHERE id = $1', [audioId]))[0]?.[
      'claim'
    ];
  await until('it was put back and claimed again', async () => Number(await claims()) >= 2);
  await mark('NULL');
  const audio = await waitForAudio(url, other, audioId);
  await worker.stop();
  expect(audio).toMatchObject({ status: 'READY', creditsCharged: 1 });
  expect(await rowOf(audioId)).toMatchObject({ tries: 0, deaths: 0 });
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
    'services/narrations/synthesis/make-narration.js',
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

describe('a provider that rests', () => {
  /** Longer than a worker stands still for. */
  const PAUSE = { 'retry-after': '6' };
  let worker: ServerProcess | null = null;
  const work = async (more: Environment = {}): Promise<void> => {
    worker = await talebank.join({ ROLE: 'worker', ...speaking(), ...more });
  };
  afterEach(async () => {
    await worker?.stop();
    worker = null;
  });

  const stateOf = async ({
    person,
    audioId,
  }: Asked): Promise<{
    status?: string;
    waitingFor?: string | null;
    failureCode?: string | null;
  }> => (await ask(url, AudioWaiting, { id: audioId }, person.token)).audio ?? {};
  const untilWaiting = (asked: Asked): Promise<void> =>
    until('it waits', async () => {
      const { status, waitingFor } = await stateOf(asked);
      return status === 'QUEUED' && waitingFor === 'SPEECH_PROVIDER';
    });
  const jobsOf = async ({ audioId }: Asked): Promise<Record<string, unknown>[]> =>
    talebank.database.sql(
      `SELECT state::text FROM pgboss.job
       WHERE name IN ('synthesize-audio', 'fail-audio') AND data->>'audioId' = $1 AND state < 'completed'`,
      [audioId],
    );

  test('costs a narration no try: it waits, and goes on when the provider is back', async () => {
    const waits = await ordered();
    const cancelled = await ordered();
    provider.behave(answerWith(429, PAUSE));
    await work();
    await untilWaiting(waits);
    await untilWaiting(cancelled);
    expect(await rowOf(waits.audioId)).toMatchObject({ tries: 0, deaths: 0 });
    expect(await jobsOf(waits)).toEqual([{ state: 'created' }]);

    // The reaper leaves it alone, however long it waits.
    await talebank.database.sql(
      `UPDATE audios SET updated_at = updated_at - interval '2 hours' WHERE id = $1`,
      [waits.audioId],
    );
    await ask(url, RunMaintenance, { task: 'REAP_STUCK_AUDIO' }, admin.token);
    expect(['QUEUED', 'PROCESSING']).toContain((await stateOf(waits)).status);

    await ask(url, CancelAudio, { id: cancelled.audioId }, cancelled.person.token);
    expect(await stateOf(cancelled)).toEqual({
      status: 'CANCELLED',
      waitingFor: null,
      failureCode: null,
    });
    expect(await jobsOf(cancelled)).toEqual([]);
    const { me } = await ask(url, Wallet, {}, cancelled.person.token);
    expect(me?.credits.balance).toBe(10);

    provider.behave('good');
    const audio = await waitForAudio(url, waits.person, waits.audioId);
    expect(audio).toMatchObject({ status: 'READY', creditsCharged: 1 });
    expect(await stateOf(waits)).toMatchObject({ waitingFor: null });
    expect(await rowOf(waits.audioId)).toMatchObject({ tries: 0, deaths: 0 });
    expect(provider.countByText().has(cancelled.last)).toBe(false);
    expect(worker?.logs().some(({ event }) => event === 'narration-try-failed')).toBe(false);
  });

  test('after failures that have made it rest: only what failed before is counted', async () => {
    const asked = await ordered();
    provider.behave(answerWith(503));
    await work({ SYNTHESIS_RETRIES: '3', SYNTHESIS_RETRY_DELAY_SECONDS: '0' });
    await untilWaiting(asked);
    const before = await rowOf(asked.audioId);
    expect(before).toMatchObject({ tries: 2 });
    // When it is asked again, it first refuses twice.
    let refusals = 0;
    provider.behave((request, response, speech) => {
      refusals += 1;
      return refusals > 2
        ? 'good'
        : answerWith(429, { 'retry-after': '1' })(request, response, speech);
    });
    expect(await waitForAudio(url, asked.person, asked.audioId)).toMatchObject({ status: 'READY' });
    expect(refusals).toBeGreaterThan(2);
    expect(await rowOf(asked.audioId)).toMatchObject({ tries: 2, deaths: 0 });
  });

  test('for longer than the deadline: the points come back; recordings that exist need no provider', async () => {
    const made = await ordered();
    await work({ SYNTHESIS_DEADLINE: '1' });
    await waitForAudio(url, made.person, made.audioId, ['READY']);
    provider.behave(answerWith(429, { 'retry-after': '900' }));
    const asked = await ordered();
    const audio = await waitForAudio(url, asked.person, asked.audioId);
    expect(audio).toMatchObject({
      status: 'FAILED',
      creditsCharged: 0,
      failureReason: 'The speech provider was not available for too long.',
      transactions: [{ type: 'DEBIT' }, { type: 'REFUND' }],
    });
    expect(await stateOf(asked)).toMatchObject({
      failureCode: 'SPEECH_UNAVAILABLE',
      waitingFor: null,
    });
    expect(await jobsOf(asked)).toEqual([]);
    const other = await newListener(url);
    const { audioId } = await narrate(url, other, made.storyId, VOICE);
    expect(await waitForAudio(url, other, audioId)).toMatchObject({ status: 'READY' });
  });

  test('is no reason to wait for an answer that may be the fault of the text', () => {
    const restMs = 4_000;
    const provider = { restMs: () => restMs };
    const awake = { restMs: () => 0 };
    const failed = (kind: SpeechError['kind'], more: object = {}): SpeechError =>
      new SpeechError('It failed.', { permanent: false, kind, ...more });
    expect(restMsOf(provider, failed('resting'))).toBe(restMs);
    expect(restMsOf(provider, failed('unreachable'))).toBe(restMs);
    expect(restMsOf(provider, failed('status', { status: 503, retryAfterMs: 9_000 }))).toBe(9_000);
    expect(restMsOf(awake, failed('rate-limited'))).toBeGreaterThan(0);
    expect(restMsOf(awake, failed('unreachable'))).toBeNull();
    for (const kind of ['not-audio', 'too-long', 'silent', 'died', 'stopped'] as const)
      expect([kind, restMsOf(provider, failed(kind))]).toEqual([kind, null]);
    expect(restMsOf(provider, failed('resting', { permanent: true }))).toBeNull();
    expect(restMsOf(provider, new Error('The disk is full.'))).toBeNull();
  });
});
