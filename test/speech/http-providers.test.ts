import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type * as MetricsModule from '../../src/infra/metrics.js';
import type * as Guard from '../../src/infra/speech/guard.js';
import type * as ElevenLabs from '../../src/infra/speech/http/elevenlabs.js';
import type * as OpenAi from '../../src/infra/speech/http/openai.js';
import type {
  SpeechError,
  SpeechProvider,
  SpokenSentence,
} from '../../src/infra/speech/provider.js';
import type * as Gate from '../../src/infra/speech/rate-gate.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import {
  answerWith,
  startSpeechServer,
  toneFor,
  wavOf,
  type Misbehaviour,
  type SpeechServer,
} from '../support/speech-server.js';

const { createOpenAiProvider } = await compiled<typeof OpenAi>('infra/speech/http/openai.js');
const { createElevenLabsProvider } = await compiled<typeof ElevenLabs>(
  'infra/speech/http/elevenlabs.js',
);
const { guardProvider } = await compiled<typeof Guard>('infra/speech/guard.js');
const { retryAfterMsOf } = await compiled<typeof Gate>('infra/speech/rate-gate.js');
const { createMetrics } = await compiled<typeof MetricsModule>('infra/metrics.js');

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const KEY = 'sk-a-secret-of-the-operator';
const TEXT = 'The tortoise walked home, slowly.';
/** For what does not end. */
const TIMEOUT_MS = 600;
/** For what ends by itself: longer than any machine takes. */
const PATIENT_MS = 120_000;
const never = new AbortController().signal;

type Kind = 'openai' | 'elevenlabs';
const VOICE: Readonly<Record<Kind, string>> = { openai: 'nova', elevenlabs: 'Anna1' };

function open(
  kind: Kind,
  url: string,
  { concurrency = 4, timeoutMs = PATIENT_MS, restMs = PATIENT_MS } = {},
): { provider: SpeechProvider; metrics: MetricsModule.Metrics } {
  const bare =
    kind === 'openai'
      ? createOpenAiProvider({
          baseUrl: url,
          key: KEY,
          model: 'tts-1',
          format: 'wav',
          revision: '',
          voices: [{ id: 'nova', name: null, languages: null }],
          asksForVoices: false,
          charactersMax: 4096,
          languages: ['en'],
          timeoutMs,
        })
      : createElevenLabsProvider({ baseUrl: url, key: KEY, model: 'eleven_x', timeoutMs });
  const metrics = createMetrics();
  const rest = { failures: 5, firstMs: restMs, mostMs: 4 * restMs };
  return { provider: guardProvider(bare, { concurrency, metrics, rest }), metrics };
}

const httpDateIn = (ms: number): string => new Date(Date.now() + ms).toUTCString();

/** Holds the time-outs of PATIENT_MS until they pass, so that no machine is too slow for what must come before. */
function holdTimeouts(): { pass(): void; release(): void } {
  const held: (() => void)[] = [];
  const real = globalThis.setTimeout;
  const holding = (act: () => void, ms?: number): NodeJS.Timeout => {
    if (ms !== PATIENT_MS) return real(act, ms);
    held.push(act);
    return real(() => undefined, 0);
  };
  globalThis.setTimeout = Object.assign(holding, real);
  return {
    pass: () => {
      for (const act of held) act();
    },
    release: () => {
      globalThis.setTimeout = real;
    },
  };
}

/** Stops the clock. Only the test moves it from then on. */
function stopClock(): { pass(ms: number): void } {
  let now = Date.now();
  jest.spyOn(Date, 'now').mockImplementation(() => now);
  return {
    pass: (ms) => {
      now += ms;
    },
  };
}

/** Holds every answer until the gate opens. */
function holdAnswers(server: SpeechServer): { open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  server.behave(async () => {
    await opened;
    return 'good' as const;
  });
  return { open };
}

/** Everything that could be shown or logged of an error. */
const unfolded = (error: unknown): string =>
  error instanceof Error
    ? `${error.message} ${error.stack ?? ''} ${JSON.stringify(error)} ${unfolded(error.cause)}`
    : String(error);

