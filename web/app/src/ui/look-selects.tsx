import type { ReactElement } from 'react';
import * as m from '../paraglide/messages.js';
import { locales, setLocale, useLocale } from './locale.js';
import { Select } from './select.js';
import { setTheme, themes, useTheme, type Theme } from './theme.js';

const THEME_NAMES: Readonly<Record<Theme, () => string>> = {
  auto: m.frame_theme_auto,
  light: m.frame_theme_light,
  dark: m.frame_theme_dark,
};

/** Languages in their own words, so that each reader finds theirs. */
export const LOCALE_NAMES = { en: 'English', pl: 'Polski' };

/** The choice of the app's language and theme on this device. */
export function LookSelects(): ReactElement {
  const locale = useLocale();
  const theme = useTheme();
  return (
    <>
      <Select
        label={m.frame_language()}
        value={locale}
        options={locales.map((value) => ({ value, name: LOCALE_NAMES[value] }))}
        onChange={setLocale}
      />
      <Select
        label={m.frame_theme()}
        value={theme}
        options={themes.map((value) => ({ value, name: THEME_NAMES[value]() }))}
        onChange={setTheme}
      />
    </>
  );
}
