import type { ReactElement } from 'react';
import * as m from '../paraglide/messages.js';
import { Button } from '../ui/button.js';
import { formatClock } from '../ui/format.js';
import type { Position } from './logic/position.js';
import type { OpenAudio } from './open-audio.js';
import { player } from './player.js';
import { usePosition } from './state.js';
import styles from './jump-or-stay.module.css';

interface JumpOrStayProps {
  readonly audio: OpenAudio;
  readonly elsewhere: Position;
}

/** Another device was used later, and is elsewhere in the story. */
export function JumpOrStay({ audio, elsewhere }: JumpOrStayProps): ReactElement {
  const here = usePosition() / 1000;
  const device = audio.listening?.device?.deviceName ?? m.player_other_device();
  return (
    <div className={styles.question} role="alert">
      <p>{m.player_elsewhere({ device, time: formatClock(elsewhere.positionMs / 1000) })}</p>
      <div className={styles.answers}>
        <Button kind="primary" onClick={() => player.choosePlace(true)}>
          {m.player_jump({ time: formatClock(elsewhere.positionMs / 1000) })}
        </Button>
        <Button onClick={() => player.choosePlace(false)}>
          {m.player_stay({ time: formatClock(here) })}
        </Button>
      </div>
    </div>
  );
}
