import { counter, gauge, histogram } from './make.js';

const NARRATION_SECONDS = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800];
const REQUEST_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Narrations, their speech and their files. */
export const NARRATIONS = {
  /** `made`, `shared` with someone who paid before, `failed` or `cancelled`. */
  narrations: counter(
    'narrations_total',
    'Narrations by what became of them: made, shared (the recording existed), failed or cancelled.',
    'result',
  ),
  narrationSeconds: histogram(
    'narration_duration_seconds',
    'Time from the claim of a worker to READY.',
    NARRATION_SECONDS,
  ),
  /** `spoken` and `reused`. */
  narrationSentences: counter(
    'narration_sentences_total',
    'Sentences that were spoken, and stored ones that were reused.',
    'result',
  ),
  /** By `ok`, or what went wrong. */
  speechRequests: counter(
    'speech_requests_total',
    'Sentences that a provider was asked for: ok, or what went wrong.',
    'provider',
    'result',
  ),
  /** Without the wait for a turn. */
  speechRequestSeconds: histogram(
    'speech_request_duration_seconds',
    'Time from sending a sentence to a provider to the end of its answer.',
    REQUEST_SECONDS,
    'provider',
  ),
  speechSeconds: counter('speech_seconds_total', 'Seconds of speech received.', 'provider'),
  speechResting: gauge(
    'speech_provider_resting',
    '1 while a provider is not asked because it keeps failing.',
    'provider',
  ),
  /** Counted once an attempt, in the process that speaks it. */
  firstSoundSeconds: histogram(
    'narration_first_sound_seconds',
    'Time from the request of a narration to its first sentence, or its recording, that can be heard.',
    NARRATION_SECONDS,
  ),
  audios: gauge('audios', 'Unfinished narrations by their status.', 'status'),
  /** `ok`, `missing` for a file that is not there, or `failed`. */
  storageOperations: counter(
    'storage_operations_total',
    'Operations on the storage of recordings, by result: ok, missing or failed.',
    'operation',
    'result',
  ),
  storageBytes: counter(
    'storage_bytes_total',
    'Bytes that were read from the storage of recordings, and written to it.',
    'direction',
  ),
};
