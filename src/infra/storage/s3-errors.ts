import { propertyOf } from '../../domain/objects.js';

/** The status of an answer of S3 that is an error. Undefined when there was no answer. */
export function statusOf(error: unknown): number | undefined {
  const status = propertyOf(propertyOf(error, '$metadata'), 'httpStatusCode');
  return typeof status === 'number' ? status : undefined;
}
