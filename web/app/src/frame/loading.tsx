import type { ReactElement } from 'react';
import * as m from '../paraglide/messages.js';
import styles from './loading.module.css';

/** Shown while a page is loaded, and only when that takes a while. */
export const Loading = (): ReactElement => (
  <p className={styles.loading} role="status">
    {m.frame_loading()}
  </p>
);
