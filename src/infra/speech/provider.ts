import type { SpokenWordTime } from '../../domain/timing/alignment.js';

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
  /** When the words of the request's text begin. Absent when the provider does not tell. */
  readonly words?: readonly SpokenWordTime[];
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
  readonly name: 'espeak' | 'openai' | 'elevenlabs' | 'sherpa';
  /** Everything else that determines the sound (server, model, version …). It is part of the keys of recordings. */
  readonly settings: string;
  /** How many sentences it speaks at once. */
  readonly concurrency: number;
  /**
   * What determines the sound of one voice besides `settings`, for example the checksum of its model. It is part of the
   * keys of recordings, too. Absent, or undefined, when there is nothing else.
   */
  definitionOf?(voice: string): string | undefined;
  /** @throws SpeechError */
  listVoices(): Promise<readonly ProviderVoice[]>;
  /**
   * An aborted signal makes the call reject, unless the request was sent to a paid provider: then the call still resolves
   * with the answer.
   * @throws SpeechError
   */
  speak(request: SpeechRequest, signal: AbortSignal): Promise<SpokenSentence>;
  /** Why it is not asked at the moment; null while it is. */
  resting(): string | null;
  /** How long no request is sent to it; 0 while requests are. */
  restMs(): number;
  close(): Promise<void>;
}

/** What went wrong, as metrics count it. */
export const SPEECH_ERROR_KINDS = [
  'refused',
  'unknown-voice',
  'timeout',
  'rate-limited',
  'unreachable',
  'status',
  'not-audio',
  'too-long',
  'silent',
  'died',
  'stopped',
  'resting',
] as const;
export type SpeechErrorKind = (typeof SPEECH_ERROR_KINDS)[number];

interface SpeechErrorOptions extends ErrorOptions {
  readonly permanent: boolean;
  readonly kind: SpeechErrorKind;
  readonly status?: number;
  readonly retryAfterMs?: number | null;
  readonly isForLength?: boolean;
}

/**
 * Why a sentence was not spoken. Neither the sentence nor a key is ever part of it.
 */
export class SpeechError extends Error {
  /** A retry is useless, because the sentence can never be spoken. */
  readonly permanent: boolean;
  readonly kind: SpeechErrorKind;
  /** That of the HTTP answer, where there was one. */
  readonly status: number | null;
  /** How long the provider asks not to be called. */
  readonly retryAfterMs: number | null;
  /** Whether the text was refused because it is too long for one request. */
  readonly isForLength: boolean;

  constructor(message: string, options: SpeechErrorOptions) {
    super(message, options);
    this.name = 'SpeechError';
    this.permanent = options.permanent;
    this.kind = options.kind;
    this.status = options.status ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.isForLength = options.isForLength ?? false;
  }
}

/** Not permanent, because the next answer may be better. */
export const notAudio = (message: string, cause?: unknown): SpeechError =>
  new SpeechError(message, { permanent: false, kind: 'not-audio', cause });

/** The error of a request that was aborted. */
export const stopped = (): SpeechError =>
  new SpeechError('Speaking was stopped.', { permanent: false, kind: 'stopped' });
