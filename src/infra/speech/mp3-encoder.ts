import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { mp3RateFor } from '../../domain/mp3.js';
import type { EncoderOrder } from './mp3-thread.js';
import type { SpokenSentence } from './provider.js';

export interface Mp3Encoder {
  /**
   * One sentence as whole MP3 frames, at a constant bit rate so that lengths are exact. Frames do not depend on those
   * of other sentences, so that encoded sentences can be concatenated in a file.
   * @param speech its samples are handed over, and not usable afterwards
   * @param toRateHz the sample rate of the recording; that of the speech, or the next one that MP3 has, without it
   */
  encode(speech: SpokenSentence, toRateHz?: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

const IDLE_MS = 30_000;

/** LAME runs in threads of its own, so that the event loop never waits for it. They start when they are needed. */
export function createMp3Encoder(options: { threads: number; bitrateKbps: number }): Mp3Encoder {
  const pool = new Piscina<EncoderOrder, ArrayBuffer>({
    filename: fileURLToPath(new URL('mp3-thread.js', import.meta.url)),
    minThreads: 0,
    maxThreads: options.threads,
    idleTimeout: IDLE_MS,
    recordTiming: false,
  });
  return {
    encode: async ({ pcm, sampleRateHz }, toRateHz = mp3RateFor(sampleRateHz)) =>
      new Uint8Array(
        await pool.run(
          { pcm, sampleRateHz, bitrateKbps: options.bitrateKbps, toRateHz },
          { transferList: [pcm.buffer] },
        ),
      ),
    close: () => pool.destroy(),
  };
}
