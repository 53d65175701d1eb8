import { notAudio } from '../provider.js';

/** What is used of the library. Its own types need those of browsers. */
interface Library {
  isReady(): boolean;
  on(event: 'ready', listener: () => void): void;
  create_libflac_decoder(verifiesSums: boolean): number;
  init_decoder_stream(
    decoder: number,
    read: (bytes: number) => { buffer: Uint8Array; readDataLength: number; error: boolean },
    write: (channels: readonly Uint8Array[], frame: Frame) => void,
    error: (code: number, name: string) => void,
  ): number;
  FLAC__stream_decoder_process_single(decoder: number): number | boolean;
  FLAC__stream_decoder_get_state(decoder: number): number;
  FLAC__stream_decoder_finish(decoder: number): unknown;
  FLAC__stream_decoder_delete(decoder: number): void;
}

interface Frame {
  readonly blocksize: number;
  readonly sampleRate: number;
  readonly bitsPerSample: number;
}

/** One step of the decoder: a frame, or a part of the head of the file. */
export interface FlacStep {
  readonly channelData: readonly Float32Array[];
  readonly samplesDecoded: number;
  readonly sampleRate: number;
  readonly errors: readonly unknown[];
}

/** From this state on, there is nothing more to decode: the end of the stream, or an error that cannot be passed. */
const ENDED = 4;
/** A file with more damaged parts than this is not read further. */
const ERRORS_MAX = 20;

const loadLibrary = async (): Promise<Library> => {
  const name = 'libflacjs/dist/libflac.js';
  const { default: library } = (await import(name)) as { default: Library };
  if (!library.isReady())
    await new Promise<void>((resolve) => {
      library.on('ready', resolve);
    });
  return library;
};

/**
 * Opens a FLAC file. The library is libFLAC as JavaScript, because its WebAssembly does not load in Node.
 * @returns the steps of the decoder, and a function that frees it
 */
export async function openFlac(
  bytes: Uint8Array,
): Promise<{ steps: Generator<() => FlacStep>; close: () => void }> {
  const library = await loadLibrary();
  const decoder = library.create_libflac_decoder(false);
  if (decoder === 0) throw notAudio('The decoder of FLAC cannot be opened.');
  let at = 0;
  const frames: FlacStep[] = [];
  const errors: unknown[] = [];
  const status = library.init_decoder_stream(
    decoder,
    (wanted) => {
      const part =
        errors.length > ERRORS_MAX ? bytes.subarray(0, 0) : bytes.subarray(at, at + wanted);
      at += part.length;
      return { buffer: part, readDataLength: part.length, error: false };
    },
    (channels, frame) => {
      frames.push(soundOf(channels, frame));
    },
    (...error) => {
      errors.push(error);
    },
  );
  const step = (): FlacStep => {
    library.FLAC__stream_decoder_process_single(decoder);
    const frame = frames.pop();
    return frame ?? { channelData: [], samplesDecoded: 0, sampleRate: 0, errors: [...errors] };
  };
  const hasMore = (): boolean =>
    status === 0 && library.FLAC__stream_decoder_get_state(decoder) < ENDED;
  return {
    steps: stepsOf(step, hasMore),
    close: () => {
      library.FLAC__stream_decoder_finish(decoder);
      library.FLAC__stream_decoder_delete(decoder);
    },
  };
}

function* stepsOf(step: () => FlacStep, hasMore: () => boolean): Generator<() => FlacStep> {
  while (hasMore()) yield step;
}

/** The library has samples of 1, 2 or 4 bytes, of which those of 24 bits take 4. */
function soundOf(channels: readonly Uint8Array[], frame: Frame): FlacStep {
  const { blocksize, sampleRate, bitsPerSample } = frame;
  const loudest = 2 ** (bitsPerSample - 1);
  const channelData = channels.map((channel) => {
    const bytes = channel.length / blocksize;
    const view = new DataView(channel.buffer, channel.byteOffset, channel.byteLength);
    return Float32Array.from({ length: blocksize }, (_, index) => {
      const offset = index * bytes;
      const sample =
        bytes === 1
          ? view.getInt8(offset)
          : bytes === 2
            ? view.getInt16(offset, true)
            : view.getInt32(offset, true);
      return sample / loudest;
    });
  });
  return { channelData, samplesDecoded: blocksize, sampleRate, errors: [] };
}