describe.each<Kind>(['openai', 'elevenlabs'])('%s', (kind) => {
  let server: SpeechServer;
  beforeEach(async () => {
    server = await startSpeechServer({ kind });
  });
  afterEach(() => server.close());

  const asked = (text = TEXT): { text: string; voice: string; language: string } => ({
    text,
    voice: VOICE[kind],
    language: 'en',
  });

  /** @returns the error, after looking for what must not be in it */
  async function errorOf(speaking: Promise<unknown>): Promise<SpeechError> {
    const error: unknown = await speaking.then(
      () => new Error('It was spoken.'),
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ name: 'SpeechError' });
    expect(unfolded(error)).not.toContain(KEY);
    expect(unfolded(error)).not.toMatch(/tortoise/i);
    return error as SpeechError;
  }

  test('a sentence is asked for once, as the API wants it, and its samples are kept', async () => {
    const { provider } = open(kind, server.url);
    const { pcm, sampleRateHz } = await provider.speak(asked(), never);
    expect(sampleRateHz).toBe(24_000);
    expect(Buffer.compare(Buffer.from(pcm.buffer), Buffer.from(toneFor(TEXT).buffer))).toBe(0);
    expect(server.requests).toHaveLength(1);
    const [request] = server.requests;
    expect(request).toMatchObject({ method: 'POST', answered: true });
    expect(request?.headers).toMatchObject({ 'content-type': 'application/json' });
    if (kind === 'openai') {
      expect(request?.path).toBe('/v1/audio/speech');
      expect(request?.headers.authorization).toBe(`Bearer ${KEY}`);
      expect(JSON.parse(request?.body ?? '')).toEqual({
        model: 'tts-1',
        voice: 'nova',
        input: TEXT,
        response_format: 'wav',
      });
    } else {
      expect(request?.path).toBe(
        '/v1/text-to-speech/Anna1/with-timestamps?output_format=pcm_24000',
      );
      expect(request?.headers['xi-api-key']).toBe(KEY);
      expect(JSON.parse(request?.body ?? '')).toEqual({ text: TEXT, model_id: 'eleven_x' });
    }
  });

  test('what could be read as markup is not sent', async () => {
    const { provider } = open(kind, server.url);
    await provider.speak(asked('Wait <break time="300s" /> [shouts] for Tom & me.'), never);
    expect(server.requests[0]?.text).toBe('Wait  break time="300s" /   shouts  for Tom  and  me.');
    const nothing = await errorOf(provider.speak(asked('<>'), never));
    expect(nothing).toMatchObject({ permanent: true, kind: 'silent' });
    expect(server.requests).toHaveLength(1);
  });

  test('a voice with any printable name can be used in an address', async () => {
    const { provider } = open(kind, server.url);
    const voice = '../v2/voices?x=/#';
    const speaking = provider.speak({ ...asked(), voice }, never);
    if (kind === 'openai') {
      expect(await errorOf(speaking)).toMatchObject({ permanent: true, kind: 'unknown-voice' });
      expect(server.requests).toHaveLength(0);
    } else {
      await speaking;
      expect(server.requests[0]?.voice).toBe(voice);
    }
  });

  test('an answer that is slow but in time is good', async () => {
    server.behave('slow but in time');
    const { pcm } = await open(kind, server.url).provider.speak(asked(), never);
    expect(pcm).toHaveLength(toneFor(TEXT).length);
  });

  test.each<[Misbehaviour, string]>([
    ['hang before headers', 'timeout'],
    ['hang in the body', 'timeout'],
    ['trickle', 'timeout'],
    ['reset before headers', 'unreachable'],
    ['reset in the middle', 'unreachable'],
    ['end in the middle', 'unreachable'],
    ['length too long', 'unreachable'],
    ['endless', 'too-long'],
    ['HTML with 200', 'not-audio'],
    ['JSON with 200', 'not-audio'],
    ['HTML that says it is audio', 'not-audio'],
    ['MP3 that says it is audio', 'not-audio'],
    ['empty', 'silent'],
    ['redirect', 'unreachable'],
  ])('%s: fails for now, in time, and the connection is gone', async (how, errorKind) => {
    server.behave(how);
    // What fails by itself does so before the time-out, because the error would be of another kind otherwise.
    const clock = errorKind === 'timeout' ? holdTimeouts() : null;
    try {
      const { provider } = open(kind, server.url, { timeoutMs: PATIENT_MS });
      const failing = errorOf(provider.speak(asked(), never));
      if (clock !== null) {
        await until('it is asked', () => server.requests.length === 1);
        // What the server sends at first has arrived by then.
        await sleep(TIMEOUT_MS);
        clock.pass();
      }
      expect(await failing).toMatchObject({ permanent: false, kind: errorKind });
    } finally {
      clock?.release();
    }
    expect(server.requests).toHaveLength(1);
    await until('nothing is in hand', () => server.inHand() === 0);
    server.behave('good');
    expect(
      (await open(kind, server.url).provider.speak(asked(), never)).pcm.length,
    ).toBeGreaterThan(0);
  });

  test.each<Misbehaviour>(['hang before headers', 'hang in the body', 'trickle'])(
    'memory that is collected does not undo the time-out: %s',
    async (how) => {
      server.behave(how);
      const { provider } = open(kind, server.url, { timeoutMs: TIMEOUT_MS });
      const speaking = errorOf(provider.speak(asked(), never));
      const garbage = setInterval(collectGarbage, 50);
      try {
        expect(await speaking).toMatchObject({ kind: 'timeout' });
      } finally {
        clearInterval(garbage);
      }
      await until('nothing is in hand', () => server.inHand() === 0);
    },
  );

  test('an answer that says it is shorter than it is: cut, which a WAV file and JSON show', async () => {
    server.behave('length too short');
    const speaking = open(kind, server.url).provider.speak(asked(), never);
    expect(await errorOf(speaking)).toMatchObject({ kind: 'not-audio' });
  });

  test.each([
    [400, true, 'refused'],
    [401, false, 'status'],
    [402, false, 'status'],
    [403, false, 'status'],
    [404, true, 'unknown-voice'],
    [408, false, 'status'],
    [409, false, 'status'],
    [413, true, 'refused'],
    [415, true, 'refused'],
    [422, true, 'refused'],
    [425, false, 'status'],
    [429, false, 'rate-limited'],
    [500, false, 'status'],
    [503, false, 'status'],
  ])('status %i: permanent is %s', async (status, permanent, errorKind) => {
    const body = JSON.stringify({
      detail: { status: 'quota_exceeded', message: `No “${TEXT}” for ${KEY}.`, input: TEXT },
    });
    server.behave(answerWith(status, {}, body));
    const error = await errorOf(open(kind, server.url).provider.speak(asked(), never));
    expect(error).toMatchObject({ permanent, kind: errorKind, status });
    expect(error.message).toContain(String(status));
    expect(error.cause).toMatchObject({ message: `${String(status)} quota_exceeded` });
    expect(server.requests).toHaveLength(1);
  });

  test('a body of an error that has no end is not waited for', async () => {
    server.behave((_request, response) => {
      response.writeHead(500, { 'content-type': 'text/plain' });
      const more = setInterval(() => response.write('x'.repeat(1000)), 5);
      response.once('close', () => {
        clearInterval(more);
      });
      return undefined;
    });
    const startedAt = performance.now();
    const error = await errorOf(open(kind, server.url).provider.speak(asked(), never));
    expect(error).toMatchObject({ status: 500 });
    // Else it would end with the time-out.
    expect(performance.now() - startedAt).toBeLessThan(PATIENT_MS / 2);
    await until('nothing is in hand', () => server.inHand() === 0);
  });

  test('a provider that is not there fails for now', async () => {
    const gone = await startSpeechServer({ kind });
    await gone.close();
    const error = await errorOf(open(kind, gone.url).provider.speak(asked(), never));
    expect(error).toMatchObject({ permanent: false, kind: 'unreachable' });
  });

  test('no more sentences are in hand than are allowed', async () => {
    const gate = holdAnswers(server);
    const { provider } = open(kind, server.url, { concurrency: 3 });
    expect(provider.concurrency).toBe(3);
    const texts = Array.from({ length: 20 }, (_, index) => `Sentence ${String(index)}.`);
    const speaking = Promise.all(texts.map((text) => provider.speak(asked(text), never)));
    await until('three are in hand', () => server.inHand() === 3);
    // A fourth would come meanwhile.
    await sleep(100);
    gate.open();
    await speaking;
    expect(server.mostAtOnce()).toBe(3);
    expect([...server.countByText().values()]).toEqual(texts.map(() => 1));
  });

  describe('a rest', () => {
    const REST_MS = 10_000;
    let clock: ReturnType<typeof stopClock>;
    beforeEach(() => {
      clock = stopClock();
    });
    afterEach(() => {
      jest.restoreAllMocks();
    });

    const fail = (provider: SpeechProvider): Promise<SpeechError> =>
      errorOf(provider.speak(asked(), never));

    test('begins with the fifth failure in a row, and one request ends it', async () => {
      server.behave(answerWith(500));
      const { provider } = open(kind, server.url, { restMs: REST_MS });
      for (let times = 0; times < 5; times++) {
        expect(provider.resting()).toBeNull();
        expect(await fail(provider)).toMatchObject({ kind: 'status' });
      }
      expect(provider.resting()).toMatch(/keeps failing, and is asked again in \d+ s\./);
      expect(await fail(provider)).toMatchObject({ kind: 'resting', permanent: false });
      expect(server.requests).toHaveLength(5);
      clock.pass(REST_MS - 1);
      expect(provider.resting()).not.toBeNull();
      clock.pass(1);
      expect(provider.resting()).toBeNull();
      const gate = holdAnswers(server);
      const waiting = Array.from({ length: 3 }, () => provider.speak(asked(), never));
      await until('one is sent', () => server.requests.length > 5);
      // The others would come meanwhile.
      await sleep(100);
      expect(server.requests).toHaveLength(6);
      gate.open();
      await Promise.all(waiting);
      expect(server.requests).toHaveLength(8);
      expect(provider.resting()).toBeNull();
    });

    test('is longer each time that the one request fails', async () => {
      server.behave(answerWith(500));
      const { provider } = open(kind, server.url, { restMs: REST_MS });
      for (let times = 0; times < 5; times++) await fail(provider);
      clock.pass(REST_MS);
      server.delayMs = 50;
      const kinds = await Promise.all(Array.from({ length: 3 }, () => fail(provider)));
      expect(kinds.map((error) => error.kind).sort()).toEqual(['resting', 'resting', 'status']);
      expect(server.requests).toHaveLength(6);
      clock.pass(2 * REST_MS - 1);
      expect(provider.resting()).not.toBeNull();
      clock.pass(1);
      expect(provider.resting()).toBeNull();
    });

    test('does not come of texts that are refused, of aborted ones, or of failures between successes', async () => {
      const { provider } = open(kind, server.url, { restMs: REST_MS });
      server.behave(answerWith(400));
      for (let times = 0; times < 6; times++) await fail(provider);
      const aborted = AbortSignal.abort();
      for (let times = 0; times < 6; times++) {
        await errorOf(provider.speak(asked(), aborted));
      }
      for (let times = 0; times < 2; times++) {
        server.behave(answerWith(500));
        for (let failures = 0; failures < 4; failures++) await fail(provider);
        server.behave('good');
        await provider.speak(asked(), never);
      }
      expect(provider.resting()).toBeNull();
    });
  });

  describe('429', () => {
    /** Answers the first request so, and all others well. */
    const onceWith = (
      server: SpeechServer,
      status: number,
      headers: Record<string, string>,
    ): void => {
      server.behave((request, response, speech) =>
        server.requests.length === 1
          ? answerWith(status, headers)(request, response, speech)
          : 'good',
      );
    };

    test.each([['how long'], ['nothing that helps']])(
      'says %s, and is not asked earlier',
      async (says) => {
        const cases =
          says === 'how long'
            ? [
                { status: 429, header: '1', leastMs: 1000 },
                { status: 503, header: '1', leastMs: 1000 },
                { status: 429, header: httpDateIn(1900), leastMs: null },
              ]
            : [undefined, 'when I feel like it', '-5'].map((header) => ({
                status: 429,
                header,
                leastMs: 1000,
              }));
        await Promise.all(
          cases.map(async ({ status, header, leastMs: given }) => {
            const own = await startSpeechServer({ kind });
            onceWith(own, status, header === undefined ? {} : { 'retry-after': header });
            const { provider } = open(kind, own.url);
            expect(await errorOf(provider.speak(asked(), never))).toMatchObject({ status });
            // It is refused a moment after it was asked, and the wait begins with the refusal.
            const askedAt = own.requests[0]?.at ?? Infinity;
            // A timer may be a millisecond early.
            const leastMs = (given ?? Date.parse(header) - askedAt) - 2;
            await Promise.all(['One.', 'Two.'].map((text) => provider.speak(asked(text), never)));
            const waits = own.requests.slice(1).map(({ at }) => at - askedAt);
            expect([header, waits.length, Math.min(...waits) >= leastMs]).toEqual([
              header,
              2,
              true,
            ]);
            expect([header, Math.max(...waits) < 60_000]).toEqual([header, true]);
            await own.close();
          }),
        );
      },
    );

    test('an aborted request that waits for its turn ends at once, and nothing is sent', async () => {
      onceWith(server, 429, { 'retry-after': '5' });
      const { provider } = open(kind, server.url, { concurrency: 1 });
      await errorOf(provider.speak(asked(), never));
      const abort = new AbortController();
      const waiting = [1, 2, 3].map(() => errorOf(provider.speak(asked(), abort.signal)));
      await sleep(50);
      abort.abort();
      for (const error of await Promise.all(waiting)) {
        expect(error).toMatchObject({ kind: 'stopped', permanent: false });
      }
      expect(server.requests).toHaveLength(1);
      expect(provider.resting()).toBeNull();
    });

    test('for longer than a worker waits: the caller is told how long, and operators are not', async () => {
      onceWith(server, 429, { 'retry-after': '60' });
      const { provider } = open(kind, server.url);
      await errorOf(provider.speak(asked(), never));
      expect(await errorOf(provider.speak(asked(), never))).toMatchObject({ kind: 'resting' });
      expect(server.requests).toHaveLength(1);
      expect(provider.restMs()).toBeGreaterThan(0);
      expect(provider.restMs()).toBeLessThanOrEqual(60_000);
      expect(provider.resting()).toBeNull();
    });

    test('for longer than anybody waits: it rests', async () => {
      onceWith(server, 429, { 'retry-after': '900' });
      const { provider } = open(kind, server.url);
      await errorOf(provider.speak(asked(), never));
      expect(provider.resting()).toMatch(/wants no request for another 15 minutes\./);
      expect(await errorOf(provider.speak(asked(), never))).toMatchObject({ kind: 'resting' });
      expect(server.requests).toHaveLength(1);
    });
  });

  test('what was sent is paid for: its answer is kept although the signal is aborted', async () => {
    const gate = holdAnswers(server);
    const { provider } = open(kind, server.url, { concurrency: 1 });
    const abort = new AbortController();
    const sent = provider.speak(asked('It was sent.'), abort.signal);
    const queued = errorOf(provider.speak(asked('It was not.'), abort.signal));
    await until('it is sent', () => server.requests.length === 1);
    abort.abort();
    expect(await queued).toMatchObject({ kind: 'stopped' });
    gate.open();
    expect((await sent).pcm).toHaveLength(toneFor('It was sent.').length);
    expect(await errorOf(provider.speak(asked(), abort.signal))).toMatchObject({ kind: 'stopped' });
    expect([...server.countByText().keys()]).toEqual(['It was sent.']);
  });

  test('all of it is counted', async () => {
    const { provider, metrics } = open(kind, server.url);
    const { pcm } = await provider.speak(asked(), never);
    server.behave(answerWith(500));
    await errorOf(provider.speak(asked(), never));
    const { text } = await metrics.expose();
    const label = `provider="${kind}"`;
    expect(text).toContain(`talebank_speech_requests_total{${label},result="ok"} 1`);
    expect(text).toContain(`talebank_speech_requests_total{${label},result="status"} 1`);
    expect(text).toContain(`talebank_speech_request_duration_seconds_count{${label}} 2`);
    expect(text).toContain(
      `talebank_speech_seconds_total{${label}} ${String(pcm.length / 24_000)}`,
    );
  });
});

