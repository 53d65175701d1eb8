import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { afterAll, expect, test } from '@jest/globals';
import { measureMp3, silentFrames } from '../../src/domain/mp3.js';
import { loudnessOf } from '../../src/domain/sound/loudness.js';
import type * as Encoder from '../../src/infra/speech/mp3-encoder.js';
import { compiled } from '../support/compiled.js';
import { readMp3 } from '../support/mp3.js';
import { decodeMp3, silencesIn } from '../support/sound.js';
import { expectBelow, timeOf } from '../support/measure.js';

const { createMp3Encoder } = await compiled<typeof Encoder>('infra/speech/mp3-encoder.js');

const RATE_HZ = 22_050;

const encoder = createMp3Encoder({ threads: 2, bitrateKbps: 64 });
afterAll(() => encoder.close());

/** A tone that swells and fades, about as loud as speech. */
const tone = (seconds: number, sampleRateHz = RATE_HZ): Int16Array<ArrayBuffer> =>
  Int16Array.from({ length: Math.round(seconds * sampleRateHz) }, (_, index) =>
    Math.round(12_000 * Math.sin(index / 9) * Math.sin(index / 4000)),
  );
const encode = (pcm: Int16Array<ArrayBuffer>, sampleRateHz = RATE_HZ): Promise<Uint8Array> =>
  encoder.encode({ pcm, sampleRateHz });

test.each([32, 48, 64, 96, 128])(
  'frames are whole, constant and as many as the samples need, at %i kbit/s',
  async (bitrateKbps) => {
    const other = createMp3Encoder({ threads: 1, bitrateKbps });
    const seconds = 4;
    const bytes = await other.encode({ pcm: tone(seconds), sampleRateHz: RATE_HZ });
    await other.close();
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

test.each([8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])(
  'speech at %i Hz is measured as the tests read it frame by frame',
  async (sampleRateHz) => {
    const bytes = await encode(tone(1.5, sampleRateHz), sampleRateHz);
    const mp3 = readMp3(bytes);
    const measured = measureMp3(bytes);
    expect(measured.sampleRateHz).toBe(sampleRateHz);
    expect(measured.samples / sampleRateHz).toBeCloseTo(mp3.durationSeconds, 6);
    expect(mp3.durationSeconds).toBeGreaterThan(1.5);
    expect(mp3.durationSeconds).toBeLessThan(1.8);
  },
);

test('the same speech gives the same bytes, in every thread and after any other speech', async () => {
  const [first, ...others] = await Promise.all(
    [tone(2), tone(2), tone(2), tone(2)].map((pcm) => encode(pcm)),
  );
  await encode(tone(1, 44_100), 44_100);
  others.push(await encode(tone(2)));
  for (const bytes of others) expect(Buffer.compare(bytes, first ?? Buffer.of())).toBe(0);
});

test('pieces lean on no others: the first frame of each borrows nothing, and together they are a stream', async () => {
  const pieces = await Promise.all([tone(0.3), tone(2), tone(1)].map((pcm) => encode(pcm)));
  for (const piece of pieces) {
    // main_data_begin, the first eight bits behind the header at these sample rates (13818-3, 2.4.1.7).
    const hasCrc = ((piece[1] ?? 0) & 1) === 0;
    expect(piece[hasCrc ? 6 : 4]).toBe(0);
  }
  const together = readMp3(Buffer.concat(pieces));
  const seconds = pieces.reduce((sum, piece) => sum + readMp3(piece).durationSeconds, 0);
  expect(together.durationSeconds).toBeCloseTo(seconds, 6);
  expect(together.looksSilent).toBe(false);
});

test('silence looks silent, and next to nothing is encoded all the same', async () => {
  expect(readMp3(await encode(new Int16Array(2 * RATE_HZ))).looksSilent).toBe(true);
  expect(readMp3(await encode(tone(0.001))).frames).toBeGreaterThan(0);
});

test('a part of a larger buffer is encoded', async () => {
  const samples = tone(2);
  const part = samples.slice(RATE_HZ / 2, RATE_HZ);
  const view = samples.subarray(RATE_HZ / 2, RATE_HZ);
  expect(Buffer.compare(await encode(view), await encode(part))).toBe(0);
});

test('settings that the encoder refuses, and calls after closing, are errors', async () => {
  const other = createMp3Encoder({ threads: 1, bitrateKbps: 7 });
  await expect(other.encode({ pcm: tone(1), sampleRateHz: RATE_HZ })).rejects.toThrow();
  await other.close();
  await other.close();
  await expect(other.encode({ pcm: tone(1), sampleRateHz: RATE_HZ })).rejects.toThrow();
});

test.each([
  ['nothing', Buffer.of()],
  ['no frame', Buffer.from('<html>')],
  ['a frame that is cut off', Buffer.from([0xff, 0xf3, 0x80, 0xc4])],
])('%s is no MP3', (_what, bytes) => {
  expect(() => measureMp3(bytes)).toThrow(/frame/);
});

/** The longest stall of this thread during some work. */
async function longestStallOf(work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  await work();
  delay.disable();
  return delay.max / 1e6;
}

/** Keeps another thread busy. */
async function busyThread(ms: number): Promise<void> {
  const code = `const end = performance.now() + ${String(ms)}; while (performance.now() < end);`;
  await once(new Worker(code, { eval: true }), 'exit');
}

test('the event loop does not stall while minutes are encoded', async () => {
  // The thread is there.
  await encode(tone(1));
  await expectBelow(50, async () => {
    // Anew each time, because the thread takes the samples over.
    const pcm = tone(120);
    let tookMs = 0;
    const stallMs = await longestStallOf(async () => {
      tookMs = await timeOf(() => encode(pcm));
    });
    // On a machine that has too little for two threads, this one stalls whatever the other does.
    return stallMs < 50 ? stallMs : stallMs - (await longestStallOf(() => busyThread(tookMs)));
  });
});

/** Syllables of noise-like sound with short gaps, in 3 s. */
const syllables = (level: number, sampleRateHz = RATE_HZ, seconds = 3): Int16Array<ArrayBuffer> =>
  Int16Array.from({ length: Math.round(seconds * sampleRateHz) }, (_, index) => {
    const at = index / sampleRateHz;
    const swell = Math.max(0, Math.sin(2 * Math.PI * 4 * at));
    const voice = Math.sin(880 * at) + 0.5 * Math.sin(3010 * at) + 0.3 * Math.sin(8200 * at);
    return Math.round(level * 32_767 * swell * (voice / 1.8));
  });

const loudnessOfMp3 = async (bytes: Uint8Array): Promise<number> => {
  const { samples, sampleRateHz } = await decodeMp3(bytes);
  return loudnessOf(
    Int16Array.from(samples, (value) => Math.round(value * 32_767)),
    sampleRateHz,
  );
};

test('the measure of loudness is that of EBU Tech 3341', () => {
  // A sine of 1 kHz at -20 dBFS on one channel is as loud as one at -23 dBFS on both: -23 LUFS.
  for (const sampleRateHz of [8000, 22_050, 48_000]) {
    const sine = Int16Array.from({ length: sampleRateHz * 3 }, (_, index) =>
      Math.round(3276.7 * Math.sin((2 * Math.PI * 1000 * index) / sampleRateHz)),
    );
    expect(loudnessOf(sine, sampleRateHz)).toBeCloseTo(-23, 0);
    // Silence around it is gated.
    const longer = new Int16Array(sine.length * 3);
    longer.set(sine, sine.length);
    expect(Math.abs(loudnessOf(longer, sampleRateHz) + 23)).toBeLessThan(0.5);
  }
  expect(loudnessOf(new Int16Array(22_050), 22_050)).toBe(-Infinity);
});

test('a quiet voice and a loud one are equally loud, and nothing is clipped', async () => {
  for (const rate of [16_000, 22_050, 24_000, 44_100]) {
    for (const level of [0.08, 0.2, 0.9]) {
      const bytes = await encode(syllables(level, rate), rate);
      expect([rate, level, Math.abs((await loudnessOfMp3(bytes)) + 19) < 1]).toEqual([
        rate,
        level,
        true,
      ]);
      const { samples } = await decodeMp3(bytes);
      expect(samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0)).toBeLessThan(
        0.95,
      );
    }
  }
});

test('a peak in quiet speech is turned down', async () => {
  const pcm = syllables(0.1);
  for (let at = RATE_HZ; at < RATE_HZ + 60; at += 1) pcm[at] = 30_000 * (at % 2 === 0 ? 1 : -1);
  const bytes = await encode(pcm);
  const { samples } = await decodeMp3(bytes);
  expect(samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0)).toBeLessThan(0.95);
});

