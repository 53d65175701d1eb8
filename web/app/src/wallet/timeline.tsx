import type { ReactElement } from 'react';
import * as m from '../paraglide/messages.js';
import { classes } from '../ui/classes.js';
import { formatDate, formatNumber } from '../ui/format.js';
import { timelineOf, type Lot, type Part } from './lots.js';
import { Mark } from './sources.js';
import styles from './wallet.module.css';

const Marks = ({ parts }: { parts: readonly Part[] }): ReactElement => (
  <>
    {parts.map(({ source, points }) => (
      <Mark key={source} source={source} shown={formatNumber(points)} />
    ))}
  </>
);

/** When points lapse in the next twelve months. Points that never lapse have a lane of their own. */
export function LapseTimeline({ lots, now }: { lots: readonly Lot[]; now: Date }): ReactElement {
  const { months, later, never } = timelineOf(lots, now);
  const isDated = months.some(({ parts }) => parts.length > 0);
  return (
    <section className={styles.section} aria-label={m.wallet_timeline()}>
      <h2>{m.wallet_timeline()}</h2>
      {isDated && (
        <ol className={styles.months}>
          {months.map(({ start, parts }, index) => (
            <li
              key={start.getTime()}
              className={classes(styles.month, parts.length === 0 && styles.empty)}
            >
              <span className={styles.monthName}>
                {formatDate(
                  start,
                  index === 0 || start.getMonth() === 0
                    ? { month: 'short', year: 'numeric' }
                    : { month: 'short' },
                )}
              </span>
              <Marks parts={parts} />
            </li>
          ))}
        </ol>
      )}
      {later.length > 0 && (
        <p className={styles.lane}>
          <span className={styles.monthName}>{m.wallet_later()}</span>
          <Marks parts={later} />
        </p>
      )}
      {never.length > 0 && (
        <p className={styles.lane}>
          <span className={styles.monthName}>{m.wallet_never()}</span>
          <Marks parts={never} />
        </p>
      )}
    </section>
  );
}
