import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type * as ConfigModule from '../../src/config.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { readMp3 } from '../support/mp3.js';
import { administrator, narrate, newListener, newStory, waitForAudio } from '../support/people.js';
import { answerWith, startSpeechServer, type SpeechServer } from '../support/speech-server.js';
import { type Environment, loggedBy, startTalebank, type Talebank } from '../support/talebank.js';

const { readConfig } = await compiled<typeof ConfigModule>('config.js');
const KEY = 'a-key-that-nobody-sees';

describe('what the configuration says of speech', () => {
  test('espeak by default, half as many processes as narrations', () => {
    expect(readConfig({}).speech).toEqual({
      provider: 'espeak',
      concurrency: 1,
      timeoutMs: 30_000,
    });
    expect(readConfig({ SYNTHESIS_CONCURRENCY: '5' }).speech.concurrency).toBe(3);
    expect(readConfig({ SPEECH_CONCURRENCY: '7' }).speech.concurrency).toBe(7);
  });

  test('a server of one’s own needs its address alone, with or without a slash', () => {
    const speech = readConfig({
      SPEECH_PROVIDER: 'openai',
      OPENAI_BASE_URL: 'http://localhost:8880/v1//',
      OPENAI_TTS_MODEL: 'kokoro',
      OPENAI_TTS_VOICES: 'af_heart, pl_ola,af_heart',
      OPENAI_TTS_LANGUAGES: 'en-GB,pl',
      SPEECH_TIMEOUT_SECONDS: '5',
    }).speech;
    expect(speech).toEqual({
      provider: 'openai',
      concurrency: 4,
      timeoutMs: 5000,
      baseUrl: 'http://localhost:8880/v1',
      key: null,
      model: 'kokoro',
      format: 'wav',
      revision: '',
      voices: [
        { id: 'af_heart', name: null, languages: null },
        { id: 'pl_ola', name: null, languages: null },
      ],
      asksForVoices: false,
      charactersMax: 4096,
      languages: ['en-GB', 'pl'],
    });
  });

  test('voices can have any name, a label and languages', () => {
    const voicesOf = (voices: string): unknown => {
      const read = readConfig({
        SPEECH_PROVIDER: 'openai',
        OPENAI_API_KEY: KEY,
        OPENAI_TTS_VOICES: voices,
      }).speech;
      return 'voices' in read ? read.voices : null;
    };
    const alex = { id: 'FunAudioLLM/CosyVoice2-0.5B:alex', name: null, languages: null };
    const woman = { id: '中文女', name: 'Mei, of Chengdu', languages: ['zh'] };
    expect(voicesOf(`${alex.id}, ${woman.id}`)).toEqual([
      alex,
      { ...woman, name: null, languages: null },
    ]);
    expect(voicesOf(JSON.stringify([alex.id, woman]))).toEqual([alex, woman]);
    for (const wrong of [
      ',',
      '[]',
      '[{"id":""}]',
      '[{"id":"a","languages":["no tag"]}]',
      '[{}',
      'a\u0007b',
    ])
      expect(() => voicesOf(wrong)).toThrow(/OPENAI_TTS_VOICES .*names of voices/);
    const own = { SPEECH_PROVIDER: 'openai', OPENAI_BASE_URL: 'http://localhost:8880/v1' };
    expect(readConfig(own).speech).toMatchObject({ asksForVoices: true });
  });

  test('the hosted ones need a key, and know the rest', () => {
    expect(readConfig({ SPEECH_PROVIDER: 'openai', OPENAI_API_KEY: KEY }).speech).toMatchObject({
      baseUrl: 'https://api.openai.com/v1',
      key: KEY,
      model: 'tts-1',
      asksForVoices: false,
      voices: expect.arrayContaining([{ id: 'alloy', name: null, languages: null }]),
      languages: expect.arrayContaining(['en', 'pl']),
    });
    const speech = readConfig({ SPEECH_PROVIDER: 'elevenlabs', ELEVENLABS_API_KEY: KEY }).speech;
    expect(speech).toEqual({
      provider: 'elevenlabs',
      concurrency: 4,
      timeoutMs: 30_000,
      baseUrl: 'https://api.elevenlabs.io',
      key: KEY,
      model: 'eleven_multilingual_v2',
    });
  });
});

