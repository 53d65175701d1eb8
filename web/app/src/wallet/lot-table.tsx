import type { ReactElement } from 'react';
import * as m from '../paraglide/messages.js';
import { formatDate, formatNumber } from '../ui/format.js';
import type { Lot } from './lots.js';
import { Source } from './sources.js';
import styles from './wallet.module.css';

/** The points as they were granted, in the order in which they burn. */
export const LotTable = ({ lots }: { lots: readonly Lot[] }): ReactElement => (
  <section className={styles.section} aria-label={m.wallet_lots()}>
    <h2>{m.wallet_lots()}</h2>
    <table className={styles.table}>
      <thead>
        <tr>
          <th scope="col">{m.wallet_source()}</th>
          <th scope="col" className={styles.granted}>
            {m.wallet_granted()}
          </th>
          <th scope="col">{m.wallet_lapses()}</th>
          <th scope="col" className={styles.number}>
            {m.wallet_left()}
          </th>
        </tr>
      </thead>
      <tbody>
        {lots.map(({ id, source, granted, remaining, grantedAt, expiresAt }) => (
          <tr key={id}>
            <td>
              <Source source={source} />
            </td>
            <td className={styles.granted}>{formatDate(grantedAt)}</td>
            <td>{expiresAt == null ? m.wallet_never() : formatDate(expiresAt)}</td>
            <td className={styles.number}>
              {m.wallet_left_of({ left: formatNumber(remaining), granted: formatNumber(granted) })}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </section>
);
