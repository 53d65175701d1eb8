import { move } from 'piscina';
import { createMp3Encoder } from 'wasm-media-encoders';
import { firstFrames, samplesOfFrame } from '../../domain/mp3.js';
import { levelled } from '../../domain/sound/levels.js';
import { MP3_DELAY_SAMPLES } from '../../domain/sound/pauses.js';
import type { SpokenSentence } from './provider.js';
import { resampled } from './samples/resample.js';

/** Speech to be encoded. */
export interface EncoderOrder extends SpokenSentence {
  readonly bitrateKbps: number;
  /** One that MP3 has. */
  readonly toRateHz: number;
}

const encoder = await createMp3Encoder();

/**
 * Encodes one piece of speech as a whole MP3 stream, as loud as every other piece and without silence around it. The encoder is reset for every piece, so that no frame depends on
 * another piece and pieces can be concatenated in a file.
 */
export default async function encode({
  bitrateKbps,
  toRateHz,
  ...speech
}: EncoderOrder): Promise<object> {
  const { pcm, sampleRateHz } = await resampled(speech, toRateHz);
  encoder.configure({ sampleRate: sampleRateHz, channels: 1, bitrate: bitrateKbps as 64 });
  const parts: Uint8Array[] = [];
  // The encoder's own buffer is bounded: it is fed a second at a time.
  const frameSamples = samplesOfFrame(sampleRateHz);
  const delaySamples = MP3_DELAY_SAMPLES;
  const samples = levelled(pcm, sampleRateHz, { frameSamples, delaySamples });
  for (let start = 0; start < samples.length; start += sampleRateHz) {
    const second = samples.subarray(start, start + sampleRateHz);
    // What it returns is its own buffer, used again by the next call.
    parts.push(encoder.encode([second]).slice());
  }
  parts.push(encoder.finalize().slice());
  // The encoder adds a frame or two of silence.
  const frames = (samples.length + delaySamples) / frameSamples;
  return move(new Uint8Array(firstFrames(Buffer.concat(parts), frames)).buffer);
}
