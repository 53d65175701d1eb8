/** At most this much of a name or code is kept; ours are shorter. */
const LENGTH_MAX = 60;

/**
 * What kind of error it is: its code or its name. Its message is left out, because it may repeat what was sent or
 * stored.
 */
export function kindOfError(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'Error';
  const { code, kind, name } = error as { code?: unknown; kind?: unknown; name?: unknown };
  for (const word of [code, kind, name])
    if (typeof word === 'string' && /^[\w-]+$/.test(word.slice(0, LENGTH_MAX)))
      return word.slice(0, LENGTH_MAX);
  return 'Error';
}
