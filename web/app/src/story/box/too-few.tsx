import type { ReactElement } from 'react';
import { useQuery } from 'urql';
import { Link } from 'wouter';
import { graphql } from '../../gql/index.js';
import type { QuoteQuery } from '../../gql/graphql.js';
import * as m from '../../paraglide/messages.js';
import { paths } from '../../paths.js';
import { buttonClass } from '../../ui/button.js';
import { formatDate, formatNumber } from '../../ui/format.js';
import styles from './box.module.css';

const WaysToPoints = graphql(`
  query WaysToPoints {
    me {
      id
      emailVerified
    }
    settings {
      purchases
    }
  }
`);

/** How many points are missing, and how to come by them. */
export function TooFew({ quoted }: { quoted: QuoteQuery['quoteAudio'] }): ReactElement {
  const [{ data }] = useQuery({ query: WaysToPoints, variables: {} });
  const { shortfall, balance, requiredCredits } = quoted;
  const now = new Date();
  const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1));
  const day = formatDate(month, { day: 'numeric', month: 'long', timeZone: 'UTC' });
  return (
    <div className={styles.state}>
      <div className={styles.say} role="status">
        <p className={`figures ${styles.price ?? ''}`}>
          {m.story_missing({ count: shortfall, shown: formatNumber(shortfall) })}
        </p>
        <p className={styles.quiet}>
          {m.story_costs({
            price: m.frame_points({ count: requiredCredits, shown: formatNumber(requiredCredits) }),
            balance: formatNumber(balance),
          })}
        </p>
        <p className={styles.quiet}>
          {data?.me?.emailVerified === false
            ? m.story_verify_first({ day })
            : m.story_wait({ day })}
        </p>
      </div>
      <div className={styles.actions}>
        <Link
          href={data?.me?.emailVerified === false ? paths.account : paths.wallet}
          className={buttonClass()}
        >
          {data?.me?.emailVerified === false ? m.story_to_account() : m.story_to_wallet()}
        </Link>
      </div>
    </div>
  );
}
