import { notAudio, SpeechError, type SpokenSentence } from '../provider.js';

/** Speech of a lower rate is not understood, and no microphone has a higher one. */
const SAMPLE_RATE_MIN_HZ = 4_000;
const SAMPLE_RATE_MAX_HZ = 192_000;

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
/** Real files have about ten. Each takes time however short it is, and the whole answer may hold millions. */
const CHUNKS_MAX = 100;
/** Some writers count a header too much. */
const FORGIVEN_BYTES = 128;

interface Format {
  readonly codec: number;
  readonly channels: number;
  readonly sampleRateHz: number;
  readonly bits: number;
}

/**
 * Reads a WAV file: PCM of 8, 16, 24 or 32 bits or floats, of one channel or two, which are mixed. Servers
 * that stream do not know the length in advance, so that an impossible one (zero, or more seconds than `mostSeconds`) means
 * everything that follows. If the length is possible but fewer bytes follow, the answer was cut short.
 * @throws SpeechError: not permanent when this is no such file, permanent for a sample rate that is none
 */
export function readWav(file: Uint8Array, mostSeconds: number): SpokenSentence {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length < 12 || ascii(bytes, 0) !== 'RIFF' || ascii(bytes, 8) !== 'WAVE') {
    throw notAudio('The answer is not a WAV file.');
  }
  let format: Format | null = null;
  let chunks = 0;
  for (let at = 12; at + 8 <= bytes.length;) {
    if (++chunks > CHUNKS_MAX)
      throw notAudio(`The WAV file has more than ${String(CHUNKS_MAX)} chunks before its data.`);
    const lengthBytes = bytes.readUInt32LE(at + 4);
    const start = at + 8;
    if (ascii(bytes, at) === 'fmt ') format = formatOf(bytes.subarray(start, start + lengthBytes));
    if (ascii(bytes, at) === 'data') {
      if (format === null) throw notAudio('The WAV file has data before its format.');
      const data = dataOf(bytes, start, lengthBytes, format, mostSeconds);
      checkSeconds(data, format, mostSeconds);
      return decoded(data, format);
    }
    // Chunks begin at even places.
    at = start + lengthBytes + (lengthBytes % 2);
  }
  throw notAudio('The WAV file has no data.');
}

const ascii = (bytes: Buffer, at: number): string => bytes.toString('latin1', at, at + 4);

function formatOf(chunk: Buffer): Format {
  if (chunk.length < 16) throw notAudio('The format of the WAV file is cut short.');
  const codec = chunk.readUInt16LE(0);
  const format = {
    // The real one is the beginning of a GUID, behind the valid bits and the places of the speakers.
    codec: codec === EXTENSIBLE && chunk.length >= 26 ? chunk.readUInt16LE(24) : codec,
    channels: chunk.readUInt16LE(2),
    sampleRateHz: chunk.readUInt32LE(4),
    bits: chunk.readUInt16LE(14),
  };
  if (format.channels < 1 || format.channels > 2) {
    throw notAudio(`The WAV file has ${String(format.channels)} channels.`);
  }
  if (readerOf(format) === undefined) {
    throw notAudio(
      `The WAV file is of codec ${String(format.codec)} with ${String(format.bits)} bits.`,
    );
  }
  checkSampleRate(format.sampleRateHz);
  return format;
}

/** Another rate than those of MP3 is resampled later. @throws SpeechError, permanent */
export function checkSampleRate(sampleRateHz: number): void {
  if (sampleRateHz >= SAMPLE_RATE_MIN_HZ && sampleRateHz <= SAMPLE_RATE_MAX_HZ) return;
  throw new SpeechError(
    `The provider speaks at ${String(sampleRateHz)} samples a second, which is no rate of speech.`,
    { permanent: true, kind: 'not-audio' },
  );
}

function dataOf(
  bytes: Buffer,
  start: number,
  lengthBytes: number,
  format: Format,
  mostSeconds: number,
): Buffer {
  const there = bytes.length - start;
  const mostBytes = mostSeconds * format.sampleRateHz * frameBytes(format);
  if (lengthBytes > there + FORGIVEN_BYTES && lengthBytes <= mostBytes) {
    throw notAudio('The WAV file is cut short.');
  }
  if (lengthBytes === there) return bytes.subarray(start);
  if (lengthBytes === 0 || lengthBytes > there) return withoutChunksBehind(bytes, start);
  const end = start + lengthBytes;
  // Several files are refused, because only the first one would be heard.
  if (bytes.length >= end + 4 && ascii(bytes, end) === 'RIFF') {
    throw notAudio('The answer is more than one WAV file.');
  }
  return bytes.subarray(start, end);
}