describe('voices of the account', () => {
  let server: SpeechServer;
  beforeEach(async () => {
    server = await startSpeechServer({ kind: 'elevenlabs' });
  });
  afterEach(() => server.close());

  test('are read page by page', async () => {
    const voices = await open('elevenlabs', server.url).provider.listVoices();
    expect(voices.map(({ id, name, gender }) => [id, name, gender])).toEqual([
      ['Anna1', 'Anna', 'female'],
      ['Jan2', 'Jan', 'male'],
      ['Ola3', 'Ola', null],
    ]);
    expect(voices[0]?.languages).toEqual(['en-GB', 'en', 'pl-PL', 'pl']);
    expect(voices[1]?.languages).toEqual(expect.arrayContaining(['en', 'pl']));
    expect(server.listings).toHaveLength(2);
    expect(server.listings[0]?.headers['xi-api-key']).toBe(KEY);
  });

  test('are not read for ever', async () => {
    server.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const voices = [{ voice_id: `V${String(server.listings.length)}` }];
      response.end(JSON.stringify({ voices, has_more: true, next_page_token: 'again' }));
      return undefined;
    });
    expect(await open('elevenlabs', server.url).provider.listVoices()).toHaveLength(10);
  });

  test.each([
    ['a wrong key', answerWith(401), 401],
    ['nonsense', answerWith(200, {}, '{"voices":[{"voice_id":"../x"}]}'), null],
    ['no JSON', answerWith(200, {}, '<html>'), null],
  ])('cannot be read: %s', async (_, behaviour, status) => {
    server.behave(behaviour);
    const listing = open('elevenlabs', server.url).provider.listVoices();
    await expect(listing).rejects.toMatchObject({ name: 'SpeechError', permanent: false, status });
  });
});

