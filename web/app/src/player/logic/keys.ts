/** What a key does while the full player is open. */
export const KEYS = {
  ' ': 'toggle',
  ArrowLeft: 'back',
  ArrowRight: 'forward',
  ArrowUp: 'previous',
  ArrowDown: 'next',
  '[': 'slower',
  ']': 'faster',
  s: 'sleep',
  f: 'follow',
  b: 'bookmark',
  '?': 'help',
} as const;

export type Command = (typeof KEYS)[keyof typeof KEYS];

interface Press {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  /** The kind of the element that has the focus, in lower case. */
  readonly on: string;
}

const TAKES_TEXT: ReadonlySet<string> = new Set(['input', 'select', 'textarea']);
const TAKES_SPACE: ReadonlySet<string> = new Set(['button', 'a', 'summary']);

/** Null for keys that belong to the element with the focus, or to the browser. */
export function commandOf({ key, ctrlKey, metaKey, altKey, on }: Press): Command | null {
  if (ctrlKey || metaKey || altKey || TAKES_TEXT.has(on)) return null;
  if (key === ' ' && TAKES_SPACE.has(on)) return null;
  const name = key.length === 1 ? key.toLowerCase() : key;
  return Object.hasOwn(KEYS, name) ? KEYS[name as keyof typeof KEYS] : null;
}

export const RATES = { least: 0.75, greatest: 2, step: 0.05 } as const;

/** A speed that the player offers: a whole number of steps between the bounds. */
export function clampRate(rate: number): number {
  const steps = Math.round(rate / RATES.step);
  const value = Math.round(steps * RATES.step * 100) / 100;
  return Math.min(RATES.greatest, Math.max(RATES.least, value));
}
