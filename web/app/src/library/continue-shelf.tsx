import { Play } from 'lucide-react';
import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { Cover } from '../cover/cover.js';
import type { ContinueListeningQuery } from '../gql/graphql.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { player } from '../player/player.js';
import { formatMinutes } from '../ui/format.js';
import { IconButton } from '../ui/icon-button.js';
import styles from './continue-shelf.module.css';

type Audio = ContinueListeningQuery['continueListening'][number];

/** What was begun and not finished, the latest first. One press goes on. */
export const ContinueShelf = ({ audios }: { audios: readonly Audio[] }): ReactElement => (
  <section className={styles.shelf} aria-labelledby="continue">
    <h2 id="continue">{m.library_continue()}</h2>
    <ul className={styles.row} tabIndex={-1}>
      {audios.map((audio) => (
        <Begun key={audio.id} audio={audio} />
      ))}
    </ul>
  </section>
);

function Begun({ audio }: { audio: Audio }): ReactElement {
  const { story, listening, durationSeconds } = audio;
  const left = (durationSeconds ?? 0) - (listening?.positionMs ?? 0) / 1000;
  return (
    <li className={styles.begun}>
      <div className={styles.cover}>
        <Cover small story={story} />
      </div>
      <div className={styles.about}>
        <Link href={paths.story(story.slug)} className={styles.title} lang={story.language}>
          {story.title}
        </Link>
        {durationSeconds != null && (
          <p className={styles.left}>{m.library_left({ time: formatMinutes(left) })}</p>
        )}
        <progress
          className={styles.progress}
          max={durationSeconds ?? 1}
          value={(listening?.positionMs ?? 0) / 1000}
          aria-label={m.library_progress()}
        />
      </div>
      <IconButton
        icon={Play}
        size={24}
        name={m.library_play({ title: story.title })}
        onClick={() => player.open(audio.id, { play: true })}
      />
    </li>
  );
}
