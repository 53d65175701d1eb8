import { useState, type ReactElement } from 'react';
import { useMutation } from 'urql';
import { failureOf, textOf, type Failure } from '../../api/errors.js';
import { useOverdue } from '../../api/use-overdue.js';
import * as m from '../../paraglide/messages.js';
import { player } from '../../player/player.js';
import { usePlayer } from '../../player/state.js';
import { Button } from '../../ui/button.js';
import { formatPercent } from '../../ui/format.js';
import { Cancel } from '../queries.js';
import type { StoryOfPage } from '../story.js';
import styles from './box.module.css';

/** The narration is being made. It can be heard already. */
export function Making({ audio }: { audio: StoryOfPage['audio'][number] }): ReactElement {
  const [{ fetching }, cancel] = useMutation(Cancel);
  const [failure, setFailure] = useState<Failure | null>(null);
  const { audioId, playing, waiting } = usePlayer();
  const active = audioId === audio.id && (playing || waiting);
  // The player queries the narration that is open in it.
  useOverdue(audioId === audio.id ? null : audio);
  const onCancel = async (): Promise<void> => {
    const { error } = await cancel({ id: audio.id });
    setFailure(failureOf(error));
    if (error === undefined && audioId === audio.id) player.close();
  };
  const percent = formatPercent(audio.progress);
  return (
    <div className={styles.state}>
      <div className={styles.say}>
        <p className={`figures ${styles.price ?? ''}`}>
          {audio.status === 'QUEUED' ? m.story_queued() : m.story_making({ percent })}
        </p>
        <p className={styles.quiet}>
          {audio.waitingFor === 'SPEECH_PROVIDER'
            ? m.story_waiting_provider()
            : m.story_listen_already()}
        </p>
        <progress
          className={styles.bar}
          max={1}
          value={audio.progress}
          aria-label={m.story_progress()}
        />
        {failure !== null && (
          <p role="alert" className={styles.bad}>
            {textOf(failure)}
          </p>
        )}
      </div>
      <div className={styles.actions}>
        <Button
          kind="primary"
          onClick={active ? player.pause : () => player.open(audio.id, { play: true })}
        >
          {active ? m.player_pause() : m.player_play()}
        </Button>
        <Button busy={fetching} onClick={() => void onCancel()}>
          {m.story_cancel()}
        </Button>
      </div>
    </div>
  );
}
