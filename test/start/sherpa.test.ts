import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type * as ConfigModule from '../../src/config.js';
import { ask, execute } from '../support/client.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { AudioWaiting, Narrate, Voices } from '../support/operations.js';
import {
  administrator,
  narrate,
  newListener,
  newStory,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { decodeMp3 } from '../support/sound.js';
import { startTalebank, type Talebank, type ServerProcess } from '../support/talebank.js';
import { filesOf, putFiles, putModel } from '../support/voice-models/models.js';

const { readConfig } = await compiled<typeof ConfigModule>('config.js');

let dataDir: string;
let talebank: Talebank;
/** It is restarted by a test. */
let server: ServerProcess;
let admin: Person;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'talebank-natural-'));
  const voices = join(dataDir, 'voices');
  await putModel(voices, 'bells', { speakers: 2, sampleRateHz: 22_050 });
  await putModel(voices, 'changing');
  await putFiles(join(voices, 'refused'), { ...filesOf({ metadata: { sample_rate: null } }) });
  await putFiles(join(voices, 'damaged'), { ...filesOf(), 'model.onnx': 'no model' });
  talebank = await startTalebank({
    SPEECH_PROVIDER: 'sherpa',
    DATA_DIR: dataDir,
    SYNTHESIS_RETRIES: '1',
    SYNTHESIS_RETRY_DELAY_SECONDS: '0',
    INITIAL_CREDITS: '1000',
  });
  server = talebank.server;
  admin = await administrator(server.url);
});
afterAll(async () => {
  await talebank.close();
  await rm(dataDir, { recursive: true, force: true });
});

/** The number of sentences that were spoken so far and belong to no recording. */
const spokenSince = async (before: number): Promise<number> => {
  const [row] = await talebank.database.sql<{ count: number }>(
    'SELECT count(*)::int AS count FROM spoken_sentences',
  );
  return (row?.count ?? 0) - before;
};

test('the configuration has the folder of models, and limits', () => {
  expect(readConfig({ SPEECH_PROVIDER: 'sherpa', DATA_DIR: '/data' }).speech).toEqual({
    provider: 'sherpa',
    concurrency: 1,
    timeoutMs: 30_000,
    folder: '/data/voices',
    threads: 1,
    modelsKept: 2,
    memoryBytes: 2048 * 1024 * 1024,
    speed: 1,
  });
  for (const speed of ['0.4', '2.1', 'fast', '1.234'])
    expect(() => readConfig({ SHERPA_SPEED: speed })).toThrow(/^SHERPA_SPEED is/);
});

test('voices of models are offered, narrate, and are refused for what they cannot read', async () => {
  const { url } = server;
  const listener = await newListener(url);
  const { voices } = await ask(url, Voices, { language: 'en' });
  expect(voices.map(({ id }) => id)).toEqual([
    'sherpa-bells:0',
    'sherpa-bells:1',
    'sherpa-changing',
    'sherpa-refused',
  ]);
  const refusals = server.logs().filter(({ event }) => event === 'voice-model-refused');
  expect(refusals).toMatchObject([
    { model: 'damaged', reason: 'model.onnx cannot be used: it is not an ONNX model' },
  ]);

  const content = 'One fox came. Two hares ran. One fox came.';
  const story = await newStory(url, admin, { content });
  const before = await spokenSince(0);
  const first = await narrate(url, listener, story.id, 'sherpa-bells:1');
  const heard = await waitForAudio(url, listener, first.audioId);
  expect(heard).toMatchObject({ status: 'READY', failureReason: null });
  // One sentence is there twice, and is spoken once.
  expect(await spokenSince(before)).toBe(2);
  const mp3 = new Uint8Array(await (await fetch(heard.url ?? '')).arrayBuffer());
  const { samples, sampleRateHz } = await decodeMp3(mp3);
  expect(sampleRateHz).toBe(22_050);
  expect(samples.reduce((most, one) => Math.max(most, Math.abs(one)), 0)).toBeGreaterThan(0.05);
  expect(heard.durationSeconds).toBeGreaterThan(2);

  // Another story with a sentence that was spoken before.
  const next = await newStory(url, admin, { content: 'Two hares ran. Three owls slept.' });
  const second = await narrate(url, listener, next.id, 'sherpa-bells:1');
  expect(await waitForAudio(url, listener, second.audioId)).toMatchObject({ status: 'READY' });
  expect(await spokenSince(before)).toBe(3);

  const russian = await newStory(url, admin, {
    language: 'ru',
    content: 'Жили-были старик и старуха.',
  });
  const input = { storyId: russian.id, voiceId: 'sherpa-bells:1' };
  const { errors } = await execute(url, Narrate, { input }, { token: listener.token });
  expect(errors[0]?.extensions.code).toBe('VOICE_CANNOT_READ');

  // The engine is not loaded in the server's own process.
  const maps = await readFile(`/proc/${String(server.child.pid)}/maps`, 'utf8');
  expect(maps.split('\n').filter((line) => /libonnxruntime|sherpa-onnx\.node/.test(line))).toEqual(
    [],
  );
});

test('a narration with a model that the engine refuses fails at once and is refunded', async () => {
  const { url } = server;
  const listener = await newListener(url);
  const story = await newStory(url, admin, { content: 'A wolf came by.' });
  const { audioId } = await narrate(url, listener, story.id, 'sherpa-refused');
  const failed = await waitForAudio(url, listener, audioId);
  expect(failed.status).toBe('FAILED');
  expect(failed.failureReason).toContain('voice');
  expect(failed.transactions.map(({ type }) => type).sort()).toEqual(['DEBIT', 'REFUND']);
  // The other models still work.
  const other = await narrate(url, listener, story.id, 'sherpa-bells:0');
  expect(await waitForAudio(url, listener, other.audioId)).toMatchObject({ status: 'READY' });
});

test('a changed model is noticed: narrations wait for the restart, and are spoken again', async () => {
  const { url } = server;
  const listener = await newListener(url);
  const story = await newStory(url, admin, { content: 'Ten bears dance.' });
  const before = await narrate(url, listener, story.id, 'sherpa-changing');
  const old = await waitForAudio(url, listener, before.audioId);
  expect(old.status).toBe('READY');

  await putModel(join(dataDir, 'voices'), 'changing', { samplesPerLetter: 3000 });
  const other = await newStory(url, admin, { content: 'Ten bears sleep.' });
  const waiting = await narrate(url, listener, other.id, 'sherpa-changing');
  await until('it waits', async () => {
    const { audio } = await ask(url, AudioWaiting, { id: waiting.audioId }, listener.token);
    return audio?.status === 'QUEUED' && audio.waitingFor === 'SPEECH_PROVIDER';
  });

  await server.stop();
  server = await talebank.join();
  const now = await waitForAudio(server.url, listener, waiting.audioId);
  expect(now.status).toBe('READY');
  // Another listener of the first story gets a recording of the new model, and not the old one.
  const later = await newListener(server.url);
  const anew = await narrate(server.url, later, story.id, 'sherpa-changing');
  const heard = await waitForAudio(server.url, later, anew.audioId);
  expect(heard.status).toBe('READY');
  expect((heard.durationSeconds ?? 0) / (old.durationSeconds ?? 1)).toBeGreaterThan(1.5);
});
