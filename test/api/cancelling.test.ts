import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ask, execute } from '../support/client.js';
import { until } from '../support/faults.js';
import { CancelAudio, Wallet } from '../support/operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  narrate,
  newListener,
  newStory,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let admin: Person;
let voiceId: string;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  admin = await administrator(url);
  voiceId = await englishVoice(url);
});
afterAll(() => talebank.close());

const jobsOf = (audioId: string): Promise<{ name: string; state: string }[]> =>
  talebank.database.sql(
    `SELECT name, state::text FROM pgboss.job WHERE data->>'audioId' = $1 ORDER BY created_on`,
    [audioId],
  );
const balanceOf = async ({ token }: Person): Promise<number | undefined> =>
  (await ask(url, Wallet, {}, token)).me?.credits.balance;
const codeOf = async (person: Person, id: string): Promise<string | undefined> =>
  (await execute(url, CancelAudio, { id }, { token: person.token })).errors[0]?.extensions.code;

/** The length of a text with so many different sentences that a worker still speaks it when it is cancelled. */
const LONG = 190_000;

async function rich(): Promise<Person> {
  const person = await newListener(url);
  await grantTo(url, admin, person, { amount: 1000 });
  return person;
}

test('cancelling a queued narration refunds its points and removes its job, and is idempotent', async () => {
  const person = await newListener(url);
  const story = await newStory(url, admin, { length: 2500 });
  const { audioId } = await narrate(url, person, story.id, voiceId);
  expect(await balanceOf(person)).toBe(7);
  const { cancelAudio } = await ask(url, CancelAudio, { id: audioId }, person.token);
  expect(cancelAudio).toMatchObject({
    audio: { id: audioId, status: 'CANCELLED', creditsCharged: 0 },
    refund: { seq: 3, type: 'REFUND', amount: 3 },
    balance: 10,
  });
  expect(await jobsOf(audioId)).toEqual([{ name: 'synthesize-audio', state: 'cancelled' }]);
  expect(await ask(url, CancelAudio, { id: audioId }, person.token)).toEqual({ cancelAudio });

  // Asking again is a new attempt, with a charge and a job of its own.
  const again = await narrate(url, person, story.id, voiceId);
  expect(again).toEqual({ audioId, balance: 7, charged: true });
  expect(await jobsOf(audioId)).toEqual([
    { name: 'synthesize-audio', state: 'cancelled' },
    { name: 'synthesize-audio', state: 'created' },
  ]);
  expect((await ask(url, CancelAudio, { id: audioId }, person.token)).cancelAudio).toMatchObject({
    refund: { seq: 5, amount: 3 },
    balance: 10,
  });
});

test('a narration of another user, or an unknown one, is not found, and nothing changes', async () => {
  const [owner, other] = [await newListener(url), await newListener(url)];
  const story = await newStory(url, admin);
  const { audioId } = await narrate(url, owner, story.id, voiceId);
  for (const id of [audioId, '00000000-0000-7000-8000-000000000000', 'nonsense', '', '\u0000'])
    expect([id, await codeOf(other, id)]).toEqual([id, 'NOT_FOUND']);
  expect(await codeOf(admin, audioId)).toBe('NOT_FOUND');
  expect(await waitForAudio(url, owner, audioId, ['QUEUED'])).toMatchObject({ creditsCharged: 1 });
});

describe('while a worker speaks it', () => {
  let worker: ServerProcess;
  beforeAll(async () => {
    worker = await talebank.join({ ROLE: 'worker', SYNTHESIS_CONCURRENCY: '4' });
  });
  afterAll(() => worker.stop());

  test('a narration that is being spoken is stopped, and its worker finishes nothing', async () => {
    const person = await rich();
    const story = await newStory(url, admin, { length: LONG });
    const { audioId } = await narrate(url, person, story.id, voiceId);
    await waitForAudio(url, person, audioId, ['PROCESSING']);
    const { cancelAudio } = await ask(url, CancelAudio, { id: audioId }, person.token);
    expect(cancelAudio).toMatchObject({
      audio: { status: 'CANCELLED' },
      refund: { amount: story.requiredCredits },
    });
    await until('the worker has noticed', () =>
      worker.logs().some((line) => String(line['msg']).startsWith('narration was stopped')),
    );
    expect(await waitForAudio(url, person, audioId)).toMatchObject({
      status: 'CANCELLED',
      creditsCharged: 0,
    });
    expect((await jobsOf(audioId)).map(({ state }) => state)).toEqual(['cancelled']);
  });

  test('a narration that is ready keeps its recording and its charge', async () => {
    const person = await newListener(url);
    const story = await newStory(url, admin, { content: 'It is done.' });
    const { audioId } = await narrate(url, person, story.id, voiceId);
    await waitForAudio(url, person, audioId, ['READY']);
    expect(await codeOf(person, audioId)).toBe('CONFLICT');
    expect(await balanceOf(person)).toBe(9);
  });

  test('a narration that failed keeps its state and its refund', async () => {
    const person = await newListener(url);
    const story = await newStory(url, admin, { content: '… ?! …' });
    const { audioId } = await narrate(url, person, story.id, voiceId);
    await waitForAudio(url, person, audioId, ['FAILED']);
    const { cancelAudio } = await ask(url, CancelAudio, { id: audioId }, person.token);
    expect(cancelAudio).toMatchObject({
      audio: { status: 'FAILED' },
      refund: { seq: 3, amount: 1 },
      balance: 10,
    });
  });

  test('a cancellation that races with the end gives either the recording or the points', async () => {
    const person = await rich();
    const outcomes = new Set<string>();
    let delayMs = 20;
    for (let round = 0; round < 16; round += 1) {
      const story = await newStory(url, admin, { content: `Round ${String(round)} of many.` });
      const before = (await balanceOf(person)) ?? 0;
      const { audioId } = await narrate(url, person, story.id, voiceId);
      await sleep(delayMs);
      const answers = await Promise.all(
        [1, 2, 3].map(() => execute(url, CancelAudio, { id: audioId }, { token: person.token })),
      );
      const audio = await waitForAudio(url, person, audioId);
      const codes = new Set(answers.map(({ errors }) => errors[0]?.extensions.code));
      expect([...codes]).toEqual([audio.status === 'READY' ? 'CONFLICT' : undefined]);
      expect(await balanceOf(person)).toBe(audio.status === 'READY' ? before - 1 : before);
      expect(audio.transactions.length).toBe(audio.status === 'READY' ? 1 : 2);
      outcomes.add(audio.status);
      // Around the end, however long this machine takes to it.
      delayMs *= audio.status === 'READY' ? 0.6 : 1.5;
    }
    expect([...outcomes].sort()).toEqual(['CANCELLED', 'READY']);
  });
});
