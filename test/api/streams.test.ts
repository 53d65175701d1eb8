import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ask } from '../support/client.js';
import { until } from '../support/faults.js';
import { readMp3 } from '../support/mp3.js';
import { CancelAudio } from '../support/operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  narrate,
  newListener,
  newStory,
  textOf,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let worker: ServerProcess;
let admin: Person;
let listener: Person;
let voiceId: string;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  worker = await talebank.join({ ROLE: 'worker' });
  admin = await administrator(url);
  listener = await newListener(url);
  await grantTo(url, admin, listener, { amount: 1000 });
  voiceId = await englishVoice(url);
});
afterAll(() => talebank.close());

/** Sentences of which no other has been spoken before. */
const tale = (length: number, hero: string): string => textOf(length).replaceAll('moon', hero);

/** Does something while the worker, if it runs, stands still, so that no narration is made meanwhile. */
async function whileHeld<Result>(work: () => Promise<Result>): Promise<Result> {
  worker.child.kill('SIGSTOP');
  try {
    return await work();
  } finally {
    worker.child.kill('SIGCONT');
  }
}

/** A narration that takes a while, and where it plays. It may be made when this returns, but not earlier. */
async function begin(content: string): Promise<{ audioId: string; streamUrl: string }> {
  const story = await newStory(url, admin, { content });
  return whileHeld(async () => {
    const { audioId } = await narrate(url, listener, story.id, voiceId);
    const { streamUrl } = await waitForAudio(url, listener, audioId, ['QUEUED', 'PROCESSING']);
    return { audioId, streamUrl: streamUrl ?? '' };
  });
}

const bytesOf = async (address: string): Promise<Uint8Array> =>
  new Uint8Array(await (await fetch(address)).arrayBuffer());

test('a long story can be heard before it is made, and what was heard is what is made', async () => {
  const { audioId, streamUrl } = await begin(tale(6_000, 'fox'));
  const response = await fetch(streamUrl);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('audio/mpeg');
  expect(response.headers.get('accept-ranges')).toBe('none');
  const chunks: Uint8Array[] = [];
  let progressAtFirstSound: number | undefined;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    progressAtFirstSound ??= await whileHeld(
      async () => (await waitForAudio(url, listener, audioId, ['PROCESSING', 'READY'])).progress,
    );
  }
  expect(progressAtFirstSound).toBeLessThan(0.5);
  const ready = await waitForAudio(url, listener, audioId, ['READY']);
  expect(ready.streamUrl).toBeNull();
  const whole = await bytesOf(ready.url ?? '');
  expect(Buffer.compare(Buffer.concat(chunks), whole)).toBe(0);
  expect(readMp3(whole).durationSeconds).toBeCloseTo(ready.durationSeconds ?? 0, 1);
  // The address still plays it, from where the sentences are now.
  expect(Buffer.compare(await bytesOf(streamUrl), whole)).toBe(0);
});

test('when it is stopped, so is the sound: what is cut off is not taken for the end', async () => {
  const { audioId, streamUrl } = await begin(tale(20_000, 'owl'));
  const response = await fetch(streamUrl);
  const heard = response.arrayBuffer();
  await waitForAudio(url, listener, audioId, ['PROCESSING']);
  await sleep(300);
  await ask(url, CancelAudio, { id: audioId }, listener.token);
  await expect(heard).rejects.toThrow();
  expect((await fetch(streamUrl)).status).toBe(404);
});

test('who cancels has heard a quarter at most', async () => {
  const content = tale(8_000, 'cat');
  const { audioId, streamUrl } = await begin(content);
  const abort = new AbortController();
  let lengthBytes = 0;
  const hear = async (): Promise<void> => {
    const response = await fetch(streamUrl, { signal: abort.signal });
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>)
      lengthBytes += chunk.length;
  };
  const heard = hear().catch(() => undefined);
  await until(
    'most of it is made',
    async () =>
      (await waitForAudio(url, listener, audioId, ['QUEUED', 'PROCESSING', 'READY'])).progress >
      0.6,
  );
  await ask(url, CancelAudio, { id: audioId }, listener.token);
  await heard;
  // At 64 kbit/s and about fifteen characters a second.
  const heardCharacters = (lengthBytes / 8000) * 15;
  expect(heardCharacters).toBeGreaterThan(0.1 * content.length);
  expect(heardCharacters).toBeLessThan(0.35 * content.length);
});

test('what has been forgotten meanwhile is not waited for', async () => {
  const { audioId, streamUrl } = await begin('It is here and then it is not.');
  await waitForAudio(url, listener, audioId, ['READY']);
  await talebank.database.sql('DELETE FROM spoken_sentences');
  expect((await fetch(streamUrl, { signal: AbortSignal.timeout(60_000) })).status).toBe(404);
});

test('a wrong, foreign or expired address is 403', async () => {
  const { streamUrl, audioId } = await begin('It is over before it began.');
  const address = new URL(streamUrl);
  const change = (name: string, value: string): string => {
    const changed = new URL(address);
    changed.searchParams.set(name, value);
    return changed.href;
  };
  const ready = await waitForAudio(url, listener, audioId, ['READY']);
  const wrong = [
    change('signature', ''),
    change('expires', '9999999999'),
    change('expires', '1'),
    streamUrl.replace(audioId, '00000000-0000-7000-8000-000000000000'),
    streamUrl.replace('.mp3', '.vtt'),
    `${address.origin}${address.pathname}`,
    `${address.origin}/streams/..%2f..%2fetc%2fpasswd${address.search}`,
    // What plays a file plays no stream.
    `${address.origin}${address.pathname}${new URL(ready.url ?? '').search}`,
  ];
  for (const one of wrong) expect([one, (await fetch(one)).status]).toEqual([one, 403]);
});

test('a client that closes the stream is forgotten, also before the first sound', async () => {
  await worker.stop();
  const followers = async (): Promise<number> =>
    Number(
      /^talebank_subscriptions (\d+)/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1],
    );
  const { streamUrl } = await begin('Nobody makes this yet.');
  const abort = new AbortController();
  const heard = fetch(streamUrl, { signal: abort.signal });
  heard.catch(() => undefined);
  await until('somebody listens', async () => (await followers()) === 1);
  abort.abort();
  await until('nobody listens', async () => (await followers()) === 0);
  worker = await talebank.join({ ROLE: 'worker' });
});
