import { Printer } from 'lucide-react';
import { useEffect, useRef, useState, type ReactElement } from 'react';
import { useQuery, type CombinedError } from 'urql';
import { serverNow } from '../api/clock.js';
import { failureOf } from '../api/errors.js';
import { Loading } from '../frame/loading.js';
import { SignedIn } from '../frame/signed-in.js';
import { Refusal } from '../forms/form.js';
import type { CreditSource } from '../gql/graphql.js';
import { graphql } from '../gql/index.js';
import * as m from '../paraglide/messages.js';
import { Button } from '../ui/button.js';
import { classes } from '../ui/classes.js';
import { formatNumber } from '../ui/format.js';
import { useTitle } from '../ui/title.js';
import { History } from './history.js';
import { Lapse } from './lapse.js';
import { LotTable } from './lot-table.js';
import { bySource, inBurningOrder, type Part } from './lots.js';
import { colorOfSource, Source, SOURCES } from './sources.js';
import { LapseTimeline } from './timeline.js';
import styles from './wallet.module.css';

const WalletQuery = graphql(`
  query Wallet {
    me {
      id
      credits {
        ...CreditsState
      }
      creditLots(first: 100, status: [ACTIVE]) {
        nodes {
          id
          source
          granted
          remaining
          grantedAt
          expiresAt
          priority
        }
      }
    }
  }
`);

export const Wallet = (): ReactElement => (
  <SignedIn>
    <WalletPage />
  </SignedIn>
);

function WalletPage(): ReactElement {
  useTitle(m.frame_wallet());
  const [{ data, error }, read] = useQuery({ query: WalletQuery, variables: {} });
  const me = data?.me;
  const balance = me?.credits.balance;
  const version = useSettled(balance);
  useEffect(() => {
    if (version > 0) read({ requestPolicy: 'network-only' });
  }, [version, read]);
  const failure = failureOf(error);
  useRetry(error, () => read({ requestPolicy: 'network-only' }));
  if (me == null)
    return (
      <div className={styles.page}>
        <h1>{m.frame_wallet()}</h1>
        {failure === null ? <Loading /> : <Refusal failure={failure} />}
      </div>
    );
  const lots = inBurningOrder(me.creditLots.nodes);
  // Events bring the sums at once, and the lots are read a moment later.
  const order = bySource(lots).map(({ source }) => source);
  const isKnown = me.credits.bySource.every(({ source }) => order.includes(source));
  const rank = (source: CreditSource): number => (isKnown ? order : SOURCES).indexOf(source);
  const parts = me.credits.bySource
    .map(({ source, balance: points }) => ({ source, points }))
    .sort((one, other) => rank(one.source) - rank(other.source));
  return (
    <div className={styles.page}>
      <div className={styles.head}>
        <div>
          <h1>{m.frame_wallet()}</h1>
          <p className={classes('figures', styles.amount)} data-testid="balance">
            {formatNumber(me.credits.balance)}{' '}
            <span className={styles.unit}>{m.wallet_unit({ count: me.credits.balance })}</span>
          </p>
        </div>
        <Button className={styles.noPrint} onClick={() => window.print()}>
          <Printer size={20} strokeWidth={1.75} aria-hidden />
          {m.wallet_print()}
        </Button>
      </div>
      {failure !== null && <Refusal failure={failure} />}
      {parts.length > 0 && <BurningOrder parts={parts} />}
      <Lapse expiring={me.credits.expiring} />
      {lots.length > 0 && <LapseTimeline lots={lots} now={serverNow()} />}
      {lots.length > 0 && <LotTable lots={lots} />}
      <History version={version} />
    </div>
  );
}

/** The points of each source, from the first that a narration takes to the last. */
const BurningOrder = ({ parts }: { parts: readonly Part[] }): ReactElement => (
  <section className={styles.section} aria-label={m.wallet_order()}>
    <div className={styles.bar} aria-hidden>
      {parts.map(({ source, points }) => (
        <span
          key={source}
          className={classes(styles.segment, colorOfSource(source))}
          style={{ flexGrow: points }}
        />
      ))}
    </div>
    <ol className={classes('figures', styles.legend)}>
      {parts.map(({ source, points }) => (
        <li key={source}>
          <Source source={source} /> <strong>{formatNumber(points)}</strong>
        </li>
      ))}
    </ol>
    {parts.length > 1 && <p className={styles.soft}>{m.wallet_order_text()}</p>}
  </section>
);

const QUIET_MS = 700;
const AT_ONCE = 4;
const WINDOW_MS = 30_000;

/**
 * Counts changes of a value, at most four in half a minute. Points may move many times in a minute, and each read of the
 * history counts against a limit.
 */
function useSettled(value: number | undefined): number {
  const state = useRef<{ value: number | undefined; at: number[]; version: number }>({
    value,
    at: [],
    version: 0,
  });
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const { current } = state;
    if (value === undefined || value === current.value) return;
    if (current.value === undefined) {
      current.value = value;
      return;
    }
    const earliest = (current.at.at(-AT_ONCE) ?? -WINDOW_MS) + WINDOW_MS;
    const wait = Math.max(QUIET_MS, earliest - performance.now());
    const timer = setTimeout(() => {
      current.value = value;
      current.at = [...current.at, performance.now()].slice(-AT_ONCE);
      current.version += 1;
      setVersion(current.version);
    }, wait);
    return () => clearTimeout(timer);
  }, [value, setVersion]);
  return version;
}

/** Reads again when a limit has ended. */
function useRetry(error: CombinedError | undefined, run: () => void): void {
  const latest = useRef(run);
  useEffect(() => {
    latest.current = run;
  });
  useEffect(() => {
    const failure = failureOf(error);
    if (failure?.code !== 'RATE_LIMITED') return;
    const timer = setTimeout(() => latest.current(), (failure.retryAfterSeconds ?? 60) * 1000);
    return () => clearTimeout(timer);
  }, [error]);
}