test('noise is not made loud, and a short word is as loud as a long sentence', async () => {
  const noise = await loudnessOfMp3(await encode(syllables(0.0008)));
  expect(noise).toBeLessThan(-50);
  const whisper = await loudnessOfMp3(await encode(syllables(0.005)));
  expect(whisper).toBeLessThan(-25);
  const word = await encode(syllables(0.2, RATE_HZ, 0.5));
  expect(Math.abs((await loudnessOfMp3(word)) + 19)).toBeLessThan(2);
});

test('silence around speech is cut off, so that pauses are as long for every provider', async () => {
  const voice = tone(1);
  const padded = new Int16Array(voice.length + 3 * RATE_HZ);
  padded.set(voice, RATE_HZ);
  const silenceOf = async (bytes: Uint8Array): Promise<number> =>
    silencesIn(await decodeMp3(bytes)).reduce((sum, [start, end]) => sum + end - start, 0);
  const bare = await encode(tone(1));
  expect(Math.abs((await silenceOf(await encode(padded))) - (await silenceOf(bare)))).toBeLessThan(
    30,
  );
});

test.each([8000, 22_050, 24_000, 44_100])(
  'silent frames at %i Hz are frames of the recording, and nothing is heard in them',
  async (sampleRateHz) => {
    const speech = await encode(tone(1, sampleRateHz), sampleRateHz);
    const pause = silentFrames(speech, 40);
    const all = Buffer.concat([speech, pause, speech]);
    const read = readMp3(all);
    expect(read).toMatchObject({ constantBitrate: true, sampleRateHz });
    expect(read.frames).toBe(2 * readMp3(speech).frames + 40);
    expect(readMp3(pause).looksSilent).toBe(true);
    // The padding keeps the bit rate.
    expect((pause.length * 8) / readMp3(pause).durationSeconds / 64_000).toBeCloseTo(1, 3);
    const sound = await decodeMp3(all);
    expect(sound.samples).toHaveLength(measureMp3(all).samples);
    const pauseMs = readMp3(pause).durationSeconds * 1000;
    const longest = Math.max(...silencesIn(sound).map(([start, end]) => end - start));
    expect(longest).toBeGreaterThan(pauseMs);
    expect(longest).toBeLessThan(pauseMs + 250);
  },
);
