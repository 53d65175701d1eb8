import { decodeCompressed, type Compression } from '../samples/compressed.js';
import { notAudio, type SpokenSentence } from '../provider.js';
import type { HttpAnswer } from './http-speech.js';
import { checkSampleRate, readWav, samplesOf } from './wav.js';

/** Content types of samples without a header. Servers send the lower half first, also under `audio/L16`. */
const RAW = /^audio\/(?:pcm|l16|raw|x-raw)$/;
const OPUS_WITHIN_BYTES = 512;

/**
 * Reads the speech of an answer by what it is, whatever was asked for, because many servers have only one format: WAV,
 * MP3, Opus in Ogg, FLAC, or samples of 16 bits where the content type says so.
 * @param options.rawRateHz the sample rate of samples, if the content type does not say it
 * @param options.isRaw whether samples were asked for
 * @throws SpeechError
 */
export async function readSpeech(
  { contentType, sampleRateHz, bytes }: HttpAnswer,
  { mostSeconds, rawRateHz, isRaw }: { mostSeconds: number; rawRateHz: number; isRaw: boolean },
): Promise<SpokenSentence> {
  const beginning = Buffer.from(bytes.subarray(0, OPUS_WITHIN_BYTES)).toString('latin1');
  if (beginning.startsWith('RIFF')) return readWav(bytes, mostSeconds);
  if (RAW.test(contentType) || (isRaw && !contentType.startsWith('audio/'))) {
    if (TEXT.test(beginning)) throw notAudio('The answer is text, not samples.');
    const rateHz = sampleRateHz ?? rawRateHz;
    checkSampleRate(rateHz);
    return { pcm: samplesOf(bytes), sampleRateHz: rateHz };
  }
  const kind = compressionOf(beginning, contentType);
  if (kind !== null) return decodeCompressed(kind, bytes, mostSeconds);
  throw notAudio('The answer is neither WAV nor MP3, Opus or FLAC.');
}

const TEXT = /^\s*(?:<[!?a-z]|[{[]["{])/i;
/** What is no MP3, whatever the content type says. */
const OTHERS = /^\s*(?:<[!?a-z]|[{[]["{])/i;
/** A frame of layer III (ISO/IEC 11172-3, 2.4.1.3). */
const MP3_FRAME = /^\xff[\xe2\xe3\xf2\xf3\xfa\xfb]/;

function compressionOf(beginning: string, contentType: string): Compression | null {
  if (beginning.startsWith('OggS')) return beginning.includes('OpusHead') ? 'opus' : null;
  if (beginning.startsWith('fLaC')) return 'flac';
  if (beginning.startsWith('ID3') || MP3_FRAME.test(beginning)) return 'mp3';
  // Some MP3 files begin with what is left of a frame.
  return /^audio\/(?:mpeg|mp3)$/.test(contentType) && !OTHERS.test(beginning) ? 'mp3' : null;
}
