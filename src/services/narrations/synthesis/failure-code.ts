import { codeOf } from '../../../domain/errors.js';
import { propertyOf } from '../../../domain/objects.js';
import { SpeechError } from '../../../infra/speech/provider.js';
import { FileMissingError } from '../../../infra/storage/storage.js';

const AUDIO_FAILURE_CODES = [
  'SPEECH_UNAVAILABLE',
  'SPEECH_REFUSED',
  'NOTHING_TO_SPEAK',
  'STORAGE',
  'INTERNAL',
] as const;

/** Why a narration failed, for programs. */
export type AudioFailureCode = (typeof AUDIO_FAILURE_CODES)[number];

/** The stored code. INTERNAL for one that a later release has stored. */
export const storedFailureCode = (stored: string): AudioFailureCode =>
  AUDIO_FAILURE_CODES.find((code) => code === stored) ?? 'INTERNAL';

/** What the error of a try to make a narration says about the cause. */
export function failureCodeOf(error: unknown): AudioFailureCode {
  if (error instanceof SpeechError) {
    if (!error.permanent) return 'SPEECH_UNAVAILABLE';
    return error.kind === 'silent' ? 'NOTHING_TO_SPEAK' : 'SPEECH_REFUSED';
  }
  return isOfStorage(error) ? 'STORAGE' : 'INTERNAL';
}

/** Errors of the file system have a path or `ENOSPC`, and those of the S3 client have `$metadata`. */
function isOfStorage(error: unknown): boolean {
  if (error instanceof FileMissingError) return true;
  if (!(error instanceof Error)) return false;
  return (
    '$metadata' in error ||
    'path' in error ||
    (codeOf(error) === 'ENOSPC' && propertyOf(error, 'syscall') !== undefined)
  );
}
