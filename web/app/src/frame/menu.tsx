import { Menu as MenuIcon } from 'lucide-react';
import { useId, useRef, type ReactElement } from 'react';
import { Link } from 'wouter';
import { signOut, useSession } from '../api/session.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { locales, setLocale, useLocale } from '../ui/locale.js';
import { setTheme, themes, useTheme, type Theme } from '../ui/theme.js';
import { IconButton } from '../ui/icon-button.js';
import { Select } from '../ui/select.js';
import styles from './menu.module.css';

const THEME_NAMES: Readonly<Record<Theme, () => string>> = {
  auto: m.frame_theme_auto,
  light: m.frame_theme_light,
  dark: m.frame_theme_dark,
};

/** Languages in their own words, so that each reader finds theirs. */
const LOCALE_NAMES = { en: 'English', pl: 'Polski' };

export function Menu(): ReactElement {
  const { person } = useSession();
  const locale = useLocale();
  const theme = useTheme();
  const id = useId();
  const panel = useRef<HTMLDivElement>(null);
  const close = (): void => panel.current?.hidePopover();
  return (
    <>
      <IconButton icon={MenuIcon} name={m.frame_menu()} popoverTarget={id} />
      <div
        ref={panel}
        id={id}
        popover="auto"
        className={styles.menu}
        role="group"
        aria-label={m.frame_menu()}
      >
        {person !== null && (
          <>
            <p className={styles.name}>{person.name}</p>
            <Link href={paths.account} className={styles.item} onClick={close}>
              {m.frame_account()}
            </Link>
          </>
        )}
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
        {person !== null && (
          <button type="button" className={styles.item} onClick={() => void signOut()}>
            {m.frame_sign_out()}
          </button>
        )}
      </div>
    </>
  );
}
