import { loudnessOf } from './loudness.js';

/** The loudness of every sentence, of every voice: about that of spoken recordings of one channel. */
export const TARGET_LUFS = -19;
/** By so much a recording measures less than its sentences before they are encoded: by the encoder and the pauses. */
const LOST_LU = 0.7;
/** No sample is louder, because a decoder and a converter may overshoot by a decibel or two. */
export const PEAK_DBFS_MAX = -2;
/** A quiet sentence is made louder by so much at most. */
export const BOOST_DB_MAX = 20;
/** What is quieter may be a breath or a noise. It is made louder by less, and below the second not at all. */
const QUIET_LUFS = -50;
const NOISE_LUFS = -60;

/** The silence that is left before and after the voice. */
export const MARGIN_BEFORE_MS = 10;
export const MARGIN_AFTER_MS = 30;
/** Windows whose peak is below this share of the loudest are silence: 48 dB. */
const SILENT_SHARE = 0.004;
const SILENT_SAMPLE = 4;
const WINDOW_SECONDS = 0.005;

/**
 * Prepares a spoken sentence for the recording: without the silence around it, as loud as every other one, and as long
 * as whole frames. So pauses are only where the recording has them, whatever the provider sends. Silence stays as it is.
 * @param frameSamples the samples of a frame, and `delaySamples` those before the first
 */
export function levelled(
  pcm: Int16Array<ArrayBuffer>,
  sampleRateHz: number,
  { frameSamples, delaySamples }: { frameSamples: number; delaySamples: number },
): Float32Array {
  const voice = trimmed(pcm, sampleRateHz);
  const gain = 10 ** (gainDbFor(loudnessOf(voice, sampleRateHz)) / 20);
  const length =
    Math.ceil((voice.length + delaySamples) / frameSamples) * frameSamples - delaySamples;
  const samples = new Float32Array(length);
  for (let at = 0; at < voice.length; at += 1) samples[at] = ((voice[at] ?? 0) * gain) / 32_768;
  limit(samples, sampleRateHz);
  return samples;
}

/** The gain in dB for sound of a loudness. */
export function gainDbFor(lufs: number): number {
  if (lufs === -Infinity) return 0;
  const trust = Math.min(1, Math.max(0, (lufs - NOISE_LUFS) / (QUIET_LUFS - NOISE_LUFS)));
  return Math.min(TARGET_LUFS + LOST_LU - lufs, BOOST_DB_MAX * trust);
}

/** Without the silence before and after. All of it, when there is nothing else. */
function trimmed(pcm: Int16Array<ArrayBuffer>, sampleRateHz: number): Int16Array {
  const kept = keptOf(pcm, sampleRateHz);
  if (kept === null) return pcm;
  const { start, end } = kept;
  const voice = new Int16Array(end - start);
  const from = Math.max(0, start);
  voice.set(pcm.subarray(from, Math.min(end, pcm.length)), from - start);
  return voice;
}

/** The sample of the speech that is the first of the recorded sentence. Negative when silence is added before it. */
export const firstKept = (pcm: Int16Array<ArrayBuffer>, sampleRateHz: number): number =>
  keptOf(pcm, sampleRateHz)?.start ?? 0;

/** The samples of the voice with its margins, which may lie outside of the speech. Null when there is only silence. */
function keptOf(
  pcm: Int16Array<ArrayBuffer>,
  sampleRateHz: number,
): { start: number; end: number } | null {
  const window = Math.max(1, Math.round(WINDOW_SECONDS * sampleRateHz));
  const peaks = Array.from({ length: Math.ceil(pcm.length / window) }, (_, index) =>
    peakOf(pcm.subarray(index * window, (index + 1) * window)),
  );
  const loudest = peaks.reduce((most, peak) => Math.max(most, peak), 0);
  const isHeard = (peak: number): boolean => peak > Math.max(SILENT_SAMPLE, loudest * SILENT_SHARE);
  const first = peaks.findIndex(isHeard);
  if (first === -1) return null;
  const last = peaks.findLastIndex(isHeard);
  const samplesOf = (ms: number): number => Math.round((ms * sampleRateHz) / 1000);
  return {
    start: first * window - samplesOf(MARGIN_BEFORE_MS),
    end: (last + 1) * window + samplesOf(MARGIN_AFTER_MS),
  };
}

function peakOf(samples: Int16Array | Float32Array): number {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return peak;
}

const ATTACK_SECONDS = 0.005;
const RELEASE_SECONDS = 0.06;

/** Turns the sound down around samples that are too loud, smoothly and before they come, in place. */
function limit(samples: Float32Array, sampleRateHz: number): void {
  const most = 10 ** (PEAK_DBFS_MAX / 20);
  if (peakOf(samples) <= most) return;
  // A loop, because `Float32Array.from` with a function takes ten times as long.
  const gains = new Float32Array(samples.length);
  for (let at = 0; at < samples.length; at += 1)
    gains[at] = Math.min(1, most / Math.abs(samples[at] ?? 0));
  const attack = 1 / (ATTACK_SECONDS * sampleRateHz);
  const release = 1 / (RELEASE_SECONDS * sampleRateHz);
  for (let at = gains.length - 2; at >= 0; at -= 1)
    gains[at] = Math.min(gains[at] ?? 1, (gains[at + 1] ?? 1) + attack);
  for (let at = 1; at < gains.length; at += 1)
    gains[at] = Math.min(gains[at] ?? 1, (gains[at - 1] ?? 1) + release);
  for (let at = 0; at < samples.length; at += 1)
    samples[at] = (samples[at] ?? 0) * (gains[at] ?? 1);
}
