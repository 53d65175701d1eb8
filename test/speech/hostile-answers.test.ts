import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type * as ElevenLabs from '../../src/infra/speech/http/elevenlabs.js';
import type * as Exchange from '../../src/infra/speech/http/http-speech.js';
import type * as Wav from '../../src/infra/speech/http/wav.js';
import { compiled } from '../support/compiled.js';
import { expectBelow, ownProcessorTimeOf } from '../support/measure.js';
import { answerWith, startSpeechServer, type SpeechServer } from '../support/speech-server.js';

const { readWav } = await compiled<typeof Wav>('infra/speech/http/wav.js');
const { exchange } = await compiled<typeof Exchange>('infra/speech/http/http-speech.js');
const { createElevenLabsProvider } = await compiled<typeof ElevenLabs>(
  'infra/speech/http/elevenlabs.js',
);

const MEGABYTE = 1024 * 1024;

const riff = (...chunks: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE'), ...chunks]);
const emptyChunk = Buffer.from('junk\0\0\0\0');
function format(sampleRateHz = 24_000, bits = 16): Buffer {
  const chunk = Buffer.alloc(24);
  chunk.write('fmt ');
  chunk.writeUInt32LE(16, 4);
  chunk.writeUInt16LE(1, 8);
  chunk.writeUInt16LE(1, 10);
  chunk.writeUInt32LE(sampleRateHz, 12);
  chunk.writeUInt16LE(bits, 22);
  return chunk;
}
const data = (body: Buffer): Buffer => {
  const head = Buffer.from('data\0\0\0\0');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body]);
};
const repeated = (chunk: Buffer, lengthBytes: number): Buffer =>
  Buffer.alloc(lengthBytes, new Uint8Array(chunk));

describe('a WAV file', () => {
  test.each([
    ['empty chunks', emptyChunk],
    ['formats', format()],
  ])('of 4 MB of %s is refused at once', async (_what, chunk) => {
    const file = riff(format(), repeated(chunk, 4 * MEGABYTE), data(Buffer.alloc(4800)));
    await expectBelow(50, () =>
      ownProcessorTimeOf(() => {
        expect(() => readWav(file, 30)).toThrow(/more than 100 chunks/);
        return Promise.resolve();
      }),
    );
  });

  test('with as many chunks as real ones have is read', () => {
    const file = riff(repeated(emptyChunk, 40 * 8), format(), data(Buffer.alloc(4800)));
    expect(readWav(file, 30).pcm).toHaveLength(2400);
  });

  test('that is longer than the text can take is refused before it is decoded', () => {
    const file = riff(format(8000, 8), data(Buffer.alloc(MEGABYTE)));
    expect(() => readWav(file, 10)).toThrow(
      expect.objectContaining({ name: 'SpeechError', kind: 'too-long', permanent: false }),
    );
  });
});

describe('a server', () => {
  let server: SpeechServer;
  beforeEach(async () => {
    server = await startSpeechServer({ kind: 'elevenlabs' });
  });
  afterEach(() => server.close());

  const voicesOf = (): Promise<readonly { name: string; languages: readonly string[] }[]> =>
    createElevenLabsProvider({
      baseUrl: server.url,
      key: 'key',
      model: 'eleven_x',
      timeoutMs: 30_000,
    }).listVoices();

  test('that sends a body byte by byte takes no more memory than the body', async () => {
    const lengthBytes = 200_000;
    const piece = '1\r\nx\r\n';
    server.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'audio/pcm' });
      response.flushHeaders();
      // Below Node's own framing, which would gather them.
      response.socket?.end(`${piece.repeat(lengthBytes)}0\r\n\r\n`);
      return undefined;
    });
    const before = process.memoryUsage().heapUsed;
    const { bytes } = await exchange({
      url: `${server.url}/v1/text-to-speech/x`,
      headers: {},
      body: { text: 'A word' },
      timeoutMs: 30_000,
      mostBytes: lengthBytes,
    });
    expect(bytes).toHaveLength(lengthBytes);
    expect(Buffer.from(bytes).every((byte) => byte === 0x78)).toBe(true);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100 * MEGABYTE);
  });

  test.each([
    ['voices', () => Array.from({ length: 150_000 }, (_, at) => ({ voice_id: `v${String(at)}` }))],
    [
      'languages of a voice',
      () => [{ voice_id: 'a', verified_languages: Array(150_000).fill({ locale: 'not a tag!' }) }],
    ],
    [
      'labels of a voice',
      () => [
        {
          voice_id: 'a',
          labels: Object.fromEntries(
            Array.from({ length: 150_000 }, (_, at) => [`l${String(at)}`, 1]),
          ),
        },
      ],
    ],
    ['marks in a name', () => [{ voice_id: 'a', name: `A${'\u0301\u0323'.repeat(400_000)}` }]],
    [
      'letters in a language',
      () => [{ voice_id: 'a', labels: { language: `en-x${'-abc'.repeat(500_000)}` } }],
    ],
  ])('that lists very many %s is read in time, up to a bound', async (_what, voices) => {
    server.behave(answerWith(200, {}, JSON.stringify({ voices: voices() })));
    const listed = await voicesOf();
    expect(listed.length).toBeLessThanOrEqual(1000);
    for (const { name, languages } of listed) {
      expect(name.length).toBeLessThanOrEqual(100);
      expect(languages.length).toBeLessThanOrEqual(200);
    }
    await expectBelow(1_000, () => ownProcessorTimeOf(voicesOf));
  });

  test('whose next page has a very long name is not asked for it', async () => {
    const page = { voices: [], has_more: true, next_page_token: 'x'.repeat(100_000) };
    server.behave(answerWith(200, {}, JSON.stringify(page)));
    await expect(voicesOf()).rejects.toMatchObject({ name: 'SpeechError', permanent: false });
    expect(server.listings).toHaveLength(1);
  });
});
