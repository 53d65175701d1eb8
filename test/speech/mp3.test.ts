import { monitorEventLoopDelay } from 'node:perf_hooks';
import { expect, test } from '@jest/globals';
import type * as Encoder from '../../src/infra/speech/mp3-encoder.js';
import { compiled } from '../support/compiled.js';
import { readMp3 } from '../support/mp3.js';

const { openMp3Encoder } = await compiled<typeof Encoder>('infra/speech/mp3-encoder.js');

const RATE_HZ = 22_050;

/** A tone that swells and fades, about as loud as speech. */
const tone = (seconds: number): Int16Array<ArrayBuffer> =>
  Int16Array.from({ length: Math.round(seconds * RATE_HZ) }, (_, index) =>
    Math.round(12_000 * Math.sin(index / 9) * Math.sin(index / 4000)),
  );

const silence = (seconds: number): Int16Array<ArrayBuffer> => new Int16Array(seconds * RATE_HZ);

async function encodeAll(
  pieces: Int16Array<ArrayBuffer>[],
  settings = { sampleRateHz: RATE_HZ, bitrateKbps: 64 },
): Promise<Uint8Array> {
  const encoder = await openMp3Encoder(settings);
  try {
    const parts: Uint8Array[] = [];
    for (const piece of pieces) parts.push(await encoder.encode(piece));
    parts.push(await encoder.finish());
    return Buffer.concat(parts);
  } finally {
    await encoder.close();
  }
}

test.each([32, 48, 64, 96, 128])(
  'frames are whole, constant and as many as the samples need, at %i kbit/s',
  async (bitrateKbps) => {
    const seconds = 4;
    const bytes = await encodeAll([tone(seconds)], { sampleRateHz: RATE_HZ, bitrateKbps });
    const mp3 = readMp3(bytes);
    expect(mp3.sampleRateHz).toBe(RATE_HZ);
    expect(mp3.constantBitrate).toBe(true);
    expect((bytes.length * 8) / mp3.durationSeconds / 1000).toBeCloseTo(bitrateKbps, 0);
    // The encoder looks ahead, which costs at most three frames.
    const needed = Math.ceil((seconds * RATE_HZ) / 576);
    expect(mp3.frames).toBeGreaterThanOrEqual(needed);
    expect(mp3.frames).toBeLessThanOrEqual(needed + 3);
    expect(mp3.looksSilent).toBe(false);
  },
);

test('many short pieces make the same file as one long piece', async () => {
  const whole = tone(3);
  const pieces = Array.from({ length: 30 }, (_, index) =>
    whole.slice((index * whole.length) / 30, ((index + 1) * whole.length) / 30),
  );
  const together = await encodeAll([whole.slice()]);
  expect(Buffer.compare(await encodeAll(pieces), together)).toBe(0);
});

test('silence looks silent and speech among silence does not', async () => {
  expect(readMp3(await encodeAll([silence(2)])).looksSilent).toBe(true);
  const mixed = await encodeAll([silence(1), tone(3)]);
  expect(readMp3(mixed).looksSilent).toBe(false);
});

test('calls that do not wait for each other get their own bytes, in order', async () => {
  const inTurn = await encodeAll([tone(1), tone(2), tone(3)]);
  const encoder = await openMp3Encoder({ sampleRateHz: RATE_HZ, bitrateKbps: 64 });
  const parts = await Promise.all([
    encoder.encode(tone(1)),
    encoder.encode(tone(2)),
    encoder.encode(tone(3)),
    encoder.finish(),
  ]);
  await encoder.close();
  expect(Buffer.compare(Buffer.concat(parts), inTurn)).toBe(0);
});

test('encoders that are open at once do not mix', async () => {
  const [alone, ...together] = await Promise.all([1, 2, 3].map(() => encodeAll([tone(2)])));
  for (const bytes of together) expect(Buffer.compare(bytes, alone ?? Buffer.of())).toBe(0);
});

test('a part of a larger buffer is encoded, and empty pieces add nothing', async () => {
  const samples = tone(2);
  const part = samples.slice(RATE_HZ / 2, RATE_HZ);
  const view = samples.subarray(RATE_HZ / 2, RATE_HZ);
  const empty = new Int16Array(0);
  expect(Buffer.compare(await encodeAll([empty, view]), await encodeAll([part]))).toBe(0);
});

test('settings that the encoder refuses, and calls after closing, are errors', async () => {
  await expect(openMp3Encoder({ sampleRateHz: RATE_HZ, bitrateKbps: 7 })).rejects.toThrow();
  const encoder = await openMp3Encoder({ sampleRateHz: RATE_HZ, bitrateKbps: 64 });
  await encoder.close();
  await encoder.close();
  await expect(encoder.encode(tone(1))).rejects.toThrow();
});

test('the event loop does not stall while minutes are encoded', async () => {
  const pcm = tone(120);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const encoder = await openMp3Encoder({ sampleRateHz: RATE_HZ, bitrateKbps: 64 });
  delay.enable();
  await encoder.encode(pcm);
  delay.disable();
  await encoder.close();
  expect(delay.max / 1e6).toBeLessThan(50);
});
