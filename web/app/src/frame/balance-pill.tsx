import type { ReactElement } from 'react';
import { useQuery } from 'urql';
import { Link } from 'wouter';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { classes } from '../ui/classes.js';
import { formatNumber } from '../ui/format.js';
import styles from './balance-pill.module.css';
import { Balance } from './use-balance.js';

/** The points that can be spent now. Events keep them up to date. */
export function BalancePill(): ReactElement {
  const [{ data }] = useQuery({ query: Balance, variables: {} });
  const balance = data?.me?.credits.balance;
  const low = balance !== undefined && balance < (data?.me?.credits.lowBelow ?? 0);
  const shown = balance === undefined ? '…' : formatNumber(balance);
  const points = m.frame_points({ count: balance ?? 0, shown });
  return (
    <Link
      href={paths.wallet}
      className={classes('figures', styles.pill, low && styles.low)}
      aria-label={m.frame_wallet_points({ points })}
    >
      {points}
    </Link>
  );
}
