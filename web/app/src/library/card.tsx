import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { Cover } from '../cover/cover.js';
import type { StoryCardFragment } from '../gql/graphql.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { secondsOf } from '../story/seconds.js';
import { formatMinutes, formatNumber, formatPercent } from '../ui/format.js';
import styles from './library.module.css';

export const Card = ({ story }: { story: StoryCardFragment }): ReactElement => (
  <div className={styles.card} role="listitem">
    <Cover story={story} />
    <h2 className={styles.cardTitle} lang={story.language}>
      <Link href={paths.story(story.slug)}>{story.title}</Link>
    </h2>
    <p className={styles.description} lang={story.language}>
      {story.description}
    </p>
    <p className={`figures ${styles.facts ?? ''}`}>
      {formatMinutes(secondsOf(story))} · <State story={story} />
    </p>
  </div>
);

/** What there is to know next: how far it is made or heard, and otherwise what it costs. */
function State({ story }: { story: StoryCardFragment }): ReactElement {
  const { currentAudio: audio, requiredCredits: count } = story;
  if (audio?.status === 'QUEUED' || audio?.status === 'PROCESSING')
    return (
      <strong className={styles.lit}>
        {m.library_making({ percent: formatPercent(audio.progress) })}
      </strong>
    );
  if (audio?.status === 'READY') return <strong className={styles.lit}>{heard(audio)}</strong>;
  return <>{m.frame_points({ count, shown: formatNumber(count) })}</>;
}

type Audio = NonNullable<StoryCardFragment['currentAudio']>;

function heard({ listening, durationSeconds }: Audio): string {
  if (listening == null) return m.library_ready();
  if (listening.finished) return m.library_heard();
  const fraction = listening.positionMs / 1000 / (durationSeconds ?? 1);
  return m.library_half_heard({ percent: formatPercent(Math.min(1, fraction)) });
}
