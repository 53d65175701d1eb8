/** What the speaking process is asked. */
export interface EspeakQuestion {
  readonly text: string;
  /** eSpeak NG's identifier, for example `gmw/en`. */
  readonly voice: string;
  /** Longer speech is given up. */
  readonly mostSamples: number;
}

/** What it answers. */
export type EspeakAnswer =
  | { readonly pcm: Int16Array<ArrayBuffer>; readonly sampleRateHz: number }
  | { readonly failure: 'UNKNOWN_VOICE' | 'TOO_LONG' | 'SILENT' };
