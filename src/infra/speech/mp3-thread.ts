import { move } from 'piscina';
import { createMp3Encoder } from 'wasm-media-encoders';
import type { SpokenSentence } from './provider.js';

/** Speech to be encoded. */
export interface EncoderOrder extends SpokenSentence {
  readonly bitrateKbps: number;
}

const encoder = await createMp3Encoder();

/**
 * Encodes one piece of speech as a whole MP3 stream. The encoder is reset for every piece, so that no frame depends on
 * another piece and pieces can be concatenated in a file.
 */
export default function encode({ pcm, sampleRateHz, bitrateKbps }: EncoderOrder): object {
  encoder.configure({ sampleRate: sampleRateHz, channels: 1, bitrate: bitrateKbps as 64 });
  const parts: Uint8Array[] = [];
  // The encoder's own buffer is bounded: it is fed a second at a time.
  for (let start = 0; start < pcm.length; start += sampleRateHz) {
    const second = pcm.subarray(start, start + sampleRateHz);
    const samples = Float32Array.from(second, (sample) => sample / 32_768);
    // What it returns is its own buffer, used again by the next call.
    parts.push(encoder.encode([samples]).slice());
  }
  parts.push(encoder.finalize().slice());
  return move(new Uint8Array(Buffer.concat(parts)).buffer);
}
