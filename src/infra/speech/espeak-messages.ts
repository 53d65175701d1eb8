/** What the speaking process is asked. */
export interface EspeakQuestion {
  /** Spoken one after the other, each in a voice of eSpeak NG's, for example `gmw/en`. */
  readonly parts: readonly { readonly text: string; readonly voice: string }[];
  /** Longer speech is given up. */
  readonly mostSamples: number;
  readonly memory: MemoryLimits;
}

/** Bounds for the memory of the whole speaking process. */
export interface MemoryLimits {
  /** One that has grown beyond this asks to be replaced. */
  readonly retireBytes: number;
  /** One that grows beyond this while it speaks gives up at once, before the machine has none left. */
  readonly mostBytes: number;
}

/** When a word begins. */
export interface EspeakMark {
  /** The part of the question that has it, from 0. */
  readonly part: number;
  /** Its place in the part, in code points, from 0. */
  readonly codePoint: number;
  readonly sample: number;
}

export type EspeakFailure = 'UNKNOWN_VOICE' | 'TOO_LONG' | 'SILENT' | 'TOO_LARGE';

/** What it answers. */
export type EspeakAnswer = {
  /** The process has grown too large and must be replaced. */
  readonly retiring?: boolean;
} & (
  | {
      readonly pcm: Int16Array<ArrayBuffer>;
      readonly sampleRateHz: number;
      readonly marks: readonly EspeakMark[];
    }
  | { readonly failure: EspeakFailure }
);
