import {
  SpeechError,
  type SpeechErrorKind,
  type SpeechProvider,
} from '../../../infra/speech/provider.js';

/** Failures that say that the provider is not asked at the moment, or that it asks for a pause. */
const PAUSES: ReadonlySet<SpeechErrorKind> = new Set(['resting', 'rate-limited']);
/** Failures of the provider, whatever the text is. They are a rest once it is not asked any more. */
const OUTAGES: ReadonlySet<SpeechErrorKind> = new Set(['unreachable', 'timeout', 'status']);
/** For a provider that does not say how long to wait. */
const REST_MIN_MS = 1_000;

/**
 * How long the provider rests, if that is why a try failed. A failure that could be the text's own, for example an answer
 * without speech, is never a rest, because such a text would wait until the deadline.
 * @returns null when the try failed for another reason
 */
export function restMsOf(provider: Pick<SpeechProvider, 'restMs'>, error: unknown): number | null {
  if (!(error instanceof SpeechError) || error.permanent) return null;
  const restMs = provider.restMs();
  const isRest =
    PAUSES.has(error.kind) ||
    error.retryAfterMs !== null ||
    (OUTAGES.has(error.kind) && restMs > 0);
  return isRest ? Math.max(restMs, error.retryAfterMs ?? 0, REST_MIN_MS) : null;
}
