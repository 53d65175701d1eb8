import { Menu as MenuIcon } from 'lucide-react';
import { useId, useRef, type ReactElement } from 'react';
import { Link } from 'wouter';
import { signOut } from '../session/change.js';
import { useSession } from '../session/state.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { useLocale } from '../ui/locale.js';
import { IconButton } from '../ui/icon-button.js';
import { LookSelects } from '../ui/look-selects.js';
import styles from './menu.module.css';

export function Menu(): ReactElement {
  const { person } = useSession();
  // The names of the items follow the language.
  useLocale();
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
        <LookSelects />
        {person !== null && (
          <button type="button" className={styles.item} onClick={() => void signOut()}>
            {m.frame_sign_out()}
          </button>
        )}
      </div>
    </>
  );
}
