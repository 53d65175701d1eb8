/** Coefficients of a filter of second order, where a0 is 1. */
interface Biquad {
  readonly b0: number;
  readonly b1: number;
  readonly b2: number;
  readonly a1: number;
  readonly a2: number;
}

/**
 * The two stages of K-weighting (ITU-R BS.1770-4, annex 1). The recommendation has the coefficients for 48 kHz; these
 * are the analogue filters that they were made from, for any rate.
 */
function kWeighting(sampleRateHz: number): readonly [Biquad, Biquad] {
  const shelf = Math.tan((Math.PI * 1681.974450955533) / sampleRateHz);
  const shelfQ = 0.7071752369554196;
  const high = 10 ** (3.999843853973347 / 20);
  const band = high ** 0.4996667741545416;
  const shelfA0 = 1 + shelf / shelfQ + shelf * shelf;
  const pass = Math.tan((Math.PI * 38.13547087602444) / sampleRateHz);
  const passQ = 0.5003270373238773;
  const passA0 = 1 + pass / passQ + pass * pass;
  return [
    {
      b0: (high + (band * shelf) / shelfQ + shelf * shelf) / shelfA0,
      b1: (2 * (shelf * shelf - high)) / shelfA0,
      b2: (high - (band * shelf) / shelfQ + shelf * shelf) / shelfA0,
      a1: (2 * (shelf * shelf - 1)) / shelfA0,
      a2: (1 - shelf / shelfQ + shelf * shelf) / shelfA0,
    },
    {
      b0: 1,
      b1: -2,
      b2: 1,
      a1: (2 * (pass * pass - 1)) / passA0,
      a2: (1 - pass / passQ + pass * pass) / passA0,
    },
  ];
}

/** Four hops are a block of 400 ms; blocks overlap by three quarters. */
const HOP_SECONDS = 0.1;
const HOPS_IN_BLOCK = 4;
const ABSOLUTE_GATE_LUFS = -70;
const RELATIVE_GATE_LU = -10;

const lufsOf = (meanSquare: number): number => -0.691 + 10 * Math.log10(meanSquare);
const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * The gated integrated loudness of one channel (ITU-R BS.1770-4, EBU R 128), in LUFS. Sound that is shorter than a
 * block is one block.
 * @param pcm full scale is 32,768
 * @returns -Infinity for silence
 */
export function loudnessOf(pcm: Int16Array, sampleRateHz: number): number {
  const hops = hopsOf(pcm, sampleRateHz);
  const blocks =
    hops.length < HOPS_IN_BLOCK
      ? [meanOf(hops)]
      : hops
          .slice(HOPS_IN_BLOCK - 1)
          .map((_, index) => meanOf(hops.slice(index, index + HOPS_IN_BLOCK)));
  const heard = blocks.filter((block) => lufsOf(block) > ABSOLUTE_GATE_LUFS);
  if (heard.length === 0) return -Infinity;
  const gate = lufsOf(meanOf(heard)) + RELATIVE_GATE_LU;
  return lufsOf(meanOf(heard.filter((block) => lufsOf(block) > gate)));
}

/** The mean square of each 100 ms of K-weighted sound. A rest counts only when there is nothing else. */
function hopsOf(pcm: Int16Array, sampleRateHz: number): number[] {
  const [shelf, pass] = kWeighting(sampleRateHz);
  const hopSamples = Math.round(HOP_SECONDS * sampleRateHz);
  const hops: number[] = [];
  let [s1, s2, p1, p2] = [0, 0, 0, 0];
  let sum = 0;
  for (let at = 0; at < pcm.length; at += 1) {
    const x = (pcm[at] ?? 0) / 32_768;
    const y = shelf.b0 * x + s1;
    s1 = shelf.b1 * x - shelf.a1 * y + s2;
    s2 = shelf.b2 * x - shelf.a2 * y;
    const z = pass.b0 * y + p1;
    p1 = pass.b1 * y - pass.a1 * z + p2;
    p2 = pass.b2 * y - pass.a2 * z;
    sum += z * z;
    if ((at + 1) % hopSamples === 0) {
      hops.push(sum / hopSamples);
      sum = 0;
    }
  }
  const rest = pcm.length % hopSamples;
  if (hops.length < HOPS_IN_BLOCK && rest > 0) hops.push(sum / rest);
  return hops;
}
