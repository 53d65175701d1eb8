import { setImmediate } from 'node:timers/promises';
import { checkSampleRate } from '../http/wav.js';
import { notAudio, SpeechError, type SpokenSentence } from '../provider.js';
import { openFlac } from './flac.js';
import { readOggOpus } from './ogg-opus.js';
import { toInt16 } from './resample.js';

/** What is decoded where a server sends no WAV. Opus is in Ogg. */
export type Compression = 'mp3' | 'opus' | 'flac';

/** As the libraries have it. */
interface Decoded {
  readonly channelData: readonly Float32Array[];
  readonly samplesDecoded: number;
  readonly sampleRate: number;
  readonly errors: readonly unknown[];
}

/** A file as slices that are decoded one after the other. */
interface Opened {
  readonly slices: Iterable<() => Decoded>;
  /** Samples at the beginning that are not meant to be heard, and how many are from there on; null for all. */
  readonly skip: number;
  readonly samples: number | null;
  close(): void;
}

/** The libraries are loaded when they are needed for the first time, because most servers send WAV. */
const OPEN: Readonly<
  Record<Compression, (bytes: Uint8Array, mostSeconds: number) => Promise<Opened>>
> = {
  mp3: async (bytes) => {
    const { MPEGDecoder } = await import('mpg123-decoder');
    const decoder = new MPEGDecoder();
    await decoder.ready;
    return {
      slices: slicesOf(bytes.length, SLICE_BYTES, (from, to) =>
        decoder.decode(bytes.subarray(from, to)),
      ),
      skip: 0,
      samples: null,
      close: () => {
        decoder.free();
      },
    };
  },
  opus: async (bytes, mostSeconds) => {
    const { channels, preSkip, samples, packets } = readOggOpus(bytes, mostSeconds);
    const { OpusDecoder } = await import('opus-decoder');
    const decoder = new OpusDecoder({ channels, preSkip: 0 });
    await decoder.ready;
    return {
      slices: slicesOf(packets.length, SLICE_PACKETS, (from, to) =>
        decoder.decodeFrames(packets.slice(from, to)),
      ),
      skip: preSkip,
      samples,
      close: () => {
        decoder.free();
      },
    };
  },
  flac: async (bytes) => {
    const { steps, close } = await openFlac(bytes);
    return { slices: steps, skip: 0, samples: null, close };
  },
};

/** The sizes of a slice: at most a minute of speech, because its length is measured only after decoding. */
const SLICE_BYTES = 4096;
const SLICE_PACKETS = 100;

function* slicesOf(
  length: number,
  sliceLength: number,
  decode: (from: number, to: number) => Decoded,
): Generator<() => Decoded> {
  for (let from = 0; from < length; from += sliceLength)
    yield () => decode(from, from + sliceLength);
}

/**
 * Decodes compressed speech, and mixes its channels. Yields to the event loop in between.
 * @throws SpeechError, not permanent: it is no such file, or longer than `mostSeconds`
 */
export async function decodeCompressed(
  kind: Compression,
  bytes: Uint8Array,
  mostSeconds: number,
): Promise<SpokenSentence> {
  const parts = new Parts(mostSeconds);
  const opened = await OPEN[kind](bytes, mostSeconds);
  try {
    for (const decode of opened.slices) {
      parts.add(decode());
      await setImmediate();
    }
    return parts.whole(opened);
  } catch (error) {
    if (error instanceof SpeechError) throw error;
    throw notAudio(`The answer cannot be decoded as ${kind}.`, error);
  } finally {
    opened.close();
  }
}

/** What is decoded so far. */
class Parts {
  readonly #parts: Int16Array[] = [];
  #sampleRateHz = 0;
  #samples = 0;
  /** Slices without sound in which something is wrong, and slices with sound. */
  #broken = 0;
  #sound = 0;

  constructor(readonly mostSeconds: number) {}

  add({ channelData, samplesDecoded, sampleRate, errors }: Decoded): void {
    if (samplesDecoded === 0) {
      if (errors.length > 0) this.#broken += 1;
      // One slice without sound may be a tag behind the sound.
      if (this.#broken > 1 + this.#sound)
        throw notAudio('The answer cannot be decoded: too many of its parts hold no sound.');
      return;
    }
    this.#sound += 1;
    if (this.#sampleRateHz === 0) checkSampleRate(sampleRate);
    if (this.#sampleRateHz !== 0 && sampleRate !== this.#sampleRateHz)
      throw notAudio('The answer changes its sample rate.');
    this.#sampleRateHz = sampleRate;
    this.#samples += samplesDecoded;
    if (this.#samples / sampleRate > this.mostSeconds)
      throw new SpeechError('The speech is longer than the text can take.', {
        permanent: false,
        kind: 'too-long',
      });
    this.#parts.push(toInt16(channelData.map((channel) => channel.subarray(0, samplesDecoded))));
  }

  whole({ skip, samples }: Pick<Opened, 'skip' | 'samples'>): SpokenSentence {
    if (this.#samples <= skip || this.#broken > this.#sound)
      throw notAudio('The answer holds no sound.');
    const pcm = new Int16Array(this.#samples);
    let at = 0;
    for (const part of this.#parts) {
      pcm.set(part, at);
      at += part.length;
    }
    return {
      pcm:
        skip === 0 && samples === null
          ? pcm
          : pcm.slice(skip, samples === null ? undefined : skip + samples),
      sampleRateHz: this.#sampleRateHz,
    };
  }
}
