import { createStore, useStore } from '../api/store.js';
import { readStored, writeStored } from '../api/stored.js';

export const themes = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const stored = readStored('theme');
const store = createStore<Theme>(themes.find((theme) => theme === stored) ?? 'auto');

export const useTheme = (): Theme => useStore(store);

/** theme.js sets the same attribute before the first paint. */
export function setTheme(theme: Theme): void {
  writeStored('theme', theme === 'auto' ? null : theme);
  document.documentElement.dataset['theme'] = theme;
  store.set(theme);
}
