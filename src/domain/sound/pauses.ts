import type { Boundary } from '../segmentation/blocks.js';
import { samplesOfFrame, silentFrames } from '../mp3.js';
import { MARGIN_AFTER_MS, MARGIN_BEFORE_MS } from './levels.js';

/**
 * How long nothing is heard between two sentences, in milliseconds. Inside a sentence, voices pause for about 150 ms at
 * a comma.
 */
const PAUSE_MS: Readonly<Record<Boundary, number>> = {
  clause: 150,
  line: 350,
  sentence: 550,
  paragraph: 875,
  heading: 1125,
  scene: 1800,
};

/** The samples by which a decoder's output is late: 576 of the encoder, and 529 of the decoder. */
export const MP3_DELAY_SAMPLES = 1105;

/** The silence that the frames of two sentences have between them anyway, in samples. */
const silenceAround = (sampleRateHz: number): number =>
  MP3_DELAY_SAMPLES +
  ((MARGIN_BEFORE_MS + MARGIN_AFTER_MS) * sampleRateHz) / 1000 +
  // Silence fills the last frame of a sentence: half a frame on average.
  samplesOfFrame(sampleRateHz) / 2;

/** How many silent frames are put in at a boundary. A pause is longer or shorter than wanted by a frame at most. */
export function pauseFrames(boundary: Boundary, sampleRateHz: number): number {
  const wanted = (PAUSE_MS[boundary] * sampleRateHz) / 1000 - silenceAround(sampleRateHz);
  return Math.max(0, Math.round(wanted / samplesOfFrame(sampleRateHz)));
}

/** The silence at a boundary, as frames like those of the sentence that follows. */
export const pauseBefore = (
  boundary: Boundary,
  sentence: Uint8Array,
  sampleRateHz: number,
): Uint8Array => silentFrames(sentence, pauseFrames(boundary, sampleRateHz));
