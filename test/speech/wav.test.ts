import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type * as Wav from '../../src/infra/speech/http/wav.js';
import type { SpokenSentence } from '../../src/infra/speech/provider.js';
import { compiled } from '../support/compiled.js';

const { readWav } = await compiled<typeof Wav>('infra/speech/http/wav.js');
const SECONDS_MAX = 30;
/** Speech of a lower rate is not understood. */
const RATE_HZ_MIN = 4_000;
const RATE_HZ_MAX = 192_000;

interface Shape {
  codec?: number;
  channels?: number;
  sampleRateHz?: number;
  bits?: number;
  /** What the header says of the data; by default what is there. */
  length?: number;
  /** Chunks between the format and the data. */
  between?: Buffer;
  after?: Buffer;
  format?: Buffer;
}

const chunk = (name: string, body: Buffer, length = body.length): Buffer => {
  const head = Buffer.alloc(8);
  head.write(name);
  head.writeUInt32LE(length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
};

function formatOf({ codec = 1, channels = 1, sampleRateHz = 24_000, bits = 16 }: Shape): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt16LE(codec, 0);
  body.writeUInt16LE(channels, 2);
  body.writeUInt32LE(sampleRateHz, 4);
  body.writeUInt32LE((sampleRateHz * channels * bits) / 8, 8);
  body.writeUInt16LE((channels * bits) / 8, 12);
  body.writeUInt16LE(bits, 14);
  return body;
}

const extensible = (shape: Shape): Buffer => {
  const rest = Buffer.alloc(24);
  rest.writeUInt16LE(22, 0);
  rest.writeUInt16LE(shape.bits ?? 16, 2);
  rest.writeUInt16LE(shape.codec ?? 1, 8);
  return Buffer.concat([formatOf({ ...shape, codec: 0xfffe }), rest]);
};

function wav(data: Buffer, shape: Shape = {}): Buffer {
  const body = Buffer.concat([
    Buffer.from('WAVE'),
    chunk('fmt ', shape.format ?? formatOf(shape)),
    shape.between ?? Buffer.alloc(0),
    chunk('data', data, shape.length),
    shape.after ?? Buffer.alloc(0),
  ]);
  return chunk('RIFF', body);
}

const int16 = (...samples: number[]): Buffer => Buffer.from(Int16Array.from(samples).buffer);
const read = (file: Buffer): SpokenSentence => readWav(file, SECONDS_MAX);
const samplesOf = (file: Buffer): number[] => [...read(file).pcm];

const SAMPLES = [0, 1, -1, 1000, -1000, 32_767, -32_768];

describe('samples', () => {
  test('of 16 bits are kept as they are', () => {
    expect(samplesOf(wav(int16(...SAMPLES)))).toEqual(SAMPLES);
  });

  test.each([
    ...[RATE_HZ_MIN, 8000, 11_025, 16_000, 22_000, 22_050, 24_000, 44_100, 48_000, 96_000],
    RATE_HZ_MAX,
  ])('at %i a second keep their rate', (sampleRateHz) => {
    expect(read(wav(int16(5), { sampleRateHz })).sampleRateHz).toBe(sampleRateHz);
  });

  test('of two channels are mixed', () => {
    const file = wav(int16(100, 300, -100, 100, 32_767, 32_767), { channels: 2 });
    expect(samplesOf(file)).toEqual([200, 0, 32_767]);
  });

  test('of 8, 24 and 32 bits and of floats are brought to 16', () => {
    expect(samplesOf(wav(Buffer.from([128, 255, 0]), { bits: 8 }))).toEqual([0, 32_512, -32_768]);
    const wide = Buffer.alloc(9);
    [0, 0x7fffff, -0x800000].forEach((sample, index) => wide.writeIntLE(sample, index * 3, 3));
    expect(samplesOf(wav(wide, { bits: 24 }))).toEqual([0, 32_767, -32_768]);
    const wider = Buffer.from(Int32Array.from([0, 0x7fffffff, -0x80000000]).buffer);
    expect(samplesOf(wav(wider, { bits: 32 }))).toEqual([0, 32_767, -32_768]);
    const floats = Buffer.from(Float32Array.from([0, 0.5, -1, 7, -7, NaN, Infinity]).buffer);
    const doubles = Buffer.from(Float64Array.from([0, 0.5, NaN]).buffer);
    expect(samplesOf(wav(doubles, { codec: 3, bits: 64 }))).toEqual([0, 16_384, 0]);
    expect(samplesOf(wav(floats, { codec: 3, bits: 32 }))).toEqual([
      0, 16_384, -32_767, 32_767, -32_768, 0, 32_767,
    ]);
  });

  test('in the extensible format are what its inner codec says', () => {
    const file = wav(int16(...SAMPLES), { format: extensible({}) });
    expect(samplesOf(file)).toEqual(SAMPLES);
    const floats = Buffer.from(Float32Array.from([0.5]).buffer);
    const inner = extensible({ codec: 3, bits: 32 });
    expect(samplesOf(wav(floats, { format: inner }))).toEqual([16_384]);
  });
});

