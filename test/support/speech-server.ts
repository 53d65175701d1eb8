import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** How the server treats what it is asked; `good` answers with a tone as long as the text would take. */
export type Behaviour = Misbehaviour | Answerer;
/** Answers by itself, or returns the name of how to answer. `speech` is the right body. */
export type Answerer = (
  request: SpeechServerRequest,
  response: ServerResponse,
  speech: Buffer,
) => Misbehaviour | undefined | Promise<Misbehaviour | undefined>;

export interface SpeechServerRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** As it was sent. */
  readonly body: string;
  /** What should be spoken; '' where nothing is, for example when voices are listed. */
  readonly text: string;
  readonly voice: string;
  /** When it came, as Date.now(). */
  readonly at: number;
  /** A whole answer of status 200 was written, and the client was still there. */
  answered: boolean;
  /** The client went away before it had its answer. */
  gone: boolean;
}

/** A speech provider's API on this machine, which does as it is told. */
export interface SpeechServer {
  /** For OPENAI_BASE_URL or ELEVENLABS_BASE_URL. */
  readonly url: string;
  /** Every request for speech, oldest first. */
  readonly requests: SpeechServerRequest[];
  /** Requests for the voices of the account. */
  readonly listings: SpeechServerRequest[];
  /** How long each request for speech waits before it is treated. */
  delayMs: number;
  /** What elevenlabs lists, in pages of two. */
  voices: object[];
  /** What the other kind answers to a request for its voices; null for a server without such a list. */
  voiceList: unknown;
  /** Requests for speech that have no whole answer yet, and whose client is still there. */
  inHand(): number;
  /** The most of them at once. */
  mostAtOnce(): number;
  behave(behaviour: Behaviour): void;
  /** How often each text was asked for. */
  countByText(): Map<string, number>;
  close(): Promise<void>;
}

type Kind = 'openai' | 'elevenlabs';

const SAMPLE_RATE_HZ = 24_000;
const CHARACTERS_A_SECOND = 15;

/** A tone of its own for each text, and a little longer than it takes to read. One channel of 24 kHz. */
export function toneFor(text: string): Int16Array<ArrayBuffer> {
  const seconds = 0.3 + text.length / CHARACTERS_A_SECOND;
  const sum = Buffer.from(text).reduce((total, byte) => total + byte, 0);
  const step = (2 * Math.PI * (220 + (sum % 400))) / SAMPLE_RATE_HZ;
  return Int16Array.from({ length: Math.round(seconds * SAMPLE_RATE_HZ) }, (_, index) =>
    Math.round(9000 * Math.sin(index * step)),
  );
}

/** A WAV file of 16-bit PCM. */
export function wavOf(
  pcm: Int16Array,
  {
    sampleRateHz = SAMPLE_RATE_HZ,
    channels = 1,
  }: { sampleRateHz?: number; channels?: number } = {},
): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + pcm.byteLength, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(sampleRateHz, 24);
  header.writeUInt32LE(sampleRateHz * channels * 2, 28);
  header.writeUInt16LE(channels * 2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(pcm.byteLength, 40);
  return Buffer.concat([header, Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength)]);
}

const TYPE_OF: Readonly<Record<Kind, string>> = {
  openai: 'audio/wav',
  elevenlabs: 'application/json',
};

const speechFor = (kind: Kind, text: string): Buffer => {
  const pcm = toneFor(text);
  return kind === 'openai' ? wavOf(pcm) : timedAnswer(text, pcm);
};

/** The answer of elevenlabs: samples, and when each character begins. By default they take equally long. */
export function timedAnswer(
  text: string,
  pcm: Int16Array<ArrayBuffer>,
  startOf: (index: number) => number = (index) =>
    (index * pcm.length) / SAMPLE_RATE_HZ / Array.from(text).length,
): Buffer {
  const characters = Array.from(text);
  const starts = characters.map((_, index) => startOf(index));
  const alignment = {
    characters,
    character_start_times_seconds: starts,
    character_end_times_seconds: starts,
  };
  const audio = Buffer.from(pcm.buffer).toString('base64');
  return Buffer.from(JSON.stringify({ audio_base64: audio, alignment }));
}

