import { BookOpen, LogIn, UserRound, Wallet } from 'lucide-react';
import type { ComponentType, ReactElement, ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { useConnected } from '../api/connection.js';
import { useSession } from '../session/state.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { classes } from '../ui/classes.js';
import { BalancePill } from './balance-pill.js';
import styles from './frame.module.css';
import { FollowChanges } from './follow-changes.js';
import { Menu } from './menu.js';
import { NoticeBell } from './notice-bell.js';

/** What is around every page: places, points, menu, and the player, which goes on from page to page. */
export function Frame({
  children,
  player,
}: {
  children: ReactNode;
  player?: ReactNode;
}): ReactElement {
  const { person } = useSession();
  const connected = useConnected();
  const next = useNext();
  return (
    <div className={styles.frame}>
      <a className={styles.skip} href="#content">
        {m.frame_skip()}
      </a>
      <header className={styles.bar}>
        <Link href={paths.library} className={styles.brand} aria-label="Talebank">
          <img src="/icon.svg" alt="" width="28" height="28" />
          <span>Talebank</span>
        </Link>
        <Places signedIn={person !== null} />
        <div className={styles.end}>
          {person === null ? (
            <Link href={paths.signIn(next)} className={styles.signIn}>
              {m.frame_sign_in()}
            </Link>
          ) : (
            <>
              <BalancePill />
              <NoticeBell />
            </>
          )}
          <Menu />
        </div>
      </header>
      {person !== null && <FollowChanges key={person.id} />}
      <p className={styles.offline} role="status" hidden={connected}>
        {connected ? '' : m.frame_offline()}
      </p>
      <main id="content" tabIndex={-1} className={styles.content}>
        {children}
      </main>
      {player}
    </div>
  );
}

/** The present page, to return to after signing in. */
function useNext(): string {
  const [location] = useLocation();
  return location.startsWith('/sign-') ? paths.library : location;
}

function Places({ signedIn }: { signedIn: boolean }): ReactElement {
  const next = useNext();
  return (
    <nav className={styles.places} aria-label={m.frame_places()}>
      <Place href={paths.library} icon={BookOpen} name={m.frame_library()} />
      {signedIn ? (
        <>
          <Place href={paths.wallet} icon={Wallet} name={m.frame_wallet()} />
          <Place href={paths.account} icon={UserRound} name={m.frame_account()} />
        </>
      ) : (
        <Place href={paths.signIn(next)} icon={LogIn} name={m.frame_sign_in()} phoneOnly />
      )}
    </nav>
  );
}

interface PlaceProps {
  readonly href: string;
  readonly icon: ComponentType<{ size?: number; strokeWidth?: number; 'aria-hidden'?: boolean }>;
  readonly name: string;
  /** Elsewhere on a wide screen there is a link with the same name. */
  readonly phoneOnly?: boolean;
}

function Place({ href, icon: Icon, name, phoneOnly = false }: PlaceProps): ReactElement {
  const [location] = useLocation();
  const path = href.split('?')[0];
  const here =
    path === paths.library
      ? location === '/' || location.startsWith('/stories/')
      : location === path;
  return (
    <Link
      href={href}
      className={classes(styles.place, phoneOnly && styles.phoneOnly)}
      aria-current={here ? 'page' : undefined}
    >
      <Icon size={20} strokeWidth={1.75} aria-hidden />
      <span>{name}</span>
    </Link>
  );
}
