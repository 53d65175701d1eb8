import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { Button, buttonClass } from './button.js';
import styles from './notice.module.css';

interface NoticeProps {
  readonly title: string;
  readonly text: string;
  readonly link?: { readonly href: string; readonly name: string };
  readonly action?: { readonly name: string; readonly run: () => void };
}

/** A page that has nothing else to show: what is the matter, and what can be done. */
export const Notice = ({ title, text, link, action }: NoticeProps): ReactElement => (
  <section className={styles.notice}>
    <h1>{title}</h1>
    <p>{text}</p>
    {link !== undefined && (
      <Link href={link.href} className={buttonClass('primary')}>
        {link.name}
      </Link>
    )}
    {action !== undefined && (
      <Button kind="primary" onClick={action.run}>
        {action.name}
      </Button>
    )}
  </section>
);