/** Chunks that writers put behind the data. */
const CHUNKS_BEHIND = ['LIST', 'id3 ', 'ID3 ', 'bext', 'cue ', 'fact', 'iXML', '_PMX', 'smpl'];
/** How far from the end these chunks are searched for. A longer one would be played as noise. */
const BEHIND_BYTES_MAX = 65_536;

/**
 * Data whose length is not known, without the chunks behind it: it ends where a chunk begins from which on chunks fill the
 * file to its end.
 */
function withoutChunksBehind(bytes: Buffer, start: number): Buffer {
  const from = Math.max(start, bytes.length - BEHIND_BYTES_MAX);
  const ends = CHUNKS_BEHIND.flatMap((name) => {
    const at = bytes.indexOf(name, from, 'latin1');
    return at >= 0 && fillsTheRest(bytes, at) ? [at] : [];
  });
  return bytes.subarray(start, Math.min(bytes.length, ...ends));
}

function fillsTheRest(bytes: Buffer, start: number): boolean {
  let at = start;
  for (let chunks = 0; at + 8 <= bytes.length && chunks < CHUNKS_MAX; chunks += 1) {
    if (!/^[\x20-\x7e]{4}$/.test(ascii(bytes, at))) return false;
    const lengthBytes = bytes.readUInt32LE(at + 4);
    at += 8 + lengthBytes + (lengthBytes % 2);
  }
  // The last one may lack its byte of padding.
  return at === bytes.length || at === bytes.length + 1;
}

/** Before anything is decoded, because a low sample rate makes many seconds of few bytes. */
function checkSeconds(data: Buffer, format: Format, mostSeconds: number): void {
  if (data.length / frameBytes(format) / format.sampleRateHz <= mostSeconds) return;
  throw new SpeechError('The speech is longer than the text can take.', {
    permanent: false,
    kind: 'too-long',
  });
}

const frameBytes = ({ bits, channels }: Format): number => (bits / 8) * channels;

/** Reads a sample at a place, -32768 to 32767. */
type Reader = (data: Buffer, at: number) => number;

const READERS: Readonly<Record<string, Reader>> = {
  // The only one without a sign.
  [`${String(PCM)}/8`]: (data, at) => (data.readUInt8(at) - 128) * 256,
  [`${String(PCM)}/16`]: (data, at) => data.readInt16LE(at),
  [`${String(PCM)}/24`]: (data, at) => data.readIntLE(at, 3) / 256,
  [`${String(PCM)}/32`]: (data, at) => data.readInt32LE(at) / 65_536,
  // What is not a number is silence.
  [`${String(FLOAT)}/32`]: (data, at) => (data.readFloatLE(at) || 0) * 32_767,
  [`${String(FLOAT)}/64`]: (data, at) => (data.readDoubleLE(at) || 0) * 32_767,
};

const readerOf = ({ codec, bits }: Format): Reader | undefined =>
  READERS[`${String(codec)}/${String(bits)}`];

/** Samples of 16 bits, the lower half first, as every machine that this runs on keeps them. */
export function samplesOf(data: Uint8Array): Int16Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.floor(data.length / 2) * 2);
  bytes.set(data.subarray(0, bytes.length));
  return new Int16Array(bytes.buffer);
}

function decoded(data: Buffer, format: Format): SpokenSentence {
  const read = readerOf(format);
  const { codec, channels, bits, sampleRateHz } = format;
  if (codec === PCM && bits === 16 && channels === 1) return { pcm: samplesOf(data), sampleRateHz };
  const pcm = new Int16Array(Math.floor(data.length / frameBytes(format)));
  for (let frame = 0; read !== undefined && frame < pcm.length; frame++) {
    const at = frame * frameBytes(format);
    const first = read(data, at);
    const sample = channels === 1 ? first : (first + read(data, at + bits / 8)) / 2;
    pcm[frame] = Math.max(-32_768, Math.min(32_767, Math.round(sample)));
  }
  return { pcm, sampleRateHz };
}
