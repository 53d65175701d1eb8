import { ChevronDown } from 'lucide-react';
import type { ReactElement } from 'react';
import { Link } from 'wouter';
import type { CreditTransactionType } from '../gql/graphql.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { classes } from '../ui/classes.js';
import { formatDate, formatNumber } from '../ui/format.js';
import type { Movement } from './history-query.js';
import { Source } from './sources.js';
import styles from './wallet.module.css';

const TYPE_NAMES: Readonly<Record<CreditTransactionType, () => string>> = {
  DEBIT: m.wallet_type_debit,
  REFUND: m.wallet_type_refund,
  GRANT: m.wallet_type_grant,
  EXPIRY: m.wallet_type_expiry,
  REVOCATION: m.wallet_type_revocation,
};

export const nameOfType = (type: CreditTransactionType): string => TYPE_NAMES[type]();

const signed = (amount: number): string =>
  amount < 0 ? `−${formatNumber(-amount)}` : `+${formatNumber(amount)}`;

/** “Title · Given back”, “Received · A present”. */
function titleOf({ type, story, reason }: Movement): string {
  if (type === 'DEBIT' && story != null) return story.title;
  const about = story?.title ?? reason;
  const parts = story == null ? [nameOfType(type), about] : [about, nameOfType(type)];
  return parts.filter((part) => part != null && part !== '').join(' · ');
}

/** A movement of points, which opens to the lots that it fell on. */
export function MovementRow({ movement }: { movement: Movement }): ReactElement {
  const { type, amount, balanceAfter, effectiveAt, story, reason } = movement;
  const day = formatDate(effectiveAt, { day: 'numeric', month: 'short' });
  return (
    <details className={styles.movement}>
      <summary className={styles.summary}>
        <span className={styles.date}>{day}</span>
        <span className={styles.what}>
          {titleOf(movement)}
          <span className={styles.onlyNarrow}>{day}</span>
        </span>
        <span className={classes(styles.number, amount > 0 ? styles.plus : styles.minus)}>
          {signed(amount)}
        </span>
        <span className={styles.number}>
          <span className="visually-hidden">{m.wallet_balance()} </span>
          {formatNumber(balanceAfter)}
        </span>
        <ChevronDown className={styles.chevron} size={18} strokeWidth={1.75} aria-hidden />
      </summary>
      <div className={styles.opened}>
        <p className={styles.soft}>
          {nameOfType(type)}, {formatDate(effectiveAt, { dateStyle: 'long', timeStyle: 'short' })}
          {reason != null && reason !== '' && `: ${reason}`}
        </p>
        <ul>
          {movement.allocations.map((part) => (
            <li key={part.lot.id}>
              <Source source={part.lot.source}>
                {m.wallet_allocation({
                  amount: signed(part.amount),
                  granted: formatDate(part.lot.grantedAt),
                })}
                {part.lot.expiresAt != null &&
                  `, ${m.wallet_lapses_on({ day: formatDate(part.lot.expiresAt) })}`}
              </Source>
            </li>
          ))}
        </ul>
        {story != null && <Link href={paths.story(story.slug)}>{story.title}</Link>}
      </div>
    </details>
  );
}
