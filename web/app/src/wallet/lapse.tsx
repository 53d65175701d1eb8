import type { ReactElement } from 'react';
import { useQuery } from 'urql';
import { Link } from 'wouter';
import { graphql } from '../gql/index.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { formatDay, formatNumber } from '../ui/format.js';
import { affordable } from './lots.js';
import styles from './wallet.module.css';

const Cheapest = graphql(`
  query WalletStories {
    stories(first: 50) {
      nodes {
        id
        slug
        title
        requiredCredits
      }
    }
  }
`);

/** How many stories are named. */
const NAMED = 3;

interface Expiring {
  readonly at: string;
  readonly points: number;
}

/** What lapses next, and what it is enough for. */
export function Lapse({ expiring }: { expiring: readonly Expiring[] }): ReactElement | null {
  const next = [...expiring].sort((one, other) => one.at.localeCompare(other.at))[0];
  const [{ data }] = useQuery({ query: Cheapest, variables: {}, pause: next === undefined });
  if (next === undefined || next.points === 0) return null;
  const stories = affordable(data?.stories.nodes ?? [], next.points);
  const points = m.frame_points({ count: next.points, shown: formatNumber(next.points) });
  return (
    <section className={styles.lapse} aria-label={m.wallet_lapse_title()}>
      <p>
        <strong>{m.wallet_lapse({ count: next.points, points, day: formatDay(next.at) })}</strong>{' '}
        {stories.length > 0 && m.wallet_enough({ count: stories.length })}
      </p>
      {stories.length > 0 && (
        <ul className={styles.stories}>
          {stories.slice(0, NAMED).map(({ id, slug, title }) => (
            <li key={id}>
              <Link href={paths.story(slug)}>{title}</Link>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