test('a server without character times is asked for the speech alone from then on', async () => {
  const server = await startSpeechServer({ kind: 'elevenlabs' });
  const asked = { text: TEXT, voice: 'Anna1', language: 'en' };
  try {
    server.behave(({ path }, response) => {
      if (path.includes('/with-timestamps')) {
        response.writeHead(404, { 'content-type': 'application/json' });
        response.end('{"detail":"Not Found"}');
      } else {
        response.writeHead(200, { 'content-type': 'audio/pcm' });
        response.end(Buffer.alloc(24_000, 7));
      }
      return undefined;
    });
    const { provider } = open('elevenlabs', server.url);
    for (const _ of [1, 2]) {
      const { pcm, sampleRateHz, words = [] } = await provider.speak(asked, never);
      expect([pcm.length, sampleRateHz, words]).toEqual([12_000, 24_000, []]);
    }
    expect(server.requests.map(({ path }) => path.split('/').at(-1)?.split('?')[0])).toEqual([
      'with-timestamps',
      'Anna1',
      'Anna1',
    ]);

    // An unknown voice is unknown on both paths.
    server.behave(answerWith(404, {}, '{"detail":"Not Found"}'));
    await expect(open('elevenlabs', server.url).provider.speak(asked, never)).rejects.toMatchObject(
      {
        permanent: true,
        kind: 'unknown-voice',
        status: 404,
      },
    );
  } finally {
    await server.close();
  }
});