/** A status with a short body, for `behave`. */
export const answerWith =
  (
    status: number,
    headers: Record<string, string> = {},
    body = '{"error":{"code":"no"}}',
  ): Answerer =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
    return undefined;
  };

type Act = (response: ServerResponse, speech: Buffer, type: string) => void | Promise<void>;

const begin = (response: ServerResponse, type: string): void => {
  response.writeHead(200, { 'content-type': type });
  response.flushHeaders();
};

function* endlessly(chunk: Buffer): Generator<Buffer> {
  for (;;) yield chunk;
}

/** What goes wrong with servers, by name. */
const ACTS = {
  good: (response, speech, type) => {
    response.writeHead(200, { 'content-type': type, 'content-length': speech.length }).end(speech);
  },
  'hang before headers': () => undefined,
  'hang in the body': (response, speech, type) => {
    begin(response, type);
    response.write(speech.subarray(0, 1000));
  },
  'reset before headers': (response) => {
    response.socket?.resetAndDestroy();
  },
  'reset in the middle': async (response, speech, type) => {
    response.writeHead(200, { 'content-type': type, 'content-length': speech.length });
    response.write(speech.subarray(0, speech.length / 2));
    await sleep(50);
    response.socket?.resetAndDestroy();
  },
  'end in the middle': async (response, speech, type) => {
    begin(response, type);
    response.write(speech.subarray(0, speech.length / 2));
    await sleep(50);
    response.socket?.destroy();
  },
  trickle: async (response, speech, type) => {
    begin(response, type);
    for (let at = 0; at < speech.length && !response.destroyed; at += 10) {
      response.write(speech.subarray(at, at + 10));
      await sleep(20);
    }
    response.end();
  },
  'slow but in time': async (response, speech, type) => {
    begin(response, type);
    for (let part = 0; part < 10; part++) {
      response.write(
        speech.subarray((part * speech.length) / 10, ((part + 1) * speech.length) / 10),
      );
      await sleep(40);
    }
    response.end();
  },
  endless: async (response, speech, type) => {
    begin(response, type);
    response.write(speech);
    const noise = Buffer.alloc(1 << 20, 7);
    // It ends when the client goes.
    await pipeline(Readable.from(endlessly(noise)), response).catch(() => undefined);
  },
  'HTML with 200': (response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<!doctype html><title>Please wait</title>');
  },
  'JSON with 200': (response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"error":"no"}');
  },
  'HTML that says it is audio': (response, _speech, type) => {
    response.writeHead(200, { 'content-type': type });
    response.end('<!doctype html><title>Please wait</title>');
  },
  'MP3 that says it is audio': (response, _speech, type) => {
    response.writeHead(200, { 'content-type': type });
    response.end(Buffer.concat([Buffer.from('ID3'), Buffer.alloc(20_000, 85)]));
  },
  empty: (response, _speech, type) => {
    response.writeHead(200, { 'content-type': type, 'content-length': 0 }).end();
  },
  'length too long': async (response, speech, type) => {
    response.writeHead(200, { 'content-type': type, 'content-length': speech.length + 1000 });
    response.write(speech);
    await sleep(50);
    response.socket?.end();
  },
  'length too short': (response, speech, type) => {
    const head = `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-length: ${String(speech.length / 2)}\r\n\r\n`;
    response.socket?.end(Buffer.concat([Buffer.from(head), speech]));
  },
  redirect: (response) => {
    response.writeHead(302, { location: '/elsewhere' }).end();
  },
} satisfies Record<string, Act>;

export type Misbehaviour = keyof typeof ACTS;

async function bodyOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function textAndVoice(kind: Kind, path: string, body: string): { text: string; voice: string } {
  if (body === '') return { text: '', voice: '' };
  const asked = JSON.parse(body) as { input?: string; text?: string; voice?: string };
  return kind === 'openai'
    ? { text: asked.input ?? '', voice: asked.voice ?? '' }
    : {
        text: asked.text ?? '',
        voice: decodeURIComponent(path.split('/').at(-2) ?? ''),
      };
}

