import { lazy, Suspense, useEffect, type ReactElement } from 'react';
import { useQuery } from 'urql';
import { failureOf, textOf } from '../../api/errors.js';
import type { QuoteQuery } from '../../gql/graphql.js';
import * as m from '../../paraglide/messages.js';
import { Button } from '../../ui/button.js';
import { formatNumber } from '../../ui/format.js';
import { useBalance } from '../../frame/use-balance.js';
import { Quote } from '../queries.js';
import type { StoryOfPage } from '../story.js';
import styles from './box.module.css';
import { lotText } from './lot-text.js';
import { useNarrate } from './use-narrate.js';

/** Loaded later, because most listeners have enough points. */
const TooFew = lazy(async () => ({ default: (await import('./too-few.js')).TooFew }));

type Quoted = QuoteQuery['quoteAudio'];

/** The price, and the points that would pay it. */
export function Offer({ story, voiceId }: { story: StoryOfPage; voiceId: string }): ReactElement {
  const [{ data, error, fetching }, ask] = useQuery({
    query: Quote,
    variables: { storyId: story.id, voiceId },
    pause: voiceId === '',
    requestPolicy: 'cache-and-network',
  });
  const balance = useBalance();
  const quoted = data?.quoteAudio;
  const { busy, failure, narrate } = useNarrate(story.id, voiceId, quoted?.requiredCredits ?? null);
  useEffect(() => {
    // Points that come or go change what can be paid.
    if (balance !== undefined && quoted !== undefined && balance !== quoted.balance)
      ask({ requestPolicy: 'network-only' });
    // Only a change of the balance asks again: an answer that differs must not ask for ever.
  }, [balance]);
  const refusal = failure ?? (quoted === undefined ? failureOf(error) : null);
  if (quoted?.affordable === false && !busy)
    return (
      <Suspense>
        <TooFew quoted={quoted} />
      </Suspense>
    );
  const count = quoted?.requiredCredits ?? story.requiredCredits;
  // The box has one height, and many payers fill it.
  const fewPayers = (quoted?.allocations.length ?? 0) < 2;
  return (
    <div className={styles.state}>
      <div className={styles.say}>
        <p className={`figures ${styles.price ?? ''}`}>
          {m.frame_points({ count, shown: formatNumber(count) })}
        </p>
        {refusal !== null ? (
          <p role="alert" className={styles.bad}>
            {textOf(refusal)}
          </p>
        ) : (
          <Payers quoted={quoted} />
        )}
        {refusal === null && fewPayers && <p className={styles.quiet}>{m.story_yours()}</p>}
      </div>
      <div className={styles.actions}>
        <Button
          kind="primary"
          busy={busy}
          disabled={voiceId === '' || (fetching && quoted === undefined)}
          onClick={narrate}
        >
          {busy ? m.story_asking() : m.story_narrate()}
        </Button>
      </div>
    </div>
  );
}

/** More lots than this are counted, because the box has one height. */
const SHOWN = 2;

function Payers({ quoted }: { quoted: Quoted | undefined }): ReactElement | null {
  if (quoted === undefined) return null;
  const rest = quoted.allocations.length - SHOWN;
  return (
    <ul className={styles.quiet}>
      {quoted.allocations.slice(0, SHOWN).map(({ amount, lot }) => (
        <li key={lot.id}>{lotText(amount, lot)}</li>
      ))}
      {rest > 0 && <li>{m.story_more_lots({ count: rest, shown: formatNumber(rest) })}</li>}
    </ul>
  );
}
