import { Gift, Link2, Moon, Plus, Star, type LucideIcon } from 'lucide-react';
import type { ReactElement, ReactNode } from 'react';
import type { CreditSource } from '../gql/graphql.js';
import * as m from '../paraglide/messages.js';
import { classes } from '../ui/classes.js';
import styles from './wallet.module.css';

interface Look {
  readonly icon: LucideIcon;
  readonly color: string | undefined;
  readonly name: () => string;
}

/** Each source has a colour and a shape, because a colour alone says nothing to many people. */
const LOOKS: Readonly<Record<CreditSource, Look>> = {
  EVENT: { icon: Star, color: styles.event, name: m.wallet_source_event },
  MONTHLY: { icon: Moon, color: styles.monthly, name: m.wallet_source_monthly },
  REFERRAL: { icon: Link2, color: styles.referral, name: m.wallet_source_referral },
  ADD_ON: { icon: Plus, color: styles.addOn, name: m.wallet_source_add_on },
  FREE: { icon: Gift, color: styles.free, name: m.wallet_source_free },
};

export const SOURCES = Object.keys(LOOKS) as CreditSource[];
export const nameOfSource = (source: CreditSource): string => LOOKS[source].name();
export const colorOfSource = (source: CreditSource): string | undefined => LOOKS[source].color;

/** The shape and the name of a source, or other words instead of the name. */
export function Source({
  source,
  children,
}: {
  source: CreditSource;
  children?: ReactNode;
}): ReactElement {
  const { icon: Icon, color, name } = LOOKS[source];
  return (
    <span className={classes(styles.source, color)}>
      <Icon size={18} strokeWidth={1.75} aria-hidden />
      <span>{children ?? name()}</span>
    </span>
  );
}

/** A shape with a number. The name of the source is for screen readers. */
export function Mark({ source, shown }: { source: CreditSource; shown: string }): ReactElement {
  const { icon: Icon, color, name } = LOOKS[source];
  return (
    <span className={classes('figures', styles.mark, color)} title={name()}>
      <Icon size={18} strokeWidth={1.75} aria-hidden />
      {shown}
      <span className="visually-hidden"> {name()}</span>
    </span>
  );
}
