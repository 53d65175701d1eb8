/** What this browser remembers. Storage may be forbidden or full: then nothing is remembered, and nothing breaks. */
export function readStored(key: string): string | null {
  try {
    return localStorage.getItem(`talebank.${key}`);
  } catch {
    return null;
  }
}

/** A person has left, and the page is about to be loaded anew: what it still does must leave no trace. */
let shut = false;

export function shutStore(): void {
  shut = true;
}

export function writeStored(key: string, value: string | null): void {
  if (shut) return;
  try {
    if (value === null) localStorage.removeItem(`talebank.${key}`);
    else localStorage.setItem(`talebank.${key}`, value);
  } catch {
    // The choice holds until the page is closed.
  }
}

/** Keys that belong to the device and not to a person. */
const OF_THE_DEVICE: readonly string[] = [
  'talebank.theme',
  'talebank.locale',
  'talebank.reading',
  'talebank.signing-out',
];

/** Forgets everything that belongs to the person who was signed in. */
export function forgetPerson(): void {
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith('talebank.') && !OF_THE_DEVICE.includes(key)) localStorage.removeItem(key);
    }
  } catch {
    // Nothing was stored.
  }
}
