/** What the speaking process is asked. */
export interface EspeakQuestion {
  readonly text: string;
  /** eSpeak NG's identifier, for example `gmw/en`. */
  readonly voice: string;
  /** Longer speech is given up. */
  readonly mostSamples: number;
}

/** What it answers. */
export type EspeakAnswer = {
  /** It has grown too large, and wants to be asked nothing more. */
  readonly retiring?: boolean;
} & (
  | { readonly pcm: Int16Array<ArrayBuffer>; readonly sampleRateHz: number }
  | { readonly failure: 'UNKNOWN_VOICE' | 'TOO_LONG' | 'SILENT' }
);
