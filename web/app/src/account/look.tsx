import type { ReactElement } from 'react';
import * as m from '../paraglide/messages.js';
import { locales, setLocale, useLocale } from '../ui/locale.js';
import { Select } from '../ui/select.js';
import { setTheme, themes, useTheme, type Theme } from '../ui/theme.js';
import styles from './account.module.css';
import { Section } from './section.js';

const THEME_NAMES: Readonly<Record<Theme, () => string>> = {
  auto: m.frame_theme_auto,
  light: m.frame_theme_light,
  dark: m.frame_theme_dark,
};
/** Languages in their own words, so that each reader finds theirs. */
export const LOCALE_NAMES = { en: 'English', pl: 'Polski' };

/** What this device remembers. */
export function Look(): ReactElement {
  const locale = useLocale();
  const theme = useTheme();
  return (
    <Section title={m.account_look()}>
      <div className={styles.pairs}>
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
      </div>
      <p className={styles.soft}>{m.account_look_text()}</p>
    </Section>
  );
}