const pageOf = (voices: readonly object[], path: string): object => {
  const from = Number(new URL(path, 'http://here').searchParams.get('next_page_token') ?? 0);
  const more = from + 2 < voices.length;
  return {
    voices: voices.slice(from, from + 2),
    has_more: more,
    next_page_token: more ? String(from + 2) : null,
  };
};

export const ELEVENLABS_VOICES = [
  {
    voice_id: 'Anna1',
    name: 'Anna',
    labels: { gender: 'female', language: 'en' },
    verified_languages: [
      { language: 'en', locale: 'en-GB', model_id: 'eleven_multilingual_v2' },
      { language: 'pl', locale: 'pl-PL', model_id: 'eleven_multilingual_v2' },
    ],
  },
  { voice_id: 'Jan2', name: 'Jan', labels: { gender: 'male' }, verified_languages: null },
  { voice_id: 'Ola3', name: 'Ola', labels: null },
];

/**
 * Starts a server that speaks one of the providers' protocols, with tones for speech.
 * @param options.port one that is known, for a server that comes back
 */
export async function startSpeechServer(options: {
  kind: Kind;
  port?: number;
}): Promise<SpeechServer> {
  const { kind } = options;
  const requests: SpeechServerRequest[] = [];
  const listings: SpeechServerRequest[] = [];
  let behaviour: Behaviour = 'good';
  let inHand = 0;
  let most = 0;

  async function treat(request: SpeechServerRequest, response: ServerResponse): Promise<void> {
    inHand++;
    most = Math.max(most, inHand);
    response.once('close', () => {
      inHand--;
      request.answered = response.writableFinished && response.statusCode === 200;
      request.gone = !response.writableFinished;
    });
    if (server.delayMs > 0) await sleep(server.delayMs);
    const speech = speechFor(kind, request.text);
    const how =
      typeof behaviour === 'string' ? behaviour : await behaviour(request, response, speech);
    if (how !== undefined) await ACTS[how](response, speech, TYPE_OF[kind]);
  }

  const http = createServer((message, response) => {
    // A client that has gone is no error of the server's.
    response.on('error', () => undefined);
    void bodyOf(message).then(async (body) => {
      const path = message.url ?? '';
      const request: SpeechServerRequest = {
        method: message.method ?? '',
        path,
        headers: message.headers,
        body,
        ...textAndVoice(kind, path, body),
        at: Date.now(),
        answered: false,
        gone: false,
      };
      if (request.method === 'GET' && path.startsWith('/v2/voices')) {
        listings.push(request);
        if (typeof behaviour === 'string') {
          response.writeHead(200, { 'content-type': 'application/json' });
          response.end(JSON.stringify(pageOf(server.voices, path)));
        } else await behaviour(request, response, Buffer.alloc(0));
        return;
      }
      if (request.method === 'GET' && path === '/v1/audio/voices') {
        listings.push(request);
        response.writeHead(server.voiceList === null ? 404 : 200, {
          'content-type': 'application/json',
        });
        response.end(JSON.stringify(server.voiceList));
        return;
      }
      requests.push(request);
      await treat(request, response);
    });
  });
  http.listen(options.port ?? 0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  const server: SpeechServer = {
    url: `http://127.0.0.1:${String(port)}${kind === 'openai' ? '/v1' : ''}`,
    requests,
    listings,
    delayMs: 0,
    voices: ELEVENLABS_VOICES,
    voiceList: null,
    inHand: () => inHand,
    mostAtOnce: () => most,
    behave: (how) => {
      behaviour = how;
    },
    countByText: () => {
      const counts = new Map<string, number>();
      for (const { text } of requests) counts.set(text, (counts.get(text) ?? 0) + 1);
      return counts;
    },
    close: async () => {
      const closed = once(http, 'close');
      http.close();
      http.closeAllConnections();
      await closed;
    },
  };
  return server;
}