describe('other chunks', () => {
  test.each(['', 'a', 'ab', 'abc'])('are skipped, with their padding: %j', (text) => {
    const between = chunk('LIST', Buffer.from(text));
    expect(samplesOf(wav(int16(...SAMPLES), { between }))).toEqual(SAMPLES);
  });

  test('behind the data are no samples', () => {
    const after = chunk('LIST', Buffer.from('Made by a machine'));
    expect(samplesOf(wav(int16(...SAMPLES), { after }))).toEqual(SAMPLES);
  });
});

describe('a length that was not known when it was written', () => {
  test.each([0, 0xffffffff, 0x7fffffff, 2_000_000_000])('%i: all that follows', (length) => {
    expect(samplesOf(wav(int16(...SAMPLES), { length }))).toEqual(SAMPLES);
  });

  test.each([0, 0xffffffff])('%i: without the chunks behind it', (length) => {
    const after = Buffer.concat([
      chunk('LIST', Buffer.from('INFOISFT made by a machine')),
      chunk('id3 ', Buffer.from('odd')),
    ]);
    expect(samplesOf(wav(int16(...SAMPLES), { length, after }))).toEqual(SAMPLES);
    // The name of a chunk alone may be sound.
    const sound = Buffer.from('LISTen');
    expect(samplesOf(wav(Buffer.concat([int16(...SAMPLES), sound]), { length }))).toEqual([
      ...SAMPLES,
      ...new Int16Array(Uint8Array.from(sound).buffer),
    ]);
  });

  test('a header too much: all that follows', () => {
    expect(samplesOf(wav(int16(...SAMPLES), { length: SAMPLES.length * 2 + 44 }))).toEqual(SAMPLES);
  });

  test('half a sample at the end is left out', () => {
    const cut = wav(int16(...SAMPLES), { length: 0 }).subarray(0, -1);
    expect(samplesOf(cut)).toEqual(SAMPLES.slice(0, -1));
  });
});

const whole = wav(int16(...SAMPLES));

test.each<[string, Buffer]>([
  ['nothing', Buffer.alloc(0)],
  ['a page', Buffer.from('<!doctype html><title>Hello</title>')],
  ['another RIFF file', Buffer.concat([Buffer.from('RIFF\0\0\0\0AVI '), Buffer.alloc(100)])],
  ['a header that is cut', whole.subarray(0, 30)],
  ['no data', whole.subarray(0, 36)],
  [
    'data before the format',
    chunk('RIFF', Buffer.concat([Buffer.from('WAVE'), chunk('data', int16(1))])),
  ],
  ['MP3 inside', wav(int16(1), { codec: 0x55 })],
  ['µ-law', wav(int16(1), { codec: 7, bits: 8 })],
  ['12 bits', wav(int16(1), { bits: 12 })],
  ['no channel', wav(int16(1), { channels: 0 })],
  ['six channels', wav(int16(1), { channels: 6 })],
  ['a length that could be right, and is not there', wav(int16(...SAMPLES), { length: 48_000 })],
  ['two files', Buffer.concat([whole, whole])],
])('no speech for now: %s', (_, file) => {
  expect(() => read(file)).toThrow(
    expect.objectContaining({ name: 'SpeechError', permanent: false, kind: 'not-audio' }),
  );
});

test.each([0, 1, RATE_HZ_MIN - 1, RATE_HZ_MAX + 1, 2_000_000_000])(
  'no rate of speech is said: %i',
  (sampleRateHz) => {
    expect(() => read(wav(int16(1), { sampleRateHz }))).toThrow(
      expect.objectContaining({
        permanent: true,
        message: expect.stringContaining('rate of speech'),
      }),
    );
  },
);

test('random bytes give speech or a SpeechError', () => {
  const anyFile = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .record({
        at: fc.nat(whole.length - 1),
        bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
      })
      .map(({ at, bytes }) => {
        const file = Buffer.from(whole);
        file.set(bytes.subarray(0, file.length - at), at);
        return file;
      }),
  );
  fc.assert(
    fc.property(anyFile, (file) => {
      try {
        const { pcm, sampleRateHz } = readWav(file, SECONDS_MAX);
        expect(pcm.length).toBeLessThanOrEqual(file.length);
        expect(sampleRateHz).toBeGreaterThanOrEqual(RATE_HZ_MIN);
      } catch (error) {
        expect(error).toMatchObject({ name: 'SpeechError' });
      }
    }),
    { numRuns: 2000 },
  );
});
