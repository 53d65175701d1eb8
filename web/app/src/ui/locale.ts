import { baseLocale, locales, overwriteGetLocale, type Locale } from '../paraglide/runtime.js';
import { createStore, useStore } from '../api/store.js';
import { readStored, writeStored } from '../api/stored.js';

export type { Locale };
export { locales };

const isLocale = (text: string | undefined): text is Locale =>
  locales.some((locale) => locale === text);

function preferred(): Locale {
  const stored = readStored('locale') ?? undefined;
  if (isLocale(stored)) return stored;
  return navigator.languages.map((tag) => tag.slice(0, 2)).find(isLocale) ?? baseLocale;
}

const store = createStore<Locale>(preferred());
overwriteGetLocale(store.get);
document.documentElement.lang = store.get();

/** The language of the interface. */
export const useLocale = (): Locale => useStore(store);
export const getLocale = store.get;

export function setLocale(locale: Locale): void {
  writeStored('locale', locale);
  document.documentElement.lang = locale;
  store.set(locale);
}
