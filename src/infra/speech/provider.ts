export interface ProviderVoice {
  /** The provider's own name for it. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** BCP 47. */
  readonly languages: readonly string[];
  readonly gender: string | null;
}

export interface SpokenSentence {
  /** One channel. */
  readonly pcm: Int16Array<ArrayBuffer>;
  readonly sampleRateHz: number;
}

export interface SpeechRequest {
  readonly text: string;
  /** A provider's voice id. */
  readonly voice: string;
  /** BCP 47. */
  readonly language: string;
}

/** Where speech comes from. */
export interface SpeechProvider {
  readonly name: 'espeak' | 'openai' | 'elevenlabs';
  /** Whatever else decides how it sounds (server, model, version …): part of what recordings are stored under. */
  readonly settings: string;
  /** How many sentences it speaks at once. */
  readonly concurrency: number;
  listVoices(): Promise<readonly ProviderVoice[]>;
  /** @throws SpeechError */
  speak(request: SpeechRequest, signal: AbortSignal): Promise<SpokenSentence>;
  /** Why it is not asked at the moment; null while it is. */
  resting(): string | null;
  close(): Promise<void>;
}

/** Why a sentence was not spoken. `permanent`: it never will be, so that nobody needs to try again. */
export class SpeechError extends Error {
  readonly permanent: boolean;
  readonly kind: string;

  constructor(message: string, options: ErrorOptions & { permanent: boolean; kind?: string }) {
    super(message, options);
    this.kind = options.kind ?? '';
    this.name = 'SpeechError';
    this.permanent = options.permanent;
  }
}
