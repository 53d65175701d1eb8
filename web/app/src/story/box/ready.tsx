import { Pause, Play } from 'lucide-react';
import { lazy, Suspense, type ReactElement } from 'react';
import { Link, useRoute } from 'wouter';
import * as m from '../../paraglide/messages.js';
import { paths, patterns } from '../../paths.js';
import { player } from '../../player/player.js';
import { usePlayer } from '../../player/state.js';
import { Button, buttonClass } from '../../ui/button.js';
import { formatClock } from '../../ui/format.js';
import type { StoryOfPage } from '../story.js';
import styles from './box.module.css';

/** Loaded later, because the first page of a visitor shows neither. */
const KeepOffline = lazy(async () => ({
  default: (await import('./keep-offline.js')).KeepOffline,
}));
const DeleteRecording = lazy(async () => ({
  default: (await import('./delete-recording.js')).DeleteRecording,
}));

/** The recording is there. */
export function Ready({ audio }: { audio: StoryOfPage['audio'][number] }): ReactElement {
  const { audioId, playing, waiting } = usePlayer();
  const [, route] = useRoute(patterns.story);
  const mine = audioId === audio.id;
  const active = mine && (playing || waiting);
  return (
    <div className={styles.state}>
      <div className={styles.say}>
        <p className={`figures ${styles.price ?? ''}`}>
          {m.story_ready({ time: formatClock(audio.durationSeconds ?? 0) })}
        </p>
        <p className={styles.quiet}>{m.story_press_sentence()}</p>
        <Suspense>
          <KeepOffline audio={audio} />
        </Suspense>
      </div>
      <div className={styles.actions}>
        <Button
          kind="primary"
          onClick={active ? player.pause : () => player.open(audio.id, { play: true })}
        >
          {active ? (
            <Pause size={20} strokeWidth={1.75} aria-hidden />
          ) : (
            <Play size={20} strokeWidth={1.75} aria-hidden />
          )}
          {active ? m.player_pause() : m.player_play()}
        </Button>
        {mine && route !== null && (
          <Link href={paths.listen(route.slug)} className={buttonClass()}>
            {m.player_open()}
          </Link>
        )}
        <Suspense>
          <DeleteRecording audio={audio} />
        </Suspense>
      </div>
    </div>
  );
}
