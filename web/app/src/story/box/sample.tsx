import { Pause, Play } from 'lucide-react';
import { useEffect, useRef, useState, type ReactElement } from 'react';
import { sameOrigin } from '../../api/addresses.js';
import * as m from '../../paraglide/messages.js';
import { player } from '../../player/player.js';
import { usePlayer } from '../../player/state.js';
import { IconButton } from '../../ui/icon-button.js';
import styles from './box.module.css';

/** A few seconds of a voice, to hear before paying. */
export function Sample({ url }: { url: string }): ReactElement {
  const sound = useRef<HTMLAudioElement>(null);
  const [state, setState] = useState<'idle' | 'playing' | 'failed'>('idle');
  const { playing } = usePlayer();
  useEffect(() => setState('idle'), [url]);
  useEffect(() => {
    if (playing) sound.current?.pause();
  }, [playing]);
  const play = (): void => {
    player.pause();
    setState('playing');
    sound.current?.play().catch(() => setState('failed'));
  };
  const failed = state === 'failed';
  return (
    <div className={styles.sample}>
      <IconButton
        icon={state === 'playing' ? Pause : Play}
        name={failed ? m.story_sample_failed() : m.story_sample()}
        aria-pressed={state === 'playing'}
        onClick={() => (state === 'playing' ? sound.current?.pause() : play())}
      />
      {/* It has no captions, because a sample is one sentence in the language of the voice. */}
      <audio
        ref={sound}
        src={sameOrigin(url)}
        preload="none"
        onPause={() => setState('idle')}
        onEnded={() => setState('idle')}
        onError={() => setState('failed')}
      />
    </div>
  );
}
