import type { ReactElement } from 'react';
import { Link } from 'wouter';
import * as m from '../../paraglide/messages.js';
import { paths } from '../../paths.js';
import { buttonClass } from '../../ui/button.js';
import { classes } from '../../ui/classes.js';
import { formatNumber } from '../../ui/format.js';
import styles from './box.module.css';

export const SignedOut = ({
  points,
  slug,
}: {
  points: number | null;
  slug: string;
}): ReactElement => (
  <div className={classes(styles.state, styles.signedOut)}>
    <div className={styles.say}>
      <p className={styles.price}>{m.story_signed_out()}</p>
      <p className={styles.quiet}>{m.story_how()}</p>
      {points !== null && points > 0 && (
        <p className={styles.quiet}>
          {m.story_welcome({ count: points, shown: formatNumber(points) })}
        </p>
      )}
    </div>
    <div className={styles.actions}>
      <Link href={paths.signUp(paths.story(slug))} className={buttonClass('primary')}>
        {m.library_create_account()}
      </Link>
      <Link href={paths.signIn(paths.story(slug))} className={buttonClass()}>
        {m.frame_sign_in()}
      </Link>
    </div>
  </div>
);
