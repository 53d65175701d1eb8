/**
 * The names of operations that metrics tell apart: those of the examples in GraphiQL, and the introspection of tools. A
 * client can use any other name, and all of those are `other`.
 */
const KNOWN_NAMES: ReadonlySet<string> = new Set([
  'FollowIt',
  'FollowMyPoints',
  'Grant',
  'Hear',
  'IntrospectionQuery',
  'Library',
  'Narrate',
  'Quote',
  'SignIn',
  'StopIt',
  'Wallet',
]);

/** The label of an operation. Its values are a closed list, because clients invent names. */
export function operationLabel(name: string | null | undefined): string {
  if (name == null || name === '') return 'unnamed';
  return KNOWN_NAMES.has(name) ? name : 'other';
}
