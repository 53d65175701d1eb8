import { MPEGDecoder } from 'mpg123-decoder';

export interface Sound {
  /** One channel, full scale is 1. */
  readonly samples: Float32Array;
  readonly sampleRateHz: number;
}

/** Decodes a recording as a player does. */
export async function decodeMp3(bytes: Uint8Array): Promise<Sound> {
  const decoder = new MPEGDecoder({ enableGapless: false });
  await decoder.ready;
  const { channelData, sampleRate, errors } = decoder.decode(bytes);
  decoder.free();
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join(' '));
  return { samples: channelData[0] ?? new Float32Array(), sampleRateHz: sampleRate };
}

const WINDOW_SECONDS = 0.005;
/** About −46 dBFS. */
const SILENT = 0.005;

/** Where nothing is heard: start and end of each silence, in milliseconds. */
export function silencesIn({ samples, sampleRateHz }: Sound): [startMs: number, endMs: number][] {
  const window = Math.round(WINDOW_SECONDS * sampleRateHz);
  const msOf = (sample: number): number => (sample * 1000) / sampleRateHz;
  const found: [number, number][] = [];
  let start: number | null = null;
  for (let at = 0; at < samples.length; at += window) {
    const isSilent = samples.subarray(at, at + window).every((value) => Math.abs(value) < SILENT);
    if (isSilent) start ??= at;
    else if (start !== null) {
      found.push([msOf(start), msOf(at)]);
      start = null;
    }
  }
  if (start !== null) found.push([msOf(start), msOf(samples.length)]);
  return found;
}

export interface TimedCue {
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
}

const msOf = (timestamp: string): number =>
  Math.round(timestamp.split(':').reduce((seconds, part) => seconds * 60 + Number(part), 0) * 1000);

/** The cues of a WebVTT file, without the times of words. Lines are joined by spaces. */
export const readCues = (vtt: string): TimedCue[] =>
  vtt
    .trim()
    .split('\n\n')
    .slice(1)
    .map((block) => {
      const [, times = '', ...lines] = block.split('\n');
      const [start = '', end = ''] = times.split(' --> ');
      return {
        startMs: msOf(start),
        endMs: msOf(end),
        text: lines.join(' ').replace(/<[\d:.]+>/g, ''),
      };
    });
