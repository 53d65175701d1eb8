import { propertyOf, textOf } from '../../domain/objects.js';

/** At most this much of a name or code is kept; ours are shorter. */
const LENGTH_MAX = 60;

/**
 * What kind of error it is: its code or its name. Its message is left out, because it may repeat what was sent or
 * stored.
 */
export function kindOfError(error: unknown): string {
  for (const name of ['code', 'kind', 'name']) {
    const word = textOf(propertyOf(error, name))?.slice(0, LENGTH_MAX);
    if (word !== undefined && /^[\w-]+$/.test(word)) return word;
  }
  return 'Error';
}
