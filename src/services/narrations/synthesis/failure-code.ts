import { SpeechError } from '../../../infra/speech/provider.js';
import { FileMissingError } from '../../../infra/storage/storage.js';

/** Why a narration failed, for programs. */
export type AudioFailureCode =
  'SPEECH_UNAVAILABLE' | 'SPEECH_REFUSED' | 'NOTHING_TO_SPEAK' | 'STORAGE' | 'INTERNAL';

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
  const { code, syscall } = error as NodeJS.ErrnoException;
  return '$metadata' in error || 'path' in error || (code === 'ENOSPC' && syscall !== undefined);
}
