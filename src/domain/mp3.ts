/** Sample rates in Hz by version and index in the header of a frame (ISO/IEC 11172-3 and 13818-3, 2.4.2.3). */
const SAMPLE_RATES: Readonly<Record<number, readonly number[]>> = {
  3: [44_100, 48_000, 32_000],
  2: [22_050, 24_000, 16_000],
  0: [11_025, 12_000, 8_000],
};
/** Bit rates of layer III in kbit/s by index: for MPEG-1, and for the lower sample rates. */
const BITRATES = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const LOW_BITRATES = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

/**
 * Measures a file of whole MP3 frames: the samples of one channel, and the sample rate in Hz.
 * @throws when the file has anything else
 */
export function measureMp3(bytes: Uint8Array): { samples: number; sampleRateHz: number } {
  let samples = 0;
  let sampleRateHz = 0;
  for (let offset = 0; offset < bytes.length;) {
    const frame = readFrame(bytes, offset);
    samples += frame.samples;
    sampleRateHz = frame.sampleRateHz;
    offset += frame.lengthBytes;
    if (offset > bytes.length) throw new Error('The last MP3 frame is not whole.');
  }
  if (samples === 0) throw new Error('There is no MP3 frame.');
  return { samples, sampleRateHz };
}

/** The sample rate of a recording for sound of some rate: the next higher one that MP3 has, so that nothing is lost. */
export function mp3RateFor(sampleRateHz: number): number {
  const rates = Object.values(SAMPLE_RATES)
    .flat()
    .sort((one, other) => one - other);
  return rates.find((rate) => rate >= sampleRateHz) ?? Math.max(...rates);
}

/** The samples that a frame has of one channel: MPEG-1 has the higher sample rates. */
export const samplesOfFrame = (sampleRateHz: number): number =>
  sampleRateHz >= 32_000 ? 1152 : 576;

/** The first frames of a recording. @throws when it has fewer */
export function firstFrames(bytes: Uint8Array, count: number): Uint8Array {
  let end = 0;
  for (let index = 0; index < count; index += 1) end += readFrame(bytes, end).lengthBytes;
  return bytes.subarray(0, end);
}

/**
 * Frames of silence with the parameters of a recording, so that they can stand between its frames. They depend on no
 * others, and have no sound of their own: all their fields behind the header are zero.
 * @param like begins with a frame of the recording
 * @param count the padding of so many frames together keeps the bit rate exact
 */
export function silentFrames(like: Uint8Array, count: number): Uint8Array {
  const { samples, sampleRateHz, bitrateKbps } = readFrame(like, 0);
  const frameBytes = (samples * bitrateKbps * 125) / sampleRateHz;
  const bytes = new Uint8Array(Math.floor(count * frameBytes));
  for (let index = 0; index < count; index += 1) {
    const offset = Math.floor(index * frameBytes);
    const lengthBytes = Math.floor((index + 1) * frameBytes) - offset;
    const padding = lengthBytes > Math.floor(frameBytes) ? 2 : 0;
    // The last bit of the second byte says that there is no checksum.
    const [first = 0, second = 0, third = 0, fourth = 0] = like;
    bytes.set([first, second | 1, (third & ~2) | padding, fourth], offset);
  }
  return bytes;
}

function readFrame(
  bytes: Uint8Array,
  offset: number,
): { samples: number; sampleRateHz: number; bitrateKbps: number; lengthBytes: number } {
  const [first = 0, second = 0, third = 0] = bytes.subarray(offset, offset + 3);
  const version = (second >>> 3) & 3;
  const sampleRateHz = SAMPLE_RATES[version]?.[(third >>> 2) & 3];
  const bitrateKbps = (version === 3 ? BITRATES : LOW_BITRATES)[third >>> 4];
  const isLayer3 = first === 0xff && second >>> 5 === 7 && ((second >>> 1) & 3) === 1;
  if (!isLayer3 || sampleRateHz === undefined || bitrateKbps === undefined || bitrateKbps === 0)
    throw new Error(`There is no MP3 frame at byte ${String(offset)}.`);
  const samples = version === 3 ? 1152 : 576;
  const padding = (third >>> 1) & 1;
  const lengthBytes = Math.floor((samples * bitrateKbps * 125) / sampleRateHz) + padding;
  return { samples, sampleRateHz, bitrateKbps, lengthBytes };
}
