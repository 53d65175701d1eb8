import type { ReactElement } from 'react';
import * as m from '../paraglide/messages.js';
import { LookSelects } from '../ui/look-selects.js';
import styles from './account.module.css';
import { Section } from './section.js';

/** What this device remembers. */
export function Look(): ReactElement {
  return (
    <Section title={m.account_look()}>
      <div className={styles.pairs}>
        <LookSelects />
      </div>
      <p className={styles.soft}>{m.account_look_text()}</p>
    </Section>
  );
}
