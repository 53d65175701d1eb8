import { parentPort, workerData } from 'node:worker_threads';
import { createMp3Encoder } from 'wasm-media-encoders';

export interface EncoderSettings {
  readonly sampleRateHz: number;
  readonly bitrateKbps: number;
}

export type EncoderOrder =
  { readonly kind: 'encode'; readonly pcm: Int16Array<ArrayBuffer> } | { readonly kind: 'finish' };

export interface EncoderAnswer {
  readonly bytes: Uint8Array;
}

const { sampleRateHz, bitrateKbps } = workerData as EncoderSettings;
const encoder = await createMp3Encoder();
encoder.configure({
  sampleRate: sampleRateHz,
  channels: 1,
  bitrate: bitrateKbps as 64,
});

/** The encoder's own buffer is bounded: it is fed a second at a time. */
const AT_ONCE = sampleRateHz;

function encode(pcm: Int16Array): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let start = 0; start < pcm.length; start += AT_ONCE) {
    const samples = Float32Array.from(
      pcm.subarray(start, start + AT_ONCE),
      (sample) => sample / 32_768,
    );
    // What it returns is its own buffer, used again by the next call.
    parts.push(encoder.encode([samples]).slice());
  }
  return new Uint8Array(Buffer.concat(parts));
}

parentPort?.on('message', (order: EncoderOrder) => {
  const bytes = order.kind === 'encode' ? encode(order.pcm) : encoder.finalize().slice();
  parentPort?.postMessage({ bytes } satisfies EncoderAnswer, [bytes.buffer as ArrayBuffer]);
});
parentPort?.postMessage('ready');
