import type { ReactElement, ReactNode } from 'react';
import { useTitle } from '../ui/title.js';
import styles from './card.module.css';

/** The one card of a page that is about signing in. */
export function Card({
  title,
  children,
  links,
}: {
  title: string;
  children: ReactNode;
  links?: ReactNode;
}): ReactElement {
  useTitle(title);
  return (
    <section className={styles.card}>
      <h1 className={styles.title}>{title}</h1>
      {children}
      {links !== undefined && <div className={styles.links}>{links}</div>}
    </section>
  );
}