test('a server that wants no key is sent none, and its own sample rate is kept', async () => {
  const server = await startSpeechServer({ kind: 'openai' });
  try {
    server.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'audio/x-wav' });
      response.end(wavOf(new Int16Array(22_050), { sampleRateHz: 22_050 }));
      return undefined;
    });
    const provider = createOpenAiProvider({
      baseUrl: server.url,
      key: null,
      model: 'kokoro',
      format: 'wav',
      revision: '',
      voices: [{ id: 'af_heart', name: null, languages: null }],
      asksForVoices: false,
      charactersMax: 4096,
      languages: ['en', 'pl'],
      timeoutMs: PATIENT_MS,
    });
    expect(await provider.listVoices()).toEqual([
      { id: 'af_heart', name: 'Af heart', languages: ['en', 'pl'], gender: null },
    ]);
    const request = { text: TEXT, voice: 'af_heart', language: 'en' };
    const { pcm, sampleRateHz } = await provider.speak(request, never);
    expect([pcm.length, sampleRateHz]).toEqual([22_050, 22_050]);
    expect(server.requests[0]?.headers.authorization).toBeUndefined();
  } finally {
    await server.close();
  }
});

describe('an answer in another format than WAV', () => {
  let server: SpeechServer;
  beforeEach(async () => {
    server = await startSpeechServer({ kind: 'openai' });
  });
  afterEach(() => server.close());

  const options = {
    key: null,
    model: 'kokoro',
    format: 'wav',
    revision: '',
    voices: [{ id: 'nova', name: null, languages: null }],
    asksForVoices: false,
    charactersMax: 4096,
    languages: ['en'],
    timeoutMs: PATIENT_MS,
  } as const;
  const request = { text: TEXT, voice: 'nova', language: 'en' };
  const speak = (format: OpenAi.SpeechFormat = 'wav'): Promise<SpokenSentence> =>
    createOpenAiProvider({ ...options, format, baseUrl: server.url }).speak(request, never);
  const answer = (type: string, body: Uint8Array): void => {
    server.behave((_request, response) => {
      response.writeHead(200, { 'content-type': type }).end(body);
      return undefined;
    });
  };
  const fixture = (name: string): Promise<Buffer> =>
    readFile(new URL(`fixtures/${name}`, import.meta.url));
  /** How often a second the sound rises through zero. */
  const pitchOf = ({ pcm, sampleRateHz }: SpokenSentence): number => {
    const middle = pcm.subarray(pcm.length / 4, (3 * pcm.length) / 4);
    let rises = 0;
    for (let at = 1; at < middle.length; at += 1)
      if ((middle[at - 1] ?? 0) < 0 && (middle[at] ?? 0) >= 0) rises += 1;
    return (rises * sampleRateHz) / middle.length;
  };

  test.each([
    ['tone.mp3', 'audio/mpeg', 24_000],
    ['tone.mp3', 'application/octet-stream', 24_000],
    ['tone.opus', 'audio/ogg', 48_000],
    ['tone.opus', 'audio/wav', 48_000],
  ])('is heard: %s as %s', async (name, type, sampleRateHz) => {
    answer(type, await fixture(name));
    const spoken = await speak();
    expect(spoken.sampleRateHz).toBe(sampleRateHz);
    expect(spoken.pcm.length / sampleRateHz).toBeGreaterThan(0.5);
    expect(spoken.pcm.length / sampleRateHz).toBeLessThan(0.75);
    expect(Math.abs(pitchOf(spoken) - 440)).toBeLessThan(10);
    expect(Math.max(...spoken.pcm)).toBeGreaterThan(1000);
  });

  test('is heard: samples without a header, at the rate that is said', async () => {
    const tone = Buffer.from(toneFor('a').buffer);
    answer('audio/L16; rate=16000; channels=1', tone);
    expect((await speak()).sampleRateHz).toBe(16_000);
    answer('audio/pcm', tone);
    expect(await speak()).toMatchObject({ sampleRateHz: 24_000, pcm: { length: tone.length / 2 } });
    answer('application/octet-stream', tone);
    await expect(speak()).rejects.toMatchObject({ kind: 'not-audio' });
    expect((await speak('pcm')).sampleRateHz).toBe(24_000);
    expect(JSON.parse(server.requests.at(-1)?.body ?? '')).toMatchObject({
      response_format: 'pcm',
    });
    answer('audio/pcm', Buffer.from('{"error":"no"}'.padEnd(5000)));
    await expect(speak('pcm')).rejects.toMatchObject({ kind: 'not-audio' });
    answer('audio/L16; rate=1', tone);
    await expect(speak()).rejects.toMatchObject({ kind: 'not-audio' });
  });

  test('that is longer than the text can take is not decoded to its end', async () => {
    const tone = await fixture('tone.mp3');
    answer('audio/mpeg', Buffer.concat(Array.from({ length: 400 }, () => tone)));
    await expect(speak()).rejects.toMatchObject({ kind: 'too-long', permanent: false });
  });

  test.each([
    ['audio/mpeg', 'ID3'],
    ['audio/mpeg', '\u00ff\u00fb\u0090'],
    ['audio/ogg', 'OggS'],
    ['audio/ogg', 'OggS\0\u0002OpusHead'],
    ['audio/flac', 'fLaC'],
    ['audio/mpeg', 'neither'],
  ])('that is broken is a failure for now: %s, %j', async (type, beginning) => {
    answer(type, Buffer.concat([Buffer.from(beginning, 'latin1'), Buffer.alloc(9000, 85)]));
    await expect(speak()).rejects.toMatchObject({
      name: 'SpeechError',
      kind: 'not-audio',
      permanent: false,
    });
  });

  test('and the format and the revision that are asked for belong to the key of the sound', () => {
    const settings = (more: object): string =>
      createOpenAiProvider({ ...options, ...more, baseUrl: 'http://here/v1' }).settings;
    expect(settings({})).toBe('http://here/v1 kokoro');
    const all = [{}, { format: 'mp3' }, { revision: 'mp3' }, { format: 'mp3', revision: '2' }];
    expect(new Set(all.map(settings)).size).toBe(all.length);
  });
});