describe('the voices of an account', () => {
  let server: SpeechServer;
  let talebank: Talebank;
  const account = (): Environment => ({
    SPEECH_PROVIDER: 'elevenlabs',
    ELEVENLABS_API_KEY: KEY,
    ELEVENLABS_BASE_URL: `${server.url}/`,
    // Every process reads them, and a worker starts sooner.
    ROLE: 'worker',
  });
  const offered = async (): Promise<string[]> =>
    (
      await talebank.database.sql<{ id: string }>(
        'SELECT id FROM voices WHERE available ORDER BY position, id',
      )
    ).map(({ id }) => id);
  beforeEach(async () => {
    server = await startSpeechServer({ kind: 'elevenlabs' });
    talebank = await startTalebank({ ROLE: 'worker' });
  });
  afterEach(async () => {
    await talebank.close();
    await server.close();
  });

  test('are read at the start, and kept while the server is away', async () => {
    expect(await offered()).toContain('espeak-en-gb');
    await talebank.join(account());
    const voices = ['elevenlabs-Anna1', 'elevenlabs-Jan2', 'elevenlabs-Ola3'];
    expect(await offered()).toEqual(voices);
    server.behave(answerWith(503));
    const second = await talebank.join(account());
    await until('it warns', () =>
      second.logs().some(({ msg }) => String(msg).startsWith('voices cannot be listed')),
    );
    expect(await offered()).toEqual(voices);
    await talebank.join();
    expect(await offered()).not.toContain('elevenlabs-Anna1');
    await talebank.join(account());
    expect(await offered()).toEqual([]);
    expect(second.output()).not.toContain(KEY);
  });

  test('are not read with a key that is refused: the start stops, and names the variable', async () => {
    server.behave(answerWith(401, {}, JSON.stringify({ detail: { status: 'invalid_api_key' } })));
    const failed = talebank.join(account());
    await expect(failed).rejects.toThrow(
      'Talebank cannot start. ELEVENLABS_API_KEY is a value, but the provider refuses it with 401: it must be a key that may list voices and speak.',
    );
    await expect(failed).rejects.not.toThrow(KEY);
    expect(await offered()).toContain('espeak-en-gb');
  });
});

test('a provider narrates, each sentence once; when it keeps failing, readyz says so', async () => {
  const server = await startSpeechServer({ kind: 'openai' });
  const talebank = await startTalebank({
    SPEECH_PROVIDER: 'openai',
    OPENAI_API_KEY: KEY,
    OPENAI_BASE_URL: server.url,
    SYNTHESIS_RETRIES: '8',
    SYNTHESIS_RETRY_DELAY_SECONDS: '0',
  });
  try {
    const { url } = talebank;
    const admin = await administrator(url);
    const listener = await newListener(url);
    const content = 'One fox came. Two hares ran. Three owls slept.';
    const story = await newStory(url, admin, { content });
    const { audioId } = await narrate(url, listener, story.id, 'openai-alloy');
    expect(await waitForAudio(url, listener, audioId)).toMatchObject({ status: 'READY' });
    expect(Object.fromEntries(server.countByText())).toEqual({
      'One fox came.': 1,
      'Two hares ran.': 1,
      'Three owls slept.': 1,
    });
    expect((await fetch(`${url}/readyz`)).status).toBe(200);

    // The voice changes its sample rate in the middle of a story, and to one that MP3 lacks.
    const rates = new Map([
      ['Two hares ran on.', 16_000],
      ['Three owls slept in.', 37_800],
    ]);
    server.behave(({ text }, response, speech) => {
      const sampleRateHz = rates.get(text);
      if (sampleRateHz === undefined) return 'good';
      const file = Buffer.from(speech);
      file.writeUInt32LE(sampleRateHz, 24);
      file.writeUInt32LE(2 * sampleRateHz, 28);
      response.writeHead(200, { 'content-type': 'audio/wav' }).end(file);
      return undefined;
    });
    const changing = await newStory(url, admin, {
      content: `One fox came in. ${[...rates.keys()].join(' ')} One fox came in.`,
    });
    const changed = await narrate(url, listener, changing.id, 'openai-alloy');
    const heard = await waitForAudio(url, listener, changed.audioId);
    expect(heard).toMatchObject({ status: 'READY' });
    const mp3 = readMp3(new Uint8Array(await (await fetch(heard.url ?? '')).arrayBuffer()));
    expect(mp3.sampleRateHz).toBe(24_000);
    expect(mp3.durationSeconds).toBeCloseTo(heard.durationSeconds ?? 0, 1);
    expect([...rates.keys()].map((text) => server.countByText().get(text))).toEqual([1, 1]);

    server.behave(answerWith(401));
    await narrate(url, listener, story.id, 'openai-nova');
    // Both at once, because it rests for ten seconds only.
    let ready: unknown;
    await until('it rests, and tells so', async () => {
      const [readiness, metrics] = await Promise.all(
        ['readyz', 'metrics'].map((path) => fetch(`${url}/${path}`)),
      );
      ready = await readiness?.json();
      const gauge = 'talebank_speech_provider_resting{provider="openai"} 1';
      return readiness?.status === 503 && ((await metrics?.text()) ?? '').includes(gauge);
    });
    expect(ready).toMatchObject({ status: 'not ready', provider: false, database: true });
    const line = await loggedBy(talebank.server, ({ what }) => what === 'provider');
    expect(line?.['reason']).toMatch(/^The speech provider openai keeps failing/);
    expect(talebank.server.output()).not.toMatch(/a-key-that|hares|owls/);
  } finally {
    await talebank.close();
    await server.close();
  }
});
