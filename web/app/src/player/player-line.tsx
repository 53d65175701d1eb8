import { Pause, Play, X } from 'lucide-react';
import type { ReactElement } from 'react';
import { Link } from 'wouter';
import { Cover } from '../cover/cover.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { formatClock } from '../ui/format.js';
import { IconButton } from '../ui/icon-button.js';
import { JumpOrStay } from './jump-or-stay.js';
import type { OpenAudio } from './open-audio.js';
import { player } from './player.js';
import { usePlayer, usePosition } from './state.js';
import styles from './player-line.module.css';

/** One line that goes on from page to page, and opens to the full player. */
export function PlayerLine({ audio }: { audio: OpenAudio }): ReactElement {
  const { playing, waiting, failed, elsewhere, durationSeconds } = usePlayer();
  const { story } = audio;
  const active = playing || waiting;
  return (
    <section className={styles.line} aria-label={m.player_name()}>
      {elsewhere !== null && <JumpOrStay audio={audio} elsewhere={elsewhere} />}
      <Progress durationSeconds={durationSeconds} />
      <div className={styles.row}>
        <Link href={paths.listen(story.slug)} className={styles.open}>
          <span className={styles.cover}>
            <Cover small story={story} />
          </span>
          <span className={styles.about}>
            <span className={styles.title} lang={story.language}>
              {story.title}
            </span>
            <span className={styles.state}>
              {failed ? m.player_failed() : <Times durationSeconds={durationSeconds} />}
            </span>
          </span>
          <span className="visually-hidden">{m.player_open()}</span>
        </Link>
        <IconButton
          icon={active ? Pause : Play}
          size={24}
          name={active ? m.player_pause() : m.player_play()}
          onClick={player.toggle}
        />
        <IconButton icon={X} name={m.player_close()} onClick={player.close} />
      </div>
    </section>
  );
}

function Progress({ durationSeconds }: { durationSeconds: number | null }): ReactElement {
  const seconds = usePosition() / 1000;
  const share = durationSeconds === null ? 0 : Math.min(1, seconds / durationSeconds);
  return (
    <div className={styles.progress} aria-hidden="true">
      <div className={styles.heard} style={{ transform: `scaleX(${share})` }} />
    </div>
  );
}

function Times({ durationSeconds }: { durationSeconds: number | null }): ReactElement {
  const seconds = Math.floor(usePosition() / 1000);
  return (
    <span className="figures">
      {formatClock(seconds)}
      {durationSeconds === null
        ? ` · ${m.player_being_made()}`
        : ` / ${formatClock(durationSeconds)}`}
    </span>
  );
}