describe('a server of one’s own', () => {
  let server: SpeechServer;
  beforeEach(async () => {
    server = await startSpeechServer({ kind: 'openai' });
  });
  afterEach(() => server.close());

  const openOwn = (
    more: Partial<OpenAi.OpenAiOptions> = {},
  ): ReturnType<typeof createOpenAiProvider> =>
    createOpenAiProvider({
      baseUrl: server.url,
      key: null,
      model: 'kokoro',
      format: 'wav',
      revision: '',
      voices: [{ id: 'nova', name: null, languages: null }],
      asksForVoices: true,
      charactersMax: 4096,
      languages: ['en', 'pl'],
      timeoutMs: PATIENT_MS,
      ...more,
    });
  const nova = { id: 'nova', name: 'Nova', languages: ['en', 'pl'], gender: null };

  test.each<[string, unknown, object[]]>([
    [
      'names alone',
      { voices: ['af_heart', 'jm_kumo', 'alloy'] },
      [
        { id: 'af_heart', name: 'Af heart', languages: ['en-US'], gender: null },
        { id: 'jm_kumo', name: 'Jm kumo', languages: ['ja'], gender: null },
        { id: 'alloy', name: 'Alloy', languages: ['en', 'pl'], gender: null },
      ],
    ],
    [
      'what they are',
      {
        data: [
          { voice_id: 'FunAudioLLM/CosyVoice2-0.5B:alex', name: 'Alex', language: 'zh_CN' },
          { name: '中文女', languages: ['zh', 'no language at all', 7], gender: 'female' },
          { id: ' around ' },
          { id: 'two\nlines' },
          { id: 7 },
          null,
        ],
      },
      [
        {
          id: 'FunAudioLLM/CosyVoice2-0.5B:alex',
          name: 'Alex',
          languages: ['zh-CN'],
          gender: null,
        },
        { id: '中文女', name: '中文女', languages: ['zh'], gender: 'female' },
      ],
    ],
    ['a list alone', ['echo'], [{ ...nova, id: 'echo', name: 'Echo' }]],
    ['nothing', { voices: [] }, [nova]],
    ['something else', 'no', [nova]],
  ])('lists its voices, if it can: %s', async (_, list, offered) => {
    server.voiceList = list;
    expect(await openOwn().listVoices()).toEqual(offered);
  });

  test('without such a list has the voices of the setting, which any name can have', async () => {
    expect(await openOwn().listVoices()).toEqual([nova]);
    const alex = { id: 'FunAudioLLM/CosyVoice2-0.5B:alex', name: 'Alex', languages: ['zh'] };
    const own = openOwn({ voices: [alex], asksForVoices: false });
    expect(await own.listVoices()).toEqual([{ ...alex, gender: null }]);
    await own.speak({ text: TEXT, voice: alex.id, language: 'zh' }, never);
    expect(server.requests[0]?.voice).toBe(alex.id);
    await expect(
      own.speak({ text: TEXT, voice: 'nova', language: 'zh' }, never),
    ).rejects.toMatchObject({ kind: 'unknown-voice', permanent: true });
  });

  const WORDS = Array.from({ length: 60 }, (_, index) => `word${String(index)}`).join(' ');
  const refuseOver =
    (longest: number): Parameters<SpeechServer['behave']>[0] =>
    (request, response, speech) =>
      request.text.length > longest
        ? answerWith(422, {}, '{"detail":"Input is too long."}')(request, response, speech)
        : 'good';
  const speakWords = (provider: ReturnType<typeof createOpenAiProvider>): Promise<SpokenSentence> =>
    provider.speak({ text: WORDS, voice: 'nova', language: 'en' }, never);

  test('is sent pieces of the length that is set, in order, and all of them are heard', async () => {
    const { pcm } = await speakWords(openOwn({ charactersMax: 100 }));
    const texts = server.requests.map(({ text }) => text);
    expect(texts.join(' ')).toBe(WORDS);
    expect(texts.length).toBeGreaterThan(3);
    expect(Math.max(...texts.map(({ length }) => length))).toBeLessThanOrEqual(100);
    expect(pcm.length).toBe(texts.reduce((sum, text) => sum + toneFor(text).length, 0));
  });

  test('that refuses a text for its length is sent shorter ones from then on', async () => {
    server.behave(refuseOver(130));
    const own = openOwn();
    await speakWords(own);
    const first = server.requests.length;
    await speakWords(own);
    const second = server.requests.slice(first).map(({ text }) => text);
    expect(second.join(' ')).toBe(WORDS);
    expect(Math.max(...second.map(({ length }) => length))).toBeLessThanOrEqual(130);
    // One that refuses everything is not asked for ever.
    server.behave(refuseOver(0));
    await expect(speakWords(openOwn())).rejects.toMatchObject({ kind: 'refused', permanent: true });
    expect(server.requests.length).toBeLessThan(100);
  });

  test('that refuses a text for another reason is sent it once', async () => {
    server.behave(answerWith(422, {}, '{"detail":"No."}'));
    await expect(speakWords(openOwn())).rejects.toMatchObject({ kind: 'refused', permanent: true });
    expect(server.requests).toHaveLength(1);
  });
});

test.each([
  [null, null],
  ['', null],
  ['0', null],
  ['-1', null],
  ['1.5', null],
  ['5s', null],
  ['120', 120_000],
  ['Wed, 25 Nov 2026 10:00:30 GMT', 30_000],
  ['Wednesday, 25-Nov-26 10:00:30 GMT', 30_000],
  ['Wed, 25 Nov 2026 09:00:00 GMT', null],
  ['2026-11-25T10:00:30Z', null],
  ['Soon, or later', null],
])('Retry-After: %j', (header, ms) => {
  expect(retryAfterMsOf(header, Date.parse('2026-11-25T10:00:00Z'))).toBe(ms);
});
