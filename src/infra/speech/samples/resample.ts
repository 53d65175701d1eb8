import type * as Module from '@alexanderolsen/libsamplerate-js';
import type { SpokenSentence } from '../provider.js';

type Library = typeof Module;

/**
 * Speech at another sample rate. The library is loaded when it is needed for the first time, because most providers never
 * change their rate. Takes a while for long speech, so it is for threads that encode.
 */
export async function resampled(
  { pcm, sampleRateHz }: SpokenSentence,
  toRateHz: number,
): Promise<SpokenSentence> {
  if (sampleRateHz === toRateHz) return { pcm, sampleRateHz };
  const { create, ConverterType } = await loadLibrary();
  const converter = await create(1, sampleRateHz, toRateHz, {
    converterType: ConverterType.SRC_SINC_FASTEST,
  });
  try {
    return { pcm: toInt16([converter.full(toFloats(pcm))]), sampleRateHz: toRateHz };
  } finally {
    converter.destroy();
  }
}

/** It is a CommonJS module, whose exports Node gives as the default, while its types name them. */
const loadLibrary = async (): Promise<Library> =>
  ((await import('@alexanderolsen/libsamplerate-js')) as unknown as { default: Library }).default;

const toFloats = (pcm: Int16Array): Float32Array =>
  Float32Array.from(pcm, (sample) => sample / 32_768);

/** Samples of 16 bits, the mean of all channels. @param channels of the same length, -1 to 1 */
export function toInt16(channels: readonly Float32Array[]): Int16Array<ArrayBuffer> {
  const pcm = new Int16Array(channels[0]?.length ?? 0);
  for (let at = 0; at < pcm.length; at += 1) {
    let sum = 0;
    for (const channel of channels) sum += channel[at] ?? 0;
    pcm[at] = Math.max(-32_768, Math.min(32_767, Math.round((sum / channels.length) * 32_767)));
  }
  return pcm;
}
