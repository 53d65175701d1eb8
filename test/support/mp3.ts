/** Bit rates in kbit/s of MPEG-1 and of MPEG-2 and 2.5, layer III, by their index in the header. */
const BITRATES = {
  1: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  2: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
} as const;
const SAMPLE_RATES = {
  3: [44_100, 48_000, 32_000],
  2: [22_050, 24_000, 16_000],
  0: [11_025, 12_000, 8_000],
};

export interface Mp3 {
  readonly frames: number;
  readonly durationSeconds: number;
  readonly sampleRateHz: number;
  readonly constantBitrate: boolean;
  /** Frames that hold next to no information, as silence does. */
  readonly looksSilent: boolean;
}

interface Frame {
  readonly bitrateKbps: number;
  readonly sampleRateHz: number;
  readonly samples: number;
  readonly lengthBytes: number;
  /** Bits of the spectrum in this frame: silence has none. */
  readonly bits: number;
}

/** Reads a file frame by frame (ISO/IEC 11172-3 and 13818-3), behind its tag. @throws where it is no frame */
export function readMp3(bytes: Uint8Array): Mp3 {
  const frames: Frame[] = [];
  for (let offset = tagLength(bytes); offset < bytes.length;) {
    const frame = readFrame(bytes, offset);
    frames.push(frame);
    offset += frame.lengthBytes;
  }
  const [first] = frames;
  if (first === undefined) throw new Error('There is no frame.');
  const loud = frames.filter((frame) => frame.bits > 0).length;
  return {
    frames: frames.length,
    durationSeconds: frames.reduce((sum, frame) => sum + frame.samples / frame.sampleRateHz, 0),
    sampleRateHz: first.sampleRateHz,
    constantBitrate: frames.every((frame) => frame.bitrateKbps === first.bitrateKbps),
    looksSilent: loud < frames.length / 2,
  };
}

/** The length of the ID3v2 tag that a file begins with; 0 without one. */
export function tagLength(bytes: Uint8Array): number {
  if (Buffer.from(bytes.subarray(0, 3)).toString('latin1') !== 'ID3') return 0;
  return 10 + bytes.slice(6, 10).reduce((length, byte) => length * 128 + byte, 0);
}

function readFrame(bytes: Uint8Array, offset: number): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset);
  const header = view.getUint32(0);
  if (header >>> 21 !== 0x7ff) throw new Error(`No frame at byte ${String(offset)}.`);
  const version = ((header >>> 19) & 3) as 0 | 2 | 3;
  const layer = (header >>> 17) & 3;
  if (layer !== 1) throw new Error('This is not layer III.');
  const bitrateKbps = BITRATES[version === 3 ? 1 : 2][(header >>> 12) & 15] ?? 0;
  const sampleRateHz = SAMPLE_RATES[version][(header >>> 10) & 3] ?? 0;
  const samples = version === 3 ? 1152 : 576;
  const padding = (header >>> 9) & 1;
  const lengthBytes = Math.floor((samples / 8) * ((bitrateKbps * 1000) / sampleRateHz)) + padding;
  return {
    bitrateKbps,
    sampleRateHz,
    samples,
    lengthBytes,
    bits: spectrumBits(view, version, header),
  };
}

/** part2_3_length of the first granule and channel: the first field behind the private bits. */
function spectrumBits(view: DataView, version: number, header: number): number {
  const mono = ((header >>> 6) & 3) === 3;
  const crcBytes = (header >>> 16) & 1 ? 0 : 2;
  const skipped = version === 3 ? (mono ? 9 + 5 + 4 : 9 + 3 + 8) : mono ? 8 + 1 : 8 + 2;
  let value = 0;
  for (let bit = skipped; bit < skipped + 12; bit += 1) {
    const byte = view.getUint8(4 + crcBytes + (bit >>> 3));
    value = (value << 1) | ((byte >>> (7 - (bit & 7))) & 1);
  }
  return value;
}
